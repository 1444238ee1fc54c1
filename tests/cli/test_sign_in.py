"""``sign-in``, and the steps of ``check --connect`` with access tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trustme
from tests.tokens.endpoint import CLIENT, SECRET, TENANT, TokenEndpoint

from vetmail_core import clock as clocks
from vetmail_core.testing import LocalSmtpServer
from vetmail_core.testing.clock import FakeClock
from vetmail_core.tokens import microsoft

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Said


@pytest.fixture
def endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenEndpoint]:
    """A trusted token endpoint; sign-ins are kept in the test's own folder, and nobody really waits."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("VETMAIL_APP_SECRET", SECRET)
    clock = FakeClock()
    monkeypatch.setattr(clocks.SystemClock, "sleep", lambda _self, seconds: clock.sleep(seconds))
    with TokenEndpoint(authority) as server:
        yield server


@pytest.fixture
def sign_in_preferences(
    endpoint: TokenEndpoint, change_preferences: Callable[..., None]
) -> Callable[..., None]:
    """Preferences in which people sign in."""

    def change(**more: object) -> None:
        person = {"tenant": TENANT, "client_id": CLIENT, "authority": endpoint.authority, **more}
        change_preferences(
            mail_server={
                "authentication": "oauth2",
                "username": "kim@example.com",
                "oauth": {"microsoft_sign_in": person},
            }
        )

    return change


FILE = ("--preferences", "email-preferences.json")


def test_a_person_signs_in_with_the_code_that_is_shown(
    endpoint: TokenEndpoint,
    sign_in_preferences: Callable[..., None],
    vetmail: Callable[..., Said],
    tmp_path: Path,
) -> None:
    """The mailbox is the preferences' own, or the one that is named."""
    sign_in_preferences()
    said = vetmail("sign-in", *FILE)
    assert (said.status, said.err) == (0, "")
    assert "ABCD-EFGH" in said.out
    assert said.out.endswith("signed in: mail can be sent as kim@example.com\n")
    assert (tmp_path / "state" / "vetmail_core" / "sign-ins.json").exists()
    endpoint.who = "sam@example.com"
    assert (
        "mail can be sent as sam@example.com" in vetmail("sign-in", *FILE, "--staff", "sam@example.com").out
    )


def test_a_sign_in_that_is_declined_ends_with_1(
    endpoint: TokenEndpoint, sign_in_preferences: Callable[..., None], vetmail: Callable[..., Said]
) -> None:
    """The reason is on one line."""
    sign_in_preferences()
    endpoint.script = [endpoint._answer("/devicecode", {}), (400, {"error": "authorization_declined"}, {})]
    said = vetmail("sign-in", *FILE)
    assert said.status == 1
    assert said.err.startswith("vetmail sign-in: not signed in: The sign-in was not finished")


def test_an_interrupt_while_waiting_leaves_nothing_half_done(
    endpoint: TokenEndpoint,
    sign_in_preferences: Callable[..., None],
    vetmail: Callable[..., Said],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl-C."""
    del endpoint
    sign_in_preferences()

    def interrupted(_self: object, _seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(microsoft.SystemClock, "sleep", interrupted)
    said = vetmail("sign-in", *FILE)
    assert (said.status, said.err) == (
        1,
        "vetmail sign-in: not signed in: interrupted, and nothing was changed\n",
    )


def test_preferences_without_a_sign_in_end_with_2(
    endpoint: TokenEndpoint,
    sign_in_preferences: Callable[..., None],
    change_preferences: Callable[..., None],
    vetmail: Callable[..., Said],
) -> None:
    """It says which kind they have."""
    del endpoint
    said = vetmail("sign-in", *FILE)
    assert (said.status, "mail_server.oauth is not set" in said.err) == (2, True)
    app = {"tenant": TENANT, "client_id": CLIENT}
    change_preferences(mail_server={"oauth": {"microsoft_app": app}})
    said = vetmail("sign-in", *FILE)
    assert (said.status, "they have microsoft_app" in said.err) == (2, True)
    sign_in_preferences(mailbox="office@example.com")
    said = vetmail("sign-in", *FILE, "--staff", "kim@example.com")
    assert (said.status, "sign everybody in as office@example.com" in said.err) == (2, True)
    sign_in_preferences()
    change_preferences(mail_server={"username": ""})
    said = vetmail("sign-in", *FILE)
    assert (said.status, "expected --staff MAILBOX" in said.err) == (2, True)


def test_each_step_that_fails_is_named(
    endpoint: TokenEndpoint, change_preferences: Callable[..., None], vetmail: Callable[..., Said]
) -> None:
    """The token, the login; and what is good is a row."""
    app = {
        "tenant": TENANT, "client_id": CLIENT, "authority": endpoint.authority,
        "secret": {"environment": "VETMAIL_APP_SECRET"},
    }  # fmt: skip
    with LocalSmtpServer(token="good") as server:
        change_preferences(
            use_built_in_client=True,
            mail_server={
                "host": "127.0.0.1", "port": server.port, "tls": "none", "authentication": "oauth2",
                "username": "office@example.com", "oauth": {"microsoft_app": app},
            },
        )  # fmt: skip
        endpoint.script = [endpoint.refusal(65001, "invalid_grant", 400)]
        said = vetmail("check", "--connect", *FILE)
        assert said.status == 1
        assert "stopped at TOKEN: Nobody has consented" in said.out
        assert "Grant admin consent" in said.out
        said = vetmail("check", "--connect", *FILE)
        assert said.status == 1
        assert "stopped at AUTH" in said.out
        assert "the mailbox that the access token is for" in said.out or "service principal" in said.out
        endpoint.script = [(200, {"access_token": "good", "expires_in": 3_600}, {})]
        said = vetmail("check", "--connect", *FILE)
        assert said.status == 0, said
        row = next(line for line in said.out.splitlines() if line.startswith("Access token"))
        assert "from localhost, good for 55 minutes" in row


def test_a_token_that_was_typed_needs_no_source_in_the_preferences(
    change_preferences: Callable[..., None], vetmail: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quick test by hand."""
    monkeypatch.setenv("VETMAIL_TOKEN", "good")
    with LocalSmtpServer(token="good") as server:
        change_preferences(
            use_built_in_client=True,
            mail_server={
                "host": "127.0.0.1", "port": server.port, "tls": "none", "authentication": "oauth2",
                "username": "office@example.com",
            },
        )  # fmt: skip
        assert vetmail("check", "--connect", *FILE).status == 1
        assert vetmail("check", "--connect", *FILE, "--token-environment", "VETMAIL_TOKEN").status == 0

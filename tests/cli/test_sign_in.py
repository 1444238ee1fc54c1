"""``sign-in``, and the steps of ``check --connect`` with access tokens."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import attrs
import pytest
import trustme
from tests.tokens.endpoint import CLIENT, SECRET, TENANT, TokenEndpoint
from tests.transports.misbehaving.rogue import Rogue

from vetmail_core import clock as clocks
from vetmail_core.testing import LocalSmtpServer
from vetmail_core.testing.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Said

    Answer = tuple[int, object, dict[str, str]]


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
# The terminal at standard input becomes that of the new session, so that Ctrl-C in it is a signal.
ON_ITS_OWN_TERMINAL = """
import fcntl, runpy, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
runpy.run_module("vetmail_core", run_name="__main__")
"""


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


@pytest.mark.parametrize("columns", range(40, 110, 7))
def test_the_code_is_whole_however_wide_the_terminal(
    sign_in_preferences: Callable[..., None],
    vetmail: Callable[..., Said],
    monkeypatch: pytest.MonkeyPatch,
    columns: int,
) -> None:
    """Lines end between words; half a code at the end of a line is typed wrongly."""
    sign_in_preferences()
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = vetmail("sign-in", *FILE).out.splitlines()
    assert max(map(len, lines)) <= columns
    assert any("ABCD-EFGH" in line for line in lines)


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

    monkeypatch.setattr(clocks.SystemClock, "sleep", interrupted)
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


@attrs.frozen(kw_only=True)
class Broken:
    """One step that is broken, and what is said of it."""

    step: str
    words: tuple[str, ...]
    token: Answer | str | None = None  # of the token endpoint; "port" for a port where nobody listens
    login: str = "235 2.7.0 ok"
    mail: str = "250 2.1.0 ok"
    secret: str = SECRET


@pytest.mark.parametrize(
    "broken",
    [
        Broken(step="TOKEN", token="port", words=("localhost could not be reached", "HTTPS_PROXY")),
        Broken(
            step="TOKEN",
            token=(503, {"error": "temporarily_unavailable"}, {}),
            words=("status 503", "Try again"),
        ),
        Broken(step="TOKEN", secret="the-secret-id", words=("Secret ID", "Value", "AADSTS7000215")),
        Broken(
            step="TOKEN",
            token=TokenEndpoint.refusal(65001, "invalid_grant", 400),
            words=("Grant admin consent", "AADSTS65001"),
        ),
        Broken(
            step="AUTH",
            login="535 5.7.139 SmtpClientAuthentication is disabled for the Mailbox",
            words=("SmtpClientAuthentication is disabled", "Authenticated SMTP"),
        ),
        Broken(
            step="AUTH",
            login="535 5.7.3 Authentication unsuccessful",
            words=("5.7.3", "service principal", "Enterprise applications", "30 minutes"),
        ),
        Broken(step="MAIL", mail="550 5.7.60 SMTP; Client does not have permissions to send as this sender",
               words=("REFUSED: 550 5.7.60", "send as this sender")),
    ],
    ids=["endpoint gone", "endpoint down", "secret", "consent", "login", "right to the mailbox", "sender"],
)  # fmt: skip
def test_each_step_broken_once_is_the_step_that_is_named(
    endpoint: TokenEndpoint,
    change_preferences: Callable[..., None],
    vetmail: Callable[..., Said],
    monkeypatch: pytest.MonkeyPatch,
    broken: Broken,
) -> None:
    """The token, the login or the sender: with the words of whoever said no, and the cure; no password."""
    authority = endpoint.authority
    if broken.token == "port":
        with socket.create_server(("127.0.0.1", 0)) as unused:
            authority = f"https://localhost:{unused.getsockname()[1]}"
    elif broken.token is not None and not isinstance(broken.token, str):
        endpoint.script = [broken.token] * 20
    monkeypatch.setenv("VETMAIL_APP_SECRET", broken.secret)
    app = {
        "tenant": TENANT, "client_id": CLIENT, "authority": authority,
        "secret": {"environment": "VETMAIL_APP_SECRET"},
    }  # fmt: skip
    with Rogue(login=lambda _words: broken.login) as server:
        server.mail_replies = [broken.mail]
        change_preferences(
            use_built_in_client=True,
            mail_server={
                "host": "127.0.0.1", "port": server.port, "tls": "none", "authentication": "oauth2",
                "username": "office@example.com", "password": None, "oauth": {"microsoft_app": app},
            },
        )  # fmt: skip
        said = vetmail("check", "--connect", *FILE)
        assert said.status == 1
        # Lines are folded for a narrow terminal, so the words are looked for without line ends.
        told = " ".join(said.out.split())
        named = f"Stopped at {broken.step}" if broken.step == "MAIL" else f"stopped at {broken.step}"
        assert named in told
        assert [words for words in broken.words if words not in told] == []
        assert "password" not in told.casefold()
        assert broken.secret not in told
        assert (server.connections == 0) is (broken.step == "TOKEN")


@pytest.mark.parametrize(
    ("code", "answer", "words"),
    [
        (TokenEndpoint.refusal(90002, "invalid_tenant", 400), None, "Directory (tenant) ID"),
        (TokenEndpoint.refusal(7000218, "invalid_client", 401), None, "Allow public client flows"),
        (None, TokenEndpoint.refusal(70020, "expired_token", 400), "vetmail sign-in"),
        (None, TokenEndpoint.refusal(65001, "invalid_grant", 400), "Grant admin consent"),
        (None, TokenEndpoint.refusal(50057, "invalid_grant", 400), "Active users"),
    ],
    ids=["tenant", "public client", "code out of time", "consent", "user disabled"],
)
def test_each_step_of_a_sign_in_that_is_broken_has_its_sentence(
    endpoint: TokenEndpoint,
    sign_in_preferences: Callable[..., None],
    vetmail: Callable[..., Said],
    tmp_path: Path,
    code: Answer | None,
    answer: Answer | None,
    words: str,
) -> None:
    """Status 1, and nothing is kept."""
    sign_in_preferences()
    endpoint.script = [
        code or endpoint._answer("/devicecode", {}),
        *([answer] if answer is not None else []),
    ]
    said = vetmail("sign-in", *FILE)
    assert said.status == 1
    assert said.err.startswith("vetmail sign-in: not signed in: ")
    assert words in said.err
    assert ("ABCD-EFGH" in said.out) is (code is None)
    kept = (tmp_path / "state" / "vetmail_core" / "sign-ins.json").read_text(encoding="utf-8")
    assert "kim@example.com" not in kept
    assert "refresh" not in kept


@pytest.mark.wire
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
def test_ctrl_c_in_a_terminal_while_the_code_is_waited_for_leaves_what_was_there(
    endpoint: TokenEndpoint,
    sign_in_preferences: Callable[..., None],
    vetmail: Callable[..., Said],
    folder: Path,
) -> None:
    """Another person's sign-in stays as it was, and nobody is asked any more."""
    import pty  # noqa: PLC0415 - not on Windows

    sign_in_preferences()
    endpoint.who = "sam@example.com"
    assert vetmail("sign-in", *FILE, "--staff", "sam@example.com").status == 0
    kept = folder / "state" / "vetmail_core" / "sign-ins.json"
    before = kept.read_bytes()
    endpoint.pending = 1_000
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", ON_ITS_OWN_TERMINAL, "sign-in", *FILE]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        shown = b""
        while b"ABCD-EFGH" not in shown:
            shown += os.read(ours, 4_096)
        os.write(ours, b"\x03")
        with contextlib.suppress(OSError):  # the other end is closed
            while more := os.read(ours, 4_096):
                shown += more
        assert process.wait(30) == 1
    os.close(ours)
    told = " ".join(shown.decode().split())
    assert "not signed in: interrupted, and nothing was changed" in told
    assert "Traceback" not in told
    assert kept.read_bytes() == before
    assert kept.read_text(encoding="utf-8").count("refresh-") == 1

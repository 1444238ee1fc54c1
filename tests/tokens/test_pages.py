"""The settings of the how-to pages, as they stand there, with the endpoint and a server on this machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest
from tests.tokens.endpoint import CLIENT, SECRET, TENANT
from tests.transports.misbehaving.rogue import Rogue

from vetmail_core import (
    Content,
    DeliveryError,
    EmailPreferences,
    FileTokens,
    GoogleServiceAccount,
    Mailer,
    MicrosoftApp,
    MicrosoftSignIn,
    Staff,
    TlsMethod,
    provider_for,
)
from vetmail_core.tokens.settings import same_mailbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric import rsa
    from tests.tokens.endpoint import TokenEndpoint

    from vetmail_core.receipts import Receipt

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BEARER = re.compile(r"user=([^\x01]*)\x01auth=Bearer ([^\x01]+)\x01")


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, object]]:
    """Run the Python of a page, in a folder of its own; gives what it made."""
    monkeypatch.chdir(tmp_path)

    def run(name: str) -> dict[str, object]:
        made: dict[str, object] = {}
        for number, block in enumerate(BLOCK.findall((HOW_TO / name).read_text(encoding="utf-8"))):
            exec(compile(block, f"{name}, block {number}", "exec"), made)  # noqa: S102 - the page's own text
        return made

    return run


@pytest.fixture
def endpoint_of_the_page(endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch) -> TokenEndpoint:
    """The endpoint, with the secret where the page keeps it."""
    monkeypatch.delenv("VETMAIL_APP_SECRET")
    monkeypatch.setenv("VETMAIL_CLIENT_SECRET", SECRET)
    return endpoint


def preferences_in(made: dict[str, object], name: str) -> EmailPreferences:
    """What a page made, under a name."""
    value = made[name]
    assert isinstance(value, EmailPreferences)
    return value


def sent(
    endpoint: TokenEndpoint, preferences: EmailPreferences, source: object, *, staff: Staff | None = None
) -> tuple[Receipt, list[str]]:
    """Send one email by a server here that takes the endpoint's tokens; with the names that signed in."""
    names: list[str] = []

    def login(words: str) -> str:
        found = BEARER.search(words)
        assert found is not None
        names.append(found[1])
        return "235 2.7.0 ok" if found[2] in endpoint.tokens else "535 5.7.3 no"

    with Rogue(login=login) as server:
        here = attrs.evolve(
            preferences.mail_server,
            host="127.0.0.1",
            port=server.port,
            tls=TlsMethod.NONE,
            wait_between_emails_ms=0,
            oauth=source,  # type: ignore[arg-type]
        )
        with Mailer(attrs.evolve(preferences, mail_server=here), staff=staff) as mailer:
            return mailer.send(Content("Room 7", "Text"), to="student@example.com"), names


def test_mail_by_the_system_at_microsoft(
    page: Callable[[str], dict[str, object]], endpoint_of_the_page: TokenEndpoint
) -> None:
    """The secret of the page's environment variable gets a token, and the mailbox signs in with it."""
    endpoint = endpoint_of_the_page
    system = preferences_in(page("microsoft365.md"), "system")
    found = provider_for(system.mail_server.host)
    assert found is not None
    assert found.name == "Microsoft 365"
    source = system.mail_server.oauth
    assert isinstance(source, MicrosoftApp)
    assert (source.tenant, source.client_id) == (TENANT, CLIENT)
    receipt, names = sent(endpoint, system, attrs.evolve(source, authority=endpoint.authority))
    assert receipt.ok, receipt
    assert names == ["office@example.com"]
    (form,) = endpoint.posts
    assert form["client_secret"] == SECRET
    assert form["scope"] == "https://outlook.office365.com/.default"


def test_each_person_signs_in_at_microsoft(
    page: Callable[[str], dict[str, object]], endpoint_of_the_page: TokenEndpoint, tmp_path: Path
) -> None:
    """Once with a code; then mail leaves as the person."""
    endpoint = endpoint_of_the_page
    made = page("microsoft365.md")
    preferences = preferences_in(made, "staff_preferences")
    kim = made["kim"]
    assert isinstance(kim, Staff)
    source = preferences.mail_server.oauth
    assert isinstance(source, MicrosoftSignIn)
    here = attrs.evolve(
        source, authority=endpoint.authority, cache=FileTokens(tmp_path / "state" / "sign-ins.json")
    )
    with pytest.raises(DeliveryError, match="Run: vetmail sign-in"):
        sent(endpoint, preferences, here, staff=kim)
    assert endpoint.posts == []
    shown: list[str] = []
    here.of(kim.address.addr_spec).sign_in(shown.append)
    assert "ABCD-EFGH" in shown[0]
    receipt, names = sent(endpoint, preferences, here, staff=kim)
    assert receipt.ok, receipt
    assert same_mailbox(names[0], kim.address.addr_spec)


def test_mail_by_the_system_and_by_staff_at_google(
    page: Callable[[str], dict[str, object]],
    endpoint: TokenEndpoint,
    client_key: rsa.RSAPrivateKey,
    tmp_path: Path,
) -> None:
    """The key file of the page signs for the mailbox that sends."""
    google = preferences_in(page("google-workspace.md"), "google")
    found = provider_for(google.mail_server.host)
    assert found is not None
    assert "Google" in found.name or "Gmail" in found.name
    source = google.mail_server.oauth
    assert isinstance(source, GoogleServiceAccount)
    assert isinstance(source.key, Path)
    (tmp_path / source.key).write_text(endpoint.service_account(client_key), encoding="utf-8")
    receipt, names = sent(endpoint, google, source)
    assert receipt.ok, receipt
    assert names == ["office@example.com"]
    own = attrs.evolve(
        google, mail_server=attrs.evolve(google.mail_server, use_staff_logins=True, username="")
    )
    receipt, names = sent(endpoint, own, source, staff=Staff("Kim Lee", "kim@example.com"))
    assert receipt.ok, receipt
    assert names == ["kim@example.com"]
    assert [claims["sub"] for claims in endpoint.assertions] == ["office@example.com", "kim@example.com"]
    assert {str(claims["scope"]) for claims in endpoint.assertions} == {"https://mail.google.com/"}

"""Access tokens from an endpoint of our own, checked by Dovecot, and by Postfix that asks Dovecot."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import attrs
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.integration.conftest import open_folder, running_postfix
from tests.tokens.endpoint import CLIENT, SECRET, TENANT, TokenEndpoint

from vetmail_core import (
    AuthenticationType,
    Content,
    EmailPreferences,
    FileTokens,
    GoogleServiceAccount,
    Mailer,
    MailServer,
    MicrosoftApp,
    MicrosoftSignIn,
    Person,
    PlainSecret,
    Settings,
    Staff,
    TlsMethod,
)
from vetmail_core.receipts import Cause
from vetmail_core.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import trustme
    from tests.integration.conftest import Postfix
    from tests.integration.servers.conftest import Dovecot

NOTICE = Content("Notice", "Hello ${first_name}")
CLASS = [Person(f"student{number}@example.com", key=f"C{number}", name="Zoë") for number in range(5)]


@pytest.fixture
def endpoint(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TokenEndpoint]:
    """A token endpoint; it and the mail servers are trusted as the computer's store would have it."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with TokenEndpoint(authority) as server:
        yield server


@pytest.fixture
def trusting(dovecot: Dovecot, endpoint: TokenEndpoint) -> Dovecot:
    """Dovecot, which takes what the endpoint has signed."""
    public = endpoint.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    dovecot.trust(public)
    return dovecot


@pytest.fixture
def asking(trusting: Dovecot, authority: trustme.CA) -> Iterator[Postfix]:
    """A Postfix whose logins Dovecot answers."""
    more = (
        "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\nsmtpd_tls_auth_only = yes\n"
        f"smtpd_sasl_path = {trusting.logins}\n"
        "smtpd_recipient_restrictions = permit_sasl_authenticated, reject\n"
    )
    with open_folder() as folder, running_postfix(folder, authority, settings=more) as server:
        yield server


def app(endpoint: TokenEndpoint) -> MicrosoftApp:
    """The organisation's application."""
    return MicrosoftApp(
        tenant=TENANT, client_id=CLIENT, secret=PlainSecret(SECRET), authority=endpoint.authority
    )


def preferences(port: int, oauth: MicrosoftApp | MicrosoftSignIn | GoogleServiceAccount) -> EmailPreferences:
    """All that an administrator enters."""
    return EmailPreferences(
        use_built_in_client=True,
        mail_server=MailServer(
            host="localhost",
            port=port,
            tls=TlsMethod.EXPLICIT,
            authentication=AuthenticationType.OAUTH2,
            username="office@example.com",
            oauth=oauth,
        ),
        settings=Settings(default_from="office@example.com"),
    )


@pytest.mark.parametrize("through", ["dovecot", "postfix"])
def test_mail_by_the_system_leaves_with_the_preferences_alone(
    endpoint: TokenEndpoint, trusting: Dovecot, asking: Postfix, through: str
) -> None:
    """One request for a token, one email and a class."""
    endpoint.claims = {"sub": "office@example.com"}
    port = trusting.port if through == "dovecot" else asking.port
    with Mailer(preferences(port, app(endpoint))) as mailer:
        assert mailer.send(Content("One", "Hello"), to="kim@example.com").ok
        assert mailer.send_bulk(mailer.plan_bulk(NOTICE, CLASS)).ok
    assert len(endpoint.posts) == 1
    behind = trusting.behind if through == "dovecot" else asking
    assert behind.settle(messages=6) == 6


@pytest.mark.parametrize("through", ["dovecot", "postfix"])
def test_a_token_that_has_ended_is_replaced_and_one_that_is_bad_is_told(
    endpoint: TokenEndpoint, trusting: Dovecot, asking: Postfix, through: str
) -> None:
    """The server checks signature and times itself."""
    port = trusting.port if through == "dovecot" else asking.port
    now = int(time.time())
    ended = endpoint.signed({"sub": "office@example.com", "iat": now - 7_200, "exp": now - 3_600})
    endpoint.claims = {"sub": "office@example.com"}
    endpoint.script = [(200, {"access_token": ended, "expires_in": 3_600}, {})]
    with Mailer(preferences(port, app(endpoint))) as mailer:
        assert mailer.send_bulk(mailer.plan_bulk(NOTICE, CLASS)).ok
    assert len(endpoint.posts) == 2
    endpoint.script = [(200, {"access_token": f"{ended}{number}", "expires_in": 9}, {}) for number in (1, 2)]
    source = app(endpoint)
    source.refused()
    with Mailer(preferences(port, source), clock=FakeClock()) as mailer:
        report = mailer.send_bulk(mailer.plan_bulk(NOTICE, CLASS))
    assert {failure.outcomes[0].cause for failure in report.failures} == {Cause.AUTHENTICATION}
    assert len(report.failures) == len(CLASS)
    assert "password" not in report.failures[0].reason.lower()


def test_each_staff_member_sends_with_their_own_sign_in(
    endpoint: TokenEndpoint, trusting: Dovecot, tmp_path: Path
) -> None:
    """Two people, one file, and a new program in between."""
    every = MicrosoftSignIn(
        tenant=TENANT,
        client_id=CLIENT,
        cache=FileTokens(tmp_path / "sign-ins.json"),
        authority=endpoint.authority,
    )
    tab = preferences(trusting.port, every)
    own = attrs.evolve(
        tab,
        mail_server=attrs.evolve(tab.mail_server, use_staff_logins=True, username=""),
        settings=Settings(),
    )
    people = [Staff("Kim Lee", "kim@example.com"), Staff("Sam Ray", "sam@example.com")]
    for person in people:
        endpoint.who = person.address.addr_spec
        every.of(endpoint.who).sign_in(lambda _text: None, clock=FakeClock())
    for person in people:
        with Mailer(own, staff=person) as mailer:
            receipt = mailer.send(Content("One", "Hello"), to="student@example.com")
            assert receipt.ok
            assert receipt.email.sender.addr_spec == person.address.addr_spec
    assert trusting.behind.settle(messages=2) == 2


def test_a_service_account_sends(endpoint: TokenEndpoint, trusting: Dovecot, tmp_path: Path) -> None:
    """Its assertion is checked by the endpoint, the token by the mail server."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    endpoint.client_keys.append(key.public_key())
    file = tmp_path / "key.json"
    file.write_text(endpoint.service_account(key), encoding="utf-8")
    with Mailer(preferences(trusting.port, GoogleServiceAccount(file))) as mailer:
        assert mailer.send(Content("One", "Hello"), to="student@example.com").ok
    assert endpoint.assertions[0]["sub"] == "office@example.com"
    assert trusting.behind.settle(messages=1) == 1

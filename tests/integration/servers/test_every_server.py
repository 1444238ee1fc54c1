"""Five hundred emails through each server, in each mode it takes, read back from the mailboxes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs
import pytest

from vetmail_core import (
    AuthenticationType,
    Content,
    Email,
    Limits,
    Login,
    MailServer,
    Person,
    Pipelining,
    PlainSecret,
    Receipt,
    SmtpTransport,
    TlsMethod,
    plan_bulk,
)
from vetmail_core.testing import FakeClock

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from tests.integration.conftest import Postfix
    from tests.integration.servers.conftest import Dovecot, Exim, OpenSmtpd


NUMBER = 500
AUDIT = "audit@example.com"
DATE = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
PASSWORD = "quiet-otter-ü"


def _emails() -> list[Email]:
    people = [
        Person(f"student{n}@example.com", key=f"C{n}", name=f"Zoë Student {n}", fields={"n": n})
        for n in range(NUMBER)
    ]
    text = (
        "Hello ${first_name} ${n},\n\n.\n..a line of dots\nAnd one of blanks   \n"
        + "A paragraph that goes on. " * 40
    )
    content = Content("Notice ${n} für alle", text, html="<p>Hello ${first_name} ${n}</p>")
    plan = plan_bulk(content, people, sender="office@example.com", bcc=AUDIT, batch="servers")
    return [attrs.evolve(email, date=DATE) for email in plan]


def _deliver(
    server: MailServer, context: ssl.SSLContext, emails: list[Email], **more: object
) -> list[Receipt]:
    limits = Limits(messages_per_connection=200)
    transport = SmtpTransport(server, ssl_context=context, limits=limits, clock=FakeClock(), **more)  # type: ignore[arg-type]
    with transport:
        return list(transport.deliver(emails))


def _agree(emails: list[Email], receipts: list[Receipt], filed: dict[str, list[bytes]]) -> None:
    """Each email exactly once, byte for byte, and the blind copy nowhere."""
    assert all(receipt.ok for receipt in receipts), [r.outcomes for r in receipts if not r.ok][:3]
    assert len(receipts) == NUMBER
    expected: dict[str, list[bytes]] = {}
    for email in emails:
        wire = email.as_bytes()
        assert AUDIT.encode() not in wire
        assert b"Bcc" not in wire
        for mailbox in email.recipients.all:
            expected.setdefault(mailbox.addr_spec, []).append(wire)
    assert {a: sorted(m) for a, m in filed.items()} == {a: sorted(m) for a, m in expected.items()}


def _server(port: int) -> MailServer:
    return MailServer(host="127.0.0.1", port=port, tls=TlsMethod.EXPLICIT)


@pytest.mark.parametrize("mode", Pipelining)
def test_postfix_files_each_email_exactly_once(
    postfix: Postfix, client_context: ssl.SSLContext, mode: Pipelining
) -> None:
    """PIPELINING and CHUNKING are both offered."""
    emails = _emails()
    receipts = _deliver(_server(postfix.port), client_context, emails, pipelining=mode)
    assert all(receipt.queue_id for receipt in receipts)
    postfix.settle(messages=NUMBER + 1)
    _agree(emails, receipts, postfix.filed())


@pytest.mark.parametrize("mode", Pipelining)
def test_exim_files_each_email_exactly_once(
    exim: Exim, client_context: ssl.SSLContext, mode: Pipelining
) -> None:
    """PIPELINING and CHUNKING are both offered."""
    emails = _emails()
    receipts = _deliver(_server(exim.port), client_context, emails, pipelining=mode)
    assert receipts[0].queue_id
    _agree(emails, receipts, exim.filed(NUMBER + 1))


@pytest.mark.parametrize("mode", Pipelining)
def test_opensmtpd_files_each_email_exactly_once(
    opensmtpd: OpenSmtpd, client_context: ssl.SSLContext, mode: Pipelining
) -> None:
    """Neither PIPELINING nor CHUNKING is offered, so every mode goes in lockstep."""
    emails = _emails()
    server = attrs.evolve(_server(opensmtpd.port), tls=TlsMethod.NONE)
    receipts = _deliver(server, client_context, emails, pipelining=mode)
    _agree(emails, receipts, opensmtpd.filed(NUMBER + 1))


def _password(dovecot: Dovecot) -> dict[str, object]:
    del dovecot
    return {"login": Login("kim@example.com", PlainSecret(PASSWORD))}


def _token(dovecot: Dovecot) -> dict[str, object]:
    return {"token": lambda: dovecot.token("kim@example.com")}


@pytest.mark.parametrize("mode", Pipelining)
@pytest.mark.parametrize(
    ("kind", "credentials"), [(AuthenticationType.PASSWORD, _password), (AuthenticationType.OAUTH2, _token)]
)
def test_dovecot_takes_each_email_exactly_once_from_whoever_logs_in(
    dovecot: Dovecot,
    client_context: ssl.SSLContext,
    mode: Pipelining,
    kind: AuthenticationType,
    credentials: Callable[[Dovecot], dict[str, object]],
) -> None:
    """With a UTF-8 password, and with an access token."""
    server = attrs.evolve(_server(dovecot.port), authentication=kind, username="kim@example.com")
    emails = _emails()
    receipts = _deliver(server, client_context, emails, pipelining=mode, **credentials(dovecot))
    _agree(emails, receipts, dovecot.filed(NUMBER + 1))

"""Reports that Postfix writes, fetched from Dovecot with the code of the page, into the ledger."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.conftest import open_folder
from tests.integration.test_imap_drafts import PASSWORD, Mailboxes, _dovecot

from vetmail_core import (
    Content,
    Email,
    ExclusionReason,
    MailServer,
    Person,
    SmtpTransport,
    SqliteLedger,
    SystemClock,
    TlsMethod,
    deliver_once,
    plan_bulk,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    import trustme
    from tests.integration.conftest import Postfix

    from vetmail_core import BulkPlan

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "find-out-who-never-gets-your-mail.md"
OFFICE = "office@example.com"
PEOPLE = (
    Person("ann@example.com", key="C1", name="Ann"),
    Person("pia@remote.example", key="C2", name="Pia"),
    Person("asa@remote.example", key="Åsa", name="Åsa"),
    Person("refused1@example.com", key="C4", name="Ray"),
    Person("refused2@example.com", key="C5", name="Rob"),
)
SETTINGS = """
default_transport = error:5.1.1 no such user here
smtpd_reject_unlisted_recipient = no
smtpd_recipient_restrictions =
 check_recipient_access regexp:FOLDER/refused, permit_mynetworks, reject
"""


@pytest.fixture
def mailboxes(authority: trustme.CA) -> Iterator[Mailboxes]:
    """A running Dovecot."""
    with open_folder() as place, _dovecot(place, authority, "", "storage=1G") as mailboxes:
        yield mailboxes


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """The functions of the how-to."""
    (block,) = re.findall(r"```python\n(import imaplib\n.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(block, str(PAGE), "exec"), names)  # noqa: S102 - the page's own words
    return names


def _plan(batch: str, ledger: SqliteLedger) -> BulkPlan:
    return plan_bulk(
        Content("Room 7", "Dear ${name}"), PEOPLE, sender=OFFICE, batch=batch, suppressed=ledger.suppressed
    )


@pytest.mark.parametrize("way", ["password", "token"])
def test_whose_mail_came_back_is_left_out_of_the_next_plan(
    postfix_with: Callable[..., Postfix],
    mailboxes: Mailboxes,
    client_context: ssl.SSLContext,
    page: dict[str, Any],
    tmp_path: Path,
    way: str,
) -> None:
    """Of five people one has it, two are refused, two come back later, one known by the Message-ID alone."""
    postfix = postfix_with(SETTINGS)
    postfix.write("refused", "/^refused/ 550 5.1.1 gone\n")
    secret = {"password": PASSWORD} if way == "password" else {"token": mailboxes.token(OFFICE)}
    server = MailServer(host="127.0.0.1", port=postfix.port, tls=TlsMethod.NONE)
    with SqliteLedger(tmp_path / "sent.ledger") as ledger:
        with SmtpTransport(server) as transport:
            receipts = list(deliver_once(ledger, transport, _plan("term-3", ledger)))
        assert [receipt.ok for receipt in receipts] == [True, True, True, False, False]
        assert postfix.settle(messages=3) == 3, "one email, and two reports"
        imap = page["sign_in"]("localhost", OFFICE, port=mailboxes.tls_port, context=client_context, **secret)
        imap.append("INBOX", None, None, b"Subject: a question\r\n\r\nWhen does it start?\r\n")
        for report in postfix.filed()[OFFICE]:
            imap.append("INBOX", None, None, report)
        taken = page["take_reports"](imap, ledger)
        assert sorted((one.key, one.person_key, one.address) for one in taken) == [
            ("term-3/C2", "C2", "pia@remote.example"),
            ("term-3/Åsa", "Åsa", "asa@remote.example"),
        ]
        assert all("no such user here" in one.suppressed for one in taken)
        assert page["take_reports"](imap, ledger) == [], "a report was not marked as seen"
        _, (unread,) = imap.uid("SEARCH", "UNSEEN")
        assert unread == b"1", "what is no report does not stay unread for the office"
        imap.logout()

        steps = list(_plan("term-4", ledger).steps())
        left_out = {one.person.key: one for one in steps if not isinstance(one, Email)}
        assert {key: one.reason for key, one in left_out.items()} == dict.fromkeys(
            ("C2", "Åsa"), ExclusionReason.SUPPRESSED
        )
        assert all("no such user here" in one.detail for one in left_out.values())
        since = SystemClock().now() - timedelta(days=1)
        assert {one.person_key for one in ledger.never_reached(since=since)} == {"C2", "Åsa", "C4", "C5"}

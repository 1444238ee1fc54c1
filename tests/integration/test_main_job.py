"""The class of ten, through Debian's Postfix, read back from the mailboxes."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from email import message_from_bytes, policy
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vetmail_core import (
    BulkCopies,
    Content,
    EmailPreferences,
    Mailer,
    MailServer,
    Person,
    Settings,
    SmtpTransport,
    TlsMethod,
)
from vetmail_core.testing import FakeClock
from vetmail_core.transports.stamping import stamp

if TYPE_CHECKING:
    import ssl

    import trustme
    from tests.integration.conftest import Postfix

EXAMPLES = Path(__file__).parents[2] / "examples"
TRAINER = "kim.lee@example.com"
AUDIT = "audit@example.com"


def _class_of_ten() -> list[Person]:
    with (EXAMPLES / "class-of-ten.csv").open(encoding="utf-8") as file:
        return [
            Person(row["address"], key=row["key"], name=row["name"], fields=row)
            for row in csv.DictReader(file)
        ]


@pytest.mark.parametrize(
    ("copies", "trainer_copies"), [(BulkCopies.FIRST_RECIPIENT, 1), (BulkCopies.EVERY_RECIPIENT, 10)]
)
def test_the_trainer_gets_the_copies_that_the_preferences_choose(
    postfix: Postfix, client_context: ssl.SSLContext, copies: BulkCopies, trainer_copies: int
) -> None:
    """Ten students get one email each, the trainer one or ten, byte for byte as planned, and no BCC shows."""
    preferences = EmailPreferences(
        use_built_in_client=True,
        mail_server=MailServer(host="127.0.0.1", port=postfix.port, tls=TlsMethod.EXPLICIT),
        settings=Settings(default_from='"Riverside Training" <office@example.com>', bulk_copies=copies),
    )
    clock = FakeClock()
    content = Content(
        "Reminder: ${class} starts ${starts}",
        (EXAMPLES / "class-reminder.txt").read_text(encoding="utf-8"),
        html=(EXAMPLES / "class-reminder.html").read_text(encoding="utf-8"),
    )
    transport = SmtpTransport(preferences.mail_server, ssl_context=client_context, clock=clock)
    with Mailer(preferences, transport=transport, clock=clock) as mailer:
        plan = mailer.plan_bulk(
            content, _class_of_ten(), cc=f'"Kim Lee" <{TRAINER}>', bcc=AUDIT, batch="reminder"
        )
        report = mailer.send_bulk(plan)
    assert report.ok
    assert report.accepted == 10 + 2 * trainer_copies
    assert postfix.settle(messages=report.accepted) == report.accepted

    expected: dict[str, list[bytes]] = {}
    for email in plan:
        wire = stamp(email, clock.now()).as_bytes()
        for mailbox in email.recipients.all:
            expected.setdefault(mailbox.addr_spec, []).append(wire)
    filed = postfix.filed()
    assert {address: sorted(messages) for address, messages in filed.items()} == {
        address: sorted(messages) for address, messages in expected.items()
    }
    assert len(filed[TRAINER]) == len(filed[AUDIT]) == trainer_copies
    for messages in filed.values():
        for raw in messages:
            message = message_from_bytes(raw, policy=policy.default)
            assert message["Bcc"] is None
            assert AUDIT.encode() not in raw


def test_the_command_line_sends_live(postfix: Postfix, authority: trustme.CA, tmp_path: Path) -> None:
    """The README's command with --live, a ledger and a batch; started twice it mails nobody twice."""
    preferences = json.loads((EXAMPLES / "email-preferences.json").read_text(encoding="utf-8"))
    preferences["mail_server"] |= {"host": "localhost", "port": postfix.port, "authentication": "none"}
    (tmp_path / "preferences.json").write_text(json.dumps(preferences), encoding="utf-8")
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    command = [sys.executable, "-m", "vetmail_core", "send", "--live", "--preferences", "preferences.json"]
    command += [
        "--people",
        str(EXAMPLES / "class-of-ten.csv"),
        "--subject",
        "Reminder: ${class} starts ${starts}",
    ]
    command += [
        "--text",
        str(EXAMPLES / "class-reminder.txt"),
        "--cc",
        TRAINER,
        "--batch",
        "b1",
        "--ledger",
        "l.sqlite",
    ]
    environment = {**os.environ, "SSL_CERT_FILE": str(tmp_path / "authority.pem")}
    for _ in range(2):
        said = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert said.returncode == 0, said.stderr
    assert postfix.settle(messages=11) == 11
    filed = postfix.filed()
    assert len(filed["family.ngata@example.com"]) == 2
    assert sum(map(len, filed.values())) == 11
    assert len(filed[TRAINER]) == 1

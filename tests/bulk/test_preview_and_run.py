"""The preview, and the run that follows it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from vetmail_core.errors import RecipientsError
from vetmail_core.ledger import SqliteLedger
from vetmail_core.mailer import Mailer
from vetmail_core.message import Content
from vetmail_core.people import Person
from vetmail_core.preferences import BulkCopies, EmailPreferences, Settings
from vetmail_core.recipients import Exclusion, ExclusionReason
from vetmail_core.transports import EmlTransport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vetmail_core.receipts import Receipt

PREFERENCES = EmailPreferences(
    use_built_in_client=True,
    settings=Settings(default_from="office@example.com", bulk_copies=BulkCopies.EVERY_RECIPIENT),
)
CONTENT = Content("Class for ${first_name}", "Dear ${name}")
CLASS = [
    Person("", key="C0", name="Nobody Home"),
    *(Person(f"s{n}@example.com", key=f"C{n}", name=f"Student {n}") for n in range(1, 6)),
    Person("s1@example.com", key="C1", name="Student 1"),
]


@pytest.fixture
def mailer(tmp_path: Path) -> Iterator[Mailer]:
    """A mailer that writes each email into a folder."""
    with Mailer(PREFERENCES, transport=EmlTransport(tmp_path / "outbox")) as opened:
        yield opened


def test_a_run_sends_what_the_preview_showed(mailer: Mailer) -> None:
    """The same emails in the same order, the same copies, the same people left out."""
    plan = mailer.plan_bulk(CONTENT, CLASS, cc="trainer@example.com; s2@example.com", batch="b")
    summary, expected = plan.summary(), list(plan)
    receipts: list[Receipt] = []
    report = mailer.send_bulk(plan, progress=receipts.append)

    assert [receipt.email for receipt in receipts] == expected
    assert receipts[0].email == summary.first
    assert report.emails == summary.emails == 5
    copies = Counter(mailbox.addr_spec for receipt in receipts for mailbox in receipt.handed_over[1:])
    assert copies == summary.copies == {"trainer@example.com": 5, "s2@example.com": 4}
    assert list(report.exclusions) == [step for step in plan.steps() if isinstance(step, Exclusion)]
    assert Counter(exclusion.reason for exclusion in report.exclusions) == summary.exclusions


def test_a_run_behind_the_preview_of_a_generator_is_refused(mailer: Mailer) -> None:
    """It would write to nobody and report that all is well."""
    plan = mailer.plan_bulk(CONTENT, (person for person in CLASS))
    assert plan.summary().emails == 5
    with pytest.raises(RecipientsError, match="can be read once"):
        mailer.send_bulk(plan)


def test_whoever_an_earlier_run_wrote_to_is_left_out_as_already_sent(mailer: Mailer, tmp_path: Path) -> None:
    """The plan stays the same; the ledger knows its emails by batch and person."""
    plan = mailer.plan_bulk(CONTENT, CLASS, cc="trainer@example.com", batch="b")
    newcomer = Person("s9@example.com", key="C9")
    longer = mailer.plan_bulk(CONTENT, [*CLASS, newcomer], cc="trainer@example.com", batch="b")
    with SqliteLedger(tmp_path / "ledger.sqlite") as ledger:
        first = mailer.send_bulk(plan, ledger=ledger)
        again = mailer.send_bulk(longer, ledger=ledger)
    assert first.emails == 5
    reasons = Counter(exclusion.reason for exclusion in again.exclusions)
    assert again.emails == 1
    assert reasons == {
        ExclusionReason.ALREADY_SENT: 5,
        ExclusionReason.NO_ADDRESS: 1,
        ExclusionReason.DUPLICATE_PERSON: 1,
    }

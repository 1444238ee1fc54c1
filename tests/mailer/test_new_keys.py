"""People who come back under other keys than the ledger has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vetmail_core.bulk import BulkPlan, plan_bulk
from vetmail_core.errors import RecipientsError
from vetmail_core.ledger import SqliteLedger
from vetmail_core.mailer import Mailer
from vetmail_core.mailer.new_keys import refuse_new_keys
from vetmail_core.message import Content
from vetmail_core.people import Person
from vetmail_core.preferences import EmailPreferences
from vetmail_core.testing import Outbox

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ZOE, BO = Person("zoe@example.com", key="00123"), Person("bo@example.com", key="00124")


@pytest.fixture
def ledger() -> Iterator[SqliteLedger]:
    """A ledger that has the batch B sent to Zoe and Bo."""
    with SqliteLedger(":memory:") as ledger:
        assert _mailer().send_bulk(_plan([ZOE, BO]), ledger=ledger).ok
        yield ledger


def _mailer() -> Mailer:
    return Mailer(EmailPreferences(), transport=Outbox())


def _plan(people: Iterable[Person], batch: str = "B") -> BulkPlan:
    return plan_bulk(Content("Hello"), people, sender="office@example.com", batch=batch)


def test_people_who_come_back_under_other_keys_stop_the_run(ledger: SqliteLedger) -> None:
    """Excel made 123 of 00123: nobody is mailed a second time, and the error says who is meant."""
    again = [Person("zoe@example.com", key="123"), Person("Bo <bo@EXAMPLE.com>", key="124")]
    mailer = _mailer()
    with pytest.raises(RecipientsError) as caught:
        mailer.send_bulk(_plan(again), ledger=ledger)
    for words in ("2 people come back", "zoe@example.com", "00123", "123", "new_keys=True", "--new-keys"):
        assert words in str(caught.value)
    assert mailer.last_report is None
    report = mailer.send_bulk(_plan(again), ledger=ledger, new_keys=True)
    assert report.recipients == 2
    with pytest.raises(RecipientsError, match="1 person comes back"):
        _mailer().send_bulk(_plan([ZOE, Person("bo@example.com", key="x")]), ledger=ledger)


@pytest.mark.parametrize(
    ("people", "batch", "sent"),
    [
        ([ZOE, BO], "B", 0),
        ([ZOE, BO, Person("zoe@example.com", key="sister")], "B", 1),
        ([ZOE, Person("new@example.com", key="125")], "B", 1),
        ([Person("zoe@example.com", key="123")], "B2", 1),
        ([Person("zoe@example.com", key="123")], "", None),
        ([ZOE, BO, Person("bo@example.com", key="124", active=False)], "B", 0),
        (iter([Person("zoe@example.com", key="123")]), "B", 1),
    ],
)
def test_families_new_people_and_other_batches_are_no_reason_to_stop(
    ledger: SqliteLedger, people: Iterable[Person], batch: str, sent: int | None
) -> None:
    """Only a key that no longer comes says that somebody has another one now."""
    report = _mailer().send_bulk(_plan(people, batch), ledger=ledger if sent is not None else None)
    assert len(report.exclusions) + report.recipients > 0
    assert sent is None or report.recipients == sent


def test_the_ledger_gives_the_first_recipient_of_each_email(ledger: SqliteLedger) -> None:
    """By the beginning of their keys."""
    assert ledger.first_recipients("B/") == (("B/00123", "zoe@example.com"), ("B/00124", "bo@example.com"))
    assert ledger.first_recipients("B/00124") == (("B/00124", "bo@example.com"),)
    assert ledger.first_recipients("b/") == ()


def test_an_email_whose_addresses_are_not_known_is_not_asked(ledger: SqliteLedger) -> None:
    """As a file of an earlier version has it, or a host that wrote down keys alone."""
    ledger.attempting(["B/old"])
    assert "B/old" not in dict(ledger.first_recipients("B/"))


def test_a_ledger_of_a_host_is_not_asked() -> None:
    """It keeps what its protocol says, which are keys."""
    refuse_new_keys(_plan([ZOE]), object())


def test_somebody_who_is_no_person_is_told_by_the_plan(ledger: SqliteLedger) -> None:
    """The look at the keys passes over them."""
    with pytest.raises(RecipientsError, match="needs Person values"):
        _mailer().send_bulk(_plan([ZOE, "bo@example.com"]), ledger=ledger)  # type: ignore[list-item]

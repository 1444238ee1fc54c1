"""Nobody is mailed twice by a run that came back, and nobody is forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vetmail_core import Cause, Email, LedgerError, Receipt, SqliteLedger, Status, deliver_once
from vetmail_core.ledger import AlreadySent, Delivery, LedgerState
from vetmail_core.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


Make = Any  # the conftest's classes and factories; a test folder is no package to import them from


def test_each_email_gets_one_receipt_in_order(path: Path, postbox: Make, email: Make) -> None:
    """As from the transport itself."""
    emails = [email(f"p{n}@example.com") for n in range(600)]
    with SqliteLedger(path) as ledger:
        receipts = list(deliver_once(ledger, postbox(), emails))
    assert [receipt.email for receipt in receipts] == emails
    assert all(receipt.email is email for receipt, email in zip(receipts, emails, strict=True))


@pytest.mark.parametrize("ahead", [0, 1, 8, 5000])
def test_a_second_run_sends_nothing(path: Path, postbox: Make, email: Make, ahead: int) -> None:
    """However far ahead the transport reads."""
    emails = [email(f"p{n}@example.com") for n in range(5)] * 1
    with SqliteLedger(path) as ledger:
        assert len(list(deliver_once(ledger, postbox(ahead=ahead), emails))) == 5
    again = postbox()
    with SqliteLedger(path) as ledger:
        assert list(deliver_once(ledger, again, emails)) == []
    assert again.calls == 0, "with nothing to send there is no connection to make"


ON_RESUME = [
    # what became of it; its state; sent again; receipts of the second run
    (Status.ACCEPTED, LedgerState.ACCEPTED, False, []),
    (Status.HANDED_OVER, LedgerState.HANDED_OVER, False, []),
    (Status.REFUSED, LedgerState.REFUSED, False, []),
    (Status.DEFERRED, LedgerState.DEFERRED, True, [Status.ACCEPTED]),
    (Status.UNKNOWN, LedgerState.UNKNOWN, False, [Status.UNKNOWN]),
    (Status.NOT_ATTEMPTED, None, True, [Status.ACCEPTED]),
]


@pytest.mark.parametrize(
    ("status", "state", "again", "receipts"), ON_RESUME, ids=[row[0].value for row in ON_RESUME]
)
def test_what_a_later_run_does_follows_from_how_it_ended(
    path: Path,
    postbox: Make,
    email: Make,
    *,
    status: Status,
    state: LedgerState | None,
    again: bool,
    receipts: list[Status],
) -> None:
    """The one table of resuming."""
    with SqliteLedger(path) as ledger:
        list(deliver_once(ledger, postbox({"ann@example.com": status}), [email("ann@example.com")]))
        assert ledger.state("ann@example.com") is state
    second = postbox()
    with SqliteLedger(path) as ledger:
        found = list(deliver_once(ledger, second, [email("ann@example.com")]))
    assert [receipt.outcomes[0].status for receipt in found] == receipts
    assert second.sent == ([("ann@example.com",)] if again else [])


def test_in_doubt_is_reported_on_every_later_run(path: Path, postbox: Make, email: Make) -> None:
    """Until somebody decides."""
    with SqliteLedger(path, clock=FakeClock()) as ledger:
        list(deliver_once(ledger, postbox({"ann@example.com": Status.UNKNOWN}), [email("ann@example.com")]))
        for _ in range(3):
            (receipt,) = deliver_once(ledger, postbox(), [email("ann@example.com")])
            assert receipt.unknown
            assert receipt.outcomes[0].cause is Cause.CONNECTION
            assert receipt.attempts == 0, "none of today's"
            assert receipt.remembered
            assert "in doubt since an earlier run (2026-03-02 09:00 UTC)" in receipt.warnings[0]
        assert ledger.in_doubt() == ("ann@example.com",)


def test_in_doubt_is_sent_again_by_choice(path: Path, postbox: Make, email: Make) -> None:
    """`retry_unknown` is that choice."""
    second = postbox()
    with SqliteLedger(path) as ledger:
        list(deliver_once(ledger, postbox({"ann@example.com": Status.UNKNOWN}), [email("ann@example.com")]))
        (receipt,) = deliver_once(ledger, second, [email("ann@example.com")], retry_unknown=True)
        assert receipt.ok
        assert ledger.state("ann@example.com") is LedgerState.ACCEPTED
    assert second.to("ann@example.com") == 1


def test_only_the_recipients_that_were_put_off_are_sent_to_again(
    path: Path, postbox: Make, email: Make
) -> None:
    """Ann and Lee have it; Kim's server was busy, so Kim alone gets it, and the receipt answers for all."""
    fates = {"kim@example.com": Status.DEFERRED, "gone@example.com": Status.REFUSED}
    one = email("ann@example.com", cc=["lee@example.com", "gone@example.com"], bcc=["kim@example.com"])
    second = postbox()
    with SqliteLedger(path) as ledger:
        list(deliver_once(ledger, postbox(fates), [one]))
        assert ledger.state("ann@example.com") is LedgerState.DEFERRED
    with SqliteLedger(path) as ledger:
        (receipt,) = deliver_once(ledger, second, [one])
        assert ledger.state("ann@example.com") is LedgerState.ACCEPTED
        assert list(deliver_once(ledger, second, [one])) == []
    assert second.sent == [("kim@example.com",)]
    assert receipt.email is one
    assert [outcome.status for outcome in receipt.outcomes] == [
        Status.ACCEPTED,
        Status.ACCEPTED,
        Status.REFUSED,
        Status.ACCEPTED,
    ]
    assert [str(outcome.reply) for outcome in receipt.outcomes] == [
        *["250 2.1.5 Ok"] * 2, "550 5.1.1 No such user", "250 2.1.5 Ok",
    ]  # fmt: skip
    assert [outcome.cause for outcome in receipt.outcomes] == [None, None, Cause.BAD_RECIPIENT, None]
    assert "ann@example.com, lee@example.com, gone@example.com" in receipt.warnings[0]


@pytest.mark.parametrize("cause", list(Cause))
def test_whoever_was_refused_for_a_reason_of_ours_is_sent_to_when_that_is_mended(
    path: Path, postbox: Make, email: Make, cause: Cause
) -> None:
    """A used-up allowance says nothing about the student who met it; an address that nobody has does."""
    one = email("ann@example.com", cc=["lee@example.com"], bcc=["kim@example.com"])
    fates = {"ann@example.com": Status.REFUSED, "kim@example.com": Status.UNKNOWN}
    second = postbox()
    with SqliteLedger(path) as ledger:
        (receipt,) = deliver_once(ledger, postbox(fates, cause=cause), [one])
        assert receipt.outcomes[0].status is Status.REFUSED
        list(deliver_once(ledger, second, [one]))
    final = cause in {Cause.BAD_RECIPIENT, Cause.MAILBOX_FULL}
    assert second.sent == ([] if final else [("ann@example.com",)])


def test_a_doubt_about_one_and_a_delay_of_another_are_kept_apart(
    path: Path, postbox: Make, email: Make
) -> None:
    """The delayed one is tried again, the doubtful one is not, and stays in doubt."""
    one = email("ann@example.com", cc=["lee@example.com"])
    second = postbox()
    with SqliteLedger(path) as ledger:
        fates = {"ann@example.com": Status.UNKNOWN, "lee@example.com": Status.DEFERRED}
        list(deliver_once(ledger, postbox(fates), [one]))
        assert ledger.state(one.key) is LedgerState.UNKNOWN
        (receipt,) = deliver_once(ledger, second, [one])
        assert (len(receipt.unknown), len(receipt.accepted)) == (1, 1)
        (receipt,) = deliver_once(ledger, second, [one])
        assert (len(receipt.unknown), len(receipt.accepted)) == (1, 1)
        (receipt,) = deliver_once(ledger, second, [one], retry_unknown=True)
        assert receipt.ok
    assert second.sent == [("lee@example.com",), ("ann@example.com",)]


def test_a_corrected_address_gets_the_email_that_the_old_one_refused(
    path: Path, postbox: Make, email: Make
) -> None:
    """The person is the same, so the key is too; nobody has had the email yet."""
    second = postbox()
    with SqliteLedger(path) as ledger:
        list(
            deliver_once(
                ledger, postbox({"an@example.com": Status.REFUSED}), [email("an@example.com", key="C1")]
            )
        )
        (receipt,) = deliver_once(ledger, second, [email("ann@example.com", key="C1")])
        assert receipt.ok
    assert second.sent == [("ann@example.com",)]


def test_a_new_address_of_somebody_who_was_sent_to_changes_nothing(
    path: Path, postbox: Make, email: Make
) -> None:
    """A person is known by their key."""
    with SqliteLedger(path) as ledger:
        list(deliver_once(ledger, postbox(), [email("ann@example.com", key="C1")]))
        assert list(deliver_once(ledger, postbox(), [email("ann@example.org", key="C1")])) == []


def test_an_email_without_a_key_ends_the_run_after_those_before_it(
    path: Path, postbox: Make, email: Make
) -> None:
    """What cannot be known again cannot be remembered; the error says what to do."""
    box = postbox(ahead=1)
    receipts: list[Receipt] = []
    emails = [email("ann@example.com"), email("lee@example.com", key=""), email("kim@example.com")]
    with (
        SqliteLedger(path) as ledger,
        pytest.raises(LedgerError, match=r"lee@example\.com has no key"),
    ):
        receipts.extend(deliver_once(ledger, box, emails))
    assert box.sent == [("ann@example.com",)]
    assert len(receipts) == 1


def test_an_error_of_the_callers_own_comes_after_the_emails_before_it(
    path: Path, postbox: Make, email: Make
) -> None:
    """A merge that fails at the second person does not put the first in doubt."""

    def emails() -> Iterator[Email]:
        yield email("ann@example.com")
        raise LookupError("no such field")

    box = postbox(ahead=3)
    with SqliteLedger(path) as ledger:
        with pytest.raises(LookupError):
            list(deliver_once(ledger, box, emails()))
        assert ledger.counts() == {LedgerState.ACCEPTED: 1}


def test_the_same_key_twice_in_a_run_is_sent_once(path: Path, postbox: Make, email: Make) -> None:
    """Near each other or far apart."""
    box = postbox()
    crowd = [email(f"p{n}@example.com") for n in range(300)]
    twice = email("ann@example.com")
    with SqliteLedger(path) as ledger:
        steps = list(Delivery(box, [twice, twice, *crowd, twice], ledger=ledger).steps())
    assert box.to("ann@example.com") == 1
    assert [type(step) for step in steps].count(AlreadySent) == 2


FATES = st.sampled_from(
    [Status.ACCEPTED, Status.REFUSED, Status.DEFERRED, Status.UNKNOWN, Status.NOT_ATTEMPTED]
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), people=st.integers(1, 12), runs=st.integers(1, 4), ahead=st.integers(0, 3))
def test_nobody_is_ever_sent_to_after_being_accepted_or_in_doubt(
    tmp_path_factory: pytest.TempPathFactory,
    postbox: Make,
    email: Make,
    *,
    data: st.DataObject,
    people: int,
    runs: int,
    ahead: int,
) -> None:
    """Whatever servers answer, in whatever run: an address that has the email, or may have it, gets none."""
    path = tmp_path_factory.mktemp("law") / "ledger"
    emails = [
        email(f"p{n}@example.com", cc=[f"c{n}@example.com"], bcc=["log@example.com"] if n == 0 else [])
        for n in range(people)
    ]
    final: dict[str, Status] = {}
    for _ in range(runs):
        fates = {m.addr_spec: data.draw(FATES) for one in emails for m in one.recipients.all}
        box = postbox(fates, ahead=ahead)
        with SqliteLedger(path) as ledger:
            for receipt in deliver_once(ledger, box, emails):
                assert len(receipt.outcomes) == len(receipt.email.recipients.all)
        for recipients in box.sent:
            for address in recipients:
                assert final.get(address) not in {Status.ACCEPTED, Status.UNKNOWN, Status.REFUSED}
                final[address] = fates[address]
    assert len(final) == sum(len(one.recipients.all) for one in emails), "nobody was forgotten"

"""What a failing assertion says, held against files that somebody has read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vetmail_core import Exclusion, ExclusionReason, Mailbox
from vetmail_core.receipts import Phase
from vetmail_core.testing import Faults, Outbox, a_student, any_of, approve, contains, email, matches

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).parent / "golden"


def _two_sent(faults: Faults | None = None) -> Outbox:
    outbox = Outbox(faults=faults)
    list(
        outbox.deliver(
            [
                email("pat@example.com"),
                email("ana@example.org", bcc="audit@example.org", subject="Invoice 12", text="Dear Ana\n"),
            ]
        )
    )
    return outbox


def _nobody_matches() -> None:
    _two_sent().assert_sent(to="sam@example.com", subject="Your class moved")


def _nothing_was_sent() -> None:
    Outbox().assert_sent(to="sam@example.com")


def _any_email_at_all() -> None:
    Outbox().assert_sent()


def _it_was_sent_bcc() -> None:
    _two_sent().assert_sent(to="audit@example.org", subject="Invoice 12")


def _it_was_refused() -> None:
    _two_sent(Faults().refuse("pat@example.com")).assert_sent(to="pat@example.com")


def _it_is_in_doubt() -> None:
    _two_sent(Faults().drop(address="pat@example.com")).assert_sent(to="pat@example.com")


def _it_was_not_attempted() -> None:
    _two_sent(Faults().office365.basic_retired()).assert_sent(subject=contains("moved"))


def _it_was_excluded() -> None:
    outbox = _two_sent()
    lee = a_student("Lee", marketing=False)
    outbox.heard(
        [
            Exclusion(lee, ExclusionReason.MARKETING_OPT_OUT, "Lee is excluded from marketing e-mail."),
            Exclusion(
                a_student("Leo", Mailbox("lee@EXAMPLE.com")), ExclusionReason.INACTIVE, "Leo is archived."
            ),
            Exclusion(a_student("Kim", "kim@"), ExclusionReason.BAD_ADDRESS, "No address."),
            Exclusion(a_student("Kim", Mailbox("kim@example.com")), ExclusionReason.INACTIVE, "Archived."),
        ]
    )
    outbox.assert_sent(to="lee@example.com")


def _only_the_case_differs() -> None:
    _two_sent().assert_sent(to="pat@example.com", subject="your class moved")


def _only_blanks_differ() -> None:
    _two_sent().assert_sent(text="Dear  Ana")


def _a_part_of_it() -> None:
    _two_sent().assert_sent(subject="moved", text=matches("room [89]"))


def _not_so_many() -> None:
    _two_sent().assert_sent(times=3, recipient=any_of(contains("example.com"), contains("example.org")))


def _more_than_one() -> None:
    _two_sent().one(sender="office@example.com")


def _none_expected() -> None:
    _two_sent().assert_none(subject=contains("Invoice"))


def _none_at_all_expected() -> None:
    _two_sent().assert_none()


def _unclaimed() -> None:
    _two_sent().verify()


def _unclaimed_and_refused() -> None:
    _two_sent(Faults().refuse("pat@example.com")).verify()


def _unused() -> None:
    faults = Faults().refuse("old@example.com").stall(Phase.DATA).defer(at=Phase.MAIL, times=2)
    outbox = Outbox(faults=faults)
    outbox.verify()


def _both() -> None:
    _two_sent(Faults().drop(address="old@example.com")).verify()


def _a_whole_list() -> None:
    _two_sent().assert_sent(to=["pat@example.com", "sam@example.com"], bcc=(), headers={"X-Batch": "7"})


def _many() -> None:
    outbox = Outbox()
    list(outbox.deliver(email(f"student{number}@example.com") for number in range(30)))
    outbox.assert_sent(to="student30@example.com", attachment="results.pdf")


def _bcc_shown() -> None:
    outbox = Outbox()
    list(outbox.deliver([email(bcc="audit@example.org", headers={"X-Copy": "audit@example.org"})]))
    outbox.assert_bcc_hidden()


def _a_copy_is_shown() -> None:
    outbox = Outbox()
    list(outbox.deliver([email(cc="kim@example.com; lee@example.com; a@example.com; b@example.com")]))
    kim = Mailbox("kim@example.com")
    outbox.assert_sent(to=[kim, contains("nobody")])


def _nobody_was_reached() -> None:
    _two_sent(Faults().refuse()).assert_sent()


def _none_is_the_only_one() -> None:
    _two_sent().one(to=Mailbox("pat@example.com"), html="<p>Moved</p>", body="moved")


def _nobody_of_any_kind() -> None:
    _two_sent(Faults().refuse("pat@example.com")).assert_sent(
        recipient="pat@example.com", headers={"X-Batch": contains("7")}
    )


CASES: list[Callable[[], None]] = [
    _nobody_matches,
    _nothing_was_sent,
    _any_email_at_all,
    _it_was_sent_bcc,
    _it_was_refused,
    _it_is_in_doubt,
    _it_was_not_attempted,
    _it_was_excluded,
    _only_the_case_differs,
    _only_blanks_differ,
    _a_part_of_it,
    _not_so_many,
    _more_than_one,
    _none_expected,
    _none_at_all_expected,
    _unclaimed,
    _unclaimed_and_refused,
    _unused,
    _both,
    _a_whole_list,
    _many,
    _bcc_shown,
    _a_copy_is_shown,
    _nobody_was_reached,
    _none_is_the_only_one,
    _nobody_of_any_kind,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__.strip("_"))
def test_a_failure_says_what_there_was(case: Callable[[], None]) -> None:
    """Each text is one that somebody has approved."""
    with pytest.raises(AssertionError) as failure:
        case()
    approve(GOLDEN / f"{case.__name__.strip('_')}.txt", f"{failure.value}\n")

"""What a ledger makes of a report: whose email it was, who is left out, and who is never reached."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from vetmail_core import (
    Bounce,
    BounceTaken,
    Cause,
    Content,
    Email,
    LedgerError,
    LedgerState,
    Mailbox,
    Notice,
    Outcome,
    Receipt,
    Recipients,
    Reply,
    SqliteLedger,
    Status,
)
from vetmail_core.bounces import Action
from vetmail_core.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BEFORE = datetime(2020, 1, 1, tzinfo=UTC)
REPLY = Reply(250, "2.0.0", "Ok")
NO_SUCH_USER = Reply(550, "5.1.1", "no such user")
FULL = Reply(552, "5.2.2", "mailbox full")
SPAM = Reply(554, "5.7.1", "blocked by policy")
UNKNOWN_USER = ("5.1.1", "550 5.1.1 no such user", Cause.BAD_RECIPIENT)
MAILBOX_FULL = ("5.2.2", "552 5.2.2 full", Cause.MAILBOX_FULL)
BLOCKED = ("5.7.1", "554 5.7.1 blocked", Cause.BLOCKED)


@pytest.fixture
def clock() -> FakeClock:
    """The ledger's time."""
    return FakeClock()


@pytest.fixture
def ledger(tmp_path: Path, clock: FakeClock) -> Iterator[SqliteLedger]:
    """An empty one."""
    with SqliteLedger(tmp_path / "ledger.db", clock=clock) as ledger:
        yield ledger


def an_email(key: str, to: str = "ann@example.com", *, cc: str = "", message_id: str = "") -> Email:
    """An email of a batch."""
    return Email(
        sender=Mailbox("office@example.com"),
        recipients=Recipients(to=to, cc=cc),
        content=Content("Room 7"),
        key=key,
        message_id=message_id,
    )


Send = "Callable[..., Email]"


@pytest.fixture
def sent(ledger: SqliteLedger) -> Callable[..., Email]:
    """Sends one email through the ledger, with an answer for each recipient."""

    def send(
        key: str,
        to: str = "ann@example.com",
        *,
        cc: str = "",
        message_id: str = "",
        reply: Reply = REPLY,
        status: Status = Status.ACCEPTED,
        cause: Cause | None = None,
    ) -> Email:
        email = an_email(key, to, cc=cc, message_id=message_id)
        outcomes = [Outcome(m, status, reply=reply, cause=cause) for m in email.recipients.all]
        with_run = ledger.open_run()
        with_run.claim([email], retry_unknown=False)
        with_run.begin(email)
        with_run.settle(Receipt(email, outcomes, reply=reply))
        with_run.close()
        return email

    return send


def bounce(
    key: str = "",
    address: str = "ann@example.com",
    said: tuple[str, str, Cause | None] = UNKNOWN_USER,
    *,
    action: Action = Action.FAILED,
    message_id: str = "",
) -> Bounce:
    """A report about one recipient."""
    enhanced, words, cause = said
    return Bounce(
        envelope_id=key, message_id=message_id, notices=(Notice(address, action, enhanced, words, cause),)
    )


def test_a_report_is_taken_for_its_email_and_its_person(
    ledger: SqliteLedger, sent: Callable[..., Email]
) -> None:
    """The answer has all that a page shows."""
    sent("t/C1")
    (taken,) = ledger.take_bounce(bounce("t/C1"))
    assert taken == BounceTaken(
        key="t/C1",
        person_key="C1",
        address="ann@example.com",
        action=Action.FAILED,
        enhanced="5.1.1",
        said="550 5.1.1 no such user",
        suppressed=str(ledger.suppressed("ann@example.com")),
    )
    assert taken.suppressed == (
        "mail to ann@example.com came back on 2026-03-02: 550 5.1.1 no such user. Correct the address; "
        "or, if it is right, lift it in the ledger."
    )
    assert ledger.state("t/C1") is LedgerState.ACCEPTED


def test_an_email_is_found_by_each_of_its_names(ledger: SqliteLedger, sent: Callable[..., Email]) -> None:
    """The envelope id is the key or the Message-ID; Amazon answers with a name of its own."""
    name = "010001939a7b4c2e-1f2e3d4c-5b6a-4789-8a9b-0c1d2e3f4a5b-000000"
    sent("t/1", "a@example.com")
    sent("t/2", "b@example.com", message_id="<two@example.com>")
    sent("t/3", "c@example.com", reply=Reply(250, "", f"Ok {name}"))
    sent("plain", "d@example.com")
    reports = {
        "t/1": bounce("t/1"),
        "t/2": bounce(message_id="<two@example.com>"),
        "t/3": bounce(message_id=f"<{name}@email.amazonses.com>"),
        "plain": bounce("plain"),
    }
    assert {key: ledger.take_bounce(report)[0].key for key, report in reports.items()} == {
        key: key for key in reports
    }
    assert ledger.take_bounce(bounce("<two@example.com>"))[0].key == "t/2"
    assert ledger.take_bounce(bounce(message_id=f"<{name}@amazonses.com.example>")) == ()
    assert ledger.take_bounce(bounce("plain"))[0].person_key == "plain"


FORGERIES = {
    "a key that nobody has": bounce("t/C999"),
    "no name at all": bounce(),
    "an address of another email": bounce("t/C1", "bob@example.com"),
    "a key in capitals": bounce("T/C1"),
    "an address that is not one": bounce("t/C1", "not an address"),
    "an email that was refused at once": bounce("t/C3", "dee@example.com"),
    "a Message-ID that nobody has": bounce(message_id="<x@example.com>"),
}


@pytest.mark.parametrize("report", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_report_changes_nothing(
    ledger: SqliteLedger, sent: Callable[..., Email], report: Bounce
) -> None:
    """Who does not know an email's name can stop nobody's mail."""
    sent("t/C1", "ann@example.com", cc="kim@example.com")
    sent("t/C2", "bob@example.com")
    sent("t/C3", "dee@example.com", reply=NO_SUCH_USER, status=Status.REFUSED, cause=Cause.BAD_RECIPIENT)
    assert ledger.take_bounce(report) == ()
    people = ("ann@example.com", "kim@example.com", "bob@example.com", "dee@example.com")
    assert [ledger.suppressed(person) for person in people] == [None] * 4


@pytest.mark.parametrize(("days", "taken"), [(10, 1), (14, 1), (15, 0)])
def test_a_report_counts_for_two_weeks(
    ledger: SqliteLedger, clock: FakeClock, sent: Callable[..., Email], days: int, taken: int
) -> None:
    """Servers give up after five days; what comes later is not about delivery."""
    sent("t/C1")
    clock.advance(days * 86400)
    assert len(ledger.take_bounce(bounce("t/C1"))) == taken


def test_a_copy_is_told_from_the_person(ledger: SqliteLedger, sent: Callable[..., Email]) -> None:
    """The employer's full mailbox says nothing of the student."""
    sent("t/C1", "ann@example.com", cc="kim@example.com")
    (taken,) = ledger.take_bounce(bounce("t/C1", "Kim@EXAMPLE.com".lower()))
    assert (taken.person_key, taken.address) == ("", "kim@example.com")
    assert ledger.suppressed("ann@example.com") is None


def test_the_only_recipient_is_meant_under_any_name(ledger: SqliteLedger, sent: Callable[..., Email]) -> None:
    """An alias leads elsewhere, and some providers hide the address of a complaint."""
    sent("t/C1")
    (taken,) = ledger.take_bounce(bounce("t/C1", "", ("", "", None), action=Action.COMPLAINED))
    assert taken.address == "ann@example.com"
    assert str(ledger.suppressed("ann@example.com")).startswith(
        "the reader at ann@example.com called an email"
    )


def test_an_email_in_doubt_has_left_too(ledger: SqliteLedger, sent: Callable[..., Email]) -> None:
    """That it came back even says that it arrived at the server."""
    sent("t/C1", status=Status.UNKNOWN, cause=Cause.CONNECTION)
    assert len(ledger.take_bounce(bounce("t/C1"))) == 1


Day = tuple[int, "tuple[str, str, Cause | None] | None"]
HISTORIES = {
    "unknown once": ([(0, UNKNOWN_USER)], {0: True, 400: True}),
    "full twice": ([(0, MAILBOX_FULL), (5, MAILBOX_FULL)], {5: False}),
    "full three times in a month": (
        [(0, MAILBOX_FULL), (10, ("4.4.7", "gave up", Cause.OTHER)), (20, MAILBOX_FULL)],
        {19: False, 20: True, 109: True, 111: False},
    ),
    "full three times in two months": (
        [(0, MAILBOX_FULL), (20, MAILBOX_FULL), (40, MAILBOX_FULL)],
        {40: False},
    ),
    "blocked three times": ([(0, BLOCKED), (1, BLOCKED), (2, BLOCKED)], {2: False}),
    "refused for its text": (
        [(day, ("5.7.1", "spam", Cause.CONTENT_REFUSED)) for day in range(3)],
        {3: False},
    ),
}


@pytest.mark.parametrize(("days", "expected"), HISTORIES.values(), ids=HISTORIES)
def test_who_is_left_out_follows_from_what_came_back(
    ledger: SqliteLedger,
    clock: FakeClock,
    sent: Callable[..., Email],
    days: list[tuple[int, tuple[str, str, Cause | None]]],
    expected: dict[int, bool],
) -> None:
    """An unknown address at once; a full mailbox on the third email within 30 days, for 90."""
    came_back, today = dict(days), 0
    for day in sorted({*came_back, *expected}):
        clock.advance((day - today) * 86400)
        today = day
        if day in came_back:
            sent(f"t{day}/C1")
            assert len(ledger.take_bounce(bounce(f"t{day}/C1", said=came_back[day]))) == 1
        if day in expected:
            assert (ledger.suppressed("ann@example.com") is not None) is expected[day], day


@pytest.mark.parametrize("action", [Action.DELAYED, Action.DELIVERED, Action.RELAYED, Action.EXPANDED])
def test_what_is_not_a_failure_leaves_nobody_out(
    ledger: SqliteLedger, sent: Callable[..., Email], action: Action
) -> None:
    """It is taken all the same."""
    sent("t/C1")
    (taken,) = ledger.take_bounce(bounce("t/C1", action=action))
    assert (taken.action, taken.suppressed) == (action, "")


def test_the_same_report_again_counts_once(ledger: SqliteLedger, sent: Callable[..., Email]) -> None:
    """A mailbox may be read twice."""
    sent("t/C1")
    for _ in range(4):
        assert len(ledger.take_bounce(bounce("t/C1", said=MAILBOX_FULL))) == 1
    assert ledger.suppressed("ann@example.com") is None


def test_lifting_ends_it_and_what_came_back_before_counts_no_more(
    ledger: SqliteLedger, sent: Callable[..., Email]
) -> None:
    """By hand, when somebody has asked."""
    for count in range(3):
        sent(f"t{count}/C1")
        ledger.take_bounce(bounce(f"t{count}/C1", said=MAILBOX_FULL))
    assert ledger.suppressed("Ann <ann@example.com>") is not None
    assert ledger.lift("ann@example.com") is True
    assert ledger.suppressed("ann@example.com") is None
    assert ledger.lift("ann@example.com") is False
    sent("t3/C1")
    ledger.take_bounce(bounce("t3/C1", said=MAILBOX_FULL))
    assert ledger.suppressed("ann@example.com") is None


def test_an_unknown_address_outlasts_a_full_mailbox(
    ledger: SqliteLedger, clock: FakeClock, sent: Callable[..., Email]
) -> None:
    """90 days later the address is as unknown as before."""
    sent("u/C1")
    ledger.take_bounce(bounce("u/C1"))
    for count in range(3):
        sent(f"t{count}/C1")
        ledger.take_bounce(bounce(f"t{count}/C1", said=MAILBOX_FULL))
    clock.advance(100 * 86400)
    assert "no such user" in str(ledger.suppressed("ann@example.com"))


def test_who_is_never_reached(ledger: SqliteLedger, clock: FakeClock, sent: Callable[..., Email]) -> None:
    """Only those of whom nothing arrived, the latest failure first."""
    for count in range(3):
        sent(f"t{count}/A", "three-came-back@example.com")
        ledger.take_bounce(bounce(f"t{count}/A", "three-came-back@example.com"))
    sent("t0/B", "got-one-through@example.com")
    ledger.take_bounce(bounce("t0/B", "got-one-through@example.com"))
    sent("t1/B", "got-one-through@example.com")
    clock.advance(60)
    for count, reply in enumerate((NO_SUCH_USER, FULL)):
        cause = Cause.BAD_RECIPIENT if count == 0 else Cause.MAILBOX_FULL
        sent(f"t{count}/C", "refused-twice@example.com", reply=reply, status=Status.REFUSED, cause=cause)
    sent("t0/D", "called-spam@example.com")
    ledger.take_bounce(bounce("t0/D", "called-spam@example.com", BLOCKED))
    sent("t0/E", "only-delayed@example.com")
    ledger.take_bounce(bounce("t0/E", "only-delayed@example.com", action=Action.DELAYED))
    sent("t0/F", "our-fault@example.com", reply=SPAM, status=Status.REFUSED, cause=Cause.BLOCKED)
    sent("t0/G", "in-doubt@example.com", status=Status.UNKNOWN, cause=Cause.CONNECTION)
    found = list(ledger.never_reached(since=BEFORE))
    assert [(row.address, row.person_key, row.times, row.said) for row in found] == [
        ("refused-twice@example.com", "C", 2, "552 5.2.2 mailbox full"),
        ("three-came-back@example.com", "A", 3, "550 5.1.1 no such user"),
    ]
    assert found[0].last == clock.now().replace(microsecond=0)
    assert found[0].last - found[1].last == timedelta(seconds=60)


def test_a_failure_counts_from_when_it_was_told(
    ledger: SqliteLedger, clock: FakeClock, sent: Callable[..., Email]
) -> None:
    """An email of last week that came back today is news of today; that its copy arrived is not."""
    sent("t/C1", "ann@example.com", cc="kim@example.com")
    clock.advance(86400)
    since = clock.now()
    assert list(ledger.never_reached(since=since)) == []
    ledger.take_bounce(bounce("t/C1", "ann@example.com"))
    assert [row.address for row in ledger.never_reached(since=since)] == ["ann@example.com"]


def test_a_moment_needs_a_time_zone(ledger: SqliteLedger) -> None:
    """Which midnight would be anybody's guess."""
    with pytest.raises(
        LedgerError, match=r"needs a time zone, got .* Write since=datetime\(2026, 2, 1, tzinfo"
    ):
        ledger.never_reached(since=datetime(2026, 2, 1))  # noqa: DTZ001 - what is refused
    with pytest.raises(TypeError, match=r"needs a datetime, got str"):
        ledger.never_reached(since="2026-02-01")  # type: ignore[arg-type]


def test_an_email_of_an_older_file_is_not_taken(ledger: SqliteLedger) -> None:
    """Its recipients are not known, so a forger could name anybody."""
    ledger.attempting(["old/C1"])
    assert ledger.take_bounce(bounce("old/C1")) == ()

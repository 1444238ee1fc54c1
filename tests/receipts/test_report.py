"""A report says what became of everyone."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from typing import TYPE_CHECKING

import attrs
import pytest

from vetmail_core import (
    Attachment,
    Cause,
    Content,
    Email,
    Exclusion,
    ExclusionReason,
    Outcome,
    Person,
    Phase,
    Receipt,
    Recipients,
    Reply,
    Report,
    Status,
)
from vetmail_core.receipts import Tally

if TYPE_CHECKING:
    from collections.abc import Callable


def tallied(*receipts: Receipt) -> Report:
    """The report of these receipts."""
    tally = Tally()
    for receipt in receipts:
        tally.add(receipt)
    return tally.report()


def test_counts_are_of_recipients_and_emails(email: Email) -> None:
    """Two emails to three people each: one all accepted, one with every other fate."""
    statuses = [Status.REFUSED, Status.DEFERRED, Status.UNKNOWN]
    fates = [Outcome(mailbox, status) for mailbox, status in zip(email.recipients.all, statuses, strict=True)]
    fine = Receipt(email, [Outcome(mailbox, Status.ACCEPTED) for mailbox in email.recipients.all])
    report = tallied(fine, Receipt(email, fates))
    assert (report.emails, report.recipients) == (2, 6)
    assert (report.accepted, report.refused, report.deferred, report.unknown) == (3, 1, 1, 1)
    assert (report.not_attempted, report.handed_over) == (0, 0)


def test_a_receipt_with_a_failure_is_kept_and_one_without_is_not(answered: Callable[..., Receipt]) -> None:
    """What went well is a number."""
    failed = answered(Status.REFUSED, cause=Cause.BAD_RECIPIENT)
    report = tallied(answered(Status.ACCEPTED), answered(Status.HANDED_OVER), failed)
    assert report.failures == (failed,)
    assert not report.ok
    assert (report.accepted, report.handed_over) == (1, 1)


def test_people_left_out_on_purpose_do_not_spoil_ok() -> None:
    """They are listed all the same."""
    tally = Tally()
    left_out = Exclusion(Person(None, key="C1", name="Ann Lee"), ExclusionReason.NO_ADDRESS, "no address")
    tally.exclude(left_out)
    report = tally.report()
    assert report.ok
    assert report.exclusions == (left_out,)


def test_the_counts_alone_spoil_ok() -> None:
    """A host that keeps counts and no receipts is told the same."""
    assert Report(emails=2, accepted=1, handed_over=1).ok
    for spoilt in (Report(refused=1), Report(deferred=1), Report(unknown=1), Report(not_attempted=1)):
        assert not spoilt.ok


def test_a_cancelled_run_is_not_ok(answered: Callable[..., Receipt]) -> None:
    """Somebody may not have been reached, although nothing failed."""
    tally = Tally()
    tally.add(answered(Status.ACCEPTED))
    tally.cancel()
    assert not tally.report().ok
    assert "stopped before its end" in str(tally.report())


def test_emails_that_a_stopped_run_never_came_to_are_named_without_being_kept(email: Email) -> None:
    """They are in the counts, and everybody of them is in text, CSV and JSON."""
    tally = Tally()
    tally.count_untried(email)
    report = tally.report()
    assert (report.emails, report.not_attempted, report.unlisted, report.failures) == (1, 3, 1, ())
    assert "and 1 email more that were not tried\n    ann@example.com" in str(report)
    rows = list(csv.DictReader(io.StringIO(report.to_csv())))
    assert [(row["address"], row["status"], row["key"]) for row in rows] == [
        (f"{name}@example.com", "not_attempted", "class-7/ann") for name in ("ann", "lee", "kim")
    ]
    assert [one["address"] for one in json.loads(report.to_json())["untried"]][2] == "kim@example.com"
    for _ in range(7):
        tally.count_untried(email)
    assert "    and 4 more" in str(tally.report())


def test_memory_stays_flat_when_nothing_fails(answered: Callable[..., Receipt]) -> None:
    """A hundred thousand accepted emails leave a number behind."""
    receipt = answered(Status.ACCEPTED)
    tally = Tally()
    tracemalloc.start()
    for _ in range(100_000):
        tally.add(receipt)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert tally.report().accepted == 100_000
    assert peak < 20_000


RETRIED = [  # status, unknown included, sent again
    (Status.DEFERRED, False, True),
    (Status.NOT_ATTEMPTED, False, True),
    (Status.UNKNOWN, False, False),
    (Status.UNKNOWN, True, True),
    (Status.REFUSED, True, True),
    (Status.HANDED_OVER, True, False),
]


def test_of_a_great_many_sent_to_before_the_first_are_listed_and_all_are_counted() -> None:
    """A run of a million that is taken up again at its end has a report of the usual size."""
    tally = Tally()
    tally.exclude(Exclusion(Person("", name="Ann"), ExclusionReason.NO_ADDRESS))
    sent = Exclusion(Person("lee@example.com", name="Lee"), ExclusionReason.ALREADY_SENT)
    for _ in range(10_100):
        tally.exclude(sent)
    report = tally.report()
    assert report.already_sent == 10_100
    assert len(report.exclusions) == 10_001
    assert "left out (10101 people)\n  already sent (10100): Lee; " in str(report)
    assert json.loads(report.to_json())["counts"]["already_sent"] == 10_100
    assert report.ok


@pytest.mark.parametrize(("status", "unknown", "again"), RETRIED)
def test_retry_holds_what_may_go_again(
    answered: Callable[..., Receipt], *, status: Status, unknown: bool, again: bool
) -> None:
    """Deferred, untried and refused without a word about the recipient always; those in doubt by choice."""
    receipt = answered(status)
    assert tallied(receipt).retry(unknown=unknown) == ((receipt.email,) if again else ())


@pytest.mark.parametrize("cause", list(Cause))
def test_retry_holds_whoever_was_refused_for_a_reason_of_ours(
    answered: Callable[..., Receipt], cause: Cause
) -> None:
    """A login, an allowance or a text can be mended; an address that nobody has cannot."""
    receipt = answered(Status.REFUSED, cause=cause)
    final = cause in {Cause.BAD_RECIPIENT, Cause.MAILBOX_FULL}
    assert receipt.outcomes[0].is_open is not final
    assert tallied(receipt).retry() == (() if final else (receipt.email,))


def test_retry_goes_only_to_those_who_still_need_it(email: Email) -> None:
    """Whoever was accepted is not in the email that is sent again."""
    outcomes = [Outcome(mailbox, Status.ACCEPTED) for mailbox in email.recipients.all]
    outcomes[1] = attrs.evolve(outcomes[1], status=Status.DEFERRED)
    (again,) = tallied(Receipt(email, outcomes)).retry()
    assert [mailbox.addr_spec for mailbox in again.recipients.all] == ["lee@example.com"]
    assert again.key == email.key


def test_the_text_groups_failures_by_cause_with_the_advice_once(answered: Callable[..., Receipt]) -> None:
    """The help desk reads one advice for many addresses, the largest group first."""
    gone = Reply(550, "5.1.1", "No such user")
    report = tallied(
        answered(Status.ACCEPTED),
        answered(
            Status.DEFERRED, cause=Cause.THROTTLED, reply=Reply(450, "4.2.1", "slow down"), to="z@example.com"
        ),
        answered(Status.REFUSED, cause=Cause.BAD_RECIPIENT, reply=gone, to="old@example.com"),
        answered(Status.REFUSED, cause=Cause.BAD_RECIPIENT, reply=gone, to="older@example.com"),
        answered(Status.UNKNOWN, cause=Cause.CONNECTION, to="maybe@example.com"),
        answered(Status.UNKNOWN, cause=Cause.PROTOCOL, to="perhaps@example.com"),
    )
    text = str(report)
    assert text.splitlines()[0] == "6 emails to 6 recipients: 1 accepted, 2 refused, 1 deferred, 2 in doubt"
    assert text.index("refused: bad recipient (2 recipients)") < text.index(
        "deferred: throttled (1 recipient)"
    )
    assert "old@example.com  550 5.1.1 No such user" in text
    assert " ".join(text.split()).count(Cause.BAD_RECIPIENT.advice) == 1
    assert "in doubt (2 recipients)\n  The connection broke after the email was sent" in text


def test_the_text_says_our_own_words_once(answered: Callable[..., Receipt]) -> None:
    """A disk that is full is one piece of news, however many emails did not go for it."""
    full = Reply(0, "", "The ledger cannot be written: make room.")
    failed = [
        answered(Status.NOT_ATTEMPTED, cause=Cause.OTHER, reply=full, to=f"p{n}@example.com")
        for n in range(3)
    ]
    assert str(tallied(*failed)).splitlines()[2:] == [
        "not tried: other (3 recipients)",
        "  The ledger cannot be written: make room.",
        "    p0@example.com",
        "    p1@example.com",
        "    p2@example.com",
    ]


def test_the_text_names_only_those_of_an_email_who_were_not_reached(email: Email) -> None:
    """One of three was refused; the two who have it are not among the failures."""
    outcomes = [Outcome(mailbox, Status.ACCEPTED) for mailbox in email.recipients.all]
    outcomes[1] = attrs.evolve(outcomes[1], status=Status.REFUSED)
    text = str(tallied(Receipt(email, outcomes)))
    assert "refused (1 recipient)\n    lee@example.com" in text
    assert "ann@example.com" not in text


def test_the_text_lists_people_left_out_by_reason() -> None:
    """Who, and why; by name, else by address, else by key."""
    tally = Tally()
    for person in (Person(None, name="Ann Lee"), Person("", key="C2"), Person(None)):
        tally.exclude(Exclusion(person, ExclusionReason.NO_ADDRESS))
    tally.exclude(Exclusion(Person("bad@", key="C3"), ExclusionReason.BAD_ADDRESS))
    text = str(tally.report())
    assert text.startswith("0 emails to 0 recipients: nothing sent")
    assert "left out (4 people)\n  no address (3): Ann Lee; C2; ?\n  bad address (1): bad@" in text


def test_long_groups_are_cut_in_the_text_and_whole_in_the_csv(answered: Callable[..., Receipt]) -> None:
    """A screen is for reading, a file for working through."""
    report = tallied(*(answered(Status.DEFERRED, to=f"p{n}@example.com") for n in range(30)))
    assert "and 10 more" in str(report)
    assert len(list(csv.reader(io.StringIO(report.to_csv())))) == 31
    tally = Tally()
    for n in range(25):
        tally.exclude(Exclusion(Person(None, name=f"P{n}"), ExclusionReason.NO_ADDRESS))
    assert "P19 and 5 more" in " ".join(str(tally.report()).split())


def test_a_servers_words_cannot_write_on_the_terminal(answered: Callable[..., Receipt]) -> None:
    """Control characters are shown, not obeyed."""
    text = str(tallied(answered(Status.REFUSED, reply=Reply(550, "", "bad\x1b[2Jword"))))
    assert "\x1b" not in text
    assert "U+001B" in text


def test_the_csv_has_a_line_for_each_recipient_not_reached_and_each_person_left_out(email: Email) -> None:
    """With what a help desk needs in columns of its own."""
    reply = Reply(550, "5.1.1", 'No such user, "old"')
    outcomes = [Outcome(mailbox, Status.ACCEPTED) for mailbox in email.recipients.all]
    outcomes[2] = Outcome(
        email.recipients.bcc[0], Status.REFUSED, cause=Cause.BAD_RECIPIENT, reply=reply, phase=Phase.RCPT
    )
    outcomes[1] = Outcome(email.recipients.cc[0], Status.UNKNOWN)
    tally = Tally()
    tally.add(Receipt(email, outcomes))
    tally.exclude(Exclusion(Person("=bad", key="C9", name="Ann"), ExclusionReason.BAD_ADDRESS, "no @ in it"))
    header, doubt, refused, left_out = csv.reader(io.StringIO(tally.report().to_csv()))
    row = dict(zip(header, refused, strict=True))
    assert row["status"] == "refused"
    assert row["address"] == "kim@example.com"
    assert row["key"] == "class-7/ann"
    assert (row["code"], row["enhanced"], row["reply"]) == ("550", "5.1.1", 'No such user, "old"')
    assert (row["cause"], row["advice"]) == ("bad_recipient", Cause.BAD_RECIPIENT.advice)
    assert (row["phase"], row["attempts"]) == ("rcpt", "1")
    row = dict(zip(header, doubt, strict=True))
    assert (row["status"], row["cause"], row["code"]) == ("unknown", "", "")
    assert "may have arrived" in row["advice"]
    row = dict(zip(header, left_out, strict=True))
    assert (row["status"], row["cause"], row["advice"]) == ("excluded", "bad_address", "no @ in it")
    assert (row["address"], row["key"]) == ("'=bad", "C9")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_csv_cell_never_begins_like_a_formula(answered: Callable[..., Receipt], start: str) -> None:
    """A spreadsheet program would run what a stranger's server said."""
    report = tallied(answered(Status.REFUSED, reply=Reply(550, "", f"{start}cmd|calc")))
    _, row = csv.reader(io.StringIO(report.to_csv()))
    assert f"'{start}cmd|calc" in row


def test_the_json_holds_counts_failures_and_exclusions(email: Email) -> None:
    """Everything another program needs, and not a word of the email's text."""
    reply = Reply(250, "2.0.0", "Ok: queued as 4ABC")
    refused = Reply(550, "5.1.1", "No such user")
    outcomes = [Outcome(mailbox, Status.ACCEPTED) for mailbox in email.recipients.all]
    outcomes[0] = Outcome(
        email.recipients.to[0], Status.REFUSED, cause=Cause.BAD_RECIPIENT, reply=refused, phase=Phase.RCPT
    )
    tally = Tally()
    tally.add(Receipt(email, outcomes, reply=reply, warnings=("slow",), attempts=2))
    tally.exclude(Exclusion(Person(None, key="C1", name="Ann"), ExclusionReason.NO_ADDRESS, "no address"))
    tally.exclude(Exclusion(Person("a@example.com", key="C2"), ExclusionReason.ALREADY_SENT))
    text = tally.report().to_json()
    data = json.loads(text)
    assert data["schema"] == 1
    assert (data["ok"], data["cancelled"]) == (False, False)
    assert (data["counts"]["accepted"], data["counts"]["refused"], data["counts"]["emails"]) == (2, 1, 1)
    (failure,) = data["failures"]
    assert (failure["key"], failure["queue_id"], failure["attempts"]) == ("class-7/ann", "4ABC", 2)
    assert failure["warnings"] == ["slow"]
    assert failure["recipients"][0] == {
        "address": "ann@example.com",
        "name": "",
        "kind": "to",
        "status": "refused",
        "cause": "bad_recipient",
        "advice": Cause.BAD_RECIPIENT.advice,
        "phase": "rcpt",
        "reply": {"code": 550, "enhanced": "5.1.1", "text": "No such user"},
    }
    assert failure["recipients"][1]["reply"] is None
    assert failure["reason"].startswith("The server answered 550 5.1.1 No such user: ask the person")
    assert [exclusion["address"] for exclusion in data["exclusions"]] == [None, "a@example.com"]
    assert "room 4" not in text


def test_a_report_can_be_made_by_hand(answered: Callable[..., Receipt]) -> None:
    """A host's own tests make one without a run; any iterable will do."""
    report = Report(emails=1, refused=1, failures=iter([answered(Status.REFUSED)]))
    assert len(report.failures) == 1
    assert Report() == Tally().report()
    every = Report(accepted=1, refused=2, deferred=4, unknown=8, not_attempted=16, handed_over=32)
    assert every.recipients == 63


def _failing(number: int, content: Content) -> Receipt:
    email = Email(
        sender="office@example.com", recipients=Recipients(f"p{number}@example.com"), content=content
    )
    return Receipt(email, [Outcome(email.recipients.to[0], Status.DEFERRED, cause=Cause.THROTTLED)])


def test_of_a_great_many_failures_the_first_are_kept_whole_and_all_are_named() -> None:
    """Text, CSV and JSON name everybody; what could be sent again ends at ten thousand."""
    tally, content = Tally(), Content("Hello", "x" * 1000)
    for number in range(10_003):
        tally.add(_failing(number, content))
    report = tally.report()
    assert (len(report.failures), report.unlisted, report.deferred) == (10_000, 3, 10_003)
    assert "deferred: throttled (10003 recipients)" in str(report)
    assert report.to_csv().count("@example.com") == 10_003
    assert report.to_json().count('"address": "p') == 10_003
    assert len(report.retry()) == 10_000
    assert report.named[-1].email.content == Content("Hello")


def test_contents_of_failures_are_kept_up_to_64_megabytes() -> None:
    """What several emails share counts once: a file for everybody is not a file for each."""
    shared = Attachment("a.bin", bytes(30_000_000))
    tally = Tally()
    for number in range(5):
        tally.add(_failing(number, Content("Shared", f"Dear {number}", attachments=[shared])))
    assert tally.report().unlisted == 0
    for number in range(5):
        own = Attachment("b.bin", bytes(20_000_000))
        tally.add(_failing(5 + number, Content("Own", attachments=[own])))
    report = tally.report()
    assert (len(report.failures), report.unlisted) == (6, 4)
    assert "p9@example.com" in report.to_csv()


def test_reports_are_joined_in_their_order(email: Email, answered: Callable[..., Receipt]) -> None:
    """One for each sender becomes one for the evening; everything is counted once."""
    first, second = Tally(), Tally()
    first.add(answered(Status.ACCEPTED))
    first.add(answered(Status.REFUSED, to="gone@example.com"))
    first.exclude(Exclusion(Person("", name="Ann"), ExclusionReason.NO_ADDRESS))
    for _ in range(10_002):
        second.exclude(Exclusion(Person("lee@example.com"), ExclusionReason.ALREADY_SENT))
    second.add(answered(Status.DEFERRED, to="later@example.com"))
    second.count_untried(email)
    second.cancel()
    report = Report.join([first.report(), second.report()])
    assert (report.emails, report.accepted, report.refused, report.deferred) == (4, 1, 1, 1)
    assert [one.email.recipients.to[0].local_part for one in report.failures] == ["gone", "later"]
    assert (report.not_attempted, report.unlisted, report.already_sent) == (3, 1, 10_002)
    assert len(report.exclusions) == 10_001
    assert report.cancelled
    assert Report.join([]) == Report()
    assert Report.join([report]) == report


def test_what_was_kept_without_its_contents_is_never_sent_again_from_a_joined_report() -> None:
    """It would be an empty letter."""
    tally, content = Tally(), Content("Hello", "text")
    for number in range(10_001):
        tally.add(_failing(number, content))
    many = tally.report()
    few = attrs.evolve(many, failures=many.failures[:1])
    report = Report.join([few, Report()])
    assert (len(report.failures), report.unlisted, len(report.retry())) == (1, 1, 1)
    assert "p10000@example.com" in report.to_csv()

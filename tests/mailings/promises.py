"""What mailings promise on every ledger that keeps them; each ledger's tests make a class of it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from vetmail_core import (
    Action,
    Attachment,
    Bounce,
    BulkCopies,
    Cause,
    Content,
    EmailContext,
    ExclusionReason,
    LedgerError,
    Notice,
    Outcome,
    Person,
    Receipt,
    RecipientsError,
    Reply,
    Status,
    plan_bulk,
)
from vetmail_core.ledger import LedgerState
from vetmail_core.mailings import Mailings
from vetmail_core.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vetmail_core import BulkPlan, Email

TEXT = "Dear ${first_name},\n\nroom ${room}.\n"
DAY = 86400.0


class Box:
    """A transport that answers as it is told, and keeps what it was given.

    Args:
        answers: address -> status and cause; everybody else is accepted.
        before: called with each email, before it is answered.
    """

    def __init__(
        self,
        answers: dict[str, tuple[Status, Cause | None]] | None = None,
        before: Callable[[Email], None] = lambda _email: None,
    ) -> None:
        self.answers = answers or {}
        self.before = before
        self.sent: list[Email] = []

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """One receipt for each."""
        for email in emails:
            self.before(email)
            self.sent.append(email)
            yield Receipt(email, [self._outcome(mailbox) for mailbox in email.recipients.all])

    def _outcome(self, mailbox: Any) -> Outcome:  # noqa: ANN401 - a mailbox
        status, cause = self.answers.get(mailbox.addr_spec, (Status.ACCEPTED, None))
        reply = None if status is Status.ACCEPTED else Reply(450, "4.2.1", "Not today")
        return Outcome(mailbox, status, cause=cause, reply=reply)

    def close(self) -> None:
        """Nothing to end."""


def people(number: int, **fields: object) -> list[Person]:
    """Students with keys."""
    return [
        Person(f"s{n}@students.example", key=f"C{n}", name=f"Stu{n} Dent", fields={"room": n, **fields})
        for n in range(number)
    ]


def plan(number: int = 23, *, batch: str = "results", **more: Any) -> BulkPlan:  # noqa: ANN401 - as plan_bulk
    """A mailing."""
    return plan_bulk(
        more.pop("content", Content("Results", TEXT)),
        more.pop("people", people(number)),
        sender="office@college.example",
        batch=batch,
        **more,
    )


def first_file(person: Person) -> Content:
    """A text and a file of each person's own."""
    certificate = Attachment(f"{person.key}.bin", b"certificate " + person.key.encode())
    both = Attachment("course.txt", str(len(person.key)).encode())
    terms = Attachment("terms.txt", b"for all")
    return Content(f"For {person.name}", f"$${{x}} {person.key}", attachments=[certificate, both, terms])


PLANS: dict[str, Callable[[], BulkPlan]] = {
    "a text": plan,
    "the same for all": lambda: plan(content=Content("x", "y")),
    "text and html": lambda: plan(
        content=Content("x ${room}", TEXT, html="<b>${room}</b> <i>${name}</i>\n<p>")
    ),
    "html alone": lambda: plan(content=Content("x", html="<p>Hello ${name}</p>")),
    "values with lines, marks and html": lambda: plan(
        people=[
            Person("a@x.example", key="C1", fields={"v": "one\ntwo"}),
            Person("b@x.example", key="C2", fields={"v": "K & L <2> ${name} $${x}"}),
            Person("c@x.example", key="C3", fields={"v": 2.5}),
            Person("d@x.example", key="C4", fields={"v": None}),
            Person("e@x.example", key="C5", fields={"v": "one\n\u2028\x00 two\n"}),
        ],
        content=Content("s", "a\n${v}\nb $${v}", html="<p>${v}</p>"),
    ),
    "a literal mark": lambda: plan(content=Content("$${name} $5", "$${name} and $x ${name}")),
    "other scripts": lambda: plan(
        people=[
            Person("j\u00f6rg@schule.example", key="C1"),
            Person("a@b\u00fccher.example", key="C\u00df2", name="J\u00f6rg \u0632\u0648\u064a"),
            Person('"a b"@students.example', key="C/3", name="O'Brien, \U0001f44d\U0001f3fd"),
        ],
        content=Content("\U0001f469\u200d\U0001f393 ${name}", "e\u0301 \u200f ${name}"),
        batch="2026-T1 r\u00e9sultats/%",
    ),
    "copies with the first, and duplicates": lambda: plan(
        people=[*people(3), *people(2), Person(None, key="N"), Person("family@x.example", key="F1"),
                Person("family@x.example", key="F2")],
        content=Content("x", "y"),
        cc="boss@x.example; Lee <lee@x.example>",
        bcc="audit@x.example",
    ),
    "copies with everyone": lambda: plan(5, cc="boss@x.example", copies=BulkCopies.EVERY_RECIPIENT),
    "files for all": lambda: plan(
        content=Content("x", "${room}", attachments=[Attachment("a.pdf", b"%PDF" * 99), Attachment("b", b"")])
    ),
    "files of each person's own": lambda: plan(120, content=first_file),
    "no line of one in the other": lambda: plan(content=lambda p: Content(p.key, "\n" * len(p.name) + p.key)),
}  # fmt: skip


class MailingsPromises:
    """Make a class of it with `make_ledger`."""

    def make_ledger(self) -> Any:  # noqa: ANN401 - a SqliteLedger or a PostgresLedger
        """Open the test's one storage; called once for each worker."""
        raise NotImplementedError

    def age(self, ledger: Any, seconds: float) -> None:  # noqa: ANN401 - as above
        """Let time go by for what is written down."""
        with ledger.tables.writing() as statements:
            statements.many("UPDATE @slices SET woken=woken-?, until=until-?", [(seconds, seconds)])
            statements.many("UPDATE @mailings SET at=at-?, since=since-?", [(seconds, seconds)])

    @pytest.fixture
    def ledger(self) -> Iterator[Any]:
        """One worker's."""
        with self.make_ledger() as ledger:
            yield ledger

    @pytest.fixture
    def mailings(self, ledger: Any) -> Mailings:  # noqa: ANN401 - as above
        """One worker's."""
        return Mailings(ledger, clock=FakeClock())

    # -- writing down ----------------------------------------------------------------------------------

    @pytest.mark.parametrize("slice_emails", [1, 2, 250])
    @pytest.mark.parametrize("kind", list(PLANS))
    def test_what_comes_out_is_what_went_in(self, mailings: Mailings, kind: str, slice_emails: int) -> None:
        """In value and in bytes, in order, whatever the slices."""
        made, box = PLANS[kind](), Box()
        emails = list(made)
        mailing = mailings.enqueue(made, slice_emails=slice_emails)
        assert mailing.emails == len(emails)
        assert len(mailing.slices) == -(-len(emails) // slice_emails)
        for number in mailing.slices:
            mailings.deliver_slice(number, box)
        assert box.sent == emails
        for ours, theirs in zip(box.sent, emails, strict=True):
            assert ours.as_bytes(smtputf8=True) == theirs.as_bytes(smtputf8=True)

    def test_the_same_batch_is_the_same_mailing(self, mailings: Mailings) -> None:
        """Written down once, however often it is asked for."""
        first = mailings.enqueue(plan(), slice_emails=10)
        assert mailings.enqueue(plan(), slice_emails=10) == first
        assert (first.batch, first.emails, len(first.slices)) == ("results", 23, 3)
        assert mailings.progress("results").emails == 23

    @pytest.mark.parametrize(
        "other",
        [
            lambda: plan(24),
            lambda: plan(22),
            lambda: plan(content=Content("Results", TEXT + "!")),
            lambda: plan(people=people(23)[::-1]),
            lambda: plan(cc="boss@x.example"),
        ],
    )
    def test_a_batch_with_other_people_or_another_text_is_an_error(
        self, mailings: Mailings, other: Callable[[], BulkPlan]
    ) -> None:
        """It says when the first was written down; nothing changes."""
        mailings.enqueue(plan())
        today = f"{mailings.progress('results').enqueued_at:%Y-%m-%d %H:%M}"
        with pytest.raises(LedgerError, match=f"'results' was written down on {today} UTC with other people"):
            mailings.enqueue(other())
        assert mailings.progress("results").emails == 23

    @pytest.mark.parametrize(
        "refused",
        [
            lambda: plan(batch=""),
            lambda: plan(context="account"),
            lambda: plan(context="portal_notification"),
            lambda: plan(
                context=EmailContext(
                    "exam", "Exam", to_roles=("client",), roles=(), defaults={}, private=True
                )
            ),
        ],
    )
    def test_private_mail_and_mail_without_a_batch_is_never_written_down(
        self, mailings: Mailings, refused: Callable[[], BulkPlan]
    ) -> None:
        """It could not be known again, or must not lie in a database."""
        with pytest.raises(RecipientsError, match=r"[Nn]othing was written"):
            mailings.enqueue(refused())
        assert mailings.open_slices() == ()

    def test_an_error_in_the_middle_leaves_nothing(self, mailings: Mailings) -> None:
        """All or nothing; after the cure the same batch goes."""

        def broken() -> Iterator[Person]:
            yield from people(700)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            mailings.enqueue(plan(people=broken()))
        assert mailings.open_slices() == ()
        with pytest.raises(LedgerError, match="unknown to this ledger"):
            mailings.progress("results")
        assert mailings.enqueue(plan(700)).emails == 700

    @pytest.mark.parametrize("kind", [OSError, UnicodeDecodeError, LookupError])
    def test_what_the_people_raise_comes_through_as_it_is(self, kind: type[Exception]) -> None:
        """A people file on a share that went away is no fault of the ledger."""
        error = (
            UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no") if kind is UnicodeDecodeError else kind("gone")
        )

        def broken() -> Iterator[Person]:
            yield from people(3)
            raise error

        class Again:
            def __iter__(self) -> Iterator[Person]:
                return broken()

        with self.make_ledger() as ledger:
            with pytest.raises(kind) as caught:
                Mailings(ledger).enqueue(plan(people=Again()))
            assert caught.value is error
            assert error.__cause__ is None
            assert Mailings(ledger).open_slices() == ()
            assert len(Mailings(ledger).enqueue(plan(3)).slices) == 1

    def test_what_was_forgotten_takes_its_reports_along_and_leaves_nobody_out_less(self) -> None:
        """The words of a server may name a person; that their address is no more stays known."""
        said = Notice("s0@students.example", Action.FAILED, "5.1.1", "550 s0 is gone", Cause.BAD_RECIPIENT)
        with self.make_ledger() as ledger:
            mailings = Mailings(ledger)
            (number,) = mailings.enqueue(plan(3)).slices
            mailings.deliver_slice(number, Box())
            assert ledger.take_bounce(Bounce(envelope_id="results/C0", message_id="", notices=(said,)))
            before = datetime.now(UTC) + timedelta(days=1)
            assert mailings.forget(before=before) == 1
            with ledger.tables.reading() as statements:
                assert statements.rows("SELECT said FROM @notices") == []
            assert "550 s0 is gone" in ledger.suppressed("s0@students.example")

    def test_what_could_not_come_out_again_is_refused(self, mailings: Mailings) -> None:
        """Before anything is written; the sentence names the email."""
        for name, value in (("key", float("nan")), ("reply_to", object())):
            emails = list(plan(2))
            object.__setattr__(emails[1], name, value)
            made = _Emails(emails)
            with pytest.raises(LedgerError, match="nothing was written"):
                mailings.enqueue(made)  # type: ignore[arg-type] # a plan as far as it is looked at
        assert mailings.open_slices() == ()

    def test_an_email_may_have_a_message_id_a_date_and_headers_of_its_own(self, mailings: Mailings) -> None:
        """Whatever a plan of a host's decides."""
        one, two, three = plan(3)
        emails = [
            attrs.evolve(one, headers={"X-Course": "7"}, date=datetime(2026, 3, 2, tzinfo=UTC)),
            attrs.evolve(two, message_id="<a.b@college.example>"),
            attrs.evolve(three, reply_to=(two.sender,)),
        ]
        mailing, box = mailings.enqueue(_Emails(emails)), Box()  # type: ignore[arg-type] # as above
        mailings.deliver_slice(mailing.slices[0], box)
        assert box.sent == emails

    def test_a_slice_has_an_email_at_least(self, mailings: Mailings) -> None:
        """None would be a mailing without an end."""
        with pytest.raises(ValueError, match="a whole number from 1"):
            mailings.enqueue(plan(), slice_emails=0)

    def test_a_mailing_to_nobody_is_one(self, mailings: Mailings) -> None:
        """Its report says so."""
        mailing = mailings.enqueue(plan(people=[Person(None, key="N")]))
        assert (mailing.slices, mailing.emails) == ((), 0)
        assert mailings.enqueue(plan(people=[Person(None, key="N")])) == mailing
        report = mailings.report("results")
        assert (report.emails, report.ok, len(report.exclusions)) == (0, True, 1)

    # -- delivering ------------------------------------------------------------------------------------

    def test_a_slice_is_sent_once_however_often_it_is_called(self, mailings: Mailings) -> None:
        """The second call has nothing to do."""
        box = Box()
        (number,) = mailings.enqueue(plan()).slices
        first = mailings.deliver_slice(number, box)
        assert (first.counts, first.open, first.poisoned) == ({"accepted": 23}, 0, False)
        second = mailings.deliver_slice(number, box)
        assert (second.counts, second.open) == ({"already_sent": 23}, 0)
        assert len(box.sent) == 23

    def test_two_workers_on_one_slice_send_each_email_once(self, mailings: Mailings) -> None:
        """They share it; neither is in doubt about the other's."""
        (number,) = mailings.enqueue(plan(60)).slices
        boxes, results, start = [Box(), Box()], [], threading.Barrier(2)

        def work(box: Box) -> None:
            with self.make_ledger() as ledger:
                start.wait()
                results.append(Mailings(ledger).deliver_slice(number, box))

        workers = [threading.Thread(target=work, args=(box,)) for box in boxes]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        sent = sorted(email.key for box in boxes for email in box.sent)
        assert sent == sorted(email.key for email in plan(60))
        assert sum(result.counts.get("accepted", 0) for result in results) == 60
        assert mailings.report("results").ok

    def test_after_its_seconds_a_call_ends_with_the_email_at_hand(self, ledger: Any) -> None:  # noqa: ANN401 - a ledger
        """The rest is open, and the transport too."""
        clock = FakeClock()
        mailings = Mailings(ledger, clock=clock)
        (number,) = mailings.enqueue(plan()).slices
        box = Box(before=lambda _email: clock.sleep(7))
        result = mailings.deliver_slice(number, box, seconds=30)
        assert (result.counts, result.open) == ({"accepted": 5}, 18)
        assert mailings.deliver_slice(number, Box()).counts == {"already_sent": 5, "accepted": 18}

    def test_a_worker_that_shall_end_ends_with_the_email_at_hand(self, mailings: Mailings) -> None:
        """As after SIGTERM: nothing is in doubt."""
        (number,) = mailings.enqueue(plan()).slices
        box = Box()
        result = mailings.deliver_slice(number, box, stop=lambda: len(box.sent) >= 3)
        assert (result.counts, result.open) == ({"accepted": 3}, 20)

    def test_a_slice_that_is_unknown_is_an_error(self, mailings: Mailings) -> None:
        """So is a batch."""
        for ask in (
            lambda: mailings.deliver_slice(99, Box()),
            lambda: mailings.report("none"),
            lambda: mailings.progress("none"),
            lambda: mailings.stop("none"),
            lambda: mailings.resume("none"),
        ):
            with pytest.raises(LedgerError, match="unknown to this ledger"):
                ask()

    def test_only_some_recipients_are_tried_again(self, mailings: Mailings) -> None:
        """Whoever has it gets no second copy."""
        (number,) = mailings.enqueue(plan(1, cc="boss@x.example")).slices
        box = Box({"boss@x.example": (Status.DEFERRED, Cause.MAILBOX_FULL)})
        assert mailings.deliver_slice(number, box).open == 1
        box.answers.clear()
        assert mailings.deliver_slice(number, box).counts == {"accepted": 1}
        assert [[m.addr_spec for m in email.recipients.all] for email in box.sent] == [
            ["s0@students.example", "boss@x.example"],
            ["boss@x.example"],
        ]

    # -- the sweep -------------------------------------------------------------------------------------

    def test_the_sweep_finds_what_was_never_queued_and_tells_it_once(
        self,
        mailings: Mailings,
        ledger: Any,  # noqa: ANN401 - a ledger
    ) -> None:
        """And again when nobody came for a while."""
        slices = mailings.enqueue(plan(), slice_emails=10).slices
        assert mailings.open_slices() == slices
        assert mailings.open_slices() == ()
        assert mailings.open_slices(quiet_seconds=0) == slices
        mailings.deliver_slice(slices[0], Box())
        self.age(ledger, 61)
        assert mailings.open_slices() == slices[1:]

    def test_a_slice_that_somebody_is_at_is_left_alone(self, mailings: Mailings, ledger: Any) -> None:  # noqa: ANN401 - a ledger
        """However long that takes."""
        (number,) = mailings.enqueue(plan(3)).slices
        found: list[tuple[int, ...]] = []

        def sweep(_email: Email) -> None:
            with self.make_ledger() as other:
                self.age(other, 100)
                found.append(Mailings(other).open_slices())

        mailings.deliver_slice(number, Box(before=sweep))
        assert found == [()] * 3
        assert ledger.counts() == {LedgerState.ACCEPTED: 3}

    def test_who_is_put_off_comes_again_at_growing_distances_and_is_given_up(
        self,
        mailings: Mailings,
        ledger: Any,  # noqa: ANN401 - a ledger
    ) -> None:
        """Two days after it was written down; resuming it opens it again."""
        (number,) = mailings.enqueue(plan(2)).slices
        box = Box({"s1@students.example": (Status.DEFERRED, Cause.MAILBOX_FULL)})
        assert mailings.deliver_slice(number, box).counts == {"accepted": 1, "deferred": 1}
        pauses: list[int] = []
        for _ in range(8):
            waited = 0
            while not mailings.open_slices():
                self.age(ledger, 30)
                waited += 30
            pauses.append(waited)
            assert mailings.deliver_slice(number, box).open == 1
        assert pauses == sorted(pauses)
        assert pauses[:4] == [60, 120, 240, 480]
        assert pauses[-1] == 3600
        self.age(ledger, 2 * DAY)
        assert mailings.open_slices() == ()
        progress = mailings.progress("results")
        assert (progress.counts, progress.open) == ({"accepted": 1, "deferred": 1}, 0)
        (failure,) = mailings.report("results").failures
        assert failure.outcomes[0].cause is Cause.MAILBOX_FULL
        assert "Not today" in str(failure.outcomes[0].reply)
        assert mailings.deliver_slice(number, box).counts == {"already_sent": 1, "deferred": 1}
        mailings.resume("results")
        box.answers.clear()
        assert mailings.open_slices() == (number,)
        assert mailings.deliver_slice(number, box).counts == {"already_sent": 1, "accepted": 1}

    def test_a_day_that_is_used_up_is_not_asked_about_every_minute(
        self,
        mailings: Mailings,
        ledger: Any,  # noqa: ANN401 - a ledger
    ) -> None:
        """An hour, or until the transport says that it goes on."""
        (number,) = mailings.enqueue(plan(2)).slices
        box = Box({"s1@students.example": (Status.DEFERRED, Cause.DAILY_QUOTA)})
        mailings.deliver_slice(number, box)
        self.age(ledger, 3500)
        assert mailings.open_slices() == ()
        self.age(ledger, 101)
        assert mailings.open_slices() == (number,)
        with ledger.tables.reading() as statements:
            box.goes_on = statements.now + 7200  # type: ignore[attr-defined] # as Spaced says it
        mailings.deliver_slice(number, box)
        self.age(ledger, 7100)
        assert mailings.open_slices() == ()
        self.age(ledger, 200)
        assert mailings.open_slices() == (number,)

    def test_a_slice_that_kills_its_workers_isolates_itself(self, mailings: Mailings, ledger: Any) -> None:  # noqa: ANN401 - a ledger
        """After ten tries it is named and left alone, until somebody resumes the mailing."""
        bad, good = mailings.enqueue(plan(2), slice_emails=1).slices

        class Killed(BaseException):
            pass

        def die(_email: Email) -> None:
            raise Killed

        for _ in range(10):
            self.age(ledger, 3601)
            assert bad in mailings.open_slices()
            with pytest.raises(Killed):
                mailings.deliver_slice(bad, Box(before=die))
            # What had begun is in doubt, and somebody says that it did not arrive.
            for key in ledger.in_doubt():
                ledger.resolve(key, LedgerState.DEFERRED)
        self.age(ledger, 3601)
        assert mailings.open_slices() == (good,)
        result = mailings.deliver_slice(bad, Box())
        assert (result.counts, result.open, result.poisoned) == ({}, 1, True)
        assert mailings.progress("results").poisoned == (bad,)
        mailings.resume("results")
        assert mailings.deliver_slice(bad, Box()).counts == {"accepted": 1}
        assert mailings.progress("results").poisoned == ()

    # -- what is told ----------------------------------------------------------------------------------

    def test_a_report_is_complete_at_any_moment(self, mailings: Mailings, ledger: Any) -> None:  # noqa: ANN401 - a ledger
        """It starts from the list: its statuses add up to the recipients of the plan."""
        made = plan(people=[*people(23), Person(None, key="N"), Person("bad", key="B")], cc="boss@x.example")
        mailing = mailings.enqueue(made, slice_emails=10)
        before = mailings.report("results")
        assert (before.emails, before.recipients, before.not_attempted, before.ok) == (23, 24, 24, False)
        assert [one.reason for one in before.exclusions] == [
            ExclusionReason.NO_ADDRESS,
            ExclusionReason.BAD_ADDRESS,
        ]
        assert "turn" in str(before.failures[0].outcomes[0].reply)
        box = Box(
            {
                "s1@students.example": (Status.REFUSED, Cause.BAD_RECIPIENT),
                "s2@students.example": (Status.UNKNOWN, Cause.CONNECTION),
                "s3@students.example": (Status.DEFERRED, Cause.MAILBOX_FULL),
                "s4@students.example": (Status.REFUSED, Cause.DAILY_QUOTA),
                "boss@x.example": (Status.DEFERRED, None),
            }
        )
        first = mailings.deliver_slice(mailing.slices[0], box)
        assert first.counts == {"accepted": 5, "refused": 2, "unknown": 1, "deferred": 2}
        report = mailings.report("results")
        assert report.recipients == 24
        assert (report.accepted, report.refused, report.unknown, report.deferred, report.not_attempted) == (
            6, 1, 1, 3, 13,
        )  # fmt: skip
        told = {
            receipt.email.key: (outcome.status, outcome.cause, outcome.said)
            for receipt in report.failures
            for outcome in receipt.outcomes
            if outcome.status is not Status.NOT_ATTEMPTED and not outcome.mailbox.addr_spec.startswith("boss")
        }
        assert told == {
            "results/C0": (Status.ACCEPTED, None, ""),
            "results/C1": (Status.REFUSED, Cause.BAD_RECIPIENT, "450 4.2.1 Not today"),
            "results/C2": (Status.UNKNOWN, Cause.CONNECTION, ""),
            "results/C3": (Status.DEFERRED, Cause.MAILBOX_FULL, "450 4.2.1 Not today"),
            "results/C4": (Status.DEFERRED, Cause.DAILY_QUOTA, "450 4.2.1 Not today"),
        }
        progress = mailings.progress("results")
        assert sum(progress.counts.values()) == progress.emails == 23
        assert progress.open == 16
        assert len(ledger.in_doubt()) == 1

    def test_a_doubt_that_was_ended_is_reported_as_it_ended(
        self,
        mailings: Mailings,
        ledger: Any,  # noqa: ANN401 - a ledger
    ) -> None:
        """Somebody looked into the server's log."""
        (number,) = mailings.enqueue(plan(2)).slices
        mailings.deliver_slice(number, Box({"s1@students.example": (Status.UNKNOWN, Cause.CONNECTION)}))
        assert mailings.report("results").unknown == 1
        assert mailings.deliver_slice(number, Box()).counts == {"already_sent": 1, "unknown": 1}
        ledger.resolve("results/C1", LedgerState.ACCEPTED)
        report = mailings.report("results")
        assert (report.accepted, report.ok, report.failures) == (2, True, ())

    def test_an_email_in_a_worker_s_hands_is_held_elsewhere(self, mailings: Mailings) -> None:
        """It may have arrived at any moment, and it is not open to another."""
        (number,) = mailings.enqueue(plan(1)).slices
        seen: list[Any] = []

        def look(_email: Email) -> None:
            with self.make_ledger() as other:
                seen.append(Mailings(other).report("results").failures[0].outcomes[0].cause)
                seen.append(Mailings(other).progress("results").counts)

        mailings.deliver_slice(number, Box(before=look))
        assert seen == [Cause.HELD_ELSEWHERE, {"not_attempted": 1}]

    def test_a_long_report_lists_the_first_and_counts_all(
        self, mailings: Mailings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A million texts would fill the memory."""
        monkeypatch.setattr("vetmail_core.receipts.report._MOST_FAILURES", 5)
        mailings.enqueue(plan())
        report = mailings.report("results")
        assert (len(report.failures), report.unlisted, report.not_attempted) == (5, 18, 23)

    # -- stop, resume, forget --------------------------------------------------------------------------

    def test_a_mailing_that_is_stopped_begins_no_email(self, mailings: Mailings) -> None:
        """Not in a slice that is going on, and not in the next; resumed, it goes on where it was."""
        one, two = mailings.enqueue(plan(20), slice_emails=10).slices
        with self.make_ledger() as ledger:
            clock = FakeClock()
            worker, box = Mailings(ledger, clock=clock), Box()

            def stop_it(_email: Email) -> None:
                if len(box.sent) == 2:
                    mailings.stop("results")
                clock.advance(1)

            box.before = stop_it
            assert worker.deliver_slice(one, box).counts == {"accepted": 3}
            assert worker.deliver_slice(two, box).counts == {}
            assert len(box.sent) == 3
            assert worker.open_slices() == ()
            assert worker.progress("results").stopped
            report = worker.report("results")
            assert report.cancelled
            assert "stopped" in str(report.failures[0].outcomes[0].reply)
            worker.resume("results")
            assert worker.open_slices() == (one, two)
            assert worker.deliver_slice(one, box).counts == {"already_sent": 3, "accepted": 7}

    def test_a_stop_holds_for_an_email_that_waited_for_its_turn(self, ledger: Any) -> None:  # noqa: ANN401 - a ledger
        """The server took its time, and meanwhile the mailing was stopped."""
        clock = FakeClock()
        mailings = Mailings(ledger, clock=clock)
        (number,) = mailings.enqueue(plan(3)).slices
        left: list[bool] = []

        class Slow:
            def deliver(self, emails: Any, /) -> Any:  # noqa: ANN401 - as a transport
                leaves = emails.announce()
                first = next(emails)
                mailings.stop("results")
                clock.advance(1)
                left.append(leaves(first))
                yield Receipt(
                    first,
                    [
                        Outcome(mailbox, Status.NOT_ATTEMPTED, cause=Cause.HELD_ELSEWHERE)
                        for mailbox in first.recipients.all
                    ],
                )
                assert next(emails, None) is None

        assert mailings.deliver_slice(number, Slow()).counts == {}
        assert left == [False]
        assert ledger.counts() == {}

    def test_forgetting_removes_texts_and_addresses_and_nobody_gets_a_second_copy(
        self,
        mailings: Mailings,
        ledger: Any,  # noqa: ANN401 - a ledger
    ) -> None:
        """Refused ones included; the progress still counts."""
        made = plan(people=[*people(3), Person("gone", key="B")], cc="boss@x.example",
                    content=Content("s", TEXT, attachments=[Attachment("a", b"secret")]))  # fmt: skip
        (number,) = mailings.enqueue(made).slices
        box = Box({
            "s1@students.example": (Status.REFUSED, Cause.BAD_RECIPIENT),
            "boss@x.example": (Status.REFUSED, Cause.BAD_RECIPIENT),
        })  # fmt: skip
        mailings.deliver_slice(number, box)
        soon, long_ago = datetime.now(UTC) + timedelta(1), datetime(2020, 1, 1, tzinfo=UTC)
        assert mailings.forget(before=long_ago) == 0
        assert mailings.forget(before=soon) == 1
        assert mailings.forget(before=soon) == 0
        with ledger.tables.reading() as statements:
            kept = repr(
                [
                    statements.rows(f"SELECT * FROM @{table}")  # noqa: S608 - our own names
                    for table in ("emails", "mailings", "planned", "left_out", "files")
                ]
            )
        for text in ("students.example", "boss@", "Stu", "room", "secret", "Not today", "gone"):
            assert text not in kept
        progress = mailings.progress("results")
        assert (progress.counts, progress.open) == ({"accepted": 2, "refused": 1}, 0)
        with pytest.raises(LedgerError, match=r"was forgotten on \d{4}-\d\d-\d\d"):
            mailings.report("results")
        assert mailings.enqueue(made).slices == (number,)
        result = mailings.deliver_slice(number, box)
        assert (result.open, len(box.sent)) == (0, 3)
        assert list(_sent_again(ledger, made)) == []

    def test_what_is_open_or_in_doubt_is_not_forgotten(self, mailings: Mailings) -> None:
        """Somebody still has to be told, or asked."""
        soon = datetime.now(UTC) + timedelta(1)
        (number,) = mailings.enqueue(plan(2)).slices
        assert mailings.forget(before=soon) == 0
        mailings.deliver_slice(number, Box({"s1@students.example": (Status.UNKNOWN, Cause.CONNECTION)}))
        assert mailings.forget(before=soon) == 0
        with pytest.raises(TypeError, match="time zone"):
            mailings.forget(before=datetime(2026, 1, 1))  # noqa: DTZ001 - that is what it is about

    # -- what breaks -----------------------------------------------------------------------------------

    def test_a_database_that_is_gone_is_an_error_after_the_answers(self, ledger: Any) -> None:  # noqa: ANN401 - a ledger
        """The sweep finds the slice again."""
        (number,) = Mailings(ledger).enqueue(plan(5)).slices

        class Fails:
            tables = ledger.tables
            state, attempting, settle = ledger.state, ledger.attempting, ledger.settle

            def open_run(self) -> Any:  # noqa: ANN401 - a run
                run = ledger.open_run()
                begin = run.begin

                def begins(email: Email) -> Any:  # noqa: ANN401 - as begin
                    if email.key == "results/C2":
                        raise ConnectionError("server closed the connection unexpectedly")
                    return begin(email)

                run.begin = begins
                return run

        box = Box()
        with pytest.raises(LedgerError, match="server closed the connection unexpectedly"):
            Mailings(Fails()).deliver_slice(number, box)
        assert len(box.sent) == 2
        assert Mailings(ledger).deliver_slice(number, box).counts == {"already_sent": 2, "accepted": 3}

    def test_a_mailing_of_a_later_version_is_left_alone(self, mailings: Mailings, ledger: Any) -> None:  # noqa: ANN401 - a ledger
        """What cannot be understood is not sent."""
        (number,) = mailings.enqueue(plan(2)).slices
        with ledger.tables.writing() as statements:
            statements.many("UPDATE @mailings SET schema=?", [(99,)])
        with pytest.raises(LedgerError, match="later version"):
            mailings.deliver_slice(number, Box())


class _Emails:
    """A plan of a host's own, as far as a mailing looks at it."""

    batch = "own"
    private = False

    def __init__(self, emails: list[Email]) -> None:
        self.emails = emails

    def steps(self) -> Iterator[Email]:
        """Walk."""
        return iter(self.emails)


def _sent_again(ledger: Any, made: BulkPlan) -> Iterator[Receipt]:  # noqa: ANN401 - a ledger
    from vetmail_core import deliver_once  # noqa: PLC0415 - used here alone

    return deliver_once(ledger, Box(), made)

"""What every ledger must pass, to subclass in its tests.

A ledger shows that nobody is mailed twice and nobody is forgotten. Each test is one promise of `Ledger`,
and its failure says what a user would suffer.
"""

from __future__ import annotations

import contextlib
import os
import unittest
import warnings
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, runtime_checkable

import attrs

from vetmail_core.clock import SystemClock
from vetmail_core.errors import LedgerError
from vetmail_core.ledger import Ledger, LedgerState, OpensRuns, deliver_once
from vetmail_core.notices import Action, Bounce, Notice
from vetmail_core.receipts import Cause, Outcome, Receipt, Reply, Status
from vetmail_core.testing.builders import email

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from datetime import datetime

    from vetmail_core.address import Mailbox
    from vetmail_core.message import Email
    from vetmail_core.notices import BounceTaken, NeverReached

__all__ = ["LedgerContract"]

_MOMENT: Final = 0.05
_Answer = tuple[Status, Cause | None, int, str]
_PUT_OFF: Final[_Answer] = (Status.DEFERRED, Cause.OTHER, 450, "4.2.1")
_NO_SUCH_USER: Final = Notice("", Action.FAILED, "5.1.1", "550 5.1.1 no such user", Cause.BAD_RECIPIENT)
_FULL: Final = Notice("", Action.FAILED, "5.2.2", "552 5.2.2 full", Cause.MAILBOX_FULL)
_COMPLAINT: Final = Notice("", Action.COMPLAINED, "", "", None)
_ABOUT_US: Final = (Cause.BLOCKED, Cause.SENDER_NOT_ALLOWED, Cause.CONTENT_REFUSED, Cause.TOO_LARGE)
_NO_FAILURE: Final = (Action.DELAYED, Action.DELIVERED, Action.RELAYED, Action.EXPANDED)
_IN_DOUBT: Final[_Answer] = (Status.UNKNOWN, Cause.CONNECTION, 0, "")


@runtime_checkable
class _TakesBounces(Ledger, Protocol):
    """A ledger that reads reports."""

    def take_bounce(self, bounce: Bounce) -> tuple[BounceTaken, ...]: ...

    def suppressed(self, mailbox: Mailbox | str, /) -> str | None: ...

    def lift(self, mailbox: Mailbox | str, /) -> bool: ...

    def never_reached(self, *, since: datetime) -> Iterator[NeverReached]: ...


class LedgerContract:
    """Subclass it, give it a ledger, and pytest runs the promises; works as a mixin of ``TestCase`` too.

    ::

        class TestOurLedger(LedgerContract):
            def make_ledger(self):
                return OurLedger(the_database_of_this_test)

    `make_ledger` is called once for each worker of a test. Within one test it opens the same storage, and in
    the next one an empty one. A promise that a ledger has no means for is skipped, and says why.

    Attributes:
        death_seconds: how long a dead worker may hold what it held; a lease in a test is shorter.
        takes_over: whether an email is taken from a worker that lives and does not move: False where a living
            worker keeps it, as by a lock; None finds out.
    """

    death_seconds: ClassVar[float] = 5.0
    takes_over: ClassVar[bool | None] = None

    def make_ledger(self) -> Ledger:
        """Open the ledger, as one more worker does."""
        raise NotImplementedError(f"{type(self).__name__} needs make_ledger(self)")

    def wait_a_moment(self) -> None:
        """Let time go by while a lease runs out; override it where a test can move the clock."""
        SystemClock().sleep(_MOMENT)

    # -- one worker ------------------------------------------------------------------------------------

    def test_it_is_a_ledger(self) -> None:
        """It has the three methods."""
        with self._worker() as ledger:
            assert isinstance(ledger, Ledger), "it needs state, attempting and settle"

    def test_a_new_email_is_sent_and_known(self) -> None:
        """Before it is sent nothing is known of it."""
        with self._worker() as ledger:
            assert ledger.state("class/ann") is None, "a new email is known before anything was tried"
            box = _Box()
            assert len(_run(ledger, box, [_email("ann")])) == 1
            assert box.to == [("ann",)], "a new email is not sent"
            assert ledger.state("class/ann") == LedgerState.ACCEPTED, "nobody knows afterwards who has it"

    def test_who_has_it_gets_no_second_copy(self) -> None:
        """Accepted by a server, or handed over to a mail program."""
        for status in (Status.ACCEPTED, Status.HANDED_OVER):
            answer = (status, None, 250, "")
            self._never_again(status.value, answer, "has the email gets a second copy")

    def test_an_address_that_is_no_more_is_not_written_to_again(self) -> None:
        """A refusal about the recipient is final."""
        refused = (Status.REFUSED, Cause.BAD_RECIPIENT, 550, "5.1.1")
        self._never_again("ann", refused, "has an address that is no more is written to in every run")

    def test_a_refusal_about_us_is_tried_again(self) -> None:
        """The day's allowance, the login: after the cure the same batch reaches everybody."""
        for cause, enhanced in (
            (Cause.DAILY_QUOTA, "5.4.5"),
            (Cause.AUTHENTICATION, "5.7.8"),
            (Cause.SENDER_NOT_ALLOWED, "5.7.60"),
        ):
            self._again(
                cause.value,
                (Status.REFUSED, cause, 550, enhanced),
                "was refused because of us, over the day's allowance for example, is never written to again",
            )

    def test_who_was_put_off_is_tried_again(self) -> None:
        """A later run may go through."""
        self._again("ann", _PUT_OFF, "was put off is forgotten")

    def test_who_was_not_tried_is_tried_again(self) -> None:
        """The server was down; nothing was tried."""
        self._again(
            "ann",
            (Status.NOT_ATTEMPTED, Cause.CONNECTION, 0, ""),
            "was not tried because the server was down never gets the email",
        )

    def test_a_copy_that_was_put_off_is_sent_alone(self) -> None:
        """To has it; in every later run only the copy is tried, until it goes through."""
        with self._worker() as ledger:
            box = _Box({"boss": _PUT_OFF})
            one = _email("ann", cc="boss")
            for _ in range(2):
                _run(ledger, box, [one])
            box.answers.clear()
            _run(ledger, box, [one])
            _run(ledger, box, [one])
            again = [to for to in box.to[1:] if "ann" in to]
            assert not again, "who has the email gets a second copy when somebody else's copy is tried again"
            alone = box.to.count(("boss",))
            assert alone == len(box.to) - 1 > 1, "a copy that was put off is forgotten, or sent for ever"

    def test_in_doubt_stays_until_somebody_decides(self) -> None:
        """It is reported as unknown by every run, and sent again by choice alone."""
        with self._worker() as ledger:
            box = _Box({"ann": _IN_DOUBT})
            _run(ledger, box, [_email("ann")])
            box.answers.clear()
            for _ in range(2):
                receipts = _run(ledger, box, [_email("ann")])
                assert len(box.to) == 1, (
                    "whoever was in doubt gets a second copy from the next run, though nobody asked for it"
                )
                assert [one for one in receipts if one.unknown], "a doubt is told once and never again"
            _run(ledger, box, [_email("ann")], retry_unknown=True)
            assert len(box.to[1:]) == 1, "whoever is in doubt cannot be written to even by choice"
            assert ledger.state("class/ann") == LedgerState.ACCEPTED, "a doubt outlives the answer"

    def test_a_doubt_that_somebody_ended_is_over(self) -> None:
        """It arrived, or is to be sent again: as somebody says who looked."""
        with self._worker() as ledger:
            resolve: Callable[[str, LedgerState], None] | None = getattr(ledger, "resolve", None)
            if resolve is None:
                raise unittest.SkipTest("it has no resolve(key, state), so a doubt is ended in its database")
            box = _Box({"ann": _IN_DOUBT, "bob": _IN_DOUBT})
            emails = [_email("ann"), _email("bob")]
            _run(ledger, box, emails)
            box.answers.clear()
            resolve("class/ann", LedgerState.ACCEPTED)
            resolve("class/bob", LedgerState.DEFERRED)
            _run(ledger, box, emails)
            assert box.to[2:] == [("bob",)], "a doubt that somebody ended is not over"

    def test_what_cannot_be_put_down_is_not_sent(self) -> None:
        """A key that the database cannot keep, say: then nobody would know that it was sent."""
        key = "class/\0"
        box, known = _Box(), False
        with self._worker() as ledger:
            with contextlib.suppress(LedgerError):
                _run(ledger, box, [email("ann@example.com", key=key)])
            with contextlib.suppress(Exception):  # whatever a database says of such a key
                known = ledger.state(key) is not None
        assert known or not box.to, "an email that the ledger could not put down is sent by every run"

    # -- what comes back (for a ledger that has take_bounce) ---------------------------------------------

    def test_whoever_came_back_is_left_out_until_somebody_lifts_it(self) -> None:
        """An address that is no more, or a complaint: at once, with a sentence; and it is not sent again."""
        with self._bouncing() as ledger:
            box = _Box()
            for name, notice in (("ann", _NO_SUCH_USER), ("bob", _COMPLAINT)):
                _run(ledger, box, [_email(name)])
                address = f"{name}@example.com"
                taken = ledger.take_bounce(_bounce(f"class/{name}", address, notice))
                assert [(one.key, one.person_key, one.address) for one in taken] == [
                    (f"class/{name}", name, address)
                ], "nobody is told whose email came back"
                why = ledger.suppressed(address)
                assert why, (
                    "an address that does not exist, or whose owner complained, is written to for ever"
                )
                assert taken[0].suppressed == why, "a page says another reason than the preview"
                assert address in why, "whoever is left out is not named, so nobody can correct the address"
                _run(ledger, box, [_email(name)])
                assert len(box.to) == 1, "whoever's email came back is sent it again by the same batch"
                box.to.clear()
                assert ledger.lift(address), "nobody can give a student back their mail"
                assert ledger.suppressed(address) is None, "nobody can give a student back their mail"
                assert not ledger.lift(address), "lifting says that it did something when it did not"

    def test_a_report_is_found_by_the_message_id_too(self) -> None:
        """Where the server kept no envelope id."""
        with self._bouncing() as ledger:
            one = _email("ann")
            _run(ledger, _Box(), [one])
            for envelope_id, message_id in ((one.message_id, ""), ("", one.message_id)):
                report = _bounce(envelope_id, "ann@example.com", _NO_SUCH_USER, message_id=message_id)
                assert ledger.take_bounce(report), (
                    "a report is lost when the server kept the Message-ID alone"
                )

    def test_a_forged_report_changes_nothing(self) -> None:
        """It counts for an email that left, and for whom this email went to."""
        refused = (Status.REFUSED, Cause.BAD_RECIPIENT, 550, "5.1.1")
        with self._bouncing() as ledger:
            _run(ledger, _Box({"cat": refused}), [_email("ann", cc="boss"), _email("bob"), _email("cat")])
            for key, address in (
                ("", "ann@example.com"),
                ("class/nobody", "ann@example.com"),
                ("CLASS/ANN", "ann@example.com"),
                ("class/\0", "ann@example.com"),
                ("class/\ud83d", "ann@example.com"),
                ("class/ann", "bob@example.com"),
                ("class/ann", "no address"),
                ("class/cat", "cat@example.com"),
            ):
                taken = ledger.take_bounce(_bounce(key, address, _NO_SUCH_USER))
                assert taken == (), "anybody can stop a student's mail with a forged report"
            for name in ("ann", "boss", "bob", "cat"):
                assert ledger.suppressed(f"{name}@example.com") is None, (
                    "anybody can stop a student's mail with a forged report"
                )

    def test_what_came_back_for_a_copy_is_not_the_person_s(self) -> None:
        """The employer's address is no more; the student's is."""
        with self._bouncing() as ledger:
            _run(ledger, _Box(), [_email("ann", cc="boss")])
            (taken,) = ledger.take_bounce(_bounce("class/ann", "boss@example.com", _NO_SUCH_USER))
            assert taken.person_key == "", "a student is shown as unreachable for their employer's address"
            assert ledger.suppressed("boss@example.com"), (
                "a dead address that gets copies is written to for ever"
            )
            assert ledger.suppressed("ann@example.com") is None, (
                "a student gets no mail because their employer's address is no more"
            )

    def test_a_full_mailbox_is_left_out_on_the_third_email(self) -> None:
        """Not before, not for one report that is read three times, and not when it was lifted meanwhile."""
        with self._bouncing() as ledger:
            box = _Box()

            def came_back(number: int) -> bool:
                one = email("ann@example.com", key=f"{number}/ann")
                _run(ledger, box, [one])
                for _ in range(3):
                    taken = ledger.take_bounce(_bounce(one.key, "ann@example.com", _FULL))
                    assert len(taken) == 1, "a mailbox of reports that is read again loses what it said"
                return ledger.suppressed("ann@example.com") is not None

            assert not came_back(1), "a mailbox that was full once, read again, gets no more mail"
            assert not came_back(2), "a mailbox that was full twice gets no more mail"
            assert came_back(3), "a mailbox that is always full is written to for ever"
            ledger.lift("ann@example.com")
            assert not came_back(4), "what came back before somebody lifted it still counts"

    def test_a_report_about_us_or_about_no_failure_leaves_nobody_out(self) -> None:
        """Blocked, spam, too large; late, delivered."""
        with self._bouncing() as ledger:
            for number, (action, cause) in enumerate(
                (
                    *((Action.FAILED, cause) for cause in _ABOUT_US for _ in range(3)),
                    *((action, Cause.OTHER) for action in _NO_FAILURE for _ in range(3)),
                )
            ):
                one = email("ann@example.com", key=f"{number}/ann")
                _run(ledger, _Box(), [one])
                notice = Notice("ann@example.com", action, "5.7.1", "550 5.7.1 not from you", cause)
                (taken,) = ledger.take_bounce(_bounce(one.key, "ann@example.com", notice))
                assert not taken.suppressed, "a student gets no more mail because our server was blocked"
                assert ledger.suppressed("ann@example.com") is None, (
                    "a student gets no more mail because our server was blocked"
                )

    def test_who_is_never_reached_is_listed(self) -> None:
        """Came back, or was refused at once, and nothing else arrived."""
        refused = (Status.REFUSED, Cause.BAD_RECIPIENT, 550, "5.1.1")
        since = SystemClock().now() - timedelta(days=1)
        with self._bouncing() as ledger:
            twice = (1, 2)
            for number in twice:
                emails = [
                    email(f"{name}@example.com", key=f"{number}/{name}") for name in ("ann", "bob", "cat")
                ]
                _run(ledger, _Box({"bob": refused}), emails)
                ledger.take_bounce(_bounce(f"{number}/ann", "ann@example.com", _NO_SUCH_USER))
            ledger.take_bounce(_bounce("1/cat", "cat@example.com", _NO_SUCH_USER))
            found = {one.person_key: one for one in ledger.never_reached(since=since)}
            assert "cat" not in found, "whoever got an email is listed as never reached"
            assert sorted(found) == ["ann", "bob"], "somebody whom no email reaches is not listed"
            assert found["ann"].address == "ann@example.com", "nobody is told which address to correct"
            assert found["ann"].said == _NO_SUCH_USER.said, "nobody is told what the server said"
            assert found["ann"].times == len(twice), "nobody is told how often it came back"
            later = SystemClock().now() + timedelta(days=1)
            assert not list(ledger.never_reached(since=later)), "what was before the time asked for is listed"
            try:
                ledger.never_reached(since=since.replace(tzinfo=None))
            except LedgerError:
                return
            raise AssertionError(
                "a time without a zone is guessed, so the list begins hours too early or late"
            )

    # -- two workers -----------------------------------------------------------------------------------

    def test_two_workers_send_each_email_once(self) -> None:
        """What one holds, the other neither sends nor reports as unknown; a third run has nothing to do."""
        emails = [_email(name) for name in ("ann", "bob", "cat")]
        with self._worker() as one, self._worker() as two:
            second = _Box()
            told: list[Receipt] = []
            first = _Box(before=lambda to: told.extend(_run(two, second, emails)) if to == ("bob",) else None)
            receipts = _run(one, first, emails)
            sent = sorted(first.to + second.to)
            assert sent == [("ann",), ("bob",), ("cat",)], "two workers on one list send somebody two copies"
            assert not any(receipt.unknown for receipt in told), (
                "a second worker reports as unknown what the first is just sending"
            )
            held = {one.email.key for one in told if one.outcomes[0].cause is Cause.HELD_ELSEWHERE}
            assert "class/bob" in held, (
                "a second worker does not say that somebody is at an email, so its report counts it as sent"
            )
            assert not any(receipt.unknown for receipt in receipts), "the first worker doubts its own email"
        with self._worker() as ledger:
            third = _Box()
            _run(ledger, third, emails)
            assert third.to == [], "after two workers a third run sends somebody a second copy"

    def test_who_was_on_the_way_when_a_worker_died_is_in_doubt(self) -> None:
        """It may have arrived, so nobody sends it again by themselves."""
        with self._after_a_death(begun=True) as ledger:
            box = _Box()

            def told() -> bool:
                receipts = _run(ledger, box, [_email("ann")])
                assert box.to == [], (
                    "whoever was on the way when a worker died gets a second copy from the next run"
                )
                return any(receipt.unknown for receipt in receipts)

            assert self._within(told), "whoever was on the way when a worker died is in no report as in doubt"

    def test_who_had_not_begun_when_a_worker_died_is_left_to_the_next(self) -> None:
        """Nothing of it can have left."""
        with self._after_a_death(begun=False) as ledger:
            box = _Box()

            def sent() -> bool:
                receipts = _run(ledger, box, [_email("ann")])
                assert not any(receipt.unknown for receipt in receipts), (
                    "whoever a dead worker had only put down is in doubt, though nothing can have left"
                )
                return bool(box.to)

            assert self._within(sent), "whoever a dead worker had put down never gets the email"

    def test_what_was_taken_over_does_not_leave_any_more(self) -> None:
        """A worker that was frozen wakes up: another has sent its email meanwhile."""
        with self._worker() as one, self._worker() as two:
            run = self._runs(one).open_run()
            run.claim([_email("ann")], retry_unknown=False)
            box = _Box()

            def sent() -> bool:
                _run(two, box, [_email("ann")])
                return bool(box.to)

            self._taken_over(sent)
            assert not run.begin(_email("ann")), (
                "a worker that was frozen sends a second copy of what another has sent meanwhile"
            )
            run.close()
            _run(two, box, [_email("ann")])
            assert len(box.to) == 1, "a worker that was frozen makes the next run send a second copy"

    def test_an_answer_that_comes_late_ends_the_doubt(self) -> None:
        """A worker was frozen with an email on its way, and another reports it as in doubt; then it wakes."""
        with self._worker() as one, self._worker() as two:
            run = self._runs(one).open_run()
            run.claim([_email("ann")], retry_unknown=False)
            assert run.begin(_email("ann")), "a worker's own email may not leave"
            box = _Box()

            def doubted() -> bool:
                return any(receipt.unknown for receipt in _run(two, box, [_email("ann")]))

            self._taken_over(doubted)
            run.settle(_Box().receipt(_email("ann")))
            run.close()
            assert two.state("class/ann") == LedgerState.ACCEPTED, (
                "an answer that comes late is lost, so somebody who has the email stays in doubt for ever"
            )
            assert box.to == [], "whoever is in doubt gets a second copy"

    # -- how -------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _worker(self) -> Generator[Ledger]:
        ledger = self.make_ledger()
        try:
            yield ledger
        finally:
            getattr(ledger, "close", lambda: None)()

    @contextlib.contextmanager
    def _bouncing(self) -> Generator[_TakesBounces]:
        with self._worker() as ledger:
            if not hasattr(ledger, "take_bounce"):
                raise unittest.SkipTest("it has no take_bounce, so it reads no reports")
            assert isinstance(ledger, _TakesBounces), (
                "a ledger with take_bounce needs suppressed, lift and never_reached, or nobody learns of it"
            )
            yield ledger

    def _never_again(self, name: str, answer: _Answer, suffers: str) -> None:
        with self._worker() as ledger:
            box = _Box({name: answer})
            for _ in range(3):
                _run(ledger, box, [_email(name)])
            assert len(box.to) == 1, f"whoever {suffers}"

    def _again(self, name: str, answer: _Answer, suffers: str) -> None:
        with self._worker() as ledger:
            box = _Box({name: answer})
            _run(ledger, box, [_email(name)])
            _run(ledger, box, [_email(name)])
            assert len(box.to[1:]) == 1, f"whoever {suffers}"
            box.answers.clear()
            _run(ledger, box, [_email(name)])
            assert len(box.to[2:]) == 1, f"whoever {suffers}"
            assert ledger.state(f"class/{name}") == LedgerState.ACCEPTED, f"whoever {suffers}"

    def _runs(self, ledger: Ledger) -> OpensRuns:
        if not isinstance(ledger, OpensRuns):
            raise unittest.SkipTest("it has no runs, so it cannot tell what a worker had begun")
        return ledger

    @contextlib.contextmanager
    def _after_a_death(self, *, begun: bool) -> Generator[Ledger]:
        """The ledger, after a worker of another process died in the middle."""
        with self._worker() as ledger:
            self._runs(ledger)
        fork: Callable[[], int] | None = getattr(os, "fork", None)
        if fork is None:
            raise unittest.SkipTest("this system has no fork, so no worker could die here")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # other threads: the child leaves them alone
            child = fork()
        if child == 0:
            try:
                self._work_and_die(begun=begun)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        with self._worker() as ledger:
            if ledger.state("class/seen") is None:
                raise unittest.SkipTest("it lives in one process's memory, where no worker dies by itself")
            yield ledger

    def _work_and_die(self, *, begun: bool) -> None:
        ledger = self.make_ledger()
        _run(ledger, _Box(), [_email("seen")])
        run = self._runs(ledger).open_run()
        run.claim([_email("ann")], retry_unknown=False)
        if begun:
            run.begin(_email("ann"))

    def _taken_over(self, happens: Callable[[], bool]) -> None:
        if self.takes_over is False:
            raise unittest.SkipTest("a worker that lives keeps what it holds, however long that takes")
        if not self._within(happens):
            assert not self.takes_over, "takes_over is True, and a worker that does not move keeps its emails"
            raise unittest.SkipTest(
                f"within {self.death_seconds:g} s nothing was taken from a worker that lives"
            )

    def _within(self, happens: Callable[[], bool]) -> bool:
        clock = SystemClock()
        end = clock.monotonic() + self.death_seconds
        while not happens():
            if clock.monotonic() > end:
                return False
            self.wait_a_moment()
        return True


class _Box:
    """A transport that answers as it is told, and keeps to whom it was asked to send."""

    def __init__(
        self,
        answers: dict[str, _Answer] | None = None,
        before: Callable[[tuple[str, ...]], object] = lambda _to: None,
    ) -> None:
        self.answers = {} if answers is None else answers
        self.to: list[tuple[str, ...]] = []
        self._before = before

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """One receipt for each, in order."""
        for one in emails:
            self._before(_names(one))
            yield self.receipt(one)

    def receipt(self, one: Email) -> Receipt:
        """Answer for an email."""
        self.to.append(_names(one))
        return Receipt(one, [self._outcome(mailbox) for mailbox in one.recipients.all])

    def _outcome(self, mailbox: Mailbox) -> Outcome:
        status, cause, code, enhanced = self.answers.get(mailbox.local_part, (Status.ACCEPTED, None, 250, ""))
        reply = Reply(code, enhanced, "as the test has it") if code else None
        return Outcome(mailbox, status, cause=cause, reply=reply)


def _names(one: Email) -> tuple[str, ...]:
    return tuple(mailbox.local_part for mailbox in one.recipients.all)


def _bounce(key: str, address: str, notice: Notice, *, message_id: str = "") -> Bounce:
    return Bounce(envelope_id=key, message_id=message_id, notices=(attrs.evolve(notice, address=address),))


def _email(name: str, *, cc: str = "") -> Email:
    return email(f"{name}@example.com", cc=f"{cc}@example.com" if cc else "", key=f"class/{name}")


def _run(ledger: Ledger, box: _Box, emails: Sequence[Email], *, retry_unknown: bool = False) -> list[Receipt]:
    return list(deliver_once(ledger, box, emails, retry_unknown=retry_unknown))

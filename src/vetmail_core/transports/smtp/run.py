"""One run: emails in, receipts out, over as many connections as it takes.

A message whose last octet may have arrived is not sent again, and an email is not pulled before there is a
place for it. Every email that was pulled gets exactly one receipt, in order, unless the caller walks away.

How several connections go together. One thread drives them all: it is the thread that walks the receipts,
and the caller's iterable, ledger and token function are called on no other. Whatever takes time on a
connection is a generator (`waiting`), so a round of the run is: give out the receipts whose turn it is; put
a message wherever there is room; let each connection go on as far as it can; wait for all of them at once.

Order. ``_jobs`` holds the emails in the order in which they were pulled, each until its receipt is given.
An answer behind one that is late is told to the source at once, so that a kill leaves in doubt what is on
the way and nothing else; and what waits there has a bound.

Pace. While there is a pause between messages, one message is under way in the whole run. A message that had
left before the server asked for a rest says nothing about that rest: it neither lengthens nor shortens it.

Stop. What is said about us, a closed transport, an interrupt and a caller that walks away have one thing in
common: no further text begins, on any connection. What has left is heard out; where somebody waits for the
end, for as long as one farewell may take, and for all connections together rather than for one after the
other. In doubt is what had wholly left and was not answered: of each connection one message, in CHUNKING
one window.

What was tried and left: a thread for each connection needs locks in the rules, and calls a caller's
database from threads that do not own it; a connection that is asked for again after it was refused costs a
server that counts them its patience, so a run does without it.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from typing import TYPE_CHECKING, Final

from vetmail_core.clock import SystemClock
from vetmail_core.errors import TransportError
from vetmail_core.message import Email
from vetmail_core.message.wire import wire_bytes
from vetmail_core.receipts import Cause, Phase, Receipt, Status
from vetmail_core.transports.handed_on import announced
from vetmail_core.transports.replies import Retry
from vetmail_core.transports.smtp.link import Link
from vetmail_core.transports.smtp.pace import Backoff
from vetmail_core.transports.smtp.rules.course import Course
from vetmail_core.transports.smtp.rules.login import Lost
from vetmail_core.transports.smtp.rules.message import (
    BEYOND_ASCII,
    Job,
    Stop,
    Transaction,
    Why,
    at_server,
    halves,
)
from vetmail_core.transports.smtp.rules.protocol import read_reply, with_crlf
from vetmail_core.transports.smtp.settings import MOST_RECIPIENTS, ORDER, Pipelining
from vetmail_core.transports.smtp.wire.waiting import Called, carried_out, ready_among, together
from vetmail_core.transports.stamping import message_id_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from vetmail_core.address import Mailbox
    from vetmail_core.clock import Clock
    from vetmail_core.receipts import Reply
    from vetmail_core.transports.handed_on import Leaves
    from vetmail_core.transports.smtp.host import Host
    from vetmail_core.transports.smtp.lending import Loan
    from vetmail_core.transports.smtp.rules.message import Again
    from vetmail_core.transports.smtp.rules.pipeline import Lane
    from vetmail_core.transports.smtp.rules.protocol import Capabilities
    from vetmail_core.transports.smtp.session import Opener
    from vetmail_core.transports.smtp.settings import Limits
    from vetmail_core.transports.smtp.wire.connection import Connection
    from vetmail_core.transports.smtp.wire.waiting import Steps

__all__ = ["Run"]

_STRIKES: Final = 3
_PARTS_IN_VAIN: Final = 2
_FURTHER_ON: Final = 20
_A_WHILE_SECONDS: Final = 0.01
_BEHIND_ONE: Final = 64  # emails a connection that are pulled while the first of them has no answer
_LOOK_SECONDS: Final = 0.25  # how long nobody notices that the transport was closed in another thread
_monotonic: Final = SystemClock().monotonic


class Run:
    """One call of ``deliver``.

    Args:
        emails: pulled lazily.
        host: what is known about the server.
        opener: makes connections.
        limits: how much a connection and a message may take.
        clock: for pauses, and for the Date of emails without one.
        loan: the places for connections; given back at the end.
    """

    def __init__(
        self,
        emails: Iterable[Email],
        *,
        host: Host,
        opener: Opener,
        limits: Limits,
        clock: Clock,
        loan: Loan,
    ) -> None:
        self._process = os.getpid()
        self._source = iter(emails)
        self._leaves = announced(self._source)
        self._exhausted = False
        self._error: BaseException | None = None
        self._until: float | None = None  # when winding up: how long answers are heard
        self._called_off = False  # nobody is answered for any more who was not pulled
        self._tell: Callable[[Receipt], None] | None = getattr(self._source, "answered", None)
        self._host = host
        self._opener = opener
        self._limits = limits
        self._clock = clock
        self._jobs: deque[Job] = deque()
        self._backlog: deque[Transaction] = deque()
        self._stop: Stop | None = None
        self._loan = loan
        self._backoff = Backoff(limits, clock)
        self._several = limits.connections > 1
        self._most = limits.connections
        self._links = [self._new_link()]
        self._early: list[Job] = []  # answered, and perhaps not in their turn
        self._course = Course()
        self._probed = False
        self._trouble = Stop(cause=Cause.PROTOCOL, phase=Phase.MAIL, note="out of step")

    # -- the stream ------------------------------------------------------------------------------------

    def receipts(self) -> Iterator[Receipt]:
        """The answers, in order.

        An exception that falls into it, Ctrl-C say, ends the run as `wind_up` does, and goes on when those
        emails are answered for that were on the way. A second one goes on at once.
        """
        jobs = self._jobs
        try:
            while True:
                try:
                    while jobs and not jobs[0].pending:
                        receipt = jobs[0].known or jobs[0].receipt(self._opener.place)
                        jobs.popleft().given = True
                        yield receipt
                        self._stay_in_process()
                    if self._is_over():
                        break
                except GeneratorExit:
                    raise
                except BaseException as error:  # noqa: BLE001 - raised again behind the receipts
                    self._stay_in_process()
                    self._interrupted(error)
            if self._stop is not None and not self._called_off:
                yield from self._turn_away(self._stop)
        finally:
            self._leave()
        if self._error is not None:
            raise self._error

    def _stay_in_process(self) -> None:
        """Refuse to go on in a process that was forked meanwhile: the same emails would leave twice."""
        if os.getpid() != self._process:
            raise TransportError(
                "This run was begun by another process, which goes on with it; expected a run of this "
                "process's own. Call deliver() with the emails that this process is to send."
            )

    def _is_over(self) -> bool:
        """Go on; whether there is nothing left to do."""
        if self._early:
            self._tell_early()
        if self._host.closed and self._until is None:
            self._stop = self._stop or Stop(
                cause=Cause.CANCELLED, phase=Phase.MAIL, note="the transport was closed during the run"
            )
            self._hear_no_longer_than_a_farewell()
        if self._stop is not None:
            self._wind_up(self._stop)
            return not self._jobs
        self._fill()
        if self._go_on():
            return False
        return self._exhausted and not self._backlog and not self._jobs

    def _tell_early(self) -> None:
        """Tell the source of answers that are known before their turn, so that a kill loses none."""
        early, self._early = self._early, []
        for job in early:
            if not job.given and self._tell is not None:
                job.known = job.known or job.receipt(self._opener.place)
                try:
                    self._tell(job.known)
                except Exception as error:  # noqa: BLE001 - as if the iterable itself had raised
                    self._exhausted, self._error, self._tell = True, self._error or error, None

    def wind_up(self) -> None:
        """Begin nothing more, and hear what is owed for as long as a farewell may take.

        What was pulled and has not left is answered for as not attempted; nothing more is pulled.
        """
        self._stop = self._stop or Stop(cause=Cause.CANCELLED, phase=None)
        self._called_off = True
        self._hear_no_longer_than_a_farewell()

    def _hear_no_longer_than_a_farewell(self) -> None:
        if self._until is None:
            self._until = _monotonic() + self._opener.deadlines.quit
            for link in self._links:
                link.break_off()

    def _is_called_off(self) -> bool:
        """Whether to leave a wait for an answer; not when only a farewell's time is waited anyway."""
        return self._host.closed and self._until is None

    def _interrupted(self, error: BaseException) -> None:
        if self._called_off:
            raise error
        self._error = error
        self.wind_up()
        for link in self._links:
            session, lane = link.session, link.lane
            if session is not None and lane is not None and session.connection.torn:
                # It fell between two answers that had come: which of them belongs to what is not known any
                # more.
                self._abandon(link, lane, Lost("an answer was lost in an interrupt", phase=Phase.DOT))

    def _turn_away(self, stop: Stop) -> Iterator[Receipt]:
        """Receipts for everything that comes after a stop."""
        while (email := self._next()) is not None:
            outcomes = [stop.outcome(mailbox, Status.NOT_ATTEMPTED) for mailbox in email.recipients.all]
            yield Receipt(
                email,
                outcomes,
                attempts=0,
                reply=stop.reply,
                warnings=(stop.note,) if stop.note else (),
                happened=at_server(stop.note, self._opener.place),
            )

    def _wind_up(self, stop: Stop) -> None:
        """Wait for the answers still owed, then give back everything that was pulled and not sent."""
        for link in self._links:
            lane = link.lane
            if link.on_its_way:
                link.break_off()
            elif lane is not None and lane.in_doubt and link.wait is None:
                if self._until is None:
                    link.begin(self._turn(link, lane))
                elif link.can_be_answered:
                    link.begin(self._hear_out(link, lane))
                else:
                    continue
                if link.wait is None:
                    return
        if self._wait():
            return
        for link in self._links:
            lane = link.lane
            if lane is not None and (lane.flight or lane.done):
                self._abandon(link, lane, None)
        for transaction in self._backlog:
            self._give_up(transaction, stop)
        self._backlog.clear()
        for job in self._jobs:
            job.end(stop)

    def _hear_out(self, link: Link, lane: Lane) -> Steps[None]:
        """Take the next answers that are owed, while there is time."""
        assert link.session is not None  # noqa: S101 - a lane has one
        connection = link.session.connection
        phase, now = lane.awaited or Phase.DOT, _monotonic()
        try:
            lane.receive((yield from connection.hearing(phase, max((self._until or now) - now, 0.0))))
            connection.torn = False
        except Lost as lost:
            lane.receive(connection.left_over())
            self._abandon(link, lane, lost)
        else:
            self._collect(lane)

    def _abandon(self, link: Link, lane: Lane, lost: Lost | None) -> None:
        """Give a connection up, in the middle of whatever it is."""
        lane.abandon(link.sent_at_most(), lost)
        self._collect(lane)
        link.hang_up()

    def _give_up(self, transaction: Transaction, stop: Stop) -> None:
        tried = transaction.strikes > 0
        transaction.give_up(Status.DEFERRED if tried else Status.NOT_ATTEMPTED, stop)
        self._settle(
            transaction,
            reply=transaction.reply,
            attempts=transaction.tries if tried else 0,
            note=transaction.note,
        )

    def _next(self) -> Email | None:
        """Pull an email; None when there is none, or what came instead is to be raised at the end."""
        if self._exhausted:
            return None
        try:
            email = next(self._source)
            if not isinstance(email, Email):  # pyright: ignore[reportUnnecessaryIsInstance] - the caller may not use a type checker
                raise TransportError(  # noqa: TRY301 - treated as whatever else the iterable raises
                    f"deliver takes emails; expected a vetmail_core.Email, got {type(email).__name__} from "
                    "the iterable. Make one with Email(sender=..., recipients=..., content=...)."
                )
        except StopIteration:
            self._exhausted = True
        except Exception as error:  # noqa: BLE001 - the caller's own; raised again after the receipts on the way
            self._exhausted, self._error = True, error
        else:
            return email
        return None

    # -- putting in ------------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Put in as many messages as there is room for."""
        if self._loan.wanted and len(self._links) > 1:
            self._give_way()
        while (link := self._place()) is not None:
            beside = not link.busy and any(other.at_work for other in self._links if other is not link)
            transaction = self._up_next(beside=beside and link.session is None)
            if transaction is None:
                return
            if transaction.job.may_leave is False:
                self._backlog.popleft()
                transaction.hold_back()  # a further part of an email that was held back
                self._settle(transaction, reply=None, attempts=0)
                return
            if not link.busy:
                self._host.pace.pause()
                if beside:
                    link.begin(self._make_ready_beside(link))
                    if link.session is None:
                        continue
                else:
                    self._stop = carried_out(link.make_ready())
                    if self._stop is not None:
                        return
            session, lane = link.session, link.lane
            assert session is not None  # noqa: S101 - made ready above
            assert lane is not None  # noqa: S101 - as above
            if self._several:
                lane.believe(self._host.bore)
            if not self._load(transaction, session.capabilities):
                self._backlog.popleft()
                return  # its receipt goes out before the next one is pulled
            transaction.first = session.messages == 0
            transaction.wait = self._host.pace.wait
            transaction.ours = session.ours
            transaction.plain = self._host.plain
            lane.put(self._backlog.popleft())
            session.messages += 1

    def _place(self) -> Link | None:
        """The connection that takes the next message: one that is idle, else has room, else a new one."""
        links = self._links
        slow = self._host.pace.wait > 0
        if slow and any(link.at_work for link in links):
            return None
        ahead: Link | None = None
        new: Link | None = None
        for link in links:
            if link.wait is not None or link.retiring:
                continue
            lane = link.lane
            if lane is None:
                new = new or link
            elif not lane.flight:
                if not self._several or not self._is_tried_elsewhere(link, lane):
                    return link
            elif lane.room and not (link.worn or link.spent or self._is_tried_elsewhere(link, lane)):
                ahead = ahead or link
        return ahead or new or self._further()

    def _is_tried_elsewhere(self, link: Link, lane: Lane) -> bool:
        """Whether another connection is finding out whether the server bears what this one would do.

        A mode that the server does not bear leaves a message in doubt; one is enough.
        """
        if lane.risk is None or ORDER.index(self._host.bore) >= ORDER.index(lane.risk):
            return False
        return any(
            other.lane is not None and other.lane.flight and other.lane.trying is lane.risk
            for other in self._links
            if other is not link
        )

    def _further(self) -> Link | None:
        """A further connection, not made yet; None where there is to be none."""
        if len(self._links) >= self._most or not any(link.session for link in self._links):
            return None
        if self._unwanted() or not self._loan.extend():
            return None
        self._links.append(self._new_link())
        return self._links[-1]

    def _unwanted(self) -> bool:
        """Whether no email is at hand for one more connection."""
        on_their_way = sum(link.on_its_way for link in self._links)
        while len(self._backlog) <= on_their_way:
            if not self._pull():
                return True
        return False

    def _new_link(self) -> Link:
        return Link(
            host=self._host,
            opener=self._opener,
            limits=self._limits,
            clock=self._clock,
            backoff=self._backoff,
            called=self._is_called_off,
            rested=self._loan.take,
        )

    def _make_ready_beside(self, link: Link) -> Steps[None]:
        """Have a connection ready while others are at work; one that cannot be had is done without."""
        stop = yield from link.make_ready(patient=False)
        if stop is not None and any(other.session for other in self._links):
            self._do_without(link)
            self._most = len(self._links)

    def _do_without(self, link: Link) -> None:
        """Give the place of a connection back, and the connection where it is good."""
        self._links.remove(link)
        left_over = self._loan.give_back(link.give_up())
        if left_over is not None:
            left_over.connection.quit()

    def _give_way(self) -> None:
        """Give connections back for which other runs wait, as soon as nothing is on the way over them."""
        for link in self._links[max(1, len(self._links) - self._loan.wanted) :]:
            link.retiring = True
            if not link.at_work and (link.lane is None or not link.lane.unsettled):
                self._do_without(link)

    def _up_next(self, *, beside: bool) -> Transaction | None:
        """The transaction whose turn it is, at the head of the backlog; None when there is none.

        Args:
            beside: it is for a connection still to be made, beside those that are being made.
        """
        backlog = self._backlog
        if beside and self._unwanted():
            return None
        doubtful = self._course.doubtful
        if doubtful and not self._probed:
            self._look_further_on()
        self._probed = doubtful
        if not backlog:
            self._pull()
        return backlog[0] if backlog else None

    def _look_further_on(self) -> None:
        """Is it these emails that the server does not bear, or any? One from further on tells."""
        waiting, self._backlog = self._backlog, deque()
        taken = len(self._jobs)
        while len(self._jobs) - taken < _FURTHER_ON and self._pull():
            pass
        if len(self._jobs) - taken == _FURTHER_ON:
            waiting.appendleft(self._backlog.pop())
        waiting.extend(self._backlog)
        self._backlog = waiting

    def _pull(self) -> bool:
        """Put the next email's transactions into the backlog, more than one for an email to many."""
        if self._several and len(self._jobs) >= _BEHIND_ONE * len(self._links):
            return False  # the first of them has no answer yet, and what waits behind it has a bound
        email = self._next()
        if email is None:
            return False
        mailboxes = email.recipients.all
        most = self._limits.recipients_per_message or MOST_RECIPIENTS
        renewable = self._opener.renewable
        job = Job(email)
        self._jobs.append(job)
        if len(mailboxes) <= most:
            self._backlog.append(Transaction(job, mailboxes, b"", renewable=renewable))
            return True
        job.parts = job.pending = -(-len(mailboxes) // most)
        for start in range(0, len(mailboxes), most):
            part = mailboxes[start : start + most]
            self._backlog.append(Transaction(job, part, b"", renewable=renewable))
        return True

    def _load(self, transaction: Transaction, capabilities: Capabilities) -> bool:
        """Write the message; False when this server cannot take it, which needs no asking."""
        job = transaction.job
        email = job.email
        if "SMTPUTF8" not in capabilities and email.needs_smtputf8:
            sender = email.sender.needs_smtputf8 or email.envelope_sender.needs_smtputf8
            recipients = email.recipients
            shown = (*recipients.to, *recipients.cc, *email.reply_to)
            hidden = [one for one in transaction.mailboxes if one.needs_smtputf8]
            if sender or len(hidden) == len(transaction.mailboxes) or any(o.needs_smtputf8 for o in shown):
                cause = Cause.SENDER_NOT_ALLOWED if sender else Cause.BAD_RECIPIENT
                self._refuse(transaction, cause, BEYOND_ASCII)
                return False
            if hidden:
                # A blind copy stands in the envelope alone; whoever is in To gets theirs.
                beyond = self._another(transaction, hidden)
                transaction.mailboxes = [one for one in transaction.mailboxes if one not in hidden]
                self._refuse(beyond, Cause.BAD_RECIPIENT, BEYOND_ASCII)
        if not transaction.data:
            if not job.data:
                message_id = job.message_id = message_id_of(email)
                job.data = with_crlf(
                    wire_bytes(
                        email,
                        date=self._clock.now(),
                        message_id=message_id,
                        smtputf8="SMTPUTF8" in capabilities,
                    )
                )
            transaction.data = job.data
        size = len(transaction.data)
        most = min(filter(None, (capabilities.size, self._limits.message_bytes)), default=size)
        if size > most:
            self._refuse(
                transaction, Cause.TOO_LARGE, f"the email has {size} octets, and the server takes {most}"
            )
            return False
        return True

    def _refuse(self, transaction: Transaction, cause: Cause, note: str) -> None:
        transaction.give_up(Status.REFUSED, Stop(cause=cause, phase=Phase.MAIL, note=note))
        self._settle(transaction, reply=None, attempts=transaction.tries, note=note)

    # -- sending ---------------------------------------------------------------------------------------

    def _go_on(self) -> bool:
        """Let every connection do what it can, and wait where all of them wait; False when none has to."""
        done = False
        for link in self._links:
            lane = link.lane
            if link.wait is None and lane is not None and (lane.flight or lane.unsettled):
                link.begin(self._turn(link, lane))
                done = done or link.wait is None  # the answers were there already; it takes more
                if self._stop is not None:
                    return True
        return done or self._wait()

    def _wait(self) -> bool:
        """Wait until something has happened on a connection; False when nothing is waited for."""
        waits = [(link, link.wait) for link in self._links if link.wait is not None]
        if len(waits) == 1:
            link = waits[0][0]
            with contextlib.suppress(Called):
                while link.wait is not None:
                    link.go_on(link.wait.alone())
        elif waits:
            for number, ready in ready_among([wait for _link, wait in waits], _monotonic() + _LOOK_SECONDS):
                waits[number][0].go_on(ready)
        return bool(waits)

    def _turn(self, link: Link, lane: Lane) -> Steps[None]:
        """Send what there is to send and take the answers that decide something."""
        assert link.session is not None  # noqa: S101 - a lane has one
        if self._leaves is not None:
            self._ask(lane, self._leaves)
        if not lane.over:
            yield from self._exchange(link, lane, link.session.connection)
        if lane.over:
            lane.abandon(link.sent(), None)
        self._collect(lane)
        self._stop = self._stop or self._course.stop
        if lane.over:
            link.hang_up()
        else:
            link.used()

    def _exchange(self, link: Link, lane: Lane, connection: Connection) -> Steps[None]:
        try:
            octets, shown = lane.take()
            if lane.bodies and connection.idle > _A_WHILE_SECONDS:
                # The emails may come slowly; a body must not go to a server that has left meanwhile.
                connection.look(lane.writing, lane.outstanding, link.due)
            for transaction in lane.bodies:
                transaction.job.leaving = True
            if octets:
                yield from connection.writing(
                    octets, shown, phase=lane.writing, limit=lane.outstanding, due=link.due
                )
            phase = lane.awaited
            while phase is not None:
                seconds = self._opener.deadlines.quit if lane.leaving else connection.seconds(phase)
                lane.receive((yield from connection.hearing(phase, seconds)))
                connection.torn = False
                phase = lane.awaited
                if phase is not None:
                    connection.hasten()
        except Lost as lost:
            lane.receive(connection.left_over())
            lane.abandon(link.sent(), lost)
            self._host.step_down(lane)

    def _ask(self, lane: Lane, leaves: Leaves) -> None:
        """Ask whether the texts that come next may leave; once an email, however many parts it has."""
        for transaction in lane.about_to_begin():
            job = transaction.job
            if job.may_leave is None:
                try:
                    job.may_leave = leaves(job.email) is not False
                except Exception as error:  # noqa: BLE001 - as if the iterable itself had raised
                    job.may_leave = False
                    self._exhausted, self._error = True, self._error or error
            if not job.may_leave:
                lane.hold_back(transaction)

    def _collect(self, lane: Lane) -> None:
        """Settle what is finished, and queue again what is to be sent again."""
        back: list[Transaction] = []
        pace, done = self._host.pace, lane.done
        while done:
            transaction = done[0]  # it stays until it is settled: an interrupt may fall in between
            again = transaction.again
            if again is not None and self._goes_again(transaction, again, lane, back):
                done.popleft()
                continue
            if transaction.left:
                back += [self._another(transaction, mailboxes) for mailboxes in transaction.left]
            if transaction.left_undressed:
                self._host.plain = True
            self._settle(
                transaction, reply=transaction.reply, attempts=transaction.tries, note=transaction.note
            )
            done.popleft()
            if transaction.undressed:
                self._host.tried_plain(transaction.outcomes)
            slows = self._slows(transaction)
            if self._is_bygone(transaction, lane):
                continue
            if slows:
                pace.slower()
            else:
                pace.recover()
            pace.ended()
        if lane.proved is Pipelining.CHUNKING:
            self._host.chunked = True
        if self._several:
            self._host.bears(lane.proved)
        self._backlog.extendleft(reversed(back))

    def _another(self, transaction: Transaction, mailboxes: Sequence[Mailbox]) -> Transaction:
        """One more transaction for some of the recipients of one."""
        job = transaction.job
        job.pending += 1
        job.parts += 1
        another = Transaction(job, mailboxes, transaction.data, renewable=transaction.renewable)
        another.tries, another.refreshed = transaction.tries, transaction.refreshed
        another.session_error = transaction.session_error
        another.undressed = transaction.undressed or transaction.left_undressed
        return another

    def _slows(self, transaction: Transaction) -> bool:
        """Take in what a finished message says about the run; whether the run is to slow down."""
        course, job = self._course, transaction.job
        course.text_ended(job, transaction.outcomes)
        if transaction.again is None and not transaction.refusals:
            # As nearly always: everybody was accepted, or all are in doubt.
            if job.in_vain:
                job.in_vain = 0
            if transaction.outcomes and transaction.outcomes[0].status is Status.ACCEPTED:
                course.went_well()
            else:
                course.decided()
            return transaction.slower
        slower = transaction.slower
        for refusal in transaction.refusals:
            slower = course.refused(refusal) or slower
        unwell = next((one for one in transaction.refusals if one.meant.retry is Retry.FRESH), None)
        if unwell is not None:
            self._trouble = Stop(cause=unwell.meant.cause, phase=unwell.phase, reply=unwell.reply)
        if unwell is not None or transaction.again is not None:
            job.in_vain += 1
            if job.pending == 0:
                course.came_to_nothing(self._trouble)
            return slower
        job.in_vain = 0
        course.decided()
        if any(outcome.status is Status.ACCEPTED for outcome in transaction.outcomes):
            course.went_well()
        return slower

    def _goes_again(
        self, transaction: Transaction, again: Again, lane: Lane, back: list[Transaction]
    ) -> bool:
        """Whether a message is tried once more; otherwise it has its outcomes now."""
        if self._until is not None:
            back.append(transaction)
            return True
        if again.why is not Why.BYSTANDER:
            reply = read_reply(again.raw) if again.raw else None
            self._trouble = Stop(cause=again.cause, phase=again.phase, reply=reply, note=again.note)
        if again.why is Why.TOKEN:
            self._opener.token_refused()
        if again.why is Why.PLAIN:
            self._host.plain = True  # until it turns out that they were not the reason
        if again.why is Why.SESSION:
            self._host.step_down(lane)
        rest: Sequence[Mailbox] = ()
        if again.why is Why.CLOSING:
            # Of a session that is out of step nobody knows whose answers those were.
            if again.cause is not Cause.PROTOCOL and transaction.keep_answers():
                return False
            rest = self._strike(transaction)
            if transaction.outcomes:
                return False
        if transaction.slower:
            if not self._is_bygone(transaction, lane):
                self._host.pace.slower()
            transaction.slower = False
        back.append(transaction)
        if rest:
            back.append(self._another(transaction, rest))
        return True

    def _strike(self, transaction: Transaction) -> Sequence[Mailbox]:
        """A connection ended on a message, and nobody was decided.

        On a fresh connection the list may have been too long for it: half goes at a time. A message to one
        that has had its tries is given up; so are those to the others when two of an email have come to it.

        Returns:
            Those who are to go in a message of their own.
        """
        transaction.strikes += 1
        if transaction.job.in_vain < _PARTS_IN_VAIN:
            if transaction.first and len(transaction.mailboxes) > 1:
                transaction.mailboxes, rest = halves(transaction.mailboxes)
                transaction.strikes = 0
                return rest
            if transaction.strikes < _STRIKES:
                return ()
        transaction.give_up(Status.DEFERRED, self._trouble)
        return ()

    def _is_bygone(self, transaction: Transaction, lane: Lane) -> bool:
        """Whether a message had left before the run slowed down.

        Those of a window, or on other connections, say nothing new: seven of them would turn a second into
        the longest pause, or into nothing.
        """
        several = self._several or lane.windowed
        return several and transaction.wait < self._host.pace.wait

    def _settle(
        self, transaction: Transaction, *, reply: Reply | None, attempts: int, note: str = ""
    ) -> None:
        job = transaction.job
        job.settle(transaction.outcomes, reply=reply, attempts=attempts, note=note)
        if self._tell is not None and not job.pending:
            self._early.append(job)

    def _leave(self) -> None:
        """The run is over, or nobody listens any more: hear the last answers, and rest the connections."""
        links, self._links = self._links, []
        deadline = _monotonic() + self._opener.deadlines.quit
        for link in links:
            link.break_off()
        try:
            together(link.hear_the_last(deadline) for link in links if link.lane and link.lane.in_doubt)
        finally:
            links.sort(key=lambda link: link.session.used if link.session else 0.0)
            sessions = [link.give_up() for link in links]
            if self._host.closed or self._stop is not None:
                left_over = [*sessions, *(self._loan.give_back(None) for _ in links)]
            else:
                left_over = [self._loan.give_back(session) for session in sessions]
            together(session.connection.parting() for session in left_over if session is not None)

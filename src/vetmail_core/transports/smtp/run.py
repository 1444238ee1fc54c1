"""One run: emails in, receipts out, over as many connections as it takes.

What it is for: pulling, waiting, connecting, sending, trying again and stopping. What it refuses: to send a
message again whose last octet may have arrived, and to pull an email before there is a place for it. Its law:
every email that was pulled gets exactly one receipt, in order, unless the caller walks away.
"""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, Final

from vetmail_core.clock import SystemClock
from vetmail_core.errors import TransportError
from vetmail_core.message import Email
from vetmail_core.message.wire import wire_bytes
from vetmail_core.receipts import Cause, Outcome, Phase, Receipt, Status
from vetmail_core.transports.handed_on import announced
from vetmail_core.transports.replies import Retry
from vetmail_core.transports.smtp.chunking import ChunkLane
from vetmail_core.transports.smtp.course import Course
from vetmail_core.transports.smtp.link import Link
from vetmail_core.transports.smtp.opening import Lost
from vetmail_core.transports.smtp.pipeline import DataLane
from vetmail_core.transports.smtp.protocol import read_reply, with_crlf
from vetmail_core.transports.smtp.settings import MOST_RECIPIENTS
from vetmail_core.transports.smtp.transaction import (
    BEYOND_ASCII,
    Job,
    Stop,
    Transaction,
    Why,
    at_server,
    halves,
)
from vetmail_core.transports.stamping import message_id_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vetmail_core.address import Mailbox
    from vetmail_core.clock import Clock
    from vetmail_core.transports.handed_on import Leaves
    from vetmail_core.transports.smtp.connection import Connection
    from vetmail_core.transports.smtp.host import Host
    from vetmail_core.transports.smtp.pipeline import Lane
    from vetmail_core.transports.smtp.protocol import Capabilities
    from vetmail_core.transports.smtp.session import Opener
    from vetmail_core.transports.smtp.settings import Limits
    from vetmail_core.transports.smtp.transaction import Again

__all__ = ["Run"]

_STRIKES: Final = 3
_PARTS_IN_VAIN: Final = 2
_FURTHER_ON: Final = 20
_A_WHILE_SECONDS: Final = 0.01
_monotonic: Final = SystemClock().monotonic


class Run:
    """One call of ``deliver``.

    Args:
        emails: pulled lazily.
        host: what is known about the server.
        opener: makes connections.
        limits: how much a connection and a message may take.
        clock: for pauses, and for the Date of emails without one.
    """

    def __init__(
        self, emails: Iterable[Email], *, host: Host, opener: Opener, limits: Limits, clock: Clock
    ) -> None:
        self._process = os.getpid()
        self._source = iter(emails)
        self._leaves = announced(self._source)
        self._exhausted = False
        self._error: BaseException | None = None
        self._until: float | None = None  # when winding up: how long answers are heard
        self._host = host
        self._opener = opener
        self._limits = limits
        self._clock = clock
        self._jobs: deque[Job] = deque()
        self._backlog: deque[Transaction] = deque()
        self._stop: Stop | None = None
        self._link = Link(host=host, opener=opener, limits=limits, clock=clock)
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
                        receipt = jobs[0].receipt(self._opener.place)
                        jobs.popleft()
                        yield receipt
                        self._stay_in_process()
                    if self._is_over():
                        break
                except GeneratorExit:
                    raise
                except BaseException as error:  # noqa: BLE001 - raised again behind the receipts
                    self._stay_in_process()
                    self._interrupted(error)
            if self._stop is not None and self._until is None:
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
        if self._host.closed and self._stop is None:
            self._stop = Stop(
                cause=Cause.CANCELLED, phase=Phase.MAIL, note="the transport was closed during the run"
            )
        if self._stop is not None:
            self._wind_up(self._stop)
            return not self._jobs
        self._fill()
        lane = self._link.lane
        if lane is not None and (lane.flight or lane.unsettled):
            self._turn(lane)
            return False
        return self._exhausted and not self._backlog and not self._jobs

    def wind_up(self) -> None:
        """Begin nothing more, and hear what is owed for as long as a farewell may take.

        What was pulled and has not left is answered for as not attempted; nothing more is pulled.
        """
        self._stop = self._stop or Stop(cause=Cause.CANCELLED, phase=None)
        self._until = self._until or _monotonic() + self._opener.deadlines.quit

    def _interrupted(self, error: BaseException) -> None:
        if self._until is not None:
            raise error
        self._error = error
        self.wind_up()
        session, lane = self._link.session, self._link.lane
        if session is not None and lane is not None and session.connection.torn:
            # It fell between two answers that had come: which of them belongs to what is not known any more.
            self._abandon(lane, Lost("an answer was lost in an interrupt", phase=Phase.DOT))

    def _turn_away(self, stop: Stop) -> Iterator[Receipt]:
        """Receipts for everything that comes after a stop."""
        while (email := self._next()) is not None:
            outcomes = [
                Outcome(mailbox, Status.NOT_ATTEMPTED, cause=stop.cause, reply=stop.reply, phase=stop.phase)
                for mailbox in email.recipients.all
            ]
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
        lane = self._link.lane
        if lane is not None and lane.in_doubt and self._until is None:
            self._turn(lane)
            return
        if lane is not None and lane.in_doubt and self._link.can_be_answered:
            self._hear_out(lane)
            return
        if lane is not None and (lane.flight or lane.done):
            self._abandon(lane, None)
        for transaction in self._backlog:
            self._give_up(transaction, stop)
        self._backlog.clear()
        for job in self._jobs:
            job.end(stop)

    def _hear_out(self, lane: Lane) -> None:
        """Take the next answers that are owed, while there is time."""
        assert self._link.session is not None  # noqa: S101 - a lane has one
        connection = self._link.session.connection
        phase, now = lane.awaited or Phase.DOT, _monotonic()
        try:
            lane.receive(connection.replies(phase, max((self._until or now) - now, 0.0)))
            connection.torn = False
        except Lost as lost:
            lane.receive(connection.left_over())
            self._abandon(lane, lost)
        else:
            self._collect(lane)

    def _abandon(self, lane: Lane, lost: Lost | None) -> None:
        """Give a connection up, in the middle of whatever it is."""
        lane.abandon(self._link.sent_at_most(), lost)
        self._collect(lane)
        self._link.hang_up()

    def _give_up(self, transaction: Transaction, stop: Stop) -> None:
        tried = transaction.strikes > 0
        transaction.give_up(Status.DEFERRED if tried else Status.NOT_ATTEMPTED, stop)
        transaction.job.settle(
            transaction.outcomes,
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
        link = self._link
        while True:
            lane = link.lane
            busy = lane is not None and bool(lane.flight)
            if (
                lane is not None
                and busy
                and (not lane.room or self._host.pace.wait > 0 or link.worn or link.spent)
            ):
                return
            transaction = self._up_next()
            if transaction is None:
                return
            if transaction.job.may_leave is False:
                self._backlog.popleft()
                transaction.hold_back()  # a further part of an email that was held back
                transaction.job.settle(transaction.outcomes, reply=None, attempts=0)
                return
            if not busy:
                self._host.pace.pause()
                self._stop = link.make_ready()
                if self._stop is not None:
                    return
            session, lane = link.session, link.lane
            assert session is not None  # noqa: S101 - made ready above
            assert lane is not None  # noqa: S101 - as above
            if not self._load(transaction, session.capabilities):
                self._backlog.popleft()
                return  # its receipt goes out before the next one is pulled
            transaction.first = session.messages == 0
            transaction.wait = self._host.pace.wait
            transaction.ours = session.ours
            transaction.plain = self._host.plain
            lane.put(self._backlog.popleft())
            session.messages += 1

    def _up_next(self) -> Transaction | None:
        """The transaction whose turn it is, at the head of the backlog; None when there is none."""
        backlog = self._backlog
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
        transaction.job.settle(transaction.outcomes, reply=None, attempts=transaction.tries, note=note)

    # -- sending ---------------------------------------------------------------------------------------

    def _turn(self, lane: Lane) -> None:
        """Send what there is to send and take the answers that decide something."""
        link = self._link
        assert link.session is not None  # noqa: S101 - a lane has one
        connection = link.session.connection
        if self._leaves is not None:
            self._ask(lane, self._leaves)
        if not lane.over:
            self._exchange(lane, connection)
        if lane.over:
            lane.abandon(link.sent(), None)
        self._collect(lane)
        self._stop = self._stop or self._course.stop
        if lane.over:
            link.hang_up()
        else:
            link.used()

    def _exchange(self, lane: Lane, connection: Connection) -> None:
        link = self._link
        try:
            octets, shown = lane.take()
            if lane.bodies and connection.idle > _A_WHILE_SECONDS:
                # The emails may come slowly; a body must not go to a server that has left meanwhile.
                connection.look(lane.writing, lane.outstanding, link.due)
            for transaction in lane.bodies:
                transaction.job.leaving = True
            if octets:
                connection.write(octets, shown, phase=lane.writing, limit=lane.outstanding, due=link.due)
            phase = lane.awaited
            while phase is not None:
                seconds = self._opener.deadlines.quit if lane.leaving else connection.seconds(phase)
                lane.receive(connection.replies(phase, seconds))
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
            job = transaction.job
            if transaction.left:
                back += [self._another(transaction, mailboxes) for mailboxes in transaction.left]
            if transaction.left_undressed:
                self._host.plain = True
            job.settle(
                transaction.outcomes,
                reply=transaction.reply,
                attempts=transaction.tries,
                note=transaction.note,
            )
            done.popleft()
            if transaction.undressed:
                self._host.tried_plain(transaction.outcomes)
            if self._slows(transaction):
                self._slow_down(transaction, lane)
            else:
                pace.recover()
            pace.ended()
        if lane.trying is None and isinstance(lane, ChunkLane):
            self._host.proved = True
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
            self._slow_down(transaction, lane)
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

    def _slow_down(self, transaction: Transaction, lane: Lane) -> None:
        """The server throttles."""
        pace = self._host.pace
        # Those of a window that left before the run slowed down say nothing new: seven of them at once would
        # turn a second into the longest pause.
        if isinstance(lane, DataLane) or transaction.wait >= pace.wait:
            pace.slower()

    def _leave(self) -> None:
        """The run is over, or nobody listens any more: hear the last answers, and rest the connection."""
        session, lane, host = self._link.session, self._link.lane, self._host
        self._link.session = self._link.lane = None
        if session is None or lane is None:
            return
        connection = session.connection
        try:
            deadline = _monotonic() + self._opener.deadlines.quit
            while lane.in_doubt and (phase := lane.awaited) is not None:
                lane.receive(connection.replies(phase, deadline - _monotonic()))
                lane.done.clear()
        except Lost:
            lane.over = True
        if lane.flight or lane.over or lane.unsettled:
            connection.close()
        elif host.closed or host.session is not None or self._stop is not None:
            connection.quit()
        else:
            if isinstance(lane, DataLane):
                session.needs_reset, session.proved = lane.needs_reset, lane.proved
            host.session = session

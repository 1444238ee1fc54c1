"""One run: emails in, receipts out, over as many connections as it takes.

What it is for: pulling, waiting, connecting, sending, trying again and stopping. What it refuses: to send a
message again whose last octet may have arrived, and to pull an email before there is a place for it. Its law:
every email that was pulled gets exactly one receipt, in order, unless the caller walks away.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from vetmail_core.clock import SystemClock
from vetmail_core.errors import TransportError
from vetmail_core.message import Email
from vetmail_core.message.wire import wire_bytes
from vetmail_core.receipts import Cause, Outcome, Phase, Receipt, Status
from vetmail_core.transports.handed_on import announced
from vetmail_core.transports.smtp.chunking import ChunkLane
from vetmail_core.transports.smtp.link import Link
from vetmail_core.transports.smtp.opening import Lost
from vetmail_core.transports.smtp.pipeline import DataLane
from vetmail_core.transports.smtp.protocol import read_reply, with_crlf
from vetmail_core.transports.smtp.transaction import BEYOND_ASCII, Job, Stop, Transaction, Why, at_server
from vetmail_core.transports.stamping import message_id_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
_FRUITLESS: Final = 15
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
        self._source = iter(emails)
        self._leaves = announced(self._source)
        self._exhausted = False
        self._error: Exception | None = None
        self._host = host
        self._opener = opener
        self._limits = limits
        self._clock = clock
        self._jobs: deque[Job] = deque()
        self._backlog: deque[Transaction] = deque()
        self._stop: Stop | None = None
        self._link = Link(host=host, opener=opener, limits=limits, clock=clock)
        self._fruitless = 0
        self._trouble = Stop(cause=Cause.PROTOCOL, phase=Phase.MAIL, note="out of step")

    # -- the stream ------------------------------------------------------------------------------------

    def receipts(self) -> Iterator[Receipt]:
        """The answers, in order."""
        jobs = self._jobs
        try:
            while True:
                while jobs and not jobs[0].pending:
                    yield jobs.popleft().receipt(self._opener.place)
                if self._host.closed and self._stop is None:
                    self._stop = Stop(
                        cause=Cause.CANCELLED,
                        phase=Phase.MAIL,
                        note="the transport was closed during the run",
                    )
                if self._stop is not None:
                    self._wind_up(self._stop)
                    if not jobs:
                        break
                    continue
                self._fill()
                lane = self._link.lane
                if lane is not None and (lane.flight or lane.unsettled):
                    self._turn(lane)
                elif self._exhausted and not self._backlog and not jobs:
                    break
            if self._stop is not None:
                yield from self._turn_away(self._stop)
        finally:
            self._leave()
        if self._error is not None:
            raise self._error

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
        lane = self._link.lane
        if lane is not None and lane.in_doubt:
            self._turn(lane)
            return
        if lane is not None and lane.flight:
            lane.abandon(0, None)
            self._collect(lane)
            self._link.hang_up()
        for transaction in self._backlog:
            self._give_up(transaction, stop)
        self._backlog.clear()

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
            transaction = self._backlog.popleft() if self._backlog else self._pull()
            if transaction is None:
                return
            if transaction.job.may_leave is False:
                transaction.hold_back()  # a further part of an email that was held back
                transaction.job.settle(transaction.outcomes, reply=None, attempts=0)
                return
            if not busy:
                self._host.pace.pause()
                self._stop = link.make_ready()
                if self._stop is not None:
                    self._backlog.appendleft(transaction)
                    return
            session, lane = link.session, link.lane
            assert session is not None  # noqa: S101 - made ready above
            assert lane is not None  # noqa: S101 - as above
            if not self._load(transaction, session.capabilities):
                return  # its receipt goes out before the next one is pulled
            transaction.first = session.messages == 0
            transaction.wait = self._host.pace.wait
            transaction.ours = session.ours
            transaction.plain = self._host.plain
            lane.put(transaction)
            session.messages += 1

    def _pull(self) -> Transaction | None:
        """The next email's first transaction; the others, of an email to many, go into the backlog."""
        email = self._next()
        if email is None:
            return None
        job = Job(email)
        self._jobs.append(job)
        mailboxes = email.recipients.all
        most = self._limits.recipients_per_message
        renewable = self._opener.renewable
        first = Transaction(job, mailboxes[:most], b"", renewable=renewable)
        for start in range(most, len(mailboxes), most):
            part = mailboxes[start : start + most]
            self._backlog.append(Transaction(job, part, b"", renewable=renewable))
            job.pending += 1
            job.parts += 1
        return first

    def _load(self, transaction: Transaction, capabilities: Capabilities) -> bool:
        """Write the message; False when this server cannot take it, which needs no asking."""
        job = transaction.job
        email = job.email
        if "SMTPUTF8" not in capabilities and email.needs_smtputf8:
            sender = email.sender.needs_smtputf8 or email.envelope_sender.needs_smtputf8
            self._refuse(
                transaction,
                Cause.SENDER_NOT_ALLOWED if sender else Cause.BAD_RECIPIENT,
                BEYOND_ASCII,
            )
            return False
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
        if 0 < capabilities.size < len(transaction.data):
            self._refuse(
                transaction,
                Cause.TOO_LARGE,
                f"the email has {len(transaction.data)} octets, and the server takes {capabilities.size}",
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
        progress = self._collect(lane)
        if progress:
            self._fruitless = 0
        if not lane.over:
            link.used()
            return
        link.hang_up()
        self._fruitless += not progress
        if self._fruitless >= _FRUITLESS:
            self._stop = self._stop or self._trouble

    def _exchange(self, lane: Lane, connection: Connection) -> None:
        link = self._link
        try:
            octets, shown = lane.take()
            if lane.bodies and connection.idle > _A_WHILE_SECONDS:
                # The emails may come slowly; a body must not go to a server that has left meanwhile.
                connection.look(lane.writing, lane.outstanding, link.due)
            if octets:
                connection.write(octets, shown, phase=lane.writing, limit=lane.outstanding, due=link.due)
            phase = lane.awaited
            while phase is not None:
                seconds = self._opener.deadlines.quit if lane.leaving else connection.seconds(phase)
                lane.receive(connection.replies(phase, seconds))
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

    def _collect(self, lane: Lane) -> bool:
        """Settle what is finished, and queue again what is to be sent again.

        Returns:
            Whether the server decided about a message.
        """
        back: list[Transaction] = []
        pace, done, progress = self._host.pace, lane.done, False
        while done:
            transaction = done.popleft()
            if transaction.again is not None and self._goes_again(transaction, transaction.again, lane):
                back.append(transaction)
                continue
            job = transaction.job
            if transaction.left:
                data, renewable = transaction.data, transaction.renewable
                left = Transaction(job, transaction.left, data, renewable=renewable)
                left.undressed = transaction.left_undressed
                self._host.plain = left.undressed or self._host.plain
                back.append(left)
                job.pending += 1
                job.parts += 1
            progress = progress or transaction.again is None
            job.settle(
                transaction.outcomes,
                reply=transaction.reply,
                attempts=transaction.tries,
                note=transaction.note,
            )
            if transaction.undressed:
                self._host.tried_plain(transaction.outcomes)
            self._stop = self._stop or transaction.stop
            if transaction.slower:
                self._slow_down(transaction, lane)
            else:
                pace.recover()
            pace.ended()
        if lane.trying is None and isinstance(lane, ChunkLane):
            self._host.proved = True
        self._backlog.extendleft(reversed(back))
        return progress

    def _goes_again(self, transaction: Transaction, again: Again, lane: Lane) -> bool:
        """Whether a message is tried once more; otherwise it has its outcomes now."""
        if again.why is not Why.BYSTANDER:
            reply = read_reply(again.raw) if again.raw else None
            self._trouble = Stop(cause=again.cause, phase=again.phase, reply=reply, note=again.note)
        if again.why is Why.TOKEN:
            self._opener.token_refused()
        if again.why is Why.PLAIN:
            self._host.plain = True  # until it turns out that they were not the reason
        if again.why is Why.SESSION:
            self._host.step_down(lane)
        if again.why is Why.CLOSING:
            transaction.strikes += 1
            if transaction.strikes >= _STRIKES:
                transaction.give_up(Status.DEFERRED, self._trouble)
                return False
        if transaction.slower:
            self._slow_down(transaction, lane)
            transaction.slower = False
        return True

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

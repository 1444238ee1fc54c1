"""The connection a run has at the moment, and how it gets the next one.

What it is for: using a connection again while it is good, parting from it in time, and connecting with
patience. What it refuses: a message on a line that is worn, old, idle or silent without cause. Its law: a
server that has hung up between two messages costs a connection and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vetmail_core.clock import SystemClock
from vetmail_core.receipts import Cause, Phase
from vetmail_core.transports.smtp.opening import FEW, MANY, Failure, Lost, cause_of
from vetmail_core.transports.smtp.pace import Backoff
from vetmail_core.transports.smtp.pipeline import DataLane
from vetmail_core.transports.smtp.transaction import Stop

if TYPE_CHECKING:
    from vetmail_core.clock import Clock
    from vetmail_core.transports.smtp.host import Host
    from vetmail_core.transports.smtp.pipeline import Lane
    from vetmail_core.transports.smtp.session import Opener, Session
    from vetmail_core.transports.smtp.settings import Limits

__all__ = ["Link"]

_monotonic: Final = SystemClock().monotonic


class Link:
    """What a run sends over.

    Args:
        host: what is known about the server; a connection that rests there is taken up again.
        opener: makes connections.
        limits: how much one connection may take.
        clock: for pauses, and for how old and idle it is.

    Attributes:
        session: the connection; None between two.
        lane: messages on their way over it; None with it.
        worn: it has had its time, and ends when what is on the way has its answers.
    """

    def __init__(self, *, host: Host, opener: Opener, limits: Limits, clock: Clock) -> None:
        self._host = host
        self._opener = opener
        self._limits = limits
        self._clock = clock
        self._backoff = Backoff(limits, clock)
        self._base = 0
        self.session: Session | None = None
        self.lane: Lane | None = None
        self.worn = False

    @property
    def spent(self) -> bool:
        """Whether the connection has carried its share of messages."""
        session = self.session
        return session is not None and session.messages >= self._limits.messages_per_connection

    def sent(self) -> int:
        """Octets of the lane that have left."""
        assert self.session is not None  # noqa: S101 - asked about a connection
        return self.session.connection.sent - self._base

    def due(self, sent: int) -> int:
        """How many answers the server can give, when so many octets have left the connection."""
        assert self.lane is not None  # noqa: S101 - asked while it sends
        return self.lane.due(sent - self._base)

    def used(self) -> None:
        """Answers have come over it just now."""
        assert self.session is not None  # noqa: S101 - as above
        self.session.used = now = self._clock.monotonic()
        self.worn = self._is_old(self.session, now)

    def _is_old(self, session: Session, now: float) -> bool:
        return max(session.connection.age, now - session.opened) >= self._limits.connection_seconds

    def _is_stale(self, session: Session) -> bool:
        idle = max(session.connection.idle, self._clock.monotonic() - session.used)
        return idle >= self._limits.idle_seconds or session.connection.is_stale()

    def _take_up(self, session: Session) -> None:
        self.session = session
        self.lane = self._host.lane(session.capabilities, self._limits.chunking_window)
        self._base = session.connection.sent

    def make_ready(self) -> Stop | None:
        """Have a connection that the next message can go over; or why there will be none."""
        host = self._host
        if self.session is None and host.session is not None:
            resting, host.session = host.session, None
            self._take_up(resting)
            if isinstance(self.lane, DataLane):
                self.lane.needs_reset, self.lane.proved = resting.needs_reset, resting.proved
        session, lane = self.session, self.lane
        if session is not None and lane is not None:
            worn = self.spent or self._is_old(session, self._clock.monotonic())
            if lane.room and not worn and not self._is_stale(session):
                return None
            self._part(session, lane)
        return self._connect()

    def _part(self, session: Session, lane: Lane) -> None:
        """Leave a connection politely where that is possible."""
        self.session = self.lane = None
        if lane.unsettled or lane.over or session.connection.is_stale():
            session.connection.close()
        else:
            session.connection.quit()

    def hang_up(self) -> None:
        """Leave a connection without a word."""
        session, self.session, self.lane = self.session, None, None
        assert session is not None  # noqa: S101 - whoever gives a connection up has one
        session.connection.close()

    def _connect(self) -> Stop | None:
        number = 0
        while True:
            number += 1
            begun = _monotonic()
            try:
                session = self._opener.open(known=self._host.reached)
            except Failure as failure:
                fault = failure
            except Lost as lost:
                # A login that dies may be one that is counted against us, as one that is refused in passing.
                few = lost.cause is Cause.PROTOCOL or lost.phase is Phase.AUTH
                tries = FEW if few else MANY
                fault = Failure(lost.note, phase=lost.phase, cause=cause_of(lost), tries=tries)
            else:
                break
            self._backoff.spent += _monotonic() - begun
            self._host.trouble = fault.note
            if number >= fault.tries or not self._backoff.pause(number, at_least=fault.wait):
                return Stop(
                    cause=fault.cause,
                    phase=fault.phase,
                    reply=fault.reply,
                    note=fault.note,
                    advice=fault.advice,
                )
        session.opened = session.used = self._clock.monotonic()
        self.worn = False
        self._host.reached, self._host.trouble = True, ""
        self._take_up(session)
        return None

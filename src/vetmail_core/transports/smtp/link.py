"""A connection that a run has at the moment, and how it gets the next one.

A connection is used again while it is good, and left when it is worn, old, idle or silent without cause. A
server that has hung up between two messages costs a connection and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vetmail_core.clock import SystemClock
from vetmail_core.receipts import Cause, Phase
from vetmail_core.transports.smtp.rules.login import FEW, MANY, Failure, Lost, cause_of
from vetmail_core.transports.smtp.rules.message import Stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from vetmail_core.clock import Clock
    from vetmail_core.transports.smtp.host import Host
    from vetmail_core.transports.smtp.pace import Backoff
    from vetmail_core.transports.smtp.rules.pipeline import Lane
    from vetmail_core.transports.smtp.session import Opener, Session
    from vetmail_core.transports.smtp.settings import Limits
    from vetmail_core.transports.smtp.wire.waiting import Steps, Wait

__all__ = ["Link"]

_monotonic: Final = SystemClock().monotonic


class Link:
    """What a run sends over: one connection at a time, and what goes on over it.

    Args:
        host: what is known about the server.
        opener: makes connections.
        limits: how much one connection may take.
        clock: for how old and idle it is.
        backoff: the pauses between tries to connect; of all connections of the run together.
        called: whether the run is called off, for a wait on this connection alone.
        rested: gives a connection that has rested between two runs, if there is one.

    Attributes:
        session: the connection; None between two.
        lane: messages on their way over it; None with it.
        worn: it has had its time, and ends when what is on the way has its answers.
        retiring: it takes no further message; another run waits for a connection.
        wait: what goes on over it waits for this; None while nothing does.
    """

    def __init__(
        self,
        *,
        host: Host,
        opener: Opener,
        limits: Limits,
        clock: Clock,
        backoff: Backoff,
        called: Callable[[], bool],
        rested: Callable[[], Session | None],
    ) -> None:
        self._host = host
        self._opener = opener
        self._limits = limits
        self._clock = clock
        self._backoff = backoff
        self._called = called
        self._rested = rested
        self._base = 0
        self._steps: Steps[None] | None = None
        self.session: Session | None = None
        self.lane: Lane | None = None
        self.worn = False
        self.retiring = False
        self.wait: Wait | None = None

    # -- what goes on ----------------------------------------------------------------------------------

    def begin(self, steps: Steps[None]) -> None:
        """Carry steps out as far as they go without waiting."""
        self._steps = steps
        self.go_on(None)

    def go_on(self, ready: int | None) -> None:
        """Carry them further, as far as they go without waiting.

        Args:
            ready: what they have waited for; 0 when the time is over, None when they begin.
        """
        steps, self.wait = self._steps, None
        assert steps is not None  # noqa: S101 - something goes on
        try:
            self.wait = next(steps) if ready is None else steps.send(ready)
        except StopIteration:
            self._steps = None
        except BaseException:
            self._steps = None
            steps.close()
            raise

    def break_off(self) -> None:
        """End what goes on, where it waits; what has left and what has come stays known."""
        if self.wait is not None and self._steps is not None:
            steps, self._steps, self.wait = self._steps, None, None
            steps.close()

    @property
    def busy(self) -> bool:
        """Whether messages are on the way."""
        return self.lane is not None and bool(self.lane.flight)

    @property
    def at_work(self) -> bool:
        """Whether messages are on the way, or something else goes on."""
        return self.wait is not None or self.busy

    @property
    def on_its_way(self) -> bool:
        """Whether a connection is being made."""
        return self.wait is not None and self.session is None

    # -- facts -----------------------------------------------------------------------------------------

    @property
    def spent(self) -> bool:
        """Whether the connection has carried its share of messages."""
        session = self.session
        return session is not None and session.messages >= self._limits.messages_per_connection

    def sent(self) -> int:
        """Octets of the lane that have left."""
        assert self.session is not None  # noqa: S101 - asked about a connection
        return self.session.connection.sent - self._base

    def sent_at_most(self) -> int:
        """The same, where the last write was cut short by an interrupt."""
        assert self.session is not None  # noqa: S101 - as above
        return self.session.connection.sent_at_most - self._base

    @property
    def can_be_answered(self) -> bool:
        """Whether enough has left for the server to owe an answer."""
        return self.lane is not None and self.lane.due(self.sent_at_most()) > 0

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

    # -- getting one -----------------------------------------------------------------------------------

    def _take_up(self, session: Session) -> None:
        self.session = session
        self.lane = self._host.lane(session.capabilities, session.memory, self._limits.chunking_window)
        self._base = session.connection.sent
        session.connection.called = self._called
        self.worn = False

    def make_ready(self, *, patient: bool = True) -> Steps[Stop | None]:
        """Have a connection that the next message can go over; or why there will be none.

        Args:
            patient: try again where that may help, with pauses; otherwise one try must do.
        """
        if self.session is None and (resting := self._rested()) is not None:
            self._take_up(resting)
        session, lane = self.session, self.lane
        if session is not None and lane is not None:
            worn = self.spent or self._is_old(session, self._clock.monotonic())
            if lane.room and not worn and not self._is_stale(session):
                return None
            yield from self._part(session, lane)
        return (yield from self._connect(patient=patient))

    def _part(self, session: Session, lane: Lane) -> Steps[None]:
        """Leave a connection politely where that is possible."""
        self.session = self.lane = None
        if lane.unsettled or lane.over or session.connection.is_stale():
            session.connection.close()
        else:
            yield from session.connection.parting()

    def hang_up(self) -> None:
        """Leave a connection without a word."""
        session, self.session, self.lane = self.session, None, None
        assert session is not None  # noqa: S101 - whoever gives a connection up has one
        session.connection.close()

    def _connect(self, *, patient: bool) -> Steps[Stop | None]:
        number = 0
        while True:
            number += 1
            begun = _monotonic()
            try:
                session = yield from self._opener.opening(known=self._host.reached)
            except Failure as failure:
                fault = failure
            except Lost as lost:
                # A login that dies may be one that is counted against us, as one that is refused in passing.
                few = lost.cause is Cause.PROTOCOL or lost.phase is Phase.AUTH
                tries = FEW if few else MANY
                fault = Failure(lost.note, phase=lost.phase, cause=cause_of(lost), tries=tries)
            else:
                break
            if patient:
                self._backoff.spent += _monotonic() - begun
                self._host.trouble = fault.note
            if not patient or number >= fault.tries or not self._backoff.pause(number, at_least=fault.wait):
                return Stop(
                    cause=fault.cause,
                    phase=fault.phase,
                    reply=fault.reply,
                    note=fault.note,
                    advice=fault.advice,
                )
        session.opened = session.used = self._clock.monotonic()
        self._host.reached, self._host.trouble = True, ""
        self._take_up(session)
        return None

    # -- parting with it -------------------------------------------------------------------------------

    def hear_the_last(self, deadline: float) -> Steps[None]:
        """Hear what is owed for what has left, until a time by the machine's clock."""
        session, lane = self.session, self.lane
        assert session is not None  # noqa: S101 - asked of one that is connected
        assert lane is not None  # noqa: S101 - as above
        try:
            while lane.in_doubt and self.can_be_answered and (phase := lane.awaited) is not None:
                lane.receive((yield from session.connection.hearing(phase, deadline - _monotonic())))
                lane.done.clear()
        except Lost:
            lane.over = True

    def give_up(self) -> Session | None:
        """Let go of the connection; a session that can be used again is the caller's to rest or to end."""
        session, lane = self.session, self.lane
        self.session = self.lane = None
        if session is None or lane is None:
            return None
        if lane.flight or lane.over or lane.unsettled:
            session.connection.close()
            return None
        session.connection.called = bool
        return session

"""The connections of a transport: how many are lent to runs, and which rest between two.

Several threads may send through one transport. A run gets one connection, and more while some are free; a
run that finds none waits its turn, and one that has several gives one back for it. The lock is not held
while anything goes over a network. Never more connections are open at once than the limit says, except for
a run inside a run: it gets one of its own, or it would wait for itself.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from typing import TYPE_CHECKING

from vetmail_core.errors import TransportError

if TYPE_CHECKING:
    from vetmail_core.transports.smtp.session import Session

__all__ = ["CLOSED", "Lending", "Loan"]

CLOSED = "This SmtpTransport is closed; make a new one for the same server."


class Lending:
    """What is lent and what rests.

    Args:
        most: connections that may be open at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._resting: list[Session] = []  # the one used last is at the end, and is used first
        self._closed = False
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._process = os.getpid()
        self._turn = threading.Condition()
        self._lent = 0
        self._waiting = 0
        self._runs: Counter[int] = Counter()  # of each thread

    def _here(self) -> threading.Condition:
        if os.getpid() != self._process:
            # Of a forking process only the thread that forked lives on; what the others had, nobody has.
            self._begin_anew()
        return self._turn

    @property
    def last(self) -> Session | None:
        """The connection that rests and was used last; None where none rests."""
        resting = self._resting[-1:]
        return resting[0] if resting else None

    def borrow(self) -> Loan:
        """Get a connection's place for a run; waits until one is free.

        Raises:
            TransportError: the transport is closed, before or meanwhile.
        """
        thread = threading.get_ident()
        with self._here():
            while self._lent >= self._most and not self._closed and not self._runs[thread]:
                self._waiting += 1
                try:
                    self._turn.wait()
                finally:
                    self._waiting -= 1
            if self._closed:
                raise TransportError(CLOSED)
            self._lent += 1
            self._runs[thread] += 1
            return Loan(self, self._turn, thread, self._resting.pop() if self._resting else None)

    def take_all(self) -> list[Session]:
        """All that rest, to say goodbye to them."""
        with self._here():
            found, self._resting = self._resting, []
            return found

    def close(self) -> None:
        """Let nobody wait any longer, and nothing rest."""
        with self._here():
            self._closed = True
            self._turn.notify_all()

    # -- for a loan ------------------------------------------------------------------------------------

    def is_wanted(self) -> int:
        """How many runs wait for a connection."""
        return self._waiting

    def lend_another(self, turn: threading.Condition, stock: list[Session]) -> bool:
        """Lend a run one more place, if one is free and nobody waits for it.

        Args:
            turn: of the process in which the run began.
            stock: gets the connection that rests and was used last.
        """
        with self._here():
            free = turn is self._turn and self._lent < self._most and not self._waiting and not self._closed
            self._lent += free
            if free and self._resting:
                stock.append(self._resting.pop())
            return free

    def take_back(
        self, turn: threading.Condition, session: Session | None, *, thread: int, last: bool
    ) -> bool:
        """Take a place back, with its connection where that can be used again.

        Args:
            turn: of the process in which the run began.
            session: the connection.
            thread: that the run began in.
            last: it has no other place.

        Returns:
            Whether the connection rests now.
        """
        with self._here():
            if turn is self._turn:  # else it was lent in another process
                self._lent -= 1
                self._runs[thread] -= last
                self._turn.notify()
            if session is None or self._closed:
                return False
            # The connection of a run inside a run is one too many, and the next one inside takes it.
            room = self._most if self._runs[thread] else self._most - self._lent
            if len(self._resting) >= room:
                return False
            self._resting.append(session)
            return True


class Loan:
    """The places that a run has: one from the start, more as it gets them.

    Args:
        lending: whose they are.
        turn: of the process that lent them.
        thread: that the run began in.
        session: a connection that has rested, for the first place.
    """

    def __init__(
        self, lending: Lending, turn: threading.Condition, thread: int, session: Session | None
    ) -> None:
        self._lending = lending
        self._turn = turn
        self._thread = thread
        self._further = 0
        self._stock = [] if session is None else [session]

    @property
    def stocked(self) -> bool:
        """Whether a connection that has rested is at hand."""
        return bool(self._stock)

    @property
    def wanted(self) -> int:
        """How many runs wait for a connection."""
        return self._lending.is_wanted()

    def extend(self) -> bool:
        """Get one more place, if one is free and nobody waits for it."""
        more = self._lending.lend_another(self._turn, self._stock)
        self._further += more
        return more

    def take(self) -> Session | None:
        """A connection that has rested, for one of the places; None where none has."""
        return self._stock.pop() if self._stock else None

    def give_back(self, session: Session | None) -> Session | None:
        """Give a place back, with its connection where that can be used again.

        Returns:
            A connection that cannot rest; it is the run's to end.
        """
        session = session or self.take()
        last = not self._further
        self._further -= not last
        rests = self._lending.take_back(self._turn, session, thread=self._thread, last=last)
        return None if rests else session

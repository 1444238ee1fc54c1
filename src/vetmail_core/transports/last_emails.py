"""When the last email went to each mail server, for every transport of the process.

A server counts what comes by a login, not which object sent it. So the wait between emails of the preferences
holds between any two emails of this process that go to one server by one login, however many mailers or
threads send them. This is the one place that all of them share; a forked process begins afresh.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, Final

from vetmail_core.clock import Clock, SystemClock

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["Turns"]

_AT_ONCE: Final = 1e-6  # seconds; less than a sum of floats can tell


class _Last:
    """The last email of a server and login.

    Attributes:
        at: when it ended; while it is under way, when it began.
        under_way: whose turn it is; None when it has ended.
    """

    __slots__ = ("at", "clock", "under_way", "wait")

    def __init__(self, at: float, *, wait: float, clock: Clock, under_way: Turns | None = None) -> None:
        self.at = at
        self.wait = wait
        self.clock = clock
        self.under_way = None if under_way is None else weakref.ref(under_way)

    def is_over(self) -> bool:
        """Whether nobody has to wait for it any more."""
        return self.taker() is None and self.clock.monotonic() >= self.at + self.wait

    def taker(self) -> Turns | None:
        """Whose turn it is; None also when that one is gone."""
        return None if self.under_way is None else self.under_way()


_locks: Final[dict[int, threading.Lock]] = {}  # by process: after a fork nobody may be there to let go of one
_last: Final[dict[Hashable, _Last]] = {}


def _lock() -> threading.Lock:
    """Held for moments, never while somebody waits."""
    return _locks.setdefault(os.getpid(), threading.Lock())


class Turns:
    """The turns of one transport among those of the process.

    Args:
        login: server, port and user name.
        wait: from the end of one email to the beginning of the next, seconds.
        clock: tells the time and waits. A clock that is not the machine's is a world of its own: its emails
            wait for each other alone.
    """

    def __init__(self, login: Hashable, *, wait: float, clock: Clock) -> None:
        world: Clock = getattr(clock, "source", clock)
        self._login: Final = (login, None if isinstance(world, SystemClock) else id(world))
        self._world = world  # kept, so that its id stays its own
        self._wait = wait
        self._clock = clock

    def _key(self) -> Hashable:
        return os.getpid(), self._login

    def take(self) -> None:
        """Wait until the wait since the last email is over, and begin one."""
        while (seconds := self._to_wait()) > 0:
            self._clock.sleep(seconds)

    def _to_wait(self) -> float:
        """Seconds to wait before asking again; 0 when the turn is taken."""
        with _lock():
            last = _last.get(self._key())
            now = self._clock.monotonic()
            if last is not None:
                taker = last.taker()
                if taker is self:
                    return 0  # the same email once more, over another connection
                if taker is not None:
                    return self._wait
                seconds = last.at + self._wait - now
                if seconds > _AT_ONCE:
                    return seconds
            _last[self._key()] = _Last(now, wait=self._wait, clock=self._world, under_way=self)
            return 0

    def end(self) -> None:
        """The email is finished: the wait begins."""
        with _lock():
            for key in [key for key, last in _last.items() if last.is_over()]:
                del _last[key]
            _last[self._key()] = _Last(self._clock.monotonic(), wait=self._wait, clock=self._world)

    def give_up(self) -> None:
        """The run is over; an email that was not finished holds nobody up."""
        with _lock():
            last = _last.get(self._key())
            if last is not None and last.taker() is self:
                del _last[self._key()]  # it began when the wait was over, and nothing has been sent since

"""Waits that somebody can put an end to.

A cancel button works while a run waits, be it two seconds between emails or minutes for a throttling
server. A wait either lasts its full time or ends the run; it is never cut short to go on early.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from vetmail_core.clock import Clock

__all__ = ["StoppableClock", "Stopped"]

_SLICE_SECONDS: Final = 0.2


class Stopped(BaseException):
    """A wait was ended; goes through every ``except Exception`` on its way to the run."""


class StoppableClock:
    """A clock whose longer waits ask, five times a second, whether to go on.

    Args:
        clock: tells the time and waits.

    Attributes:
        source: the clock itself, by which transports know each other's emails.
        stop: asked in the thread that set it; None while no run goes on there.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.source: Final = clock
        self._of_thread = threading.local()  # one run's cancel button is not another's

    @property
    def stop(self) -> Callable[[], bool] | None:
        """Asked whether a wait of this thread is to end."""
        found: Callable[[], bool] | None = getattr(self._of_thread, "stop", None)
        return found

    @stop.setter
    def stop(self, stop: Callable[[], bool] | None) -> None:
        self._of_thread.stop = stop

    def now(self) -> datetime:
        """The time of day, aware and in UTC."""
        return self._clock.now()

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        return self._clock.monotonic()

    def sleep(self, seconds: float, /) -> None:
        """Wait.

        Args:
            seconds: how long; zero or less returns at once.

        Raises:
            Stopped: `stop` said True meanwhile.
        """
        stop = self.stop
        if stop is None:
            self._clock.sleep(seconds)
            return
        end = self._clock.monotonic() + seconds
        while seconds > 0:
            if stop():
                raise Stopped
            self._clock.sleep(min(seconds, _SLICE_SECONDS))
            seconds = end - self._clock.monotonic()

"""A clock that a test winds by hand.

Whatever waits in the library asks a ``Clock``. With this one a pause of ten minutes takes no time and is
written down; time moves when somebody sleeps or calls ``advance``, and never back.
"""

from __future__ import annotations

import math
import threading
from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["FakeClock"]

_START: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class FakeClock:
    """A ``Clock`` that does not sleep: ``sleep`` moves its time on and returns at once.

    Safe to share between threads: each pause is added once, whole.

    Args:
        start: the time of day at which it begins, aware; 2 March 2026, 09:00 UTC when not given, so that
            a snapshot of an email reads the same on every run.

    Raises:
        ValueError: ``start`` has no time zone.

    >>> clock = FakeClock()
    >>> clock.sleep(90)
    >>> clock.advance(30)
    >>> clock.now().isoformat(), clock.slept
    ('2026-03-02T09:02:00+00:00', (90.0,))
    """

    __slots__ = ("_elapsed", "_lock", "_slept", "_start")

    def __init__(self, start: datetime = _START) -> None:
        if start.utcoffset() is None:
            raise ValueError(f"expected a start with a time zone, got {start!r}: add tzinfo=UTC")
        self._start = start.astimezone(UTC)
        self._elapsed = 0.0
        self._slept: list[float] = []
        self._lock = threading.Lock()

    @property
    def slept(self) -> tuple[float, ...]:
        """Every pause somebody asked for, in seconds and in order; pauses of zero or less are not kept."""
        with self._lock:
            return tuple(self._slept)

    def now(self) -> datetime:
        """The time of day, aware and in UTC."""
        with self._lock:
            return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Seconds since this clock was made; never goes back."""
        with self._lock:
            return self._elapsed

    def sleep(self, seconds: float, /) -> None:
        """Write the pause down and let its time pass at once.

        Args:
            seconds: how long; zero or less is no pause and is not written down.
        """
        if seconds > 0:
            with self._lock:
                self._slept.append(float(seconds))
                self._elapsed += seconds

    def advance(self, seconds: float, /) -> None:
        """Let time pass without anybody having waited.

        Args:
            seconds: how long, zero or more.

        Raises:
            ValueError: less than zero, or not a finite number: a clock does not go back.
        """
        if not (seconds >= 0 and math.isfinite(seconds)):
            raise ValueError(f"expected seconds of zero or more, got {seconds!r}: a clock does not go back")
        with self._lock:
            self._elapsed += seconds

    def __repr__(self) -> str:
        return f"<FakeClock {self.now():%Y-%m-%d %H:%M:%S} UTC, {len(self.slept)} pauses>"

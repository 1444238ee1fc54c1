"""Time, and waiting for it to pass.

Every wait, timeout, backoff and date of the library is asked of a ``Clock``, so a test can hand in one that
does not sleep. No other file reads the time or waits.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol, runtime_checkable

import attrs

__all__ = ["Clock", "SystemClock"]


@runtime_checkable
class Clock(Protocol):
    """What tells the time and waits. Implement the three methods to bring your own."""

    def now(self) -> datetime:
        """The time of day, aware and in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...

    def sleep(self, seconds: float, /) -> None:
        """Wait.

        Args:
            seconds: how long; zero or less returns at once.
        """
        ...


@attrs.frozen
class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The time of day, aware and in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds of the machine's steady clock; never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float, /) -> None:
        """Wait.

        Args:
            seconds: how long; zero or less returns at once.
        """
        if seconds > 0:
            time.sleep(seconds)

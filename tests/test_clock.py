"""The clock of the machine."""

from __future__ import annotations

from datetime import UTC, timedelta

import pytest

from vetmail_core.clock import Clock, SystemClock


def test_the_system_clock_is_a_clock() -> None:
    """What transports take by default satisfies what they ask for."""
    assert isinstance(SystemClock(), Clock)


def test_now_is_aware_and_in_utc() -> None:
    """A date without a zone would be wrong somewhere."""
    now = SystemClock().now()
    assert now.tzinfo is UTC
    assert now.utcoffset() == timedelta(0)


def test_monotonic_never_goes_back() -> None:
    """Deadlines count on it."""
    clock = SystemClock()
    seen = [clock.monotonic() for _ in range(100)]
    assert seen == sorted(seen)


def test_sleeping_takes_at_least_the_time_asked_for() -> None:
    """A wait that returns early would break a server's rate rule."""
    clock = SystemClock()
    start = clock.monotonic()
    clock.sleep(0.01)
    assert clock.monotonic() - start >= 0.009


@pytest.mark.parametrize("seconds", [0, -1.5])
def test_nothing_to_wait_for_returns_at_once(seconds: float) -> None:
    """A wait computed as already over is no error."""
    SystemClock().sleep(seconds)

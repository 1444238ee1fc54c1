"""How fast a run goes: the wait between emails, slowing down, and pauses before trying again.

Every pause is asked of the Clock. A throttled run gets slower at once and faster bit by bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from vetmail_core.clock import Clock
    from vetmail_core.transports.last_emails import Turns
    from vetmail_core.transports.smtp.settings import Limits

__all__ = ["Backoff", "Pace"]

_FIRST_SLOWER_SECONDS: Final = 1.0
_KEPT_AFTER_SUCCESS: Final = 0.8
_NEGLIGIBLE_SECONDS: Final = 0.05


class Pace:
    """The pause from one message's end to the next one's start.

    Args:
        base: the wait between emails of the preferences, seconds.
        limit: the longest pause a throttling server gets, seconds.
        clock: asked for the time, and to wait.
        turns: of the transport among those of the process; None where the base is 0, and nobody waits.

    Attributes:
        wait: the pause as it is now, seconds.
    """

    def __init__(self, base: float, *, limit: float, clock: Clock, turns: Turns | None = None) -> None:
        self._base = base
        self._limit = max(limit, base)
        self._clock = clock
        self._turns = turns
        self._ended: float | None = None
        self.wait = base

    def ended(self) -> None:
        """A message is finished."""
        self._ended = self._clock.monotonic()
        if self._turns is not None:
            self._turns.end()

    def run_is_over(self) -> None:
        """A message that is not finished holds up nobody else."""
        if self._turns is not None:
            self._turns.give_up()

    def pause(self) -> None:
        """Wait before the next message."""
        if self._ended is not None and self.wait > 0:
            seconds = self._ended + self.wait - self._clock.monotonic()
            if seconds > 0:
                self._clock.sleep(seconds)
        if self._turns is not None:
            self._turns.take()

    def slower(self) -> None:
        """The server throttles: double the wait."""
        self.wait = min(max(self.wait * 2, _FIRST_SLOWER_SECONDS), self._limit)

    def recover(self) -> None:
        """A message went through: creep back to what the preferences say."""
        if self.wait > self._base:
            extra = (self.wait - self._base) * _KEPT_AFTER_SUCCESS
            self.wait = self._base + (extra if extra > _NEGLIGIBLE_SECONDS else 0.0)


class Backoff:
    """Pauses between tries to connect: 1, 2, 4 ... seconds, a fifth more or less.

    Args:
        limits: ``retry_seconds`` is the longest pause, ``reconnect_seconds`` all of them together with
            the tries.
        clock: asked to wait.
    """

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self.spent = 0.0

    def pause(self, number: int, *, at_least: float = 0.0) -> bool:
        """Wait before another try.

        Args:
            number: of the try that failed, from 1.
            at_least: seconds that somebody asked for; more than ``retry_seconds`` is fine.

        Returns:
            False, without waiting, when the time for reconnecting is used up.
        """
        import random  # noqa: PLC0415 - most connections are made at the first try

        seconds = min(2.0 ** min(number - 1, 30), self._limits.retry_seconds)
        seconds *= random.Random().uniform(0.8, 1.2)  # noqa: S311 - jitter, not a secret
        seconds = max(min(seconds, self._limits.retry_seconds), at_least)
        if self.spent + seconds > self._limits.reconnect_seconds:
            return False
        self.spent += seconds
        self._clock.sleep(seconds)
        return True

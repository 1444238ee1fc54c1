"""How far a run is, and how long it will take.

The estimate follows the pace of the last emails, so a wait time, a throttling server and a backoff all show
in it, and disappear again when they end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vetmail_core.clock import Clock, SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from vetmail_core.receipts import Receipt

__all__ = ["Progress"]

_SLOWEST_WEIGHT: Final = 0.02  # one email among fifty
_FIRST_EMAILS: Final = 2


class Progress:
    """Counts receipts and estimates the time left. Hand it to `send_bulk` as its `progress`.

    Args:
        total: how many emails there are, such as ``plan.summary().emails``.
        wait_ms: the preferences' wait time between emails, in milliseconds; the estimate is never shorter.
        show: called with this object after each receipt, to draw.
        clock: measures.

    Attributes:
        done: emails answered so far, and those that an earlier run had sent.
        total: as given.
    """

    def __init__(
        self,
        total: int,
        *,
        wait_ms: int = 0,
        show: Callable[[Progress], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.done = 0
        self.total: Final = total
        self._wait = wait_ms / 1000
        self._show = show
        self._clock = SystemClock() if clock is None else clock
        self._began = self._last = self._clock.monotonic()
        self._pace = 0.0  # seconds an email, of late
        self._answered = 0

    def __call__(self, receipt: Receipt) -> None:
        """Take one receipt in."""
        del receipt  # whatever became of it, it took its time
        now = self._clock.monotonic()
        took = now - self._last
        self._last = now
        self._answered += 1
        weight = max(1 / self._answered, _SLOWEST_WEIGHT)
        self._pace += (took - self._pace) * weight
        self._advance()

    def pass_over(self) -> None:
        """Count an email that an earlier run has sent: it is done, and tells nothing about the pace."""
        self._last = self._clock.monotonic()
        self._advance()

    def _advance(self) -> None:
        self.done += 1
        if self._show is not None:
            self._show(self)

    @property
    def fraction(self) -> float:
        """From 0.0 to 1.0; an empty run is complete."""
        return min(1.0, self.done / self.total) if self.total else 1.0

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self._clock.monotonic() - self._began

    @property
    def per_minute(self) -> float:
        """Emails a minute, at the pace of late; 0.0 before the first."""
        return 60 / self._pace if self._pace else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Seconds to go, at the pace of late; None while nothing can be said."""
        left = max(0, self.total - self.done)
        known = self._answered >= _FIRST_EMAILS
        if left and not known and not self._wait:
            return None
        return left * max(self._pace if known else 0.0, self._wait)

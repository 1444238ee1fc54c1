"""``work``: sweep and deliver, with no engine and no broker.

Any number of workers may be started; they share the slices of all mailings. After a SIGTERM the answer for
the current email is heard, so nothing is in doubt.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vetmail_core.cli.planning import NothingTriedError, staff_of, token_of
from vetmail_core.cli.show import plain, say
from vetmail_core.clock import SystemClock
from vetmail_core.ledger import PostgresLedger, SqliteLedger
from vetmail_core.mailings import Mailings
from vetmail_core.preferences import load_preferences
from vetmail_core.transports import transport_for

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Generator

    from vetmail_core.transports import Transport

__all__ = ["ledger_of", "work"]

_LOOK_SECONDS: Final = 0.5
_TOLD_SECONDS: Final = 60.0
_DATABASES: Final = ("postgresql://", "postgres://")
_ENDS: Final = ("SIGTERM", "SIGINT")


def ledger_of(text: str) -> SqliteLedger | PostgresLedger:
    """Open the ledger that was named: a file, or a PostgreSQL database by its URI.

    Raises:
        LedgerError: it cannot be opened.
    """
    return PostgresLedger(text) if text.startswith(_DATABASES) else SqliteLedger(Path(text))


def work(arguments: argparse.Namespace) -> int:
    """Deliver the slices of mailings until there are none, or until somebody ends it.

    Returns:
        0 when it was ended, or all it sent was accepted; 1 when somebody was refused or is in doubt.

    Raises:
        VetmailError: nothing could be tried, or the ledger could not be read or written any more.
    """
    preferences = load_preferences(arguments.preferences)
    if not preferences.use_built_in_client:
        raise NothingTriedError(
            "the built-in client is off, and a worker cannot open somebody's mail program; turn on"
            ' "Use built-in email client" in the preferences that it works with'
        )
    with (
        ledger_of(arguments.ledger) as ledger,
        contextlib.closing(
            transport_for(preferences, staff=staff_of(arguments), token=token_of(arguments))
        ) as transport,
        _told_to_end() as ended,
    ):
        worker = _Worker(Mailings(ledger), transport, ended)
        worker.go(until_done=arguments.until_done)
        worker.tell()
    failed = worker.counts["refused"] + worker.counts["unknown"]
    return 1 if failed and not ended() else 0


@contextlib.contextmanager
def _told_to_end() -> Generator[Callable[[], bool]]:
    """Whether the process was told to end; meanwhile it does not end by itself."""
    told: list[int] = []
    with contextlib.ExitStack() as afterwards:
        for name in _ENDS:
            number = signal.Signals[name]
            before = signal.signal(number, lambda number, _frame: told.append(number))
            afterwards.callback(signal.signal, number, before)
        yield lambda: bool(told)


class _Worker:
    """One worker's way through the slices."""

    def __init__(self, mailings: Mailings, transport: Transport, ended: Callable[[], bool]) -> None:
        self.counts: Counter[str] = Counter()
        self._mailings = mailings
        self._transport = transport
        self._ended = ended
        self._clock = SystemClock()
        self._told = self._clock.monotonic()
        self._moves = sys.stderr.isatty()

    def go(self, *, until_done: bool) -> None:
        """Work."""
        while not self._ended():
            # One at a time, so that those who work beside us find the next one.
            slices = self._mailings.open_slices(most=1)
            for number in slices:
                self.counts.update(
                    self._mailings.deliver_slice(number, self._transport, stop=self._ended).counts
                )
                self._show()
            if slices:
                continue
            if until_done and not self._mailings.open_emails():
                return
            getattr(self._transport, "hang_up", lambda: None)()  # nobody keeps a line open for nothing
            self._clock.sleep(_LOOK_SECONDS)
            self._show()

    def _show(self) -> None:
        now = self._clock.monotonic()
        if self._moves:
            say(f"\r{self._line()}", out=sys.stderr, end="")
        elif now - self._told >= _TOLD_SECONDS:
            self._told = now
            self.tell()

    def tell(self) -> None:
        """One line of how far it is."""
        say(("\r" if self._moves else "") + self._line(), out=sys.stderr)

    def _line(self) -> str:
        counts = sorted(self.counts.items())
        told = ", ".join(f"{emails:,} {name.replace('_', ' ')}" for name, emails in counts)
        return plain(f"{told or 'nothing sent yet'}; {self._mailings.open_emails():,} open")

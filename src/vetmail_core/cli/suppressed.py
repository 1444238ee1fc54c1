"""Whom it is no use writing to, as the ledger of the command line has it.

People whom a bounce report says cannot be reached are left out. A ledger that does not exist is not made
for this.
"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING

from vetmail_core.ledger import SqliteLedger

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Generator
    from pathlib import Path

    from vetmail_core.address import Mailbox

__all__ = ["asks_the_ledger"]


@contextlib.contextmanager
def _suppressed_by(path: Path | None) -> Generator[Callable[[Mailbox], str | None] | None]:
    if path is None or not path.exists():
        yield None
        return
    with SqliteLedger(path) as ledger:
        yield ledger.suppressed


def asks_the_ledger(command: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Let the plan of a command leave out whom the ledger of its arguments suppresses.

    Raises:
        LedgerError: by the command: the file is there and cannot be used.
    """

    @functools.wraps(command)
    def asking(arguments: argparse.Namespace) -> int:
        with _suppressed_by(arguments.ledger) as arguments.suppressed:
            return command(arguments)

    return asking

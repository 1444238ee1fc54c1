"""A lock that only the process that made it may take.

A child process that inherits an open ledger gets an error at once. It must not use the connection, and the
lock may be held by a thread that the child does not have.
"""

from __future__ import annotations

import os
import threading

from vetmail_core.errors import LedgerError

__all__ = ["OwnersLock"]


class OwnersLock:
    """A lock; its owner's threads may take it, and each of them several times over.

    Args:
        ledger: which ledger, for the error.
    """

    def __init__(self, ledger: str) -> None:
        self._lock = threading.RLock()
        self._ledger = ledger
        self._owner = os.getpid()

    @property
    def foreign(self) -> bool:
        """Whether this is a child of the process that opened the ledger."""
        return os.getpid() != self._owner

    def __enter__(self) -> None:
        if self.foreign:
            raise LedgerError(
                f"The ledger {self._ledger} was opened before this process was forked off, and two processes"
                " cannot share what was opened. Open it in the process that uses it."
            )
        self._lock.acquire()

    def __exit__(self, *_error: object) -> None:
        self._lock.release()

"""Notices a transport that two threads use at once.

The second thread gets a warning instead of a run that disturbs the first. It does not wait, because a run
may take hours.
"""

from __future__ import annotations

import os
import threading
from typing import Self

from vetmail_core.errors import TransportError

__all__ = ["OneThread"]


class OneThread:
    """Held while a run goes on; one thread may hold it several times over.

    Args:
        transport: the transport's name, for the error.
    """

    def __init__(self, transport: str) -> None:
        self._transport = transport
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._owner = 0
        self._held = 0

    def __enter__(self) -> Self:
        """Begin a run.

        Raises:
            TransportError: another thread is in the middle of one.
        """
        thread = threading.get_ident()
        if os.getpid() != self._process:
            # Of a forking process only the thread that forked lives on; what the others held, nobody does.
            self._process, self._lock, self._held = os.getpid(), threading.Lock(), 0
        with self._lock:
            if self._held and self._owner != thread:
                raise TransportError(
                    f"This {self._transport} is delivering in another thread; expected one thread at a time."
                    " Make a transport for each thread, or let the first run end."
                )
            self._owner = thread
            self._held += 1
        return self

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self._held = max(0, self._held - 1)

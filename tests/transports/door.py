"""Where a test's server takes connections: a thread for each, and all of them end with the test."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable


class Speaker(Protocol):
    """One connection, from the server's side."""

    sock: socket.socket

    def serve(self) -> None:
        """Talk until the end."""


SpeakerT = TypeVar("SpeakerT", bound=Speaker)


class Door(Generic[SpeakerT]):
    """Accepts connections until it is closed.

    Args:
        listener: bound and listening.
        meet: makes the speaker of a new connection.
    """

    def __init__(self, listener: socket.socket, meet: Callable[[socket.socket], SpeakerT]) -> None:
        self.port: int = listener.getsockname()[1]
        self.lines: list[SpeakerT] = []
        self._listener = listener
        self._meet = meet
        self._accepting = threading.Thread(target=self._listen, daemon=True)
        self._serving: list[threading.Thread] = []

    def open(self) -> None:
        """Begin to accept."""
        self._accepting.start()

    def _listen(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            line = self._meet(sock)
            self.lines.append(line)
            thread = threading.Thread(target=line.serve, daemon=True)
            thread.start()
            self._serving.append(thread)

    def settled(self, seconds: float) -> None:
        """Wait until the speakers have come to their end; the clients have gone."""
        end = time.monotonic() + seconds
        for thread in self._serving:
            thread.join(max(0.0, end - time.monotonic()))

    def close(self) -> None:
        """End every connection, and wait for the threads."""
        # Waking a thread that accepts takes a shutdown; closing alone leaves it waiting.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        for line in self.lines:
            with contextlib.suppress(OSError):
                line.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._serving:
            thread.join()
        for line in self.lines:
            line.sock.close()

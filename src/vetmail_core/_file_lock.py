"""A lock on an open file, which the system takes back when its holder dies.

`try_lock` does not wait: it tells who saves, and which run still lives. `locked` waits a while, and makes "look
whether a file changed, then replace it" one step for everybody. A crash locks nobody out, as the lock ends with
the process, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from vetmail_core.clock import Clock

__all__ = ["locked", "try_lock"]

_PAUSE: Final = 0.05  # seconds

if sys.platform == "win32":  # pragma: no cover - runs on Windows only
    import msvcrt

    def try_lock(descriptor: int, *, byte: int = 0) -> bool:
        """Take the lock; see below."""
        os.lseek(descriptor, byte, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def try_lock(descriptor: int, *, byte: int = 0) -> bool:
        """Take the lock, until the file is closed.

        Args:
            descriptor: of the open file.
            byte: the one that Windows locks, and lets nobody else read; elsewhere it is the whole file.

        Returns:
            Whether it was free.

        Raises:
            OSError: the file's disk knows no locks.
        """
        del byte
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextlib.contextmanager
def locked(path: Path, *, clock: Clock, patience: float = 10.0) -> Generator[None]:
    """Hold a lock while the block runs.

    Args:
        path: the lock's file; it is made when missing and stays, empty.
        clock: what to wait with.
        patience: how long to wait for another program, in seconds.

    Raises:
        TimeoutError: somebody else held it for all that time.
        OSError: the file cannot be made.
    """
    descriptor = _open(path)
    try:
        give_up = clock.monotonic() + patience
        while not try_lock(descriptor):
            if clock.monotonic() >= give_up:
                raise TimeoutError(0, f"another program has been saving it for {patience:.0f} seconds")
            clock.sleep(_PAUSE)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except PermissionError:
        # Made by another user who may save here too: whoever can read it can lock it.
        if not path.exists():
            raise
        return os.open(path, os.O_RDONLY)

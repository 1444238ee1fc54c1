"""A lock on an open file, which the system takes back when its holder dies.

What it is for: knowing who saves, and which run still lives. What it refuses: to wait. Its law: a crash locks
nobody out, as the lock ends with the process, however that ends.
"""

from __future__ import annotations

import os
import sys

__all__ = ["try_lock"]

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

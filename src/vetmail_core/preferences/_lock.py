"""One writer at a time, across processes.

What it is for: making "look whether the file changed, then replace it" one step for everybody. What it
refuses: to wait for ever. Its law: the system gives the lock back when its holder dies, so a crash locks
nobody out.
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

__all__ = ["locked"]

_PATIENCE: Final = 10.0  # seconds; a save takes a few milliseconds
_PAUSE: Final = 0.05  # seconds


@contextlib.contextmanager
def locked(path: Path, *, clock: Clock) -> Generator[None]:
    """Hold a lock while the block runs.

    Args:
        path: the lock's file; it is made when missing and stays, empty.
        clock: what to wait with.

    Raises:
        TimeoutError: somebody else held it for 10 seconds.
        OSError: the file cannot be made.
    """
    descriptor = _open(path)
    try:
        give_up = clock.monotonic() + _PATIENCE
        while not _try_lock(descriptor):
            if clock.monotonic() >= give_up:
                raise TimeoutError(0, f"another program has been saving it for {_PATIENCE:.0f} seconds")
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


if sys.platform == "win32":  # pragma: no cover - runs on Windows only

    def _try_lock(descriptor: int) -> bool:
        import msvcrt  # noqa: PLC0415 - exists on Windows only

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:

    def _try_lock(descriptor: int) -> bool:
        import fcntl  # noqa: PLC0415 - exists on Unix only

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

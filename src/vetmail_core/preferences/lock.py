"""One writer at a time, across processes.

What it is for: making "look whether the file changed, then replace it" one step for everybody. What it
refuses: to wait for ever. Its law: whoever waits is let in, or told that somebody else is saving.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from vetmail_core._file_lock import try_lock
from vetmail_core._files import open_regular

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
        OSError: the file cannot be made, or what is there is a link or no file.
    """
    descriptor = _open(path)
    try:
        give_up = clock.monotonic() + _PATIENCE
        while not try_lock(descriptor):
            if clock.monotonic() >= give_up:
                raise TimeoutError(0, f"another program has been saving it for {_PATIENCE:.0f} seconds")
            clock.sleep(_PAUSE)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    try:
        return open_regular(path, os.O_RDWR | os.O_CREAT, mode=0o666)
    except PermissionError:
        # Made by another user who may save here too: whoever can read it can lock it.
        if not path.exists():
            raise
        return open_regular(path)

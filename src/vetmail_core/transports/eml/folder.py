"""A folder of numbered emails: two files each, both there or neither, never over an old one."""

from __future__ import annotations

import contextlib
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from vetmail_core._files import checked_name, remove_regular, sync_folder, write_new
from vetmail_core.transports.eml.names import is_left_over, number_of, stem

if TYPE_CHECKING:
    from pathlib import Path

    from vetmail_core.clock import Clock
    from vetmail_core.message import Email

__all__ = ["NumberedFolder"]

_KEPT: Final = timedelta(hours=24)
_NEVER: Final = -1


class NumberedFolder:
    """Keeps messages, each with a record beside it, under names that sort in the order of keeping.

    Args:
        path: made when the first email is kept, readable by its owner alone.
        clock: tells how old is what a killed run left.
    """

    def __init__(self, path: Path, *, clock: Clock) -> None:
        self.path = path
        self._clock = clock
        self._next = 0
        self._seen = _NEVER

    def look(self) -> None:
        """Make the folder, and go on behind the highest number in it.

        At the first look what killed runs left there more than a day ago is cleared: halves of our own pairs.

        Raises:
            OSError: it cannot be made or read.
        """
        checked_name(self.path).mkdir(mode=0o700, parents=True, exist_ok=True)
        # A folder of a million files is not listed again for each email: only when somebody else wrote.
        if self.path.stat().st_mtime_ns != self._seen:
            names = {path.name for path in self.path.iterdir()}
            self._next = max(self._next, max(map(number_of, names), default=0) + 1)
            if self._seen == _NEVER:
                self._clear(names)

    def _clear(self, names: set[str]) -> None:
        oldest = (self._clock.now() - _KEPT).timestamp()
        for name in filter(lambda name: is_left_over(name, names), names):
            with contextlib.suppress(OSError):  # another run clears it too
                if (self.path / name).lstat().st_mtime < oldest:
                    remove_regular(self.path / name)

    def store(self, email: Email, data: bytes, record: bytes) -> None:
        """Keep a message and its record; both are on the disk when this returns.

        Args:
            email: whose first recipient stands in the names.
            data: the message, for the .eml file.
            record: what stands beside it, for the .json file.

        Raises:
            OSError: they cannot be written; neither is there.
        """
        while not self._store_as(stem(self._next, email), data, record):
            self._next += 1
        self._next += 1
        self._seen = self.path.stat().st_mtime_ns

    def _store_as(self, name: str, data: bytes, record: bytes) -> bool:
        """Write both files under a name of their own; False when the name is taken."""
        part = self.path / f"{name}.part"
        message = self.path / f"{name}.eml"
        with contextlib.ExitStack() as undo:
            try:
                # The record comes first and must be new: who made it owns the other two names.
                for path, content in ((self.path / f"{name}.json", record), (part, data)):
                    write_new(path, content)
                    undo.callback(path.unlink)
                if os.path.lexists(message):
                    return False
                part.rename(message)
            except FileExistsError:
                return False
            undo.pop_all()
        sync_folder(self.path)
        return True

"""A folder of numbered emails: two files each, both there or neither, never over an old one."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from vetmail_core.transports.eml.names import number_of, stem

if TYPE_CHECKING:
    from pathlib import Path

    from vetmail_core.message import Email

__all__ = ["NumberedFolder"]

_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


class NumberedFolder:
    """Keeps messages, each with a record beside it, under names that sort in the order of keeping.

    Args:
        path: made when the first email is kept, readable by its owner alone.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._next = 0
        self._seen = -1

    def look(self) -> None:
        """Make the folder, and go on behind the highest number in it.

        Raises:
            OSError: it cannot be made or read.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A folder of a million files is not listed again for each email: only when somebody else wrote.
        if self.path.stat().st_mtime_ns != self._seen:
            highest = max((number_of(path.name) for path in self.path.iterdir()), default=0)
            self._next = max(self._next, highest + 1)

    def store(self, email: Email, data: bytes, record: bytes) -> None:
        """Keep a message and its record.

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
                    _write_new(path, content)
                    undo.callback(path.unlink)
                if message.exists():
                    return False
                part.rename(message)
            except FileExistsError:
                return False
            undo.pop_all()
        return True


def _write_new(path: Path, data: bytes) -> None:
    """Write a file that must not exist yet, for its owner's eyes; all of it or nothing."""
    descriptor = os.open(path, _NEW_FILE, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except BaseException:
        path.unlink()
        raise

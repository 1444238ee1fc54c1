"""A mail program for tests."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname


class MailProgram:
    """Stands where the system opens a mail program, and keeps what it was given."""

    def __init__(self, *, fails_at: int = 0, error: Exception | None = None) -> None:
        self.opened: list[str] = []
        self._fails_at = fails_at
        self._error = error

    def __call__(self, uri: str) -> None:
        """Open one URI, or fail at the one that was agreed on."""
        if self._error is not None and len(self.opened) + 1 == self._fails_at:
            raise self._error
        self.opened.append(uri)

    def draft(self) -> bytes:
        """The one draft file that was opened."""
        [uri] = self.opened
        assert uri.startswith("file:///")
        return Path(url2pathname(urlsplit(uri).path)).read_bytes()

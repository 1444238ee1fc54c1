"""An email as a draft file.

What it is for: what a link cannot carry. What it refuses: to let others read it, and to keep it for good.
Its law: a draft is not a message on the wire, so its blind copies stand in it, for the mail program to
take them off.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vetmail_core.sender import UNKNOWN_SENDER

if TYPE_CHECKING:
    from vetmail_core.clock import Clock
    from vetmail_core.message import Email

__all__ = ["DraftFolder", "draft_bytes"]

_FIELD_END: Final = re.compile(rb"\r\n(?![ \t])")
_PREFIX: Final = "vetmail-draft-"
_KEPT: Final = timedelta(hours=24)


def draft_bytes(email: Email) -> bytes:
    """Write an email as a `.eml` that a mail program opens for sending.

    From comes first, or Linux takes the file for plain text; `X-Unsent: 1` makes Outlook and Thunderbird
    open it as a draft.
    """
    utf8 = email.needs_smtputf8
    head, body = email.as_bytes(smtputf8=utf8).split(b"\r\n\r\n", 1)
    sender, *fields = sorted(_FIELD_END.split(head), key=lambda field: not field.startswith(b"From:"))
    if email.sender == UNKNOWN_SENDER:
        sender = b"From:"  # the mail program puts its own account there
    bcc = [mailbox.header(smtputf8=utf8).encode() for mailbox in email.recipients.bcc]
    if bcc:
        # The stand-in for recipients nobody may see; here they may, and a program would write to it.
        fields = [field for field in fields if field != b"To: undisclosed-recipients:;"]
        fields.append(b"Bcc: " + b",\r\n ".join(bcc))
    return b"\r\n".join([sender, b"X-Unsent: 1", *fields, b"", body])


class DraftFolder:
    """A private folder of draft files, which are kept for a day.

    Args:
        folder: made when the first draft is written; None is a folder in the user's cache.
        clock: tells how old a file is.
    """

    def __init__(self, folder: Path | None, *, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock

    def write(self, data: bytes) -> Path:
        """Write one draft for its owner's eyes; all of it or nothing.

        Returns:
            Its absolute path.

        Raises:
            OSError: it cannot be written.
        """
        folder = self._path()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(suffix=".eml", prefix=_PREFIX, dir=folder)
        path = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
        except BaseException:
            path.unlink()
            raise
        return path

    def sweep(self) -> None:
        """Delete our own drafts that are older than a day; whatever else is in the folder is not ours."""
        oldest = (self._clock.now() - _KEPT).timestamp()
        for path in self._path().glob(f"{_PREFIX}*.eml"):
            # Another program may hold the file open (Windows), or have swept it first.
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < oldest:
                    path.unlink()

    def _path(self) -> Path:
        return (self._folder or _default_folder()).resolve()


def _default_folder() -> Path:
    from platformdirs import user_cache_path  # noqa: PLC0415 - seldom needed

    return user_cache_path("vetmail_core", appauthor=False) / "drafts"

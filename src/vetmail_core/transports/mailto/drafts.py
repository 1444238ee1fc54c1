"""An email as a draft file, for what a link cannot carry.

A draft is not a message on the wire: it holds its blind copies, which the mail program takes off as it
sends. So others may not read the file, and it is deleted after a while.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vetmail_core._files import checked_name, remove_regular, sync_folder, write_new
from vetmail_core.message.wire import wire_bytes
from vetmail_core.sender import UNKNOWN_SENDER
from vetmail_core.transports.mailto.controls import refuse_control_characters

if TYPE_CHECKING:
    from datetime import datetime

    from vetmail_core.clock import Clock
    from vetmail_core.message import Email

__all__ = ["DraftFolder", "draft_bytes", "draft_parts"]

_FIELD_END: Final = re.compile(rb"\r\n(?![ \t])")
_SEEN_BY_SNAPS: Final = "~/vetmail-drafts"  # a Snap may read the home folder, but nothing hidden in it
_PREFIX: Final = "vetmail-draft-"
_KEPT: Final = timedelta(hours=24)


def draft_bytes(email: Email, *, with_sender: bool = False) -> bytes:
    r"""Write an email as a draft file (`.eml`) that a mail program opens for sending.

    For a web page's "download and open", too. From is the first header, or Linux takes the file for plain
    text; it is empty, because a mail program has accounts of its own and warns of a sender that is not one of
    them. `X-Unsent: 1` makes Outlook and Thunderbird open the file as a draft. BCC is kept.

    Pure: without a date the draft has none, and without a key no Message-ID.

    Example:
        >>> from vetmail_core import Content, Email, draft_bytes, Recipients
        >>> email = Email(
        ...     sender="office@example.com",
        ...     recipients=Recipients(to="sam@example.com", bcc="audit@example.org"),
        ...     content=Content("Your class moved", "Room 7"),
        ... )
        >>> print(draft_bytes(email).decode().partition("MIME-Version")[0].replace("\r", ""), end="")
        From:
        X-Unsent: 1
        To: sam@example.com
        Subject: Your class moved

    Args:
        email: what to write.
        with_sender: write the email's own sender into From.

    Returns:
        The file, CRLF line ends; UTF-8 where an address has letters beyond ASCII before its @.

    Raises:
        MessageError: a control character in the text that mail programs cut it at.
    """
    refuse_control_characters(email.content)
    sender, fields, body = draft_parts(email)
    first = sender if with_sender else b"From:"
    return b"\r\n".join([first, b"X-Unsent: 1", *fields, b"", body])


def draft_parts(email: Email, *, date: datetime | None = None) -> tuple[bytes, list[bytes], bytes]:
    """Take an email apart for a draft, whose recipients are all shown.

    Args:
        email: the email.
        date: used when the email has none.

    Returns:
        The From line, empty for a sender that nobody knows; the other header fields, Bcc the last; the body.
    """
    utf8 = email.needs_smtputf8
    head, body = wire_bytes(email, date=date, smtputf8=utf8).split(b"\r\n\r\n", 1)
    sender, *fields = sorted(_FIELD_END.split(head), key=lambda field: not field.startswith(b"From:"))
    if email.sender == UNKNOWN_SENDER:
        sender = b"From:"  # the mail program puts its own account there
    bcc = [mailbox.header(smtputf8=utf8).encode() for mailbox in email.recipients.bcc]
    if bcc:
        # The stand-in for recipients nobody may see; here they may, and a program would write to it.
        fields = [field for field in fields if field != b"To: undisclosed-recipients:;"]
        fields.append(b"Bcc: " + b",\r\n ".join(bcc))
    return sender, fields, body


class DraftFolder:
    """A private folder of draft files, which are kept for a day.

    Args:
        folder: made when the first draft is written; `~` is the user's home. None is a folder in the user's
            cache, or, for a program from a Snap, `~/vetmail-drafts`.
        clock: tells how old a file is.
    """

    def __init__(self, folder: Path | None, *, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock

    def write(self, data: bytes, *, for_snap: bool = False) -> Path:
        """Write one draft for its owner's eyes; all of it or nothing.

        Args:
            data: the draft.
            for_snap: a program from a Snap is to read it, which reads no hidden files.

        Returns:
            Its absolute path.

        Raises:
            OSError: it cannot be written.
        """
        usual, seen_by_snaps = self._folders()
        folder = seen_by_snaps if for_snap else usual
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{_PREFIX}{secrets.token_hex(8)}.eml"
        write_new(path, data)
        sync_folder(folder)
        return path

    def sweep(self) -> None:
        """Delete our own drafts that are older than a day; whatever else is in the folders is not ours."""
        oldest = (self._clock.now() - _KEPT).timestamp()
        # A folder that cannot be is said when a draft is written.
        with contextlib.suppress(OSError):
            for folder in dict.fromkeys(self._folders()):
                for path in folder.glob(f"{_PREFIX}*.eml"):
                    # Another program may hold the file open (Windows), or have swept it first.
                    with contextlib.suppress(OSError):
                        if path.lstat().st_mtime < oldest:
                            remove_regular(path)

    def _folders(self) -> tuple[Path, Path]:
        """The usual folder, and the one for programs from a Snap."""
        if self._folder is not None:
            own = _at_home(checked_name(self._folder)).resolve()
            return own, own
        return _default_folder().resolve(), _at_home(_SEEN_BY_SNAPS).resolve()


def _at_home(path: Path | str) -> Path:
    # Unlike Path.expanduser it leaves the path as it is for a user who has no home, as in some containers.
    return Path(os.path.expanduser(path))  # noqa: PTH111


def _default_folder() -> Path:
    from platformdirs import user_cache_path  # noqa: PLC0415 - seldom needed

    return user_cache_path("vetmail_core", appauthor=False) / "drafts"

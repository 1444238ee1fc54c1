"""Emails into a folder.

Both files of an email are there, or neither.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from vetmail_core._shown import shown
from vetmail_core.clock import SystemClock
from vetmail_core.errors import TransportError, TransportValueError
from vetmail_core.receipts import Status
from vetmail_core.transports.base import DefaultAnswers
from vetmail_core.transports.calls import checked_call
from vetmail_core.transports.eml.folder import NumberedFolder
from vetmail_core.transports.hand_over import handed_over, not_attempted
from vetmail_core.transports.one_thread import OneThread
from vetmail_core.transports.stamping import stamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from vetmail_core.clock import Clock
    from vetmail_core.message import Email
    from vetmail_core.receipts import Receipt

__all__ = ["SCHEMA", "EmlTransport"]

SCHEMA: Final = 1
"""The shape of the `.json`; raised when a reader of the old shape would misread the new one."""


def _bodies(email: Email) -> list[tuple[str, str]]:
    """The texts that stand in the message; an email without any has an empty plain one."""
    content = email.content
    both = (("text", content.text), ("html", content.html))
    return [(name, body) for name, body in both if body] or [("text", "")]


def _record(email: Email, written: datetime) -> bytes:
    """What stands beside the message."""
    recipients = email.recipients
    facts: dict[str, object] = {
        "schema": SCHEMA,
        "status": Status.HANDED_OVER.value,
        "written": written.isoformat(),
        "key": email.key,
        "message_id": email.message_id,
        "sender": str(email.sender),
        "to": [str(mailbox) for mailbox in recipients.to],
        "cc": [str(mailbox) for mailbox in recipients.cc],
        "bcc": [str(mailbox) for mailbox in recipients.bcc],
        "reply_to": [str(mailbox) for mailbox in email.reply_to],
        "headers": dict(email.headers),
        "date": "" if email.date is None else email.date.isoformat(),
        "subject": email.content.subject,
        "added_line_end": [name for name, body in _bodies(email) if not body.endswith(("\n", "\r"))],
    }
    if email.bounce_to is not None:
        facts["bounce_to"] = str(email.bounce_to)
    # A member a line, for people; the standard library's own indentation takes ten times as long.
    members = [f'"{name}": {json.dumps(value, ensure_ascii=False)}' for name, value in facts.items()]
    return ("{\n " + ",\n ".join(members) + "\n}\n").encode()


class EmlTransport(DefaultAnswers):
    """A folder instead of a mail server; the outcome is HANDED_OVER.

    Example:
        >>> import tempfile
        >>> from vetmail_core import Content, Email, EmlTransport, Mailbox, Recipients
        >>> notice = Email(
        ...     sender=Mailbox("office@example.com"),
        ...     recipients=Recipients(to="sam@example.com", bcc="audit@example.org"),
        ...     content=Content("Your class moved", "It is in room 7 now."),
        ... )
        >>> folder = tempfile.TemporaryDirectory()
        >>> with EmlTransport(folder.name) as transport:
        ...     for receipt in transport.deliver([notice]):
        ...         print(*receipt.handed_over)
        sam@example.com audit@example.org
        >>> folder.cleanup()

    Args:
        folder: where the files go; made, with the folders above it, when the first email is written.
        clock: asked for the Date of emails that have none.

    Raises:
        TransportValueError: the folder has no name; "." is the folder a program stands in.
    """

    def __init__(self, folder: Path | str, *, clock: Clock | None = None) -> None:
        if folder == "":
            raise TransportValueError(
                'EmlTransport() needs the name of a folder, got an empty text. Write "outbox", or "." '
                "for the current folder."
            )
        self._folder = Path(folder)
        self._clock = SystemClock() if clock is None else clock
        self._one_thread = OneThread("EmlTransport")
        self._kept = NumberedFolder(self._folder, clock=self._clock)
        self._closed = False

    def __repr__(self) -> str:
        return f"EmlTransport({str(self._folder)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """End. A second call does nothing; every file is complete already."""
        self._closed = True

    @checked_call
    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """Write emails, one after the other.

        When the folder cannot be written to (a full disk, no permission), the run stops: that email and
        all that follow are NOT_ATTEMPTED, and the receipt's reply says what the system said.

        Args:
            emails: any iterable, pulled lazily.

        Yields:
            One receipt for each email, in order.

        Raises:
            TransportError: the transport is closed, or delivers in another thread at this moment.
        """
        if self._closed:
            raise TransportError("This EmlTransport is closed; make a new one for the same folder.")
        return self._run(emails)

    def _run(self, emails: Iterable[Email]) -> Iterator[Receipt]:
        with self._one_thread:
            stopped = ""
            looked = False
            for email in emails:
                if not stopped:
                    try:
                        if not looked:
                            self._kept.look()
                            looked = True
                        self._store(email)
                    except OSError as error:
                        stopped = self._explain(error)
                yield not_attempted(email, why=stopped) if stopped else handed_over(email)

    def _store(self, email: Email) -> None:
        written = self._clock.now()
        stamped = stamp(email, written)
        data = stamped.as_bytes(smtputf8=stamped.needs_smtputf8)
        self._kept.store(email, data, _record(stamped, written))

    def _explain(self, error: OSError) -> str:
        folder = shown(str(self._folder))
        return (
            f"The e-mail could not be written into the folder {folder}: {error.strerror or error}."
            " Check that the folder's name is right, that you may write there and that the disk has room,"
            " then start the run again; it goes on behind the files that are there."
        )

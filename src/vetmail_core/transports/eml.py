"""Writes emails into a folder, one file each, to look at instead of sending.

What it is for: rehearsing a run, keeping what would have been sent, and handing mail to programs that read
`.eml` files. What it refuses: to overwrite a file, and to leave half of one behind. Its law: a `.eml` is
the message as it would go over the wire, so whoever receives a blind copy stands beside it, never in it.

The folder, for whoever reads it::

    outbox/
      000001-sam-example-com.eml     the message: CRLF lines, Date and Message-ID stamped, never a Bcc
      000001-sam-example-com.json    beside it, what the message does not say; see below
      000002-pat-example-com.eml
      000002-pat-example-com.json

- File names sort in sending order. They hold a number of six digits (beyond 999,999 a letter and seven or
  more: `a1000000`), a hyphen and the first recipient in To or Cc, in `[a-z0-9-]` alone; a blind copy gives
  `undisclosed-recipients`, because a file name is read by everybody.
- A run goes on behind the highest number it finds. Programs that write at the same moment never share a
  file name; each keeps its own order.
- The `.json` is an object: `schema` (1), `status` (`handed_over`), `written` (ISO 8601, UTC), `key`,
  `message_id`, `date`, `sender`, `to`, `cc`, `bcc`, `reply_to` (lists of `"Name" <address>`), `headers`,
  `subject`, and `added_line_end` (`text`, `html`: whose last line end is the message's, not the text's).
- The `.eml` appears last and in one step: where there is a `.eml`, both files are complete. A `.json` alone
  is a write that was killed, and a reader passes it over.
- Files and the folders made for them can be read by their owner alone (0600, 0700).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, cast

import attrs

from vetmail_core.address import parse_mailbox
from vetmail_core.clock import SystemClock
from vetmail_core.errors import TransportError
from vetmail_core.message import Attachment, Content, Email
from vetmail_core.receipts import Cause, Outcome, Phase, Receipt, Reply, Status
from vetmail_core.recipients import Recipients
from vetmail_core.transports.one_thread import OneThread

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from vetmail_core.clock import Clock

__all__ = ["EmlTransport", "StoredEmail", "read_folder"]

_SCHEMA: Final = 1
_NUMBER: Final = re.compile(r"([0-9]{6}|[a-z][0-9]{7,})-[a-z0-9-]+\.(?:eml|json)$")
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_UNSAFE: Final = re.compile(r"[^a-z0-9]+")
_SLUG_LENGTH: Final = 60
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def _sortable(number: int) -> str:
    """The number as text that sorts like the number: a letter leads those of more than six digits."""
    digits = f"{number:06d}"
    extra = len(digits) - 6
    return digits if not extra else _LETTERS[extra - 1] + digits


def _slug(email: Email) -> str:
    """The first open recipient in letters that every file system takes."""
    visible = email.recipients.to or email.recipients.cc
    if not visible:
        return "undisclosed-recipients"
    address = f"{visible[0].local_part}-{visible[0].ascii_domain}"
    return _UNSAFE.sub("-", address.lower()).strip("-")[:_SLUG_LENGTH].strip("-") or "recipient"


def _number(name: str) -> int:
    """The number in one of our file names; 0 in any other."""
    found = _NUMBER.match(name)
    return int(found[1].lstrip(_LETTERS)) if found else 0


def _write_new(path: Path, data: bytes) -> None:
    """Write a file that must not exist yet, for its owner's eyes; all of it or nothing."""
    descriptor = os.open(path, _NEW_FILE, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except BaseException:
        path.unlink()
        raise


def _record(email: Email, written: datetime) -> bytes:
    """What stands beside the message."""
    recipients = email.recipients
    facts = {
        "schema": _SCHEMA,
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
        "added_line_end": [
            name
            for name, body in (("text", email.content.text), ("html", email.content.html))
            if not body.endswith(("\n", "\r"))
        ],
    }
    return json.dumps(facts, ensure_ascii=False, indent=1).encode() + b"\n"


def _receipt(email: Email, stopped: Reply | None) -> Receipt:
    if stopped is None:
        return Receipt(
            email,
            [Outcome(mailbox, Status.HANDED_OVER, phase=Phase.HAND_OVER) for mailbox in email.recipients.all],
        )
    return Receipt(
        email,
        [
            Outcome(mailbox, Status.NOT_ATTEMPTED, cause=Cause.OTHER, reply=stopped, phase=Phase.HAND_OVER)
            for mailbox in email.recipients.all
        ],
        attempts=0,
        reply=stopped,
    )


class EmlTransport:
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
    """

    def __init__(self, folder: Path | str, *, clock: Clock | None = None) -> None:
        self._folder = Path(folder)
        self._clock = SystemClock() if clock is None else clock
        self._one_thread = OneThread("EmlTransport")
        self._next = 0
        self._seen = -1
        self._closed = False

    def __repr__(self) -> str:
        return f"EmlTransport({str(self._folder)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End. A second call does nothing; every file is complete already."""
        self._closed = True

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
            stopped: Reply | None = None
            looked = False
            for email in emails:
                if stopped is None:
                    try:
                        if not looked:
                            self._look()
                            looked = True
                        self._store(email)
                    except OSError as error:
                        stopped = self._explain(error)
                yield _receipt(email, stopped)

    def _look(self) -> None:
        """Make the folder, and go on behind the highest number in it."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A folder of a million files is not listed again for each email: only when somebody else wrote.
        if self._folder.stat().st_mtime_ns != self._seen:
            highest = max((_number(path.name) for path in self._folder.iterdir()), default=0)
            self._next = max(self._next, highest + 1)

    def _store(self, email: Email) -> None:
        written = self._clock.now()
        stamped = email.stamped(written)
        data = stamped.as_bytes(smtputf8=stamped.needs_smtputf8)
        record = _record(stamped, written)
        slug = _slug(email)
        while not self._store_as(f"{_sortable(self._next)}-{slug}", data, record):
            self._next += 1
        self._next += 1
        self._seen = self._folder.stat().st_mtime_ns

    def _store_as(self, stem: str, data: bytes, record: bytes) -> bool:
        """Write both files under a name of their own; False when the name is taken."""
        part = self._folder / f"{stem}.part"
        message = self._folder / f"{stem}.eml"
        with contextlib.ExitStack() as undo:
            try:
                # The record comes first and must be new: who made it owns the other two names.
                for path, content in ((self._folder / f"{stem}.json", record), (part, data)):
                    _write_new(path, content)
                    undo.callback(path.unlink)
                if message.exists():
                    return False
                part.rename(message)
            except FileExistsError:
                return False
            undo.pop_all()
        return True

    def _explain(self, error: OSError) -> Reply:
        return Reply(
            0,
            "",
            f"The e-mail could not be written into the folder {self._folder}: {error.strerror or error}."
            " Check that the folder's name is right, that you may write there and that the disk has room,"
            " then start the run again; it goes on behind the files that are there.",
        )


class _Facts:
    """The object in a `.json`, asked for values of the right kind."""

    def __init__(self, text: bytes) -> None:
        facts: object = json.loads(text)
        if not isinstance(facts, dict) or facts.get("schema") != _SCHEMA:
            raise ValueError(f'expected a JSON object with "schema": {_SCHEMA}')
        self._facts = cast("dict[str, object]", facts)

    def text(self, name: str) -> str:
        value = self._facts.get(name)
        if not isinstance(value, str):
            raise ValueError(f'expected a text as "{name}", got {value!r:.60}')  # noqa: TRY004 - the file is wrong, not the call
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._facts.get(name)
        if not isinstance(value, list):
            raise ValueError(f'expected a list as "{name}", got {value!r:.60}')  # noqa: TRY004 - as above
        return tuple(map(str, cast("list[object]", value)))

    def mapping(self, name: str) -> dict[str, str]:
        value = self._facts.get(name)
        if not isinstance(value, dict):
            raise ValueError(f'expected an object as "{name}", got {value!r:.60}')  # noqa: TRY004 - as above
        return {str(key): str(one) for key, one in cast("dict[object, object]", value).items()}


@attrs.frozen(kw_only=True)
class StoredEmail:
    """One email of a folder.

    Args:
        path: the `.eml` file.
        email: what was handed to the transport, stamped with Date and Message-ID.
        written: when it was written; aware, UTC.
        data: the bytes of the `.eml` file.
    """

    path: Path
    email: Email
    written: datetime
    data: bytes = attrs.field(repr=False)

    def receipt(self) -> Receipt:
        """What the transport answered."""
        return _receipt(self.email, None)


def read_folder(folder: Path | str) -> Iterator[StoredEmail]:
    """Read back what was written, in sending order.

    Files of other names, and a `.json` alone, are passed over.

    Args:
        folder: the folder an `EmlTransport` wrote to.

    Yields:
        The emails, one at a time.

    Raises:
        TransportError: the folder cannot be read, or one of its files is not what was written.
    """
    try:
        names = sorted(path.name for path in Path(folder).iterdir())
    except OSError as error:
        raise TransportError(
            f"The folder {folder} cannot be read: {error.strerror}. Expected a folder with .eml files,"
            " such as `send --outbox` writes; check its name."
        ) from error
    for name in names:
        if name.endswith(".eml") and _number(name):
            yield _read(Path(folder) / name)


def _read(path: Path) -> StoredEmail:
    try:
        data = path.read_bytes()
        facts = _Facts(path.with_suffix(".json").read_bytes())
        email = Email(
            sender=parse_mailbox(facts.text("sender")),
            recipients=Recipients(to=facts.texts("to"), cc=facts.texts("cc"), bcc=facts.texts("bcc")),
            content=_content(data, facts),
            reply_to=facts.texts("reply_to"),
            key=facts.text("key"),
            message_id=facts.text("message_id"),
            date=datetime.fromisoformat(facts.text("date")),
            headers=facts.mapping("headers"),
        )
        return StoredEmail(
            path=path, email=email, written=datetime.fromisoformat(facts.text("written")), data=data
        )
    except (OSError, ValueError) as error:
        raise TransportError(
            f"{path} and the .json beside it are not what an EmlTransport wrote: {error}."
            " Restore the two files, or move them out of the folder."
        ) from error


def _content(data: bytes, facts: _Facts) -> Content:
    """What is read, out of the message itself; its last line end only where the text had one."""
    from email import message_from_bytes, policy  # noqa: PLC0415 - heavy, and writing does without it

    text = html = ""
    attachments: list[Attachment] = []
    for part in message_from_bytes(data, policy=policy.default).walk():
        kind = part.get_content_type()
        if part.is_multipart():
            continue
        octets = part.get_payload(decode=True)
        if not isinstance(octets, bytes):
            continue
        if part.get_content_disposition() == "attachment":
            attachments.append(Attachment(part.get_filename("attachment"), octets, kind))
        elif kind == "text/html":
            html = octets.decode()
        else:
            text = octets.decode()
    added = facts.texts("added_line_end")
    return Content(
        facts.text("subject"),
        _read_as_given(text, added="text" in added),
        html=_read_as_given(html, added="html" in added),
        attachments=attachments,
    )


def _read_as_given(body: str, *, added: bool) -> str:
    body = body.replace("\r\n", "\n")
    return body.removesuffix("\n") if added else body

"""Emails out of a folder.

Content comes from the message itself, blind copies from the record beside it.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

import attrs

from vetmail_core.address import parse_mailbox
from vetmail_core.errors import TransportError
from vetmail_core.message import Attachment, Content, Email
from vetmail_core.recipients import Recipients
from vetmail_core.transports.eml.names import number_of
from vetmail_core.transports.eml.writing import SCHEMA
from vetmail_core.transports.hand_over import handed_over

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage

    from vetmail_core.receipts import Receipt

__all__ = ["StoredEmail", "read_folder"]


class _Facts:
    """The object in a `.json`, asked for values of the right kind."""

    def __init__(self, text: str) -> None:
        facts: object = json.loads(text)
        self._facts = cast("dict[str, object]", facts) if isinstance(facts, dict) else {}
        if self._facts.get("schema") != SCHEMA:
            raise ValueError(f'expected a JSON object with "schema": {SCHEMA}')

    def text(self, name: str, *, missing: str | None = None) -> str:
        value = self._facts.get(name, missing)
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
        return handed_over(self.email)


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
        if name.endswith(".eml") and number_of(name):
            yield _read(Path(folder) / name)


def _read(path: Path) -> StoredEmail:
    try:
        data = path.read_bytes()
        facts = _Facts(path.with_suffix(".json").read_text(encoding="utf-8"))
        email = Email(
            sender=parse_mailbox(facts.text("sender")),
            recipients=Recipients(to=facts.texts("to"), cc=facts.texts("cc"), bcc=facts.texts("bcc")),
            content=_content(data, facts),
            reply_to=facts.texts("reply_to"),
            key=facts.text("key"),
            message_id=facts.text("message_id"),
            date=datetime.fromisoformat(facts.text("date")),
            headers=facts.mapping("headers"),
            bounce_to=facts.text("bounce_to", missing="") or None,
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
    invitation: bytes | None = None
    attachments: list[Attachment] = []
    for part in _parts(message_from_bytes(data, policy=policy.default)):
        kind, name = part.get_content_type(), part.get_filename("attachment")
        if kind == "message/rfc822":
            inner = cast("EmailMessage", part.get_content())
            as_it_is = policy.SMTP.clone(refold_source="none")
            attachments.append(Attachment(name, inner.as_bytes(policy=as_it_is), kind))
            continue
        octets = cast("bytes", part.get_payload(decode=True))  # of a part that is no multipart
        if part.get_content_disposition() in {"attachment", "inline"}:
            inline = str(part.get("Content-ID", "")).strip("<>")
            attachments.append(Attachment(name, octets, kind, inline=inline))
        elif kind == "text/calendar":
            invitation = octets
        elif kind == "text/html":
            html = octets.decode(part.get_content_charset("utf-8"))
        else:
            text = octets.decode(part.get_content_charset("utf-8"))
    added = facts.texts("added_line_end")
    return Content(
        facts.text("subject"),
        _read_as_given(text, added="text" in added),
        html=_read_as_given(html, added="html" in added),
        attachments=attachments,
        invitation=invitation,
    ).finished()


def _parts(message: EmailMessage) -> Iterator[EmailMessage]:
    """The parts that hold something; an attached email is one, whatever is in it."""
    if message.get_content_maintype() == "multipart":
        for part in message.iter_parts():
            yield from _parts(cast("EmailMessage", part))
    else:
        yield message


def _read_as_given(body: str, *, added: bool) -> str:
    body = body.replace("\r\n", "\n")
    return body.removesuffix("\n") if added else body

"""Send a message that another program has written, such as Django.

Its header and parts leave as they are, in CRLF and seven bits, so that every server takes them. No Bcc header
leaves, whoever wrote it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, cast

from vetmail_core.errors import MessageError, wrong_type
from vetmail_core.message.attachment import Attachment
from vetmail_core.message.content import Content
from vetmail_core.message.headers import text_header
from vetmail_core.message.structure import attached_message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from email.message import EmailMessage

__all__ = ["as_written", "content_of", "with_headers"]

_LINE: Final = re.compile(rb"[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*")  # of a header, with what it goes on with
_FIELD: Final = re.compile(rb"[!-9;-~]+[ \t]*:")  # a header's name (RFC 5322, section 2.2)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def as_written(data: bytes) -> bytes:
    """Write the octets of a message as they can go on the wire: CRLF, seven bits, no Bcc.

    Raises:
        MessageError: it is not bytes, has no header, or cannot be written in seven bits.
    """
    if not isinstance(data, bytes):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
        raise wrong_type(
            "written=", "the octets of a message", data, "write message.as_bytes()", error=MessageError
        )
    head, body = _halves(attached_message(data))
    if not head:
        raise MessageError("written needs a message that begins with its headers, got a text without")
    return b"".join(line for line in head if _name(line) not in {b"bcc", b"resent-bcc"}) + body


def with_headers(data: bytes, headers: Mapping[str, str | None]) -> bytes:
    """Put headers in the place of those with the same names; None takes one away.

    Args:
        data: from `as_written`.
        headers: name -> text.
    """
    head, body = _halves(data)
    gone = {name.lower().encode() for name in headers}
    new = [text_header(name, value).encode() for name, value in headers.items() if value is not None]
    return b"".join([*new, *(line for line in head if _name(line) not in gone)]) + body


def content_of(data: bytes) -> Content:
    """Read what a reader's program shows of a written message: subject, text, HTML and files."""
    from email import message_from_bytes, policy  # noqa: PLC0415 - heavy, and only messages made elsewhere need it

    message = message_from_bytes(data, policy=policy.default)
    text = html = ""
    files: list[Attachment] = []
    for part in _parts(message):
        kind = part.get_content_type()
        if kind == "text/html" and not html and not part.is_attachment():
            html = _text(part)
        elif kind == "text/plain" and not text and not part.is_attachment():
            text = _text(part)
        else:
            files.append(_file(part, kind))
    return Content.as_read(_CONTROL.sub(" ", str(message.get("Subject", ""))), text, html, files)


def _halves(data: bytes) -> tuple[list[bytes], bytes]:
    """The lines of the header, and the body with the empty line before it."""
    end = data.find(b"\r\n\r\n")
    head, body = (data, b"\r\n") if end < 0 else (data[: end + 2], data[end + 2 :])
    lines = _LINE.findall(head)
    return (lines, body) if all(map(_FIELD.match, lines)) else ([], data)


def _name(line: bytes) -> bytes:
    return line.partition(b":")[0].strip().lower()


def _parts(message: EmailMessage) -> Iterator[EmailMessage]:
    """The parts that hold something; an attached email is one, whatever is in it."""
    if message.get_content_maintype() == "multipart":
        for part in message.iter_parts():
            yield from _parts(cast("EmailMessage", part))
    else:
        yield message


def _octets(part: EmailMessage) -> bytes:
    if part.is_multipart():  # an attached email
        from email import policy  # noqa: PLC0415 - as above

        inner = cast("list[EmailMessage]", part.get_payload())[0]
        return inner.as_bytes(policy=policy.SMTP.clone(refold_source="none"))
    return cast("bytes", part.get_payload(decode=True))


def _text(part: EmailMessage) -> str:
    octets = _octets(part)
    try:
        text = octets.decode(part.get_content_charset("utf-8"))
    except (LookupError, UnicodeDecodeError):
        text = octets.decode(errors="replace")
    return text.replace("\r\n", "\n")


def _file(part: EmailMessage, kind: str) -> Attachment:
    """A part as a file; one whose name or kind no file of ours may have is shown under a plain one."""
    octets = _octets(part)
    inline = str(part.get("Content-ID", "")).strip(" <>")
    try:
        return Attachment(part.get_filename("attachment"), octets, kind, inline=inline)
    except MessageError:
        return Attachment("attachment", octets, "application/octet-stream")

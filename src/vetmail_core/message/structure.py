"""How the parts of a content are put together, and what each part must be for that.

::

    mixed
      alternative
        text/plain
        related
          text/html          <img src="cid:logo">
          image/png          Content-ID: <logo>
        text/calendar        an invitation
      application/pdf        an attachment

A level stands only where it has two parts. Boundaries come from the text, not from chance.
"""

from __future__ import annotations

import re
from binascii import crc32
from typing import TYPE_CHECKING, Final

from vetmail_core.errors import MessageError, wrong_type
from vetmail_core.message.bodies import encoded_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vetmail_core.message.attachment import Attachment

__all__ = [
    "attached_message",
    "boundary",
    "calendar_method",
    "calendar_part",
    "check_inline",
    "check_invitation",
    "joined",
    "multipart",
]

_LONGEST_LINE: Final = 998  # octets, the line end not counted (RFC 5322, section 2.1.1)
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_FOLD: Final = re.compile(r"(?:\r\n|\r|\n)[ \t]")  # RFC 5545, section 3.1
_METHOD: Final = re.compile(
    r"^METHOD(?:;[^:\r\n]*)?:([A-Za-z0-9-]+)[ \t]*$", re.IGNORECASE | re.MULTILINE | re.ASCII
)
_CALENDAR: Final = re.compile(r"^BEGIN:VCALENDAR[ \t]*$", re.IGNORECASE | re.MULTILINE | re.ASCII)
# In the value of an attribute, or in a style's url(): the words of a text are never looked at.
_CID: Final = re.compile(
    r"""(?:=\s*+["']?|\burl\(\s*+["']?)\s*+cid:([^"'\s<>)]++)""", re.IGNORECASE | re.ASCII
)


def boundary(level: str, *parts: bytes) -> bytes:
    """Make a boundary that stands in none of the parts.

    ``=_`` cannot come up in quoted-printable or base64; a 7bit text may quote a whole message, so all are
    looked at.
    """
    digest = 0
    for part in parts:
        digest = crc32(part, digest)
    mark = b"=_%s_%08x" % (level.encode(), digest)
    while any(mark in part for part in parts):
        mark += b"_"
    return mark


def multipart(subtype: str, mark: bytes) -> bytes:
    """Write the head of a level, up to its first part."""
    # RFC 2387, section 3.1: related says which of its parts is the root.
    root = b' type="text/html";\r\n' if subtype == "related" else b""
    head = b'Content-Type: multipart/%s;\r\n%s boundary="%s"\r\n\r\n--%s\r\n'
    return head % (subtype.encode(), root, mark, mark)


def joined(subtype: str, parts: list[bytes]) -> bytes:
    """Put parts together to a level; one alone stays as it is."""
    if len(parts) == 1:
        return parts[0]
    mark = boundary(subtype, *parts)
    return multipart(subtype, mark) + (b"\r\n--" + mark + b"\r\n").join(parts) + b"\r\n--" + mark + b"--\r\n"


def _content_id(written: str) -> str:
    """The id that a ``cid:`` of an HTML names."""
    from html import unescape  # noqa: PLC0415 - only with files that the HTML shows
    from urllib.parse import unquote  # noqa: PLC0415 - as above

    return unquote(unescape(written))


def check_inline(html: str, attachments: Iterable[Attachment]) -> None:
    """Make sure that each ``cid:`` of an HTML has its part, and each inline part its ``cid:``.

    Raises:
        MessageError: one of them has no partner, or two parts have one id.
    """
    inline = [attachment.inline for attachment in attachments if attachment.inline]
    named = {_content_id(found) for found in _CID.findall(html)}
    twice = next((one for one in inline if inline.count(one) > 1), None)
    if twice is not None:
        raise MessageError(f'two attachments have inline="{twice}"; give each an id of its own')
    for name in sorted(named.difference(inline)):
        from difflib import get_close_matches  # noqa: PLC0415 - needed for this sentence only

        near = get_close_matches(name, inline, n=1)
        advice = (
            f'did you mean "{near[0]}"?' if near else f'attach it: Attachment(name, data, inline="{name}")'
        )
        raise MessageError(f'the html shows "cid:{name}", and no attachment is inline="{name}"; {advice}')
    for name in inline:
        if name not in named:
            raise MessageError(
                f'the attachment inline="{name}" is not shown by the html; write <img src="cid:{name}"> '
                "there, or attach it without inline="
            )


def check_invitation(value: object) -> None:
    """Make sure that an invitation is a calendar that says what is done with it.

    Raises:
        MessageError: it is not bytes in UTF-8, not a calendar, or has no METHOD.
    """
    if not isinstance(value, bytes):
        raise wrong_type("the invitation", "bytes", value, "write calendar.encode()", error=MessageError)
    calendar_method(value)


def calendar_method(data: bytes) -> str:
    """Read the METHOD of a calendar, "REQUEST" (RFC 5546, section 1.4)."""
    try:
        text = _FOLD.sub("", data.decode())
    except UnicodeDecodeError as error:
        raise MessageError(
            f"the invitation is not UTF-8: found byte 0x{data[error.start]:02x} at {error.start}; "
            "encode it as UTF-8"
        ) from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _CALENDAR.search(text) is None:
        raise MessageError("the invitation has no BEGIN:VCALENDAR; give the octets of an .ics file")
    method = _METHOD.search(text)
    if method is None:
        raise MessageError(
            "the invitation has no METHOD, so no program would know whether it invites or cancels; write "
            "METHOD:REQUEST after BEGIN:VCALENDAR, or attach the file instead"
        )
    return method[1].upper()


def calendar_part(data: bytes) -> bytes:
    """Write an invitation as the alternative part that calendars look for (RFC 6047, section 2.4)."""
    encoding, body = encoded_text(data.decode())
    head = (
        f'Content-Type: text/calendar; method={calendar_method(data)}; charset="utf-8"\r\n'
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    return head.encode() + body


def attached_message(data: bytes) -> bytes:
    """Write the octets of an email so that it can be a part: CRLF and seven bits (RFC 2046, section 5.2.1).

    A ``message/rfc822`` part may not be encoded as a whole, so parts within it that are not seven bits are.

    Raises:
        MessageError: it cannot be written in seven bits.
    """
    lines = _LINE_END.sub(b"\r\n", data)
    if not _is_seven_bit(lines):
        lines = _reencoded(data)
        if not _is_seven_bit(lines):
            raise MessageError(
                "the attached email cannot be written in seven bits, as message/rfc822 must be; attach it as "
                "application/octet-stream"
            )
    return lines if lines.endswith(b"\r\n") else lines + b"\r\n"


def _is_seven_bit(data: bytes) -> bool:
    return data.isascii() and b"\0" not in data and max(map(len, data.split(b"\r\n"))) <= _LONGEST_LINE


def _reencoded(data: bytes) -> bytes:
    from email import message_from_bytes, policy  # noqa: PLC0415 - heavy, and seldom needed
    from email.generator import BytesGenerator  # noqa: PLC0415 - likewise
    from io import BytesIO  # noqa: PLC0415 - likewise

    from vetmail_core.message.bodies import base64_lines  # noqa: PLC0415 - likewise

    message = message_from_bytes(data)
    for part in message.walk():
        if part.is_multipart():
            continue
        octets = part.get_payload(decode=True)
        encoded = str(part.get("Content-Transfer-Encoding", "")).strip().lower() in {
            "base64",
            "quoted-printable",
        }
        if isinstance(octets, bytes) and not encoded and not _is_seven_bit(_LINE_END.sub(b"\r\n", octets)):
            del part["Content-Transfer-Encoding"]
            part["Content-Transfer-Encoding"] = "base64"
            part.set_payload(base64_lines(octets).decode().replace("\r\n", "\n"))
    out = BytesIO()
    rules = policy.compat32.clone(linesep="\r\n", cte_type="7bit")
    BytesGenerator(out, mangle_from_=False, policy=rules).flatten(message)
    return out.getvalue()

"""Reading the reports that come back after an email was accepted.

A report is read from the outside in, and only as deep as a report is: the email itself, or the one part of a
``multipart/mixed`` that a gateway put around it, and of that the direct parts. Nothing inside a returned or
forwarded email is looked at but the header of the one that came back, so whoever forwards a report does not
bounce. Parts are cut out of the octets here, because the standard library's parser turns the fields of a
report into messages before their encoding is taken off. Each step takes time in proportion to the length.

Sources: RFC 3464 (delivery reports), 3461 (envelope id, xtext), 6533 (addresses beyond ASCII), 5965 (abuse
reports), and qmail's published form, QSBMF.
"""

from __future__ import annotations

import re
from email.message import Message
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from vetmail_core.errors import wrong_type
from vetmail_core.notices import Action, Bounce, BounceTaken, NeverReached, Notice
from vetmail_core.receipts import Cause, Phase, Reply
from vetmail_core.transports.replies import meaning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Fields = Mapping[str, str]

__all__ = ["Action", "Bounce", "BounceTaken", "NeverReached", "Notice", "read_bounce"]

_STATUS_PARTS: Final = {"message/delivery-status", "message/global-delivery-status"}
_RETURNED_PARTS: Final = {
    "message/rfc822",
    "message/global",
    "text/rfc822-headers",
    "message/global-headers",
}
_ACTIONS: Final = {action.value: action for action in Action if action is not Action.COMPLAINED}
# Codes that only reports use, for a domain that is not there: a server we talk to says it otherwise.
_NO_SUCH_DOMAIN: Final = {"5.4.4", "5.4.310"}
_CODE: Final = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d]|\.\d)", re.ASCII)
_REPLY_CODE: Final = re.compile(r"(?<![\d.])([45]\d\d)(?![\d.])", re.ASCII)
_XTEXT: Final = re.compile(r"\+([0-9A-F]{2})")
_TEXT_BEYOND_ASCII: Final = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")
_COMMENT: Final = re.compile(r"\([^()]*\)")
_TYPE: Final = re.compile(r"\s*([A-Za-z0-9-]+)\s*;", re.ASCII)
_IDENTITY: Final = re.compile(r"<[^<>\s]+>", re.ASCII)
_QMAIL: Final = re.compile(rb"Hi\. This is the [^\r\n]{1,200}\r?\n")
_QMAIL_COPY: Final = re.compile(r"^--- Below this line is a copy.*\n?", re.MULTILINE)
_QMAIL_PERSON: Final = re.compile(r"<([^<>\n]+)>:[ \t]*\n(.*)", re.DOTALL)
_NO_FIELDS: Final[Fields] = MappingProxyType({})
_HEADER_END: Final = re.compile(rb"\A\r?\n|\n\r?\n")
_EMPTY_LINE: Final = re.compile(r"\n[ \t]*\n")
_FOLD: Final = re.compile(r"\n[ \t]+")
_LONGEST_SAID: Final = 300
# No report has more; whoever sends more shall not keep us busy.
_LONGEST_HEADER: Final = 100_000
_MOST_PARTS: Final = 50


def read_bounce(raw: bytes) -> Bounce | None:
    """Read what a mail server sent back about an email of ours.

    Args:
        raw: the email as it was fetched, headers and all.

    Returns:
        What the report says of each recipient, or None where the email is not a report: an automatic answer,
        a read receipt, a forwarded report, half a file, or anything else.

    Raises:
        TypeError: `raw` is text; a report must be read from its octets.
    """
    if not isinstance(raw, bytes):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
        raise wrong_type(
            "read_bounce()",
            "the raw bytes of an email",
            raw,
            'Fetch it as bytes, such as the RFC822 item of imaplib, or open the file with mode "rb".',
        )
    header, body = _taken_apart(raw)
    if _kind(header) == "multipart/mixed":
        wrapped = (part for part in _parts(header, body) if _kind(part[0]) == "multipart/report")
        header, body = next(wrapped, (_NO_FIELDS, b""))
    if _kind(header) == "multipart/report":
        return _reported(header, body)
    return _by_qmail(header, body)


def _reported(report: Fields, body: bytes) -> Bounce | None:
    """Read the parts of a ``multipart/report``."""
    notices: list[Notice] = []
    envelope_id = returned_id = original_id = ""
    for header, content in _parts(report, body):
        kind = _kind(header)
        if kind in _STATUS_PARTS:
            blocks = list(_blocks(_decoded(header, content)))
            notices += [notice for fields in blocks for notice in _of_one_recipient(fields)]
            about_the_email = blocks[0] if blocks else _NO_FIELDS
            envelope_id = _unescaped(about_the_email.get("original-envelope-id", ""))
            original_id = about_the_email.get("x-original-message-id", "")
        elif kind == "message/feedback-report":
            fields = next(_blocks(_decoded(header, content)), _NO_FIELDS)
            if fields.get("feedback-type", "").lower() == "abuse":
                notices.append(Notice(_address(fields.get("original-rcpt-to", "")), Action.COMPLAINED))
            envelope_id = _unescaped(fields.get("original-envelope-id", ""))
        elif kind in _RETURNED_PARTS and not returned_id:
            returned, _text_of_it = _taken_apart(_decoded(header, content).lstrip(b"\r\n"))
            returned_id = returned.get("message-id", "")
    if not notices:
        return None
    message_id = _identity(returned_id) or _identity(original_id) or _identity(report.get("in-reply-to", ""))
    return Bounce(envelope_id=envelope_id, message_id=message_id, notices=tuple(notices))


def _of_one_recipient(fields: Fields) -> Iterator[Notice]:
    """Read the fields about one recipient; nothing where they are about none, or say what nobody knows."""
    final = fields.get("final-recipient", "")
    original = fields.get("original-recipient", "")
    action = _ACTIONS.get(_COMMENT.sub("", fields.get("action", "")).strip().lower())
    address = _address(original, same_as=final) or _address(final)
    if action is None or not address:
        return
    words = fields.get("diagnostic-code", "")
    said = _on_one_line(words[typed.end() :] if (typed := _TYPE.match(words)) else words)
    enhanced = _most_exact(fields.get("status", ""), words)
    yield Notice(address, action, enhanced, said, _cause(action, enhanced, said))


def _address(typed: str, *, same_as: str | None = None) -> str:
    """Take an address out of ``rfc822; <sam+2Bclass@remote.example>``.

    Args:
        typed: the field.
        same_as: for an original recipient, which is xtext (RFC 3461, 4.2), the final one. Where both read
            alike nothing was escaped, and a plus is a plus.
    """
    kind = _TYPE.match(typed)
    text = _on_one_line(typed[kind.end() :] if kind else typed).strip("<> ")
    if kind and kind[1].lower() == "utf-8":
        return _TEXT_BEYOND_ASCII.sub(_character, text)
    if same_as is None or text == _address(same_as):
        return text
    return _unescaped(text)


def _character(found: re.Match[str]) -> str:
    try:
        character = chr(int(found[1], 16))
    except ValueError:  # beyond Unicode
        return found[0]
    return character if character.isprintable() else found[0]


def _unescaped(xtext: str) -> str:
    """Take xtext back (RFC 3461, 4): only where every plus begins an escape, as else it is plain text."""
    if len(_XTEXT.findall(xtext)) != xtext.count("+"):
        return xtext
    octets = _XTEXT.sub(lambda found: chr(int(found[1], 16)), xtext)
    try:
        return octets.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return xtext


def _most_exact(status: str, words: str) -> str:
    """Choose the code: Exim says 5.0.0 whatever happened, and the remote server's words say more."""
    stated = _CODE.search(_COMMENT.sub("", status))
    codes = [found for found in _CODE.finditer(words) if stated is None or found[1] == stated[1]]
    if stated is None or stated[0].endswith(".0.0"):
        return next(
            (found[0] for found in codes if not found[0].endswith(".0.0")), stated[0] if stated else ""
        )
    return stated[0]


def _cause(action: Action, enhanced: str, said: str) -> Cause | None:
    """Ask the table that reads SMTP replies; a report says nothing of the step, so the last is assumed."""
    if action not in {Action.FAILED, Action.DELAYED}:
        return None
    if enhanced in _NO_SUCH_DOMAIN:
        return Cause.BAD_RECIPIENT
    spoken = _REPLY_CODE.search(said)
    code = int(spoken[1]) if spoken else 450 if enhanced.startswith("4") else 550
    found = meaning(Reply(code, enhanced, said), Phase.DOT).cause
    if enhanced.startswith("5.7.") and not _suppresses_nobody(found):
        return Cause.SENDER_NOT_ALLOWED  # policy (RFC 3463, 3.8) is about us, whatever the words are
    return found


def _suppresses_nobody(cause: Cause) -> bool:
    return cause.is_about_us or cause in {Cause.CONTENT_REFUSED, Cause.TOO_LARGE}


def _by_qmail(header: Fields, body: bytes) -> Bounce | None:
    """Read qmail's form: an address and a colon, words, an empty line, and at the end a copy of the email."""
    octets = _decoded(header, body)
    if not _QMAIL.match(octets):
        return None
    told, *copy = _QMAIL_COPY.split(_text(octets), maxsplit=1)
    notices: list[Notice] = []
    for paragraph in _EMPTY_LINE.split(told):
        if found := _QMAIL_PERSON.match(paragraph):
            said = _on_one_line(found[2])
            enhanced = _most_exact("", said)
            cause = _cause(Action.FAILED, enhanced, said)
            notices.append(Notice(_on_one_line(found[1]), Action.FAILED, enhanced, said, cause))
    if not notices:
        return None
    returned = _fields(_EMPTY_LINE.split("".join(copy).lstrip("\n"), maxsplit=1)[0])
    return Bounce(message_id=_identity(returned.get("message-id", "")), notices=tuple(notices))


def _taken_apart(octets: bytes) -> tuple[Fields, bytes]:
    """Part an email, or a part of one, into its header and the rest."""
    end = _HEADER_END.search(octets)
    head, rest = (octets[: end.start()], octets[end.end() :]) if end else (octets, b"")
    return _fields(_text(head[:_LONGEST_HEADER])), rest


def _parts(header: Fields, body: bytes) -> Iterator[tuple[Fields, bytes]]:
    """Cut a multipart into its parts (RFC 2046, 5.1.1); what follows the closing line is not one."""
    multipart = Message()
    multipart["Content-Type"] = header["content-type"]
    boundary = multipart.get_boundary()
    if not boundary:
        return
    mark = re.escape(boundary.encode("utf-8", "replace"))
    lines = re.compile(rb"(?:\A|\n)--" + mark + rb"(--)?[ \t]*\r?(?=\n|\Z)")
    began: int | None = None
    for line in islice(lines.finditer(body), _MOST_PARTS):
        if began is not None:
            yield _taken_apart(body[began : line.start()])
        if line[1]:
            return
        began = line.end() + 1
    if began is not None:
        yield _taken_apart(body[began:])  # the file was cut short


def _kind(header: Fields) -> str:
    return header.get("content-type", "").partition(";")[0].strip().lower()


def _decoded(header: Fields, content: bytes) -> bytes:
    """Take the encoding of a part off, by the standard library, which bears what is damaged."""
    encoding = header.get("content-transfer-encoding", "").lower()
    if encoding not in {"base64", "quoted-printable"}:
        return content
    part = Message()
    part["Content-Transfer-Encoding"] = encoding
    part.set_payload(content.decode("ascii", "surrogateescape"))
    taken_off = part.get_payload(decode=True)
    assert isinstance(taken_off, bytes)  # noqa: S101 - what `decode` means for a text
    return taken_off


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "replace").replace("\r\n", "\n")


def _blocks(octets: bytes) -> Iterator[Fields]:
    """Read blocks of fields, parted by empty lines."""
    return filter(None, map(_fields, _EMPTY_LINE.split(_text(octets).strip("\n"))))


def _fields(block: str) -> Fields:
    """Read fields: folded lines joined by a space, names in any case; of two with one name the first."""
    fields: dict[str, str] = {}
    for line in _FOLD.sub(" ", block).split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), value.strip())
    return fields


def _identity(value: str) -> str:
    found = _IDENTITY.search(value)
    return found[0] if found else ""


def _on_one_line(text: str) -> str:
    """Make a server's words fit to be kept: one line, no control character, not without end."""
    shown = "".join(character if character.isprintable() else " " for character in text[: 10 * _LONGEST_SAID])
    return " ".join(shown.split())[:_LONGEST_SAID]

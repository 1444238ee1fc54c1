"""A file that travels with an email.

A file is encoded once, however many emails carry it. A name that breaks its header, leads to another folder
or hides its ending is refused. The receiver saves exactly the octets that were given.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final, Self, final

import attrs

from vetmail_core._files import read_whole
from vetmail_core.address.addr_spec import in_quotes
from vetmail_core.address.encoded_words import WORD_LINE, encoded_words
from vetmail_core.errors import MessageError, wrong_type
from vetmail_core.message.bodies import base64_lines
from vetmail_core.message.headers import SOFT_LIMIT, check_text, fold_words
from vetmail_core.message.structure import attached_message

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

__all__ = ["Attachment"]

_NAME_LIMIT: Final = 255
_LARGEST: Final = 256 * 1024 * 1024  # more than any mail server takes
_HARD_LIMIT: Final = 998  # RFC 5322, section 2.1.1
_WORD: Final = r"[a-z0-9][a-z0-9!#$&^_.+-]*"  # RFC 6838, section 4.2
_VALUE: Final = r'[a-z0-9!#$&^_.+-]+|"[a-z0-9 !#$&^_.+/:;,=()-]*"'
_MEDIA_TYPE: Final = re.compile(f"{_WORD}/{_WORD}(?: *; *{_WORD}=(?:{_VALUE}))*", re.IGNORECASE | re.ASCII)
_PARAMETER: Final = re.compile(f"; *({_WORD})=({_VALUE})", re.IGNORECASE | re.ASCII)
_COMPOSITE: Final = ("message/", "multipart/")
_MESSAGE: Final = "message/rfc822"
_CONTENT_ID: Final = re.compile(r"[!-;=?-~]+")  # ASCII without spaces, "<" and ">"
_SEPARATOR: Final = re.compile(r"[/\\]")
# Unicode's overrides, embeddings, isolates and marks of direction: "invoice\u202efdp.exe" is shown as
# "invoiceexe.pdf".
_DIRECTION: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_ATTR_CHAR: Final = "!#$&+-.^_`|~"  # beside letters and digits (RFC 8187, section 3.2.1)

# An own table: the standard library's reads the machine's files, and the same name would then
# make different bytes on different machines.
_MEDIA_TYPES: Final = {
    "7z": "application/x-7z-compressed",
    "bmp": "image/bmp",
    "csv": "text/csv",
    "doc": "application/msword",
    "docm": "application/vnd.ms-word.document.macroenabled.12",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "gif": "image/gif",
    "gz": "application/gzip",
    "heic": "image/heic",
    "htm": "text/html",
    "html": "text/html",
    "ics": "text/calendar",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "json": "application/json",
    "m4a": "audio/mp4",
    "md": "text/markdown",
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "msg": "application/vnd.ms-outlook",
    "odp": "application/vnd.oasis.opendocument.presentation",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "odt": "application/vnd.oasis.opendocument.text",
    "pdf": "application/pdf",
    "png": "image/png",
    "ppt": "application/vnd.ms-powerpoint",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "rtf": "application/rtf",
    "svg": "image/svg+xml",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "tsv": "text/tab-separated-values",
    "txt": "text/plain",
    "vcf": "text/vcard",
    "wav": "audio/wav",
    "webp": "image/webp",
    "xls": "application/vnd.ms-excel",
    "xlsm": "application/vnd.ms-excel.sheet.macroenabled.12",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xml": "application/xml",
    "zip": "application/zip",
}


def _checked_filename(_instance: object, _attribute: attrs.Attribute[str], value: object) -> None:
    if not isinstance(value, str) or value.strip() in {"", ".", ".."}:
        raise MessageError(f"an attachment needs a file name, such as invoice.pdf, got {value!a}")
    if len(value) > _NAME_LIMIT:
        raise MessageError(
            f"the name of an attachment has {len(value)} characters and may have {_NAME_LIMIT}; shorten it"
        )
    check_text(value, place="the name of an attachment")
    separator = _SEPARATOR.search(value)
    if separator is not None:
        raise MessageError(
            f"the name of an attachment holds {separator[0]!r} at character {separator.start() + 1}, and the "
            "receiver's program could take that for a folder; give the file's own name alone, or use "
            "Attachment.from_path"
        )
    direction = _DIRECTION.search(value)
    if direction is not None:
        raise MessageError(
            f"the name of an attachment holds U+{ord(direction[0]):04X} {unicodedata.name(direction[0])} at "
            f"character {direction.start() + 1}, which can disguise its ending; take it out"
        )


def _checked_data(instance: Attachment, _attribute: attrs.Attribute[bytes], value: object) -> None:
    if not isinstance(value, bytes):
        could_change = isinstance(value, bytearray | memoryview)
        advice = (
            "copy them with bytes(data), as they could change"
            if could_change
            else "open the file in binary mode, or encode the text"
        )
        raise wrong_type(f"the attachment {instance.filename}", "bytes", value, advice, error=MessageError)


def _checked_media_type(instance: Attachment, _attribute: attrs.Attribute[str], value: object) -> None:
    if not isinstance(value, str) or _MEDIA_TYPE.fullmatch(value) is None or len(value) > _NAME_LIMIT:
        raise MessageError(
            f"the attachment {instance.filename} needs a media type such as application/pdf, got {value!a}"
        )
    if value.lower().startswith(_COMPOSITE) and not instance.is_message:
        raise MessageError(
            f"the attachment {instance.filename} cannot be of type {value}, as mail may not carry "
            "such a part encoded; attach the file as application/octet-stream"
        )


def _checked_id(instance: Attachment, _attribute: attrs.Attribute[str], value: object) -> None:
    if value == "":
        return
    if not isinstance(value, str) or _CONTENT_ID.fullmatch(value) is None or len(value) > _NAME_LIMIT:
        raise MessageError(
            f'the attachment {instance.filename} needs an id such as inline="logo", in ASCII without '
            f"spaces and angle brackets, got {value!a}"
        )
    if instance.is_message:
        raise MessageError(
            f"the attachment {instance.filename} is an email, which no html can show; leave inline= out"
        )


def _guessed(instance: Attachment) -> str:
    if not isinstance(instance.filename, str):  # pyright: ignore[reportUnnecessaryIsInstance] - not checked yet
        return "application/octet-stream"
    return _MEDIA_TYPES.get(instance.filename.rpartition(".")[2].lower(), "application/octet-stream")


class _UnreadableFileError(MessageError, OSError):
    """A file that cannot be attached: a bad message for one caller, a bad file for another."""

    @classmethod
    def of(cls, path: Path, error: OSError) -> Self:
        """Make the error of the system's own."""
        made = cls(f"the file {path} cannot be attached: {error.strerror}; check its name and its rights")
        made.errno, made.strerror, made.filename = error.errno, error.strerror, str(path)
        return made

    __str__ = MessageError.__str__


@final
@attrs.frozen
class Attachment:
    """A file to attach.

    Two emails that carry the same ``Attachment`` share its octets and their encoded form.

    Args:
        filename: the name the receiver sees, any language, 255 characters at most; no slash or backslash, and
            no character that turns the direction of writing.
        data: the file's octets.
        media_type: "application/pdf", or with parameters "text/calendar; method=REQUEST"; guessed from
            the name's ending when left out. "message/rfc822" is an attached email.
        inline: an id, "logo", by which the html shows the file: ``<img src="cid:logo">``; "" for a file
            of its own.

    Raises:
        MessageError: a name, octets, media type or id that cannot be sent.
    """

    filename: str = attrs.field(validator=_checked_filename)
    data: bytes = attrs.field(validator=_checked_data, repr=lambda data: f"<{len(data)} bytes>")
    media_type: str = attrs.field(
        default=attrs.Factory(_guessed, takes_self=True), validator=_checked_media_type
    )
    inline: str = attrs.field(default="", kw_only=True, validator=_checked_id, repr=False)
    _part: bytes | None = attrs.field(init=False, default=None, eq=False, repr=False)

    @classmethod
    def from_path(cls, path: str | PathLike[str]) -> Attachment:
        """Read a file; its own name is the attachment's.

        Raises:
            MessageError: the file cannot be read; this one is an OSError too.
        """
        from pathlib import Path  # noqa: PLC0415 - most attachments are octets in memory

        path = Path(path)
        try:
            data = read_whole(path, at_most=_LARGEST, pipes=True)
        except OSError as error:
            raise _UnreadableFileError.of(path, error) from error
        return cls(path.name, data)

    @property
    def is_message(self) -> bool:
        """True if this is an attached email, which stands in a message as it is and not in base64."""
        return self.media_type.partition(";")[0].strip().lower() == _MESSAGE

    def mime_part(self) -> bytes:
        """The attachment as a MIME part, headers and base64; made at the first call and kept."""
        part = self._part
        if part is None:
            data = attached_message(self.data) if self.is_message else base64_lines(self.data)
            part = self._head().encode() + data
            object.__setattr__(self, "_part", part)
        return part

    def typed(self) -> tuple[str, dict[str, str]]:
        """The media type in small letters, and its parameters.

        A text in UTF-8 says so, as its reader could not know.
        """
        media_type = self.media_type.partition(";")[0].strip().lower()
        found = _PARAMETER.findall(self.media_type)
        parameters: dict[str, str] = {name.lower(): value.strip('"') for name, value in found}
        if media_type.startswith("text/") and "charset" not in parameters and _is_utf8(self.data):
            parameters["charset"] = "utf-8"
        return media_type, parameters

    def _head(self) -> str:
        media_type, parameters = self.typed()
        line = "".join([f'; {name}="{value}"' for name, value in parameters.items()])
        # Beside the file name, for programs that look at the type alone.
        name = "" if "name" in parameters else f";\r\n name={_quoted_name(self.filename)}"
        content_id = f"Content-ID: <{self.inline}>\r\n" if self.inline else ""
        disposition = "inline" if self.inline else "attachment"
        return (
            f"{fold_words(f'Content-Type: {media_type}{line}')}{name}\r\n"
            f"Content-Transfer-Encoding: {'7bit' if self.is_message else 'base64'}\r\n{content_id}"
            f"Content-Disposition: {disposition};{_filename_parameter(self.filename)}\r\n\r\n"
        )


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_plain(filename: str) -> bool:
    """Whether a quoted string says it; readers take what looks like an encoded word in one for a word."""
    return filename.isascii() and "=?" not in filename


def _quoted_name(filename: str) -> str:
    """For ``name=``, which has no lawful form beyond ASCII: all programs write and read words in quotes."""
    if _is_plain(filename):
        return in_quotes(filename)
    return f'"{encoded_words(filename, first_room=WORD_LINE - len(" name=") - 2)}"'


def _filename_parameter(filename: str) -> str:
    """Write the name as one quoted string, or by RFC 2231 where that cannot say it.

    Many programs cannot read a name in pieces, so a line is as long as RFC 5322 (2.1.1) allows before that.
    """
    if _is_plain(filename):
        line = f" filename={in_quotes(filename)}"
        beside = len("Content-Disposition: attachment;") + len(line) <= SOFT_LIMIT
        return line if beside else f"\r\n{line}"
    encoded = f"utf-8''{_quoted(filename)}"
    line = f" filename*={encoded}"
    if len(line) <= _HARD_LIMIT:
        return f"\r\n{line}"
    lines = [" filename*0*=utf-8''"]
    for character in filename:
        written = _quoted(character)  # kept whole: some readers decode piece by piece
        if len(lines[-1]) + len(written) >= _HARD_LIMIT:
            lines.append(f" filename*{len(lines)}*=")
        lines[-1] += written
    return "".join([f"\r\n{line};" for line in lines])[:-1]


def _quoted(text: str) -> str:
    from urllib.parse import quote  # noqa: PLC0415 - only for names beyond ASCII

    return quote(text, safe=_ATTR_CHAR)

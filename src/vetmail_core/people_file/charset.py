"""Which characters the octets of a CSV file are.

A byte order mark decides; else it is UTF-8; else, where not one character beyond ASCII is well-formed UTF-8,
Windows-1252, as a spreadsheet program writes plain "CSV". Guessing among more charsets reads most class lists
wrongly: a list has a handful of accents, and they are lawful in each of them.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.people_file.faults import MistakesError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Charset", "charset_of"]

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WELL_FORMED: Final = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_LABELS: Final = {"utf-8-sig": "UTF-8", "cp1252": "Windows-1252"}
_NO_TEXT: Final = (
    "holds null bytes, so it is not a text file, or one in UTF-16 without its mark; save the list as "
    '"CSV UTF-8" or as .xlsx'
)


@attrs.frozen
class Charset:
    """How a file is decoded.

    Attributes:
        name: as Python knows it.
        first_line: the first line that is not ASCII, where Windows-1252 was assumed for it; else 0.
    """

    name: str
    first_line: int = 0


def charset_of(path: Path, *, given: str | None) -> Charset:
    """Find the charset of a file, by one look at its octets.

    Args:
        path: the file.
        given: what the caller says; decides alone.

    Raises:
        MistakesError: it is not text, in no charset, or in none that Python knows.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(4)
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), None)
    if given is not None:
        try:
            name = codecs.lookup(given).name
        except LookupError:
            raise MistakesError(f'"{given}" is not the name of a charset; write utf-8 or cp1252') from None
        name = "utf-8-sig" if name == "utf-8" else name
        _look_over(path, name)
        return Charset(name)
    if marked == "utf-16":
        return Charset(marked)
    try:
        _look_over(path, "utf-8-sig")
    except BrokenTextError:
        first = _first_line_beyond_ascii(path)
        if first is None:  # there are characters in UTF-8 as well
            raise
        _look_over(path, "cp1252")
        return Charset("cp1252", first)
    return Charset("utf-8-sig")


def _look_over(path: Path, name: str) -> None:
    """Decode a file line by line, where its lines can be told by their octets.

    Raises:
        MistakesError: it holds null bytes, so it is not text.
        BrokenTextError: an octet is not a character.
    """
    if name.startswith(("utf-16", "utf-32")):
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if b"\0" in line:
                raise MistakesError(_NO_TEXT)
            if not line.isascii():
                try:
                    line.decode(name)
                except UnicodeDecodeError as error:
                    label = _LABELS.get(name, name)
                    raise BrokenTextError(number, error.object[error.start], label) from None


def _first_line_beyond_ascii(path: Path) -> int | None:
    """The first line that is not ASCII; None where any has a well-formed character of UTF-8."""
    first = None
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.isascii():
                if _WELL_FORMED.search(line) is not None:
                    return None
                first = first or number
    return first


class BrokenTextError(Exception):
    """An octet that is not a character of the file's charset; the table says in which row it is.

    Attributes:
        line: counted from 1.
        byte: the octet.
        charset: for people.
    """

    def __init__(self, line: int, byte: int, charset: str) -> None:
        super().__init__(line, byte, charset)
        self.line = line
        self.byte = byte
        self.charset = charset

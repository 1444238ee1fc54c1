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
        MistakesError: it is no text, in no charset, or in none that Python knows.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(4)
        marked = next((name for mark, name in _MARKS if head.startswith(mark)), None)
        if given is not None:
            try:
                name = codecs.lookup(given).name
            except LookupError:
                raise MistakesError(
                    f'"{given}" is not the name of a charset; write utf-8 or cp1252'
                ) from None
            return Charset("utf-8-sig" if name == "utf-8" else name)
        if marked == "utf-16":
            return Charset(marked)
        file.seek(0)
        first = broken = 0
        broken_byte = 0
        well_formed = False
        for number, line in enumerate(file, start=1):
            if b"\0" in line:
                raise MistakesError(_NO_TEXT)
            if line.isascii():
                continue
            well_formed = well_formed or _WELL_FORMED.search(line) is not None
            first = first or number
            if not broken:
                try:
                    line.decode()
                except UnicodeDecodeError as error:
                    broken, broken_byte = number, line[error.start]
    if not broken:
        return Charset("utf-8-sig")
    if well_formed:
        raise BrokenTextError(broken, broken_byte, "UTF-8")
    return Charset("cp1252", first)


class BrokenTextError(Exception):
    """An octet that is no character of the file's charset; the table says in which row it is.

    Attributes:
        line: counted from 1.
        byte: the octet, -1 where it is not known.
        charset: for people.
    """

    def __init__(self, line: int, byte: int, charset: str) -> None:
        super().__init__(line, byte, charset)
        self.line = line
        self.byte = byte
        self.charset = charset

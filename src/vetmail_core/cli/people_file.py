"""People out of a CSV file: one row, one person.

What it is for: the ``--people`` file of the command line. What it refuses: a file without an
``address`` column, a row that does not fit the columns, bytes that are not UTF-8. Its law: the file is
read whole, once, for mistakes before anybody is written to, and is never held in memory.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.errors import VetmailError
from vetmail_core.people import Person

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["PeopleFile", "PeopleFileError"]

_NO_TITLES: Final[list[str]] = []
_OWN: Final = ("key", "name", "address")
_ADDRESS_LOOKALIKES = ("email", "e-mail", "mail", "email address", "e-mail address", "emailaddress")


class PeopleFileError(VetmailError, ValueError):
    """A people file that cannot be used; names the file, the line and what to change."""


def _columns(path: Path, header: list[str]) -> tuple[str, ...]:
    columns = tuple(name.strip() for name in header)
    if "address" not in columns:
        near = [name for name in columns if name.casefold() in {*_ADDRESS_LOOKALIKES, "address"}]
        hint = f'; rename the column "{near[0]}" to "address"' if near else ""
        raise PeopleFileError(
            f"{path}, line 1: expected a column named address, "
            f"found {', '.join(columns) or 'no column'}{hint}"
        )
    for name in columns:
        if name not in _OWN and name.casefold() in _OWN:
            raise PeopleFileError(
                f'{path}, line 1: expected the column "{name.casefold()}", found "{name}"; rename it'
            )
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice or "" in columns:
        wrong = f"the column {twice[0]} twice" if twice and twice[0] else "a column without a name"
        raise PeopleFileError(f"{path}, line 1: expected each column once and with a name, found {wrong}")
    return columns


@attrs.frozen
class PeopleFile:
    """The people of a CSV file, read afresh at each walk.

    Columns are ``key``, ``name`` and ``address``; any other column is a merge field. Separators may be
    commas, semicolons or tabs; a byte order mark, as spreadsheet programs write it, is fine.

    Args:
        path: the file, UTF-8.

    Raises:
        PeopleFileError: while walking, when the file cannot be read or a row does not fit.
    """

    path: Path

    def __iter__(self) -> Iterator[Person]:
        for line, row in self._rows():
            record = dict(row)
            address = record.pop("address").strip()
            key = record.pop("key", "").strip()
            name = record.pop("name", "").strip()
            if not (address or key or name):
                raise PeopleFileError(
                    f"{self.path}, line {line}: expected a person, found neither key nor name nor address; "
                    "fill the row in or delete it"
                )
            yield Person(address, key=key, name=name, fields=record)

    def checked(self) -> int:
        """Read the whole file once and count its people.

        Returns:
            How many people there are.

        Raises:
            PeopleFileError: at the first mistake.
        """
        return sum(1 for _ in self)

    def _rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        begins = 1
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                first = file.readline()
                file.seek(0)
                delimiter = max(",;\t", key=first.count)
                reader = csv.reader(file, delimiter=delimiter, strict=True)
                titles: list[str] = next(reader, _NO_TITLES)
                columns = _columns(self.path, titles)
                begins = reader.line_num + 1
                for row in reader:
                    begins = reader.line_num + 1
                    if not any(map(str.strip, row)):
                        continue  # a blank line, as editors and spreadsheets leave at the end
                    if len(row) != len(columns):
                        raise PeopleFileError(
                            f"{self.path}, line {reader.line_num}: expected {len(columns)} values "
                            f"({', '.join(columns)}), found {len(row)}; put a value that holds "
                            f'"{delimiter}" in double quotes'
                        )
                    yield reader.line_num, dict(zip(columns, row, strict=True))
        except OSError as error:
            raise PeopleFileError(f"{self.path}: cannot be read: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise PeopleFileError(
                f"{self.path}: expected text in UTF-8, found byte 0x{error.object[error.start]:02x}; "
                'save the file as "CSV UTF-8"'
            ) from error
        except csv.Error as error:
            # A quote that is never closed swallows the rest of the file: where the row began is what helps.
            raise PeopleFileError(
                f"{self.path}, line {begins}: expected a row of values, found what cannot be read "
                f"({error}); write a double quote inside a value twice, and the value in double quotes"
            ) from error

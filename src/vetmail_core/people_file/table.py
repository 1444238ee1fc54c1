"""The records of a table, and what separates the values of a CSV file.

A table is parsed first and judged afterwards: for each separator the first records are read with quotes
respected, and the one under which the titles have the most columns is the file's.
"""

from __future__ import annotations

import contextlib
import csv
from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol

import attrs

from vetmail_core.people_file.charset import BrokenTextError, Charset
from vetmail_core.people_file.faults import MistakesError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

__all__ = ["CsvTable", "Record", "Table", "csv_table"]

_SEPARATORS: Final = (",", ";", "\t")
_LOOKED_AT: Final = 20
"""Records among which the titles are looked for."""


@attrs.frozen
class Record:
    """One row of a table.

    Attributes:
        cells: as they are in the file.
        row: its number, as a spreadsheet program counts.
        line: the line of the file in which it begins; 0 where it has none.
    """

    cells: Sequence[str]
    row: int
    line: int = 0

    @property
    def place(self) -> str:
        """Where it is, for people: "row 4 (line 7)"."""
        return f"row {self.row} (line {self.line})" if self.line not in {0, self.row} else f"row {self.row}"


class Table(Protocol):
    """Rows that can be walked again and again."""

    @property
    def warnings(self) -> Sequence[str]:
        """What a person should know about how it was read."""
        ...

    @property
    def separator(self) -> str:
        """What separates values, for a line that somebody is to write; "," where nothing does."""
        ...

    def records(self) -> Iterator[Record]:
        """Walk the rows.

        Raises:
            MistakesError: a row cannot be read.
        """
        ...

    def head(self) -> list[Record]:
        """The first rows, among which the titles are."""
        ...


@attrs.frozen(kw_only=True)
class CsvTable:
    """The rows of a CSV file.

    Args:
        path: the file.
        charset: its charset.
        separator: between values.
        begins: lines before the first row: 1 with a ``sep=`` line.
        warnings: what a person should know.
    """

    path: Path
    charset: Charset
    separator: str
    begins: int = 0
    warnings: Sequence[str] = ()

    def records(self) -> Iterator[Record]:
        """Walk the rows; the file is read anew each time.

        Raises:
            MistakesError: a quotation mark is never closed, or a character cannot be decoded.
            OSError: the file cannot be read.
        """
        number = 0
        line = 1
        with self.path.open(encoding=self.charset.name, newline="") as file:
            reader = csv.reader(file, delimiter=self.separator, strict=True, skipinitialspace=True)
            try:
                for cells in reader:
                    begin, line = line, reader.line_num + 1
                    if begin > self.begins:
                        number += 1
                        yield Record(cells, number, begin)
            except UnicodeDecodeError as error:
                raise BrokenTextError(line, error.object[error.start], self.charset.name) from error
            except csv.Error as error:
                raise MistakesError(f"{Record((), number + 1, line).place}: {_why(error)}") from error

    def head(self) -> list[Record]:
        """The first rows; of a file that breaks among them, those before."""
        found: list[Record] = []
        with contextlib.suppress(MistakesError):  # the walk over the whole file says so
            found.extend(islice(self.records(), _LOOKED_AT))
        return found


def _why(error: csv.Error) -> str:
    if "field limit" in str(error):
        return f"a value has more than {csv.field_size_limit():,} characters; shorten it"
    return (
        "a quotation mark is not closed, or stands within a value; write one within a value twice, and the "
        "value in double quotes"
    )


def csv_table(path: Path, charset: Charset, columns_of: Callable[[Sequence[Record]], int]) -> CsvTable:
    """Find what separates the values of a CSV file.

    Args:
        path: the file.
        charset: its charset.
        columns_of: how many columns the titles have among the first rows; 0 when they are not among them.
    """
    with path.open(encoding=charset.name, newline="", errors="replace") as file:
        first = file.readline()
    wish = first.strip().strip('"').strip()
    if wish[:4].lower() == "sep=" and wish[4:] in {",", ";", "|", ""} and (wish[4:] or "\t" in first):
        return CsvTable(path=path, charset=charset, separator=wish[4:] or "\t", begins=1)
    tables = [CsvTable(path=path, charset=charset, separator=separator) for separator in _SEPARATORS]
    heads = [table.head() for table in tables]
    widths = [(columns_of(head), max((len(one.cells) for one in head), default=0)) for head in heads]
    return tables[widths.index(max(widths))]


def row_of_line(path: Path, line: int, separator: str) -> Record:
    """Find the row in which a line of a CSV file is, whatever its characters."""
    table = CsvTable(path=path, charset=Charset("latin-1"), separator=separator)
    found = Record((), line, line)
    with contextlib.suppress(MistakesError):  # then the line is as near as can be said
        for record in table.records():
            if record.line > line:
                break
            found = record
    return found

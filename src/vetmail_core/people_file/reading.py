"""`read_people`: a file, looked over once for all its mistakes, then walked as often as needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.people_file.cells import Columns
from vetmail_core.people_file.charset import BrokenTextError, charset_of
from vetmail_core.people_file.faults import MistakesError, PeopleFileError
from vetmail_core.people_file.table import Record, Table, csv_table, row_of_line
from vetmail_core.people_file.titles import (
    LEFT_OUT_TITLES,
    OURS,
    Titles,
    advice_for_address,
    column_letter,
    columns_of,
    find_titles,
)
from vetmail_core.people_file.workbook import workbook_table

if TYPE_CHECKING:
    import os

    from vetmail_core.people import Person

__all__ = ["PeopleFile", "read_people"]

_ZIP: Final = b"PK"
_OLD_EXCEL: Final = b"\xd0\xcf\x11\xe0"
_NO_COLUMNS: Final[Mapping[str, str]] = {}


@attrs.frozen
class _Walk(Iterable["Person"]):
    """The people of a table, made anew at each walk."""

    _file: PeopleFile

    def __iter__(self) -> Iterator[Person]:
        for _, person in self._file.walk():
            yield person


@attrs.frozen(kw_only=True, eq=False)
class PeopleFile:
    """A people file that was looked over. Made by `read_people`.

    Attributes:
        path: the file.
        titles: of its columns, in order.
        warnings: what a person should know about how it was read.
        size: how many people there are.
    """

    path: Path
    titles: tuple[str, ...]
    warnings: tuple[str, ...]
    size: int
    _table: Table = attrs.field(repr=False, alias="table")
    _title_row: int = attrs.field(repr=False, alias="title_row")
    _columns: Columns = attrs.field(repr=False, alias="columns")

    @property
    def people(self) -> Iterable[Person]:
        """The people, made anew at each walk; none of them is kept.

        Raises:
            PeopleFileError: while walking, the file has changed so that it cannot be read any more.
        """
        return _Walk(self)

    def walk(self) -> Iterator[tuple[tuple[str, ...], Person]]:
        """Walk the people with the cells of each, one for each title.

        Raises:
            PeopleFileError: the file has changed so that it cannot be read any more.
        """
        width = len(self.titles)
        try:
            for record in self._table.records():
                cells = [cell.strip() for cell in record.cells[:width]]
                if record.row <= self._title_row or not any(cells):
                    continue
                if len(cells) < width:
                    cells += [""] * (width - len(cells))
                yield tuple(cells), self._columns.person(cells)
        except OSError as error:
            raise PeopleFileError.of(self.path, [f"cannot be read: {error.strerror or error}"]) from error
        except (MistakesError, BrokenTextError) as error:
            raise PeopleFileError.of(self.path, ["has changed while it was read; begin again"]) from error


def read_people(
    path: str | os.PathLike[str],
    *,
    columns: Mapping[str, str] = _NO_COLUMNS,
    encoding: str | None = None,
) -> PeopleFile:
    """Look a people file over: CSV (comma, semicolon, tab, ``sep=``) or .xlsx.

    Args:
        path: the file.
        columns: field -> title of its column, before every guess: "address", "key", "name", "first_name",
            "last_name", or a merge field of your own.
        encoding: the charset of a CSV file; None finds it.

    Returns:
        The file. Its people are made when they are walked.

    Raises:
        PeopleFileError: it cannot be used; holds every mistake with its place.
    """
    file = Path(path)
    try:
        return _read(file, columns, encoding)
    except OSError as error:
        raise PeopleFileError.of(path, [f"cannot be read: {error.strerror or error}"]) from error
    except MistakesError as error:
        raise PeopleFileError.of(path, error.problems) from None


def _read(path: Path, wanted: Mapping[str, str], encoding: str | None) -> PeopleFile:
    table = _table(path, wanted, encoding)
    try:
        head = table.head()
        titles = find_titles(head, wanted)
        looked = _Look(titles)
        looked.over(table)
    except BrokenTextError as error:
        raise MistakesError(_broken(path, error)) from error
    columns, said = _columns(titles, looked)
    above = [record for record in head if record.row < titles.row and any(map(str.strip, record.cells))]
    if above:
        shown = next(cell.strip() for cell in above[0].cells if cell.strip())
        said = [
            f'{len(above)} {"row" if len(above) == 1 else "rows"} above the titles passed over: "{shown}"',
            *said,
        ]
    width = max((n + 1 for n, name in enumerate(titles.names) if name), default=0)
    return PeopleFile(
        path=path,
        titles=titles.names[:width],
        warnings=(*table.warnings, *said),
        size=looked.people,
        table=table,
        title_row=titles.row,
        columns=columns,
    )


def _table(path: Path, wanted: Mapping[str, str], encoding: str | None) -> Table:
    with path.open("rb") as file:
        head = file.read(4)
    if head.startswith(_OLD_EXCEL):
        raise MistakesError('is an old .xls workbook; save the list as .xlsx or as "CSV UTF-8"')
    if head.startswith(_ZIP) or path.suffix.lower() == ".xlsx":
        return workbook_table(path, lambda rows: columns_of(rows, wanted) > 0)
    try:
        charset = charset_of(path, given=encoding)
        table = csv_table(path, charset, lambda rows: columns_of(rows, wanted))
    except BrokenTextError as error:
        raise MistakesError(_broken(path, error)) from error
    if charset.first_line:
        record = row_of_line(path, charset.first_line, table.separator)
        cell = next(cell for cell in record.cells if not cell.isascii())
        said = (
            f'not UTF-8, so read as Windows-1252: {record.place} "{cell.encode("latin-1").decode("cp1252")}"'
        )
        return attrs.evolve(table, warnings=(said,))
    return table


def _broken(path: Path, error: BrokenTextError) -> str:
    record = row_of_line(
        path, error.line, max(",;\t", key=path.read_bytes()[:10_000].decode("latin-1").count)
    )
    return (
        f"{record.place}: the byte 0x{error.byte:02x} is not a character in {error.charset}; save the list "
        'as "CSV UTF-8", or say which charset it is: --encoding cp1252'
    )


class _Look:
    """One walk over a table: its mistakes, and which columns hold addresses.

    Args:
        titles: of the table.
    """

    def __init__(self, titles: Titles) -> None:
        self._titles = titles
        self.people = 0
        self.with_at: set[int] = set()
        self.filled: set[int] = set()
        self._problems: list[str] = []

    def over(self, table: Table) -> None:
        """Walk.

        Raises:
            MistakesError: there are mistakes; all of them.
        """
        titles = self._titles
        width = len(titles.names)
        untitled = {n for n, name in enumerate(titles.names) if not name}
        candidates = titles.columns["address"]
        known = sorted({n for columns in titles.columns.values() for n in columns})
        try:
            for record in table.records():
                if record.row <= titles.row:
                    continue
                cells = record.cells
                if not any(map(str.strip, cells)):
                    continue
                self.people += 1
                if len(cells) > width and any(map(str.strip, cells[width:])):
                    self._problems.append(_too_many(record, width, table.separator))
                    continue
                for column in candidates:
                    if column not in self.with_at and column < len(cells) and cells[column].strip():
                        self.filled.add(column)
                        if "@" in cells[column]:
                            self.with_at.add(column)
                for column in [n for n in untitled if n < len(cells) and cells[n].strip()]:
                    untitled.discard(column)
                    self._problems.append(
                        f"{record.place}: column {column_letter(column)} has no title, and here it holds a "
                        "value; give it a title, or empty it"
                    )
                if not any(n < len(cells) and cells[n].strip() for n in known):
                    self._problems.append(
                        f"{record.place}: there is neither key nor name nor address; fill the row in or "
                        "delete it"
                    )
        except MistakesError as error:
            self._problems += error.problems
        if self._problems:
            raise MistakesError(*self._problems)


def _too_many(record: Record, width: int, separator: str) -> str:
    count = len(record.cells)
    sign = {"\t": "a tab"}.get(separator, f'"{separator}"')
    return (
        f"{record.place}: {count} values for {width} titles; where a value holds {sign}, put it in double "
        "quotes"
    )


def _columns(titles: Titles, looked: _Look) -> tuple[Columns, list[str]]:
    """Decide about the columns.

    Raises:
        MistakesError: none or several may be the address.
    """
    address = _address_column(titles, looked)
    taken = {ours: titles.column(ours) for ours in OURS} | {"address": address}
    width = len(titles.names) - (len(LEFT_OUT_TITLES) if titles.is_left_out_file else 0)
    fields = {name: n for n, name in enumerate(titles.names[:width]) if name}
    for ours in OURS:
        # Under its own title each is read already; a street that is called address stays a field.
        if ours != "key" and taken[ours] is not None and fields.get(ours) == taken[ours]:
            del fields[ours]
    fields |= {field: n for field, n in titles.named.items() if field not in OURS}
    said: list[str] = []
    guessed = [
        f'{ours} from "{titles.names[column]}"'
        for ours, column in taken.items()
        if column is not None and titles.names[column] != ours and ours not in titles.named
    ]
    if guessed:
        said.append(f"columns taken: {', '.join(guessed)}")
    columns = Columns(
        address=address,
        key=taken["key"],
        name=taken["name"],
        first_name=taken["first_name"],
        last_name=taken["last_name"],
        fields=tuple(fields.items()),
    )
    return columns, said


def _address_column(titles: Titles, looked: _Look) -> int:
    candidates = titles.columns["address"]
    names = titles.names
    if "address" in titles.named:
        return candidates[0]
    if len(candidates) == 1 and (
        names[candidates[0]].casefold() != "address" or titles.is_left_out_file or not looked.filled
    ):
        return candidates[0]
    found = [column for column in candidates if column in looked.with_at]
    if titles.is_left_out_file or not looked.filled:
        # Whoever was left out may have no address at all: the columns are judged as in the whole list.
        found = found or [column for column in candidates if names[column].casefold() != "address"]
    own = [column for column in found if names[column].casefold() == "address"]
    if len(found) == 1 or own:
        return (own or found)[0]
    if found:
        both = " and ".join(f'"{names[column]}"' for column in found)
        raise MistakesError(
            f"row {titles.row}: {both} both hold addresses; {advice_for_address(names[n] for n in found)}"
        )
    named = " and ".join(f'"{names[column]}"' for column in candidates)
    others = [name for n, name in enumerate(names) if n not in candidates]
    raise MistakesError(
        f"row {titles.row}: {named} holds no e-mail address, as no value in it has an @; "
        f"{advice_for_address(others)}"
    )

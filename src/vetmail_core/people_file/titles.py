"""Which column of a table is what.

Titles are compared without case, blanks and signs, whole: "E-mail Address" is the address, "Parent Email" is
not. The tables below are the known titles of student systems, learning platforms and address books.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.people_file.faults import MistakesError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from vetmail_core.people_file.table import Record

__all__ = ["KNOWN_TITLES", "OURS", "Titles", "column_letter", "find_titles", "shortened"]

KNOWN_TITLES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "address": (
            "email",
            "e-mail address",
            "e-mail 1 - value",
            "mail",
            "primary email",
            "student email",
            "client email",
            "student email address",
            "client email address",
            "address",
        ),
        "key": (
            "key",
            "ID number",
            "client code",
            "student code",
            "id",
            "number",
            "client identifier",
            "student identifier",
            "client id",
            "student id",
            "client number",
            "student number",
        ),
        "name": ("name", "full name", "display name", "student name", "client name"),
        "first_name": ("first name", "given name", "given names", "forename"),
        "last_name": ("last name", "surname", "family name"),
    }
)
"""What each column may be called."""

OURS: Final = tuple(KNOWN_TITLES)

LEFT_OUT_TITLES: Final = ("left out", "why")
"""The titles at the end of the file of those who were left out, which is read as what it came from."""

_SIGNS: Final = re.compile(r"[\W_]+")
_LETTERS: Final = 26


def shortened(title: str) -> str:
    """Give a title as titles are compared."""
    return _SIGNS.sub("", title).casefold()


_OURS_BY_TITLE: Final = {shortened(title): ours for ours, titles in KNOWN_TITLES.items() for title in titles}


def column_letter(index: int) -> str:
    """Name a column as a spreadsheet program does: 0 is A, 26 is AA."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, _LETTERS)
        letters = chr(ord("A") + rest) + letters
    return letters


@attrs.frozen(kw_only=True)
class Titles:
    """The titles of a table.

    Attributes:
        names: in order, blanks and line ends in one made one blank; "" for a column without.
        row: the number of their row.
        columns: address, key, name, first_name, last_name -> the columns that may be it, the leftmost first.
        named: the fields of the caller's -> their column; ours among them are in ``columns``, alone.
    """

    names: tuple[str, ...]
    row: int
    columns: Mapping[str, tuple[int, ...]]
    named: Mapping[str, int]

    @property
    def is_left_out_file(self) -> bool:
        """True if the product wrote the file itself."""
        return self.names[-len(LEFT_OUT_TITLES) :] == LEFT_OUT_TITLES

    def column(self, ours: str) -> int | None:
        """The column that is taken, the leftmost; None without one."""
        return next(iter(self.columns.get(ours, ())), None)


def clean(title: str) -> str:
    """A title with its blanks and line ends made one blank."""
    return " ".join(title.split())


def find_titles(head: Sequence[Record], wanted: Mapping[str, str]) -> Titles:
    """Find the titles among the first rows of a table.

    Args:
        head: the first rows.
        wanted: field -> title, what the caller says.

    Raises:
        MistakesError: there is no column for the address, a title stands twice, or a wanted one is missing.
    """
    for record in head:
        names = tuple(clean(cell) for cell in record.cells)
        if _has_address(names, wanted):
            return _judged(names, record.row, wanted)
    raise MistakesError(_without_titles(head, wanted))


def columns_of(head: Sequence[Record], wanted: Mapping[str, str]) -> int:
    """How many columns the titles have; 0 when they are not among these rows."""
    for record in head:
        names = tuple(clean(cell) for cell in record.cells)
        if _has_address(names, wanted):
            return len(names)
    return 0


def _has_address(names: Sequence[str], wanted: Mapping[str, str]) -> bool:
    if "address" in wanted:
        return _column_called(wanted["address"], names) is not None
    return any(_OURS_BY_TITLE.get(shortened(name)) == "address" for name in names)


def _column_called(title: str, names: Sequence[str]) -> int | None:
    wish = clean(title)
    if wish in names:
        return names.index(wish)
    return next((n for n, name in enumerate(names) if name and shortened(name) == shortened(wish)), None)


def _judged(names: tuple[str, ...], row: int, wanted: Mapping[str, str]) -> Titles:
    problems = [
        f'row {row}: the title "{name}" stands twice; give each column a title of its own'
        for name in dict.fromkeys(name for name in names if name and names.count(name) > 1)
    ]
    columns: dict[str, tuple[int, ...]] = {}
    for ours in OURS:
        found = [n for n, name in enumerate(names) if _OURS_BY_TITLE.get(shortened(name)) == ours]
        columns[ours] = tuple(found)
    named: dict[str, int] = {}
    for field, title in wanted.items():
        column = _column_called(title, names)
        if column is None:
            problems.append(f'row {row}: there is no column "{title}" for {field}; {_nearest(title, names)}')
            continue
        named[field] = column
        if field in columns:
            columns[field] = (column,)
    if problems:
        raise MistakesError(*problems)
    return Titles(names=names, row=row, columns=columns, named=named)


def _nearest(title: str, names: Iterable[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - needed for this sentence only

    there = [name for name in names if name]
    near = get_close_matches(title.casefold(), [name.casefold() for name in there], n=1)
    found = next((f'did you mean "{n}"? ' for n in there if near and n.casefold() == near[0]), "")
    return f"{found}The titles are: {', '.join(there)}"


def advice_for_address(names: Iterable[str]) -> str:
    """Say how to name the address column: by a title that may be meant."""
    likely = [name for name in names if "mail" in name.casefold()]
    written = " or ".join(f'--column address="{name}"' for name in likely) or '--column address="TITLE"'
    return f"say which one it is: {written}"


def _without_titles(head: Sequence[Record], wanted: Mapping[str, str]) -> str:
    first = next((record for record in head if any(cell.strip() for cell in record.cells)), None)
    if first is None:
        return "is empty; a list has a row of titles, such as key,name,address, and a row for each person"
    names = [clean(cell) for cell in first.cells]
    if "address" in wanted:
        title = wanted["address"]
        return f'{first.place}: there is no column "{title}" for address; {_nearest(title, names)}'
    if any("@" in name for name in names):
        return (
            f"{first.place} holds an address, and no titles are above it; put a row of titles there: "
            f"{','.join(_titles_for(names))}"
        )
    return (
        f"{first.place}: no column is called address or email; the titles are: "
        f"{', '.join(filter(None, names))}; {advice_for_address(names)}"
    )


def _titles_for(cells: Sequence[str]) -> list[str]:
    """Titles for a row of a list without them."""
    free = ["key", "name"]
    titles: list[str] = []
    for index, cell in enumerate(cells):
        if "@" in cell and "address" not in titles:
            titles.append("address")
        elif cell.isdigit() and "key" in free:
            free.remove("key")
            titles.append("key")
        elif not cell.isdigit() and "name" in free:
            free.remove("name")
            titles.append("name")
        else:
            titles.append(f"column {column_letter(index)}")
    return titles

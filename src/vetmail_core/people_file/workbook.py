"""The records of an .xlsx workbook, by openpyxl.

What a cell shows is what its person reads: stored values, never formulas; whole numbers without ``.0``, with
the zeros that their format shows; dates as 2026-05-03.
"""

from __future__ import annotations

import datetime as dt
import re
import warnings
import zipfile
from typing import TYPE_CHECKING, Any, Final

import attrs

from vetmail_core.people_file.faults import MistakesError
from vetmail_core.people_file.table import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

__all__ = ["WorkbookTable", "workbook_table"]

_LOOKED_AT: Final = 20
_ZEROS: Final = re.compile(r"0+")
_DAMAGED: Final = "is a damaged .xlsx file; open it in the spreadsheet program and save it anew"
_OTHER_ZIP: Final = 'is not an .xlsx workbook; save the list as .xlsx or as "CSV UTF-8"'
_OPEN_DOCUMENT: Final = 'is an OpenDocument file; save the list as .xlsx or as "CSV UTF-8"'
_NO_LIBRARY: Final = 'needs openpyxl to be read; install vetmail_core[excel], or save the list as "CSV UTF-8"'
_MOST_CELLS: Final = 3  # that a warning names


@attrs.frozen(kw_only=True)
class WorkbookTable:
    """The rows of one sheet.

    Attributes:
        rows: those with content.
        warnings: what a person should know.
        separator: for a line that somebody is to write.
    """

    rows: Sequence[Record]
    warnings: Sequence[str] = ()
    separator: str = ","

    def records(self) -> Iterator[Record]:
        """Walk the rows."""
        return iter(self.rows)

    def head(self) -> list[Record]:
        """The first rows."""
        return [record for record in self.rows if record.row <= _LOOKED_AT]


def workbook_table(path: Path, has_titles: Callable[[Sequence[Record]], bool]) -> WorkbookTable:
    """Read the sheet of a workbook that has the people.

    Args:
        path: the file.
        has_titles: whether titles are among the first rows.

    Raises:
        MistakesError: it is no workbook, or openpyxl is not installed.
        OSError: it cannot be read.
    """
    _refuse_other_files(path)
    try:
        import openpyxl  # noqa: PLC0415 - an extra, and only for workbooks
    except ImportError:
        raise MistakesError(_NO_LIBRARY) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl tells of drawings that it does not read
            book: Any = openpyxl.load_workbook(path, data_only=True)
            formulas: Any = openpyxl.load_workbook(path) if _has_formulas(path) else None
    except OSError:
        raise
    except Exception:  # noqa: BLE001 - whatever a parser of XML in a zip meets in a damaged file
        raise MistakesError(_DAMAGED) from None
    visible = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"] or book.worksheets
    tables = [_table(sheet, formulas) for sheet in visible]
    with_titles = [n for n, table in enumerate(tables) if has_titles(table.head())]
    if not with_titles:
        return next((table for table in tables if table.rows), WorkbookTable(rows=()))
    first, *others = with_titles
    if not others:
        return tables[first]
    named = ", ".join(f'"{visible[n].title}"' for n in others)
    said = f'the sheet "{visible[first].title}" was read; {named} has people too and was not'
    return attrs.evolve(tables[first], warnings=(said, *tables[first].warnings))


def _refuse_other_files(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            kind = archive.read("mimetype") if "mimetype" in names else b""
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        raise MistakesError(_DAMAGED) from None
    if b"opendocument" in kind:
        raise MistakesError(_OPEN_DOCUMENT)
    if "xl/workbook.xml" not in names:
        raise MistakesError(_OTHER_ZIP)


def _has_formulas(path: Path) -> bool:
    """Whether any sheet has one, by its XML; reading a workbook a second time takes as long as the first."""
    with zipfile.ZipFile(path) as archive:
        return any(
            re.search(rb"<f[\s>/]", archive.read(name))
            for name in archive.namelist()
            if name.startswith("xl/worksheets/")
        )


def _table(sheet: Any, formulas: Any) -> WorkbookTable:  # noqa: ANN401 - openpyxl has no types
    rows: list[Record] = []
    errors: list[str] = []
    unstored: list[str] = []
    hidden = 0
    for number, row in enumerate(sheet.iter_rows(), start=1):
        cells: list[str] = []
        for cell in row:
            if cell.data_type == "e":
                errors.append(f"{cell.coordinate} {cell.value}")
                cells.append("")
                continue
            if cell.value is None and formulas is not None:
                formula = formulas[sheet.title][cell.coordinate]
                if formula.data_type == "f":
                    unstored.append(cell.coordinate)
            cells.append(_shown(cell.value, cell.number_format))
        if any(cells):
            rows.append(Record(cells, number))
            hidden += bool(sheet.row_dimensions[number].hidden)
    said: list[str] = []
    if hidden:
        said.append(f"{hidden} hidden {'row was' if hidden == 1 else 'rows were'} read like the others")
    if errors:
        said.append(f"cells that show an error are empty: {_named(errors)}")
    if unstored:
        said.append(f"cells whose formula has no stored value are empty: {_named(unstored)}")
    return WorkbookTable(rows=rows, warnings=said)


def _named(cells: Sequence[str]) -> str:
    more = len(cells) - _MOST_CELLS
    named = ", ".join(cells[:_MOST_CELLS])
    return f"{named} and {more} more" if more > 0 else named


def _shown(value: object, number_format: str) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "TRUE" if value else "FALSE"
        case int() | float():
            if isinstance(value, float) and not value.is_integer():
                return repr(value)
            whole = f"{value:.0f}"
            return whole.zfill(len(number_format)) if _ZEROS.fullmatch(number_format) else whole
        case dt.datetime():
            midnight = value.time() == dt.time()
            return f"{value:%Y-%m-%d}" if midnight else f"{value:%Y-%m-%d %H:%M}"
        case dt.time():
            return f"{value:%H:%M}"
        case _:
            return str(value)

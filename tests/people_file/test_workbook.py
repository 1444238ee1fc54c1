"""Excel workbooks."""

from __future__ import annotations

import datetime as dt
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import openpyxl
import pytest

from vetmail_core.people_file import PeopleFileError, read_people

if TYPE_CHECKING:
    from pathlib import Path


def _saved(path: Path, **sheets: list[list[Any]]) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return book


def _day(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> dt.datetime:
    return dt.datetime(year, month, day, hour, minute)  # noqa: DTZ001 - a workbook has no time zones


TITLES = ["key", "name", "address", "Starts"]


def test_cells_are_read_as_they_are_shown(tmp_path: Path) -> None:
    """Numbers without .0, with their zeros, dates and times as people write them down."""
    path = tmp_path / "class.xlsx"
    book = _saved(
        path,
        Class=[
            TITLES,
            [123, "Zoe Bar", "zoe@example.com", _day(2027, 5, 3)],
            [124.0, "Bo", "bo@example.com", _day(2027, 5, 3, 9, 30)],
            ["C3", None, "ed@example.com", dt.time(14, 5)],
            [12.5, "Ann", "ann@example.com", True],
            [None, None, None, None],
        ],
    )
    book["Class"]["A2"].number_format = "00000"
    book.save(path)
    people = list(read_people(path).people)
    assert [person.key for person in people] == ["00123", "124", "C3", "12.5"]
    assert [person.fields["Starts"] for person in people] == [
        "2027-05-03",
        "2027-05-03 09:30",
        "14:05",
        "TRUE",
    ]


def test_what_was_not_seen_is_told(tmp_path: Path) -> None:
    """Hidden rows, errors, formulas without a value, and other sheets with people."""
    path = tmp_path / "class.xlsx"
    book = _saved(
        path,
        Notes=[["nothing here"]],
        Class=[
            ["address", "room", "late"],
            ["a@example.com", "#N/A", "=1+1"],
            ["b@example.com", 4, None],
            ["c@example.com", "#REF!", "=2"],
            ["d@example.com", "#REF!", "=2"],
            ["e@example.com", "#REF!", "=2"],
        ],
        Other=[["address"], ["x@example.com"]],
        Third=[["address"], ["x@example.com"]],
        Hidden=[["address"], ["y@example.com"]],
    )
    book["Class"].row_dimensions[3].hidden = True
    book["Hidden"].sheet_state = "hidden"
    book.save(path)
    file = read_people(path)
    assert [person.fields["room"] for person in file.people] == ["", "4", "", "", ""]
    other, hidden, errors, formulas = file.warnings
    assert other == 'the sheet "Class" was read; "Other", "Third" has people too and was not'
    assert hidden == "1 hidden row was read like the others"
    assert "B2 #N/A, B4 #REF!, B5 #REF! and 1 more" in errors
    assert "formula" in formulas
    assert "C2" in formulas


def test_a_table_may_begin_anywhere(tmp_path: Path) -> None:
    """Below a heading and right of an empty column; the letters are the spreadsheet's."""
    path = tmp_path / "class.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet["B2"] = "Class list"
    for column, values in zip("CD", (("address", "a@example.com"), ("name", "Ann")), strict=True):
        sheet[f"{column}4"], sheet[f"{column}5"] = values
    book.save(path)
    file = read_people(path)
    assert [person.name for person in file.people] == ["Ann"]
    assert "Class list" in file.warnings[0]
    sheet["B5"] = "stray"
    sheet.row_dimensions[5].hidden = sheet.row_dimensions[4].hidden = True
    book.save(path)
    with pytest.raises(PeopleFileError, match="row 5: column B has no title"):
        read_people(path)


@pytest.mark.parametrize("rows", [[], [["nobody", "knows"]]])
def test_a_workbook_without_people_is_said_so(tmp_path: Path, rows: list[list[str]]) -> None:
    """One sentence, as of any other file."""
    path = tmp_path / "class.xlsx"
    _saved(path, Class=rows)
    with pytest.raises(PeopleFileError, match="is empty" if not rows else "no column is called address"):
        read_people(path)


def _zip(path: Path, **files: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/").replace("_xml", ".xml"), content)


@pytest.mark.parametrize(
    ("name", "files", "said"),
    [
        ("a.ods", {"mimetype": b"application/vnd.oasis.opendocument.spreadsheet"}, "OpenDocument"),
        ("a.zip", {"readme": b"x"}, "is not an .xlsx workbook"),
        ("a.xlsx", {"xl__workbook_xml": b"<nonsense"}, "damaged"),
        ("b.xlsx", None, "damaged"),
    ],
)
def test_another_file_is_told_with_the_way_out(
    tmp_path: Path, name: str, files: dict[str, bytes] | None, said: str
) -> None:
    """Saved anew, or as CSV UTF-8."""
    path = tmp_path / name
    if files is None:
        path.write_bytes(b"key,address\n")
    else:
        _zip(path, **files)
    with pytest.raises(PeopleFileError, match=said):
        read_people(path)


def test_without_openpyxl_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CSV works all the same."""
    path = tmp_path / "class.xlsx"
    _saved(path, Class=[["address"], ["a@example.com"]])
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(PeopleFileError, match=r"vetmail_core\[excel\], or save the list as .CSV UTF-8"):
        read_people(path)


def test_a_workbook_that_goes_away_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network drive that fails is no damaged file."""
    path = tmp_path / "class.xlsx"
    _saved(path, Class=[["address"], ["a@example.com"]])

    def gone(*_arguments: object, **_options: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(openpyxl, "load_workbook", gone)
    with pytest.raises(PeopleFileError, match="cannot be read: Input/output error"):
        read_people(path)

"""Cells that no spreadsheet runs."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetmail_core.receipts.cells import safe_cell

SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20"
BLANKS = " \t\r\n\ufeff\u200b\u2060\xa0"


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("", ""),
        ("+61 400 000 000", "'+61 400 000 000"),
        ("\n@now()", "'\n'@now()"),
        ("\r\n=1", "'\r'\n'=1"),
        ("\uff0b1", "'\uff0b1"),
        ("\u200b\ufeff-2", "'\u200b\ufeff-2"),
        ("a;  =b", "a;'  =b"),
        ("a,@b", "a,'@b"),
        ("a|-b", "a|'-b"),
        ("a;;=b", "a;;'=b"),
        (";=b", ";'=b"),
        ('he said "+1"', 'he said "\'+1"'),
        ("a\t\t=b", "a\t'\t'=b"),
        ("Lee-Ann, Kim", "Lee-Ann, Kim"),
        ("4.2.2 mailbox full; use = sparingly", "4.2.2 mailbox full; use = sparingly"),
        ("kim@students.example", "kim@students.example"),
        ("1 - 1", "1 - 1"),
        ("'quoted'", "'quoted'"),
    ],
)
def test_an_apostrophe_stands_where_a_formula_could_begin(cell: str, written: str) -> None:
    """At the start and behind each separator, quote and line end; nothing else changes."""
    assert safe_cell(cell) == written


@given(st.lists(st.text(st.sampled_from(SIGNS + BLANKS + ";,|\"ab'")), min_size=1, max_size=4))
def test_no_cell_begins_with_a_sign_however_the_file_is_split(cells: list[str]) -> None:
    """With commas as we write it, and with semicolons, tabs or bars as others read it."""
    out = io.StringIO()
    csv.writer(out).writerow([safe_cell(cell) for cell in cells])
    for separator in ",;\t|":
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
            for row in csv.reader(
                io.StringIO(out.getvalue(), newline=""), delimiter=separator, quoting=quoting
            ):
                for cell in row:
                    assert cell.lstrip(BLANKS + '"')[:1] not in [*SIGNS], (separator, cell)


def test_a_long_cell_takes_no_longer_than_its_length() -> None:
    """A hundred thousand line ends among it."""
    assert safe_cell("\n" * 100_000) == "\n" * 100_000

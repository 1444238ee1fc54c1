"""The table of known titles in the reference."""

from __future__ import annotations

from pathlib import Path

from vetmail_core.people_file.titles import KNOWN_TITLES

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "people-files.md"


def test_the_reference_lists_the_titles_that_are_known() -> None:
    """It is the data, so nobody renames a column that is read already."""
    page = PAGE.read_text(encoding="utf-8")
    for column, titles in KNOWN_TITLES.items():
        assert f"| {column} | {', '.join(titles)} |" in page

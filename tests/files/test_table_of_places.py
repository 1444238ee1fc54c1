"""Every place that opens files does it in the one place."""

from __future__ import annotations

import re
from pathlib import Path

import vetmail_core

SOURCE = Path(vetmail_core.__file__).parent
OPENS = re.compile(
    r"\bos\.open\(|X\(|\.open\((?:\"[rwab+]+\"|encoding=)|\.(?:read|write)_(?:text|bytes)\(|mkstemp\(",
    re.ASCII,
)
# What is opened elsewhere, and why that is no place of section "How files are opened".
ELSEWHERE = {
    "_files.py": "the one place",
    "people_file": "a list that its user names, in a room of its own",
    "cli": "texts and lists that the user of the command line names, and the null device",
    "testing/snapshots.py": "files of a test, in its own folder",
    "testing/outbox.py": "a page of a test, in its own folder",
    "transports/eml/reading.py": "emails of a folder, read back by a test or a person",
    "ledger/sqlite/marks.py": "what the system tells of its boot",
}


def test_files_are_opened_in_one_place() -> None:
    """A module that opens one itself is named here with its reason."""
    found = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if any(OPENS.search(line) for line in path.read_text("utf-8").splitlines())
    }
    assert {one for one in found if not any(one.startswith(known) for known in ELSEWHERE)} == set()

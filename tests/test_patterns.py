"""Patterns for protocols mean ASCII: no sign or digit of another script passes for one of ours."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import vetmail_core
from vetmail_core import Attachment, MessageError

SOURCE = Path(vetmail_core.__file__).parent
CALLS = {"compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}
# U+017F folds to s, U+212A to k, U+0130 and U+0131 to i; \d, \w, \s and \b know the digits, letters and
# blanks of every script.
FOLDS = re.compile(r"\\+[dwsbDWSB]|\(\?[a-z]*i|IGNORECASE", re.ASCII)
# For the text of people, in whatever script, by module and name.
FOR_PEOPLES_TEXT = {
    "_arguments.py": "the names of arguments, which are Python's",
    "address/lenient.py": "what people type in front of an address",
    "address/names.py": "display names",
    "contexts.py": "names of contexts and roles, typed",
    "message/marks.py": "merge fields, named by people, and the line ends of their values",
    "message/links.py": "where a link ends in what people write",
    "receipts/cells.py": "blanks of any kind, which a spreadsheet passes over",
    "people_file/titles.py": "titles of columns",
    "preferences/rules.py": "blanks of any kind, which no host's name holds",
    "testing/matching.py": "what the author of a test writes",
    "testing/sent.py": "addresses in what a person reads",
    "testing/snapshots.py": "octets",
}


def _open_patterns() -> list[str]:
    found: list[str] = []
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if node.func.attr not in CALLS or ast.unparse(node.func.value) != "re":
                continue
            written = ast.unparse(node)
            of_octets = ast.unparse(node.args[0]).startswith("b")
            if not of_octets and "re.ASCII" not in written and FOLDS.search(written):
                found.append(path.relative_to(SOURCE).as_posix())
    return found


def test_a_pattern_for_a_protocol_knows_ascii_alone() -> None:
    """The source says so wherever a pattern folds case or speaks of digits, letters, blanks or words."""
    assert set(_open_patterns()) - set(FOR_PEOPLES_TEXT) == set()


@pytest.mark.parametrize(
    ("media_type", "lawful"),
    [
        ("text/plain; a=\u0131", False),
        ("applicat\u0130on/pdf", False),
        ("\u017found/mp3", False),
        ("application/\u212a", False),
        ("application/x; ver\u017fion=1", False),
        ("APPLICATION/PDF", True),
        ("text/PLAIN; charset=UTF-8", True),
    ],
)
def test_a_media_type_is_ascii(media_type: str, *, lawful: bool) -> None:
    """In its own letters, whichever of them are capitals."""
    if lawful:
        assert Attachment("a.bin", b"x", media_type).mime_part().isascii()
    else:
        with pytest.raises(MessageError):
            Attachment("a.bin", b"x", media_type)

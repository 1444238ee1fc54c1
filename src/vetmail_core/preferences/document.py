"""The text of a preferences file, read strictly.

The text becomes plain data, or a sentence that says what is wrong at which line and column. Stricter than
JSON's usual readers: a name given twice in a group, NaN and very deep nesting are refused. A fault is
returned, not raised, and shows nothing of the text, because an exception of ``json`` holds all of it and it
may hold a password.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import Final

__all__ = ["read_document"]

_WORD: Final = re.compile(r'(?P<text>"(?:[^"\\]|\\.)*")(?P<names>\s*:)?|[{}\[\]]|[^\s{}\[\],:"]+', re.ASCII)
_NO_NUMBERS: Final = frozenset({"NaN", "Infinity", "-Infinity"})
_LONGEST_NUMBER: Final = 600  # characters; Python's own limit for whole numbers can be set as low as 640
_DEEPEST: Final = 100  # groups and lists within one another; what json reads beyond, nobody can copy


def read_document(data: bytes) -> tuple[object, str]:
    """Read a file's bytes: UTF-8, with or without a byte order mark, holding JSON (RFC 8259).

    Returns:
        The data and "", or None and what is wrong: "at line 3, column 5: ...".
    """
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        return None, f"at line {line}, column {column}: this is no UTF-8 text"
    if not text.strip():
        return None, f"{_place(text, 0)}: the file is empty"
    document = None
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        return None, f"{_place(text, error.pos)}: {error.msg}"
    except RecursionError:
        return None, "somewhere inside: its groups are nested too deeply"
    except ValueError:
        pass  # a number too long to be read; it is found below, with its place
    fault = _let_pass(text)
    return (None, fault) if fault else (document, "")


def _let_pass(text: str) -> str:
    """Find the first thing that is no fault to ``json``; the text before it is known to be JSON."""
    groups: list[set[str]] = []
    for word in _WORD.finditer(text):
        found = word[0]
        if found in {"{", "["}:
            groups.append(set())
            if len(groups) > _DEEPEST:
                return f"{_place(text, word.start())}: its groups are nested too deeply"
        elif found in {"}", "]"}:
            groups.pop()
        elif word["names"]:
            name = json.loads(word["text"])
            if name in groups[-1]:
                return f"{_place(text, word.start())}: this name stands in its group for the second time"
            groups[-1].add(name)
        elif found in _NO_NUMBERS:
            return f"{_place(text, word.start())}: {found} is not a number that JSON knows"
        elif not word["text"] and len(found) > _LONGEST_NUMBER:
            return f"{_place(text, word.start())}: this number is too long"
    return ""


def _place(text: str, offset: int) -> str:
    line, column = text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
    return f"at line {line}, column {column}"

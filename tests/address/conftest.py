"""A correct reader of address headers, written from the RFCs and from nothing of the library."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

_WORD = re.compile(r"=\?([^?]+)\?([bBqQ])\?([^? ]*)\?=")
_NEXT = re.compile(r'("(?:[^"\\]|\\.)*")|([^\s"<]+)|(<.*>)|(\s+)', re.DOTALL)


def _decoded(word: str) -> str:
    found = _WORD.fullmatch(word)
    assert found is not None
    assert len(word) <= 75  # RFC 2047 section 2
    charset, encoding, text = found.groups()
    if encoding in "bB":
        return base64.b64decode(text, validate=True).decode(charset)
    octets = re.sub("=([0-9A-F]{2})", lambda hexed: chr(int(hexed[1], 16)), text.replace("_", " "))
    assert re.fullmatch(r"[A-Za-z0-9!*+/=_\-]*", text)  # RFC 2047 section 5 (3): inside a phrase
    return octets.encode("latin-1").decode(charset)


def _read_header(written: str) -> tuple[str, str]:
    for number, line in enumerate(written.split("\r\n")):
        assert len(line.encode()) <= 998
        assert number == 0 or line.startswith(" ")
        assert number == 0 or line.strip()
    unfolded = written.replace("\r\n", "")
    assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", unfolded)
    if not unfolded.endswith(">"):
        return "", unfolded
    name, after_word, gap, address = "", False, "", ""
    for quoted, bare, angled, blank in _NEXT.findall(unfolded):
        assert not address, "nothing follows the address"
        if blank:
            gap = " "
        elif angled and not angled.startswith('<"') and angled.count("<") != 1:
            raise AssertionError(angled)
        elif angled:
            address = angled[1:-1]
        else:
            is_word = bool(bare and _WORD.fullmatch(bare))
            text = (
                _decoded(bare) if is_word else re.sub(r"\\(.)", r"\1", quoted[1:-1], flags=re.DOTALL) or bare
            )
            # The blank between two encoded words belongs to neither (RFC 2047 section 6.2).
            name += ("" if is_word and after_word else gap if name else "") + text
            after_word, gap = is_word, ""
    return name, address


@pytest.fixture(scope="session")
def read_header() -> Callable[[str], tuple[str, str]]:
    """Read ``name <address>`` as RFC 5322 and RFC 2047 have it: the name and the address."""
    return _read_header

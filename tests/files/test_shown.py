"""Text of others is fit to be shown."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetmail_core import LedgerError, VetmailError
from vetmail_core._shown import shown, shown_line, shown_octets

TURNS = "\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
ANY = st.text(
    st.characters() | st.characters(categories=["Cs"]) | st.sampled_from("\n\r\t\x1b\x7f\x9b" + TURNS)
)


def _is_fit(text: str) -> bool:
    return not any(c in TURNS or unicodedata.category(c) in {"Cc", "Cs"} for c in text)


@given(ANY)
def test_what_is_shown_moves_nothing(text: str) -> None:
    """No control, no turned direction, no half of a surrogate pair; line ends are ours or blanks."""
    assert _is_fit(shown(text).replace("\n", ""))
    assert _is_fit(shown_line(text))


@given(st.binary())
def test_any_octets_can_be_shown(data: bytes) -> None:
    """Those that are no UTF-8 by their number."""
    assert _is_fit(shown_octets(data))


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_what_can_be_shown_stays(text: str) -> None:
    """Whatever language it is in."""
    assert shown(text) == shown_line(text) == text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("\x1b[31mY", "U+001B[31mY"),
        ("a \r\n\t b", "a b"),
        ("\x85a\u2028", " a "),
        ("ok \u202etxt.exe", "ok U+202Etxt.exe"),
        ("k\ud800", "kU+D800"),
    ],
)
def test_a_character_that_is_not_shown_has_its_number(text: str, line: str) -> None:
    """A reader sees that there was one."""
    assert shown_line(text) == line


def test_every_error_can_be_printed() -> None:
    """Whatever it quotes."""
    assert (
        str(VetmailError("a key k\ud800 and \x1b[2J\nnext line")) == "a key kU+D800 and U+001B[2J\nnext line"
    )
    assert str(LedgerError()) == ""

"""What people are told, word for word: golden_messages.txt holds the approved sentences.

Each is read as somebody at a help desk reads it: which piece, where, and what to write instead.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vetmail_core.address import AddressError, Mailbox, parse_mailbox, parse_mailbox_list

if TYPE_CHECKING:
    from collections.abc import Callable

APPROVED = (Path(__file__).parent / "golden_messages.txt").read_text(encoding="utf-8")

WAYS: dict[str, Callable[[str], object]] = {
    "one": parse_mailbox,
    "lenient": lambda text: parse_mailbox(text, lenient=True),
    "list": parse_mailbox_list,
    "comma list": lambda text: parse_mailbox_list(text, separator=","),
    "lenient list": lambda text: parse_mailbox_list(text, lenient=True),
    "name": lambda text: Mailbox("anna@example.com", text),
    "header": lambda text: Mailbox(text).header(),
}


def _approved() -> list[tuple[str, str, str]]:
    rows = []
    for block in APPROVED.split("\n\n"):
        first, sentence = block.strip().split("\n")
        way, _, text = first.partition(": ")
        rows.append((way, str(ast.literal_eval(text)), sentence.strip()))
    return rows


@pytest.mark.parametrize(("way", "text", "sentence"), _approved())
def test_an_error_says_what_is_wrong_where_and_what_to_write(way: str, text: str, sentence: str) -> None:
    """The approved sentence, in which nothing invisible stands raw and no input is shown at length."""
    with pytest.raises(AddressError) as caught:
        WAYS[way](text)
    assert str(caught.value) == sentence
    assert sentence.isprintable()
    assert len(sentence) < 220
    assert sentence.endswith(caught.value.hint)


def test_at_least_forty_sentences_are_approved() -> None:
    """Of every way an address comes in."""
    rows = _approved()
    assert len(rows) >= 40
    assert {way for way, _, _ in rows} == set(WAYS)

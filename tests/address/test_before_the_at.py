"""What may stand before the @, beyond ASCII: a table by Unicode class."""

from __future__ import annotations

import pytest

from vetmail_core.address import AddressError, AddressErrorCode, parse_mailbox

FINE = [
    "zo\u00eb",
    "\u5c71\u7530",
    "\u0623\u062d\u0645\u062f",
    "\u0661\u0662",
    "a\u0301b",
    "\u3007",
    "\u02bc",
]
SYMBOLS = ["\u2764", "\U0001f48c", "a\u2212b", "\u20ac"]
MEANT = [
    ("finn.o\u2019brien", "finn.o'brien"),
    ("o\u2018neil", "o'neil"),
    ("anne\u2013marie", "anne-marie"),
    ("mary\u2010jane", "mary-jane"),
    ("anne\u2014marie\u2019s", "anne-marie's"),
    ("zoe\uff0ebar", "zoe.bar"),
    ("zoe\u3002bar", "zoe.bar"),
    ("\uff41nna", "anna"),
    ("zoe\uff3fbar", "zoe_bar"),
    ("zoe\u203fbar", "zoe_bar"),
    ("zoe\uff0bbar", "zoe+bar"),
    ("a\u00a0b", "ab"),
    ("a\u2005b", "ab"),
]
REFUSED = [
    "\u201czoe\u201d",
    "\u00abkim\u00bb",
    "\u2022zoe",
    "zo\ufffd",
    "Bar\uff0czoe",
    "\ufb01nn",
    "l\u00b7l",
    "\u00bd",
    "\u2026",
    "x\uff08y\uff09",
]


@pytest.mark.parametrize("local", FINE)
def test_letters_marks_and_digits_of_any_script_are_fine(local: str) -> None:
    """RFC 6531 made them so."""
    mailbox = parse_mailbox(f"{local}@example.com")
    assert mailbox.local_part == local.encode().decode() or mailbox.local_part == "\u00e1b"
    assert mailbox.warnings == ()


@pytest.mark.parametrize("local", SYMBOLS)
def test_symbols_are_accepted_with_a_warning(local: str) -> None:
    """As all mail programs do."""
    assert len(parse_mailbox(f"{local}@example.com").warnings) == 1


@pytest.mark.parametrize(("local", "meant"), MEANT)
def test_a_sign_that_was_meant_to_be_ascii_is_refused_and_suggested(local: str, meant: str) -> None:
    """A word processor put it there; all of them are mended at once, in quotes as well."""
    for text, suggestion in ((f"{local}@example.com", f"{meant}@example.com"),):
        with pytest.raises(AddressError) as caught:
            parse_mailbox(text)
        assert caught.value.code is AddressErrorCode.LOCAL_PART
        assert caught.value.suggestion == suggestion
    with pytest.raises(AddressError):
        parse_mailbox(f'"{local}"@example.com')


@pytest.mark.parametrize("local", REFUSED)
def test_other_punctuation_is_refused_without_a_suggestion(local: str) -> None:
    """What was meant is for a person to say."""
    with pytest.raises(AddressError) as caught:
        parse_mailbox(f"{local}@example.com")
    assert caught.value.suggestion is None
    assert "U+" in str(caught.value)


@pytest.mark.parametrize("sign", ["\uff0c", "\uff1b"])
def test_a_full_width_separator_may_stand_between_two_addresses(sign: str) -> None:
    """The sentence says so; no repair guesses."""
    with pytest.raises(AddressError, match="two addresses may stand here"):
        parse_mailbox(f"zoe{sign}bo@example.com")
    for lenient in (False, True):
        with pytest.raises(AddressError) as caught:
            parse_mailbox(f"zoe\uff20example.com{sign}bo@example.com", lenient=lenient)
        assert caught.value.suggestion is None

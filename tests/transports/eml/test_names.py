"""File names: safe, telling, sorted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetmail_core.transports.eml.names import is_left_over, number_of, stem

if TYPE_CHECKING:
    from collections.abc import Callable

    from vetmail_core import Email


@pytest.mark.parametrize(
    ("to", "slug"),
    [
        ("sam@example.com", "sam-example-com"),
        ("Sam.O'Brien+class@Example.COM", "sam-o-brien-class-example-com"),
        ('"../../etc/passwd"@example.com', "etc-passwd-example-com"),
        ('"con:aux|nul*?"@example.com', "con-aux-nul-example-com"),
        ("jörg@müller.example", "j-rg-xn-mller-kva-example"),
        ("名前@example.com", "example-com"),
        ("50%e?#@example.com", "50-e-example-com"),
        ("a" * 64 + "@example.com", "a" * 60),
        ("a" * 59 + "@example.com", "a" * 59),
        ("anna@[10.0.0.7]", "anna-10-0-0-7"),
    ],
)
def test_a_file_name_holds_only_letters_digits_and_hyphens(
    make_email: Callable[..., Email], to: str, slug: str
) -> None:
    """No address, however odd, gives a name that some file system or shell reads otherwise."""
    assert stem(7, make_email(to=(to,))) == f"000007-{slug}"


def test_without_to_the_name_says_whom_the_copy_is_for(make_email: Callable[..., Email]) -> None:
    """CC is open to all readers of the message, so it may stand in the name."""
    assert stem(1, make_email(to=(), cc=("kim@example.com",))) == "000001-kim-example-com"


def test_a_blind_copy_never_stands_in_a_file_name(make_email: Callable[..., Email]) -> None:
    """Whoever may read the message may read its name too."""
    name = stem(1, make_email(to=(), bcc=("audit@example.org",)))
    assert name == "000001-undisclosed-recipients"


@given(st.integers(1, 10**12), st.integers(1, 10**12))
def test_later_numbers_sort_later_at_any_length(one: int, other: int) -> None:
    """Sorting by name is sorting by sending order, past a million files too."""
    # The slug is the same for both, so that the number alone decides.
    names = {number: f"{_numbered(number)}-x.eml" for number in (one, other)}
    assert sorted(names.values()) == [names[number] for number in sorted(names)]
    assert number_of(names[one]) == one


def _numbered(number: int) -> str:
    from vetmail_core.transports.eml.names import _sortable  # noqa: PLC0415 - the law is about this step

    return _sortable(number)


@pytest.mark.parametrize(
    "name",
    ["notes.txt", "000001.eml", "1-sam.eml", "000001-sam.part", "x000001-sam.eml", "000001-Sam.eml", ""],
)
def test_a_foreign_name_has_no_number(name: str) -> None:
    """What somebody else put into the folder does not count."""
    assert number_of(name) == 0


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("000007-sam.eml", 7),
        ("000007-sam.json", 7),
        ("a1000000-sam.eml", 1_000_000),
        ("b10000000-sam.eml", 10_000_000),
        ("a10000000-sam.eml", 0),
        (f"a{'9' * 40}-x.eml", 0),
        ("1000000-sam.eml", 0),
        ("00007-sam.eml", 0),
        ("\u0660\u0660\u0660\u0660\u0660\u0667-sam.eml", 0),
        ("000007-sam.txt", 0),
    ],
)
def test_a_number_has_as_many_digits_as_its_letter_says(name: str, number: int) -> None:
    """A file of another kind, whatever it is named, makes no number that nobody can count on from."""
    assert number_of(name) == number


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("000007-ann.part", True),
        ("000007-ann.json", True),
        ("000008-sam.json", False),
        ("000008-sam.eml", False),
        ("notes.part", False),
        ("ann.json", False),
    ],
)
def test_half_of_a_pair_is_left_over(name: str, *, left: bool) -> None:
    """Of our own names alone."""
    assert is_left_over(name, {"000008-sam.eml", "000008-sam.json"}) is left

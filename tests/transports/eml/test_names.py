"""File names: safe, telling, sorted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetmail_core.transports.eml.names import number_of, stem

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

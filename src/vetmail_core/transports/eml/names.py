"""Names of the files in a folder of emails.

A name sorts in sending order, says whom the email is for, and holds no character that some file system,
shell or mail program gives a meaning.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Container

    from vetmail_core.message import Email

__all__ = ["is_left_over", "number_of", "stem"]

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_DIGITS: Final = 6
_NAME: Final = re.compile(r"([a-z]?)([0-9]{6,})-[a-z0-9-]+\.(eml|json|part)")
_UNSAFE: Final = re.compile(r"[^a-z0-9]+")
_SLUG_LENGTH: Final = 60


def stem(number: int, email: Email) -> str:
    """The name of an email's files, without their ending.

    Args:
        number: its place in the folder, from 1.
        email: whose first recipient in To or Cc stands in the name; a blind copy never does.
    """
    return f"{_sortable(number)}-{_slug(email)}"


def number_of(name: str) -> int:
    """The number in the name of one of our messages or records; 0 in any other."""
    return 0 if name.endswith(".part") else _number(name)


def _number(name: str) -> int:
    found = _NAME.fullmatch(name)
    # The letter says how many digits there are, so a number of forty digits is not one of ours.
    if found is None or len(found[2]) != _DIGITS + _LETTERS.find(found[1]) + bool(found[1]):
        return 0
    return int(found[2])


def is_left_over(name: str, names: Container[str]) -> bool:
    """Whether a file of ours is half of a pair that a killed run did not finish.

    Args:
        name: of the file.
        names: of all files in the folder.
    """
    stem, _, ending = name.rpartition(".")
    return _number(name) > 0 and (ending == "part" or (ending == "json" and f"{stem}.eml" not in names))


def _sortable(number: int) -> str:
    """The number as text that sorts like the number: a letter leads those of more than six digits."""
    digits = str(number).zfill(_DIGITS)
    extra = len(digits) - _DIGITS
    return _LETTERS[extra - 1] + digits if extra else digits


def _slug(email: Email) -> str:
    """The first open recipient in letters that every file system takes."""
    visible = email.recipients.to or email.recipients.cc
    if not visible:
        return "undisclosed-recipients"
    address = f"{visible[0].local_part}-{visible[0].ascii_domain}"
    return _UNSAFE.sub("-", address.lower()).strip("-")[:_SLUG_LENGTH].rstrip("-")

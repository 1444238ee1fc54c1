"""Where a merge field stands in a link, and how its value is written there.

A value in a link is percent-encoded (RFC 3986, section 2.1), so that ``Kitchen & Bar`` does not end the value
of a query, and a value cannot begin a path or a query of its own. A value that begins the link is a whole
link and stays as it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LINK_ATTRIBUTES", "TEXT_LINK", "encoder_in_link"]

LINK_ATTRIBUTES: Final = re.compile(
    r"""(?<![^\s"'/])(?:href|src|action)\s*+=\s*+(?:"(?P<double>[^"]*+)|'(?P<single>[^']*+)|(?P<bare>[^\s"'>]++))""",
    re.IGNORECASE | re.ASCII,
)
"""An attribute of a tag that holds a link; its value is one of the groups."""

TEXT_LINK: Final = re.compile(r"(?:[Hh][Tt][Tt][Pp][Ss]?)://[^\s\"'<>\u201c\u201d\u00ab\u00bb]*+")
"""A link in a plain text: to the next blank, quote or angle bracket."""

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*+):(//)?")
_BEHIND_AUTHORITY: Final = re.compile(r"[/?#]")


def _quoted(value: str, *, safe: str) -> str:
    from urllib.parse import quote  # noqa: PLC0415 - most contents have no field in a link

    return quote(value, safe=safe)


def _in_path(value: str) -> str:
    return _quoted(value, safe="/~")


def _in_query(value: str) -> str:
    return _quoted(value, safe="~")


def _in_mailto(value: str) -> str:
    return _quoted(value, safe="@~")


def encoder_in_link(before: str) -> Callable[[str], str] | None:
    """Choose how a value is written in a link.

    Args:
        before: the link as far as the value, with any character in the place of another field.

    Returns:
        A function for the value, or None where it is not percent-encoded: it begins the link, belongs to
        the host's name, or to a scheme such as ``tel:`` that has a syntax of its own.
    """
    before = before.lstrip()
    if not before:
        return None
    scheme = _SCHEME.match(before)
    rest = before if scheme is None else before[scheme.end() :]
    if scheme is not None and scheme[1].lower() == "mailto":
        return _in_mailto
    asked = "?" in rest
    if scheme is not None and scheme[2] is None and not asked:
        return None
    if scheme is None and rest.startswith("//"):
        scheme, rest = _SCHEME.match("https://"), rest[2:]
    if scheme is not None and _BEHIND_AUTHORITY.search(rest) is None:
        return None
    return _in_query if asked else _in_path

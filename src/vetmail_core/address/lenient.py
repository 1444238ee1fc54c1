"""Repairs to pasted text, on request.

Only repairs that cannot change who gets the mail are made; other text stays an error. A repair keeps the
length of the text, so a position in the repaired text is the same position in the input.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from vetmail_core.address.addr_spec import checked_address
from vetmail_core.address.faults import LINE_ENDS, Fault
from vetmail_core.address.names import NAME_LIMIT
from vetmail_core.address.nesting import Nesting, outside_quotes, trimmed
from vetmail_core.errors import AddressErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["lenient_entries", "repaired"]

_ENDS: Final = (
    f" \t{LINE_ENDS}\u00a0"
    "\u200b\ufeff\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
"""What may surround a pasted entry unseen: blanks, line ends, no-break and zero-width blanks, bidi marks."""

_SPLITS: Final = ",;\t\uff0c\uff1b" + LINE_ENDS
_STOP: Final = re.compile(f'["(\\[\\\\@{_SPLITS}\u201c\u201e]')
_SEEN: Final = re.compile(f"[^{_ENDS}]")
_SEEN_OR_SPLITS: Final = re.compile(f"[^{_ENDS}]|[\t{LINE_ENDS}]")
_MORE_THAN_ADDRESS: Final = re.compile(r"[ \t<>(),;:]")
_OTHER_SEPARATORS: Final = frozenset(_SPLITS)
_IN_FRONT: Final = re.compile(
    r"(?:(?:to|cc|bcc|from|reply-to|smtp):"
    r"|[\u2022\u2023\u25aa\u25cf\u25e6\u00b7*\-\u2010-\u2015](?=\s)"
    r"|[0-9]{1,5}[.)](?=\s))[ \t\u00a0]*+",
    re.IGNORECASE,
)
"""What stands in front of an entry in a list or a header, and is no part of it."""
_LINK_AND_NOTE: Final = re.compile(r"mailto:[^\s()?]++(?=[ \t]*+\()", re.IGNORECASE | re.ASCII)
_CURLY_OPEN: Final = "\u201c\u201d\u201e\u201f\u00ab"
_CURLY_CLOSE: Final = "\u201d\u201c\u201f\u00bb"
_CURLY_PAIRS: Final = {
    **dict.fromkeys(_CURLY_OPEN, _CURLY_CLOSE),
    **dict.fromkeys("\u2018\u201a\u201b", "\u2019\u2018\u201b"),
    "\u2039": "\u203a",
}
"""Typographic quotation marks that may open a name -> those that may close it."""
_OTHER_QUOTES: Final = frozenset(f'"\\{_CURLY_OPEN}{_CURLY_CLOSE}')
"""What within a name in typographic quotation marks leaves open where the name's quotation ends."""
_WHOLE: Final = {
    '"': '"',
    "'": "'",
    "`": "'",
    **_CURLY_PAIRS,
    "\u2019": "\u2019",
}
"""Opening quotation mark -> those that may close it."""


def lenient_entries(text: str, *, separator: str) -> Iterator[tuple[int, int]]:
    """Find the entries of a pasted text.

    Args:
        text: the input.
        separator: ";" or ","; "" reads all as one entry.

    Yields:
        Start and end of each entry, what surrounds it taken off.
    """
    nesting = Nesting(text)
    start = position = 0
    has_at = False
    while separator and (found := _STOP.search(text, position)) is not None:
        at = found.start()
        character = text[at]
        position = at + 1
        if character == "@":
            has_at = True
        elif character == "\\":
            position = at + 2
        elif character in "\u201c\u201e":
            position = _curly_end(text, at)
        elif character in '"([':
            closing = nesting.closing(at)
            if closing is not None:
                has_at = has_at or (character == '"' and _is_whole_entry(text, start, at, closing))
                position = closing
        elif _SEEN.search(text, start, at) is None:
            start = position  # an empty entry
        elif has_at or character == separator == ";":
            yield from _entry(text, start, at)
            start, has_at = position, False
    yield from _entry(text, start, len(text))


def _curly_end(text: str, at: int) -> int:
    """The offset behind a typographic quotation; the next character when it does not close in the line."""
    reach = at + 2 + NAME_LIMIT  # a name is no longer, so nothing is looked for farther away
    close = min((p for p in (text.find(c, at + 1, reach) for c in _CURLY_CLOSE) if p > 0), default=-1)
    line_end = text.find("\n", at, reach)
    if close < 0 or 0 <= line_end < close or "@" in text[at:close]:
        return at + 1
    return close + 1


def _is_whole_entry(text: str, start: int, at: int, closing: int) -> bool:
    """Whether an entry stands in quotes whole, so that its @ is inside them."""
    if _SEEN.search(text, start, at) or "@" not in text[at:closing]:
        return False
    behind = _SEEN_OR_SPLITS.search(text, closing)
    return behind is None or behind[0] in _OTHER_SEPARATORS


def _entry(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    start, end = trimmed(text, start, end, _ENDS)
    if text[start:end].strip(f"{_ENDS},;"):
        yield start, end


def repaired(entry: str) -> str:
    """Repair one entry; the result is as long as the entry.

    Raises:
        Fault: a mailto link that carries more than an address.
    """
    characters = list(entry)
    _unwrap(characters)
    _take_off_front(characters)
    _unwrap(characters)  # quotes within typographic quotes, as word processors make them
    _straighten_name(characters)
    _unlink(characters)
    _undouble(characters)
    _drop_last_dot(characters)
    return "".join(characters)


def _span(characters: list[str]) -> tuple[int, int]:
    return trimmed(characters, 0, len(characters), _ENDS)


def _take_off_front(characters: list[str]) -> None:
    """Take off a bullet, a number or a header's name, and a bullet behind such a name."""
    for _ in range(2):
        start, _end = _span(characters)
        found = _IN_FRONT.match("".join(characters), start)
        if found is None:
            return
        characters[start : found.end()] = " " * (found.end() - start)


def _unwrap(characters: list[str]) -> None:
    """Take quotation marks off an entry that stands in them whole."""
    start, end = _span(characters)
    if start < end and characters[end - 1] in _WHOLE.get(characters[start], ""):
        inside = characters[start + 1 : end - 1]
        apostrophes = characters[start] == characters[end - 1] == "'"
        if "@" in inside and (
            apostrophes or (characters[start] not in inside and characters[end - 1] not in inside)
        ):
            characters[start] = characters[end - 1] = " "


def _straighten_name(characters: list[str]) -> None:
    """Make typographic quotation marks around a name plain ones."""
    start, _ = _span(characters)
    if start == len(characters) or characters[start] not in {"'", *_CURLY_PAIRS}:
        return
    closing = _CURLY_PAIRS.get(characters[start], "'")
    angle = "".join(characters).find("<")
    last = angle - 1
    while last > start and characters[last] in _ENDS:
        last -= 1
    if (
        last > start
        and characters[last] in closing
        and not _OTHER_QUOTES.intersection(characters[start + 1 : last])
    ):
        characters[start] = characters[last] = '"' if characters[start] != "'" else " "


def _unlink(characters: list[str]) -> None:
    """Make ``mailto:anna%40example.com`` the address it links to."""
    text = "".join(characters)
    start, end = _span(characters)
    opening = outside_quotes(text).rfind("<", 0, end)
    before = False
    if opening >= 0 and text.endswith(">", 0, end):
        before = text[start:opening].rstrip(" \t").lower() == "mailto:"
        if before:
            characters[start:opening] = " " * (opening - start)
        start, end = opening + 1, end - 1
    with_note = _LINK_AND_NOTE.match(text, start)
    if with_note is not None:
        end = with_note.end()
    link = text[start:end]
    within = link[:7].lower() == "mailto:"
    if not (before or within):
        return
    if "?" in link:
        raise Fault(
            AddressErrorCode.MAILTO_QUERY,
            start + link.index("?"),
            end,
            "the mailto link carries more than an address",
            "write the address alone",
        )
    if not within:
        return
    try:
        from urllib.parse import unquote  # noqa: PLC0415 - only for pasted links

        address = unquote(link[7:], errors="strict")
    except UnicodeDecodeError:
        address = ""
    if not address or (not address.startswith('"') and _MORE_THAN_ADDRESS.search(address)):
        raise Fault(
            AddressErrorCode.MAILTO_QUERY,
            start,
            end,
            "the mailto link does not hold one address and nothing else",
            "write the address alone",
        )
    if "%" not in link:
        characters[start : start + 7] = " " * 7
        return
    try:
        checked_address(address)
    except Fault as fault:  # its place in the decoded text is no place in the input
        hint = fault.otherwise if fault.edits else fault.hint
        raise Fault(fault.code, start, end, fault.what, hint) from None
    characters[start:end] = address.ljust(end - start)


def _undouble(characters: list[str]) -> None:
    """Make ``<<anna@example.com>>`` single."""
    text = outside_quotes("".join(characters))
    _, end = _span(characters)
    opening = text.find("<<")
    if opening >= 0 and text.endswith(">>", 0, end):
        characters[opening] = characters[end - 1] = " "


def _drop_last_dot(characters: list[str]) -> None:
    """Take the dot of a sentence off an address."""
    _, end = _span(characters)
    last = end - 1
    if last > 0 and characters[last] == ">":
        last -= 1
    if last > 1 and characters[last] == "." and characters[last - 1] != "." and "@" in characters[:last]:
        characters[last] = " "

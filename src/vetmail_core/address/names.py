"""The rules for a display name: what may stand in it, and what is allowed but looks odd.

A name that passes is NFC, and passing it again changes nothing.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from vetmail_core.address.faults import LINE_ENDS, Edit, Fault, shown_character, shown_text
from vetmail_core.address.slips import scripts_of
from vetmail_core.errors import AddressErrorCode

__all__ = [
    "CONTROL",
    "INVISIBLE",
    "NAME_LIMIT",
    "checked_name",
    "cleaned_name",
    "dropped_comment",
    "name_warnings",
    "refuse_controls",
]

NAME_LIMIT: Final = 1000
"""Code points; a longer name is a mistake or an attack, and is not looked at."""

CONTROL: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""C0 but tab, DEL, C1, the line and paragraph separators, lone surrogates."""

INVISIBLE: Final = re.compile(
    "[\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f"
    "\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0001\U000e0020-\U000e007f]"
)
"""Unicode's format characters (Cf) but ZWNJ and ZWJ, which Persian words and emoji are spelled with."""

_CONTROL_RUN: Final = re.compile(
    "[ \t]*+[\t\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff][\\s\x00-\x1f\x7f-\x9f\ud800-\udfff]*+"
)
_ADDRESS_WITHIN: Final = re.compile(r"[^\s@<>\"'(),;:\[\]]++@[^\s@<>\"'(),;:\[\]]++")
_FULL_WIDTH: Final = re.compile(
    "[\uff02\uff08\uff09\uff0c\uff1a-\uff1c\uff1e\uff20\uff3b-\uff3d\ufe6b\uff1b]"
)
_WORD: Final = re.compile(r"[^\W\d_]{2,}")
_QUOTES_ROUND: Final = re.compile(
    "'.*'|[\u201c\u201d\u201e\u201f].*[\u201c\u201d\u201f]|[\u2018\u2019\u201a\u201b].*[\u2018\u2019\u201b]|\u00ab.*\u00bb",
    re.DOTALL,
)
_ENCODED_WORD: Final = re.compile(r"=\?[^?]*\?[^?]*\?[^?]*\?=")


def refuse_controls(text: str) -> None:
    """Raise a fault at the first control character.

    Raises:
        Fault: naming the character.
    """
    found = CONTROL.search(text)
    if found is not None and found[0] in LINE_ENDS:
        raise Fault(
            AddressErrorCode.CONTROL_CHARACTER,
            found.start(),
            found.end(),
            "there is a line break here, but an address or a name is a single line",
            "put a space in its place",
            edits=(Edit(found.start(), found.end(), " "),),
            otherwise="check the text on either side of it",
        )
    if found is not None:
        raise Fault.deleting(
            AddressErrorCode.CONTROL_CHARACTER,
            found.start(),
            found.end(),
            f"{shown_character(found[0])} is a control character, which an address or a name may not hold",
        )


def checked_name(name: str) -> str:
    """The name in NFC.

    Raises:
        Fault: when a character, the start or the length is against the rules.
    """
    if len(name) > NAME_LIMIT:
        raise Fault(
            AddressErrorCode.NAME_TOO_LONG,
            NAME_LIMIT,
            len(name),
            f"the name has {len(name):,} characters; at most {NAME_LIMIT:,} are allowed",
            "shorten it",
        )
    if name.isspace():
        return ""
    if name.isascii() and name.isprintable():
        return name
    refuse_controls(name)
    found = INVISIBLE.search(name)
    if found is not None:
        raise Fault(
            AddressErrorCode.INVISIBLE_CHARACTER,
            found.start(),
            found.end(),
            f"{shown_character(found[0])} cannot be seen and is not allowed in a name",
            "delete it",
            edits=tuple(Edit(*one.span()) for one in INVISIBLE.finditer(name)),
            otherwise="check the name",
        )
    composed = unicodedata.normalize("NFC", name)
    if unicodedata.category(composed[0]).startswith("M"):
        raise Fault(
            AddressErrorCode.NAME_START,
            0,
            1,
            f"the name begins with {shown_character(name[0])}, which needs a letter before it",
            "delete it",
            edits=(Edit(0, 1),),
            otherwise="check the name",
        )
    return composed


def cleaned_name(name: str) -> tuple[str, tuple[str, ...]]:
    """Make a name out of what a record holds: what is only display costs nobody their mail.

    Args:
        name: any text.

    Returns:
        A name that `checked_name` takes, "" for none, and what was taken out of it, in a sentence each.
    """
    if name.isprintable() and name.isascii() and len(name) <= NAME_LIMIT:
        return name.strip(), ()
    said: list[str] = []
    kept = _CONTROL_RUN.sub(" ", name)
    if kept != name and kept.strip() != name.strip():
        said.append("line ends or control characters in the name were made one space")
    seen = INVISIBLE.sub("", kept)
    if seen != kept:
        invisible = INVISIBLE.search(kept)
        said.append(f"{shown_character(invisible[0] if invisible else '')} was taken out of the name")
    seen = unicodedata.normalize("NFC", seen).strip()
    letters = seen
    while letters and unicodedata.category(letters[0]).startswith("M"):
        letters = letters[1:].lstrip()
    if letters != seen:
        said.append("the name begins with a mark that needs a letter before it; it was taken out")
    if len(letters) > NAME_LIMIT:
        said.append(
            f"the name has {len(letters):,} characters; at most {NAME_LIMIT:,} are allowed; it is not shown"
        )
        letters = ""
    return letters, tuple(said)


def name_warnings(name: str, address: str) -> tuple[str, ...]:
    """What is allowed in a name but is often a slip or a deception.

    Args:
        name: a checked name.
        address: the mailbox's own address.
    """
    warnings: list[str] = []
    if len(name) > 1 and _QUOTES_ROUND.fullmatch(name):
        warnings.append(f"the quotation marks {name[0]}{name[-1]} are part of the name")
    if "=?" in name and _ENCODED_WORD.search(name):
        warnings.append("the name is an encoded word, which was meant to be read as another text")
    elif not any(map(str.isalpha, name)):
        warnings.append(f'the name "{shown_text(name)}" has no letter')
    own = address.casefold()
    for found in _ADDRESS_WITHIN.findall(name):
        if found.rstrip(".").casefold() != own:
            warnings.append(f'the name holds another address, "{shown_text(found)}", than the mailbox itself')
            break
    if not name.isascii():
        for word in _WORD.findall(name):
            scripts = scripts_of(word)
            if len(scripts) > 1:
                mixed = " and ".join(script.capitalize() for script in scripts)
                warnings.append(f'the name\'s word "{word}" mixes {mixed} letters')
                break
        full_width = _FULL_WIDTH.search(name)
        if full_width is not None:
            warnings.append(
                f"the name holds the full-width {shown_character(full_width[0])}, which separates nothing"
            )
    return tuple(warnings)


def dropped_comment(whole: str, address: str) -> str:
    """Say that a comment beside a name is not part of it.

    Args:
        whole: the name with its comments, as they were typed.
        address: the mailbox's own address.
    """
    comment = whole[whole.index("(") : whole.rindex(")") + 1]
    other = "holds another address, which gets nothing," if "@" in comment else "is not part of the name"
    quoted = whole.replace("\\", "\\\\").replace('"', '\\"')
    how = f'write "{quoted}" <{address}>' if quoted == shown_text(quoted) else "put the whole name in quotes"
    return f'the comment "{shown_text(comment)}" {other} and was dropped; {how} if it belongs to the name'

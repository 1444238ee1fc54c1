"""Advice that is tested: a hint speaks of a repair only where the repaired text is read.

A fault says which characters its hint would change. They are changed here, and the result is read as the
input was; where that fails, or would give a domain that nobody typed, the hint is not given.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

from vetmail_core.address.faults import Edit, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from vetmail_core.address.mailbox import Mailbox

__all__ = ["advised", "tested"]

_LONGEST: Final = 1000  # code points
_LONGEST_WRITTEN: Final = 80
_DOTS: Final = {ord(dot): "." for dot in "\u3002\uff0e\uff61"}


def advised(
    fault: Fault,
    text: str,
    start: int,
    end: int,
    *,
    read: Callable[[str], Sequence[Mailbox] | None],
    repair: Callable[[str], str | None] | None = None,
) -> tuple[str, str | None]:
    """Find the advice for a fault.

    Args:
        fault: counted in ``text``.
        text: the whole input.
        start: where the faulty entry begins.
        end: behind its last code point.
        read: reads an entry as the caller asked for; None when it cannot.
        repair: writes an entry as the repairs to pasted text read it, None when they cannot; without it
            they are not asked.

    Returns:
        The hint, and the whole input with it applied, None where it is for a person to decide.
    """
    piece = text[start:end]
    if len(piece) > _LONGEST:  # nobody mends that by a hint
        return fault.otherwise if fault.edits else fault.hint, None
    by_hint = _applied(piece, fault.edits, start) if fault.edits else None
    by_hint, read_so = _tested(by_hint, piece, read)
    by_repair, repaired_so = _tested(None if repair is None else repair(piece), piece, read)
    if by_repair is not None and (read_so is None or _names(repaired_so) < _names(read_so)):
        written = by_repair if len(by_repair) <= _LONGEST_WRITTEN else f"{by_repair[:_LONGEST_WRITTEN]}…"
        return f"write {written}", text[:start] + by_repair + text[end:]
    if by_hint is not None:
        return fault.hint, text[:start] + by_hint + text[end:]
    return fault.otherwise if fault.edits else fault.hint, None


def tested(fault: Fault, text: str, check: Callable[[str], object]) -> tuple[str, str | None]:
    """Find the advice for a fault of a text that holds no address, such as a name.

    Args:
        fault: counted in ``text``.
        text: the whole input.
        check: raises a Fault where the text is wrong.
    """
    if fault.edits:
        changed = _applied(text, fault.edits, 0)
        try:
            check(changed)
        except Fault:
            return fault.otherwise, None
        return fault.hint, changed
    return fault.hint, None


def _applied(piece: str, edits: Iterable[Edit], start: int) -> str:
    for edit in sorted(edits, reverse=True):
        piece = piece[: edit.start - start] + edit.text + piece[edit.end - start :]
    return piece


def _names(mailboxes: Sequence[Mailbox] | None) -> int:
    """How long the names are together: of two repairs the one that makes less of a name is meant."""
    return sum(len(mailbox.display_name) for mailbox in mailboxes or ())


def _tested(
    changed: str | None, piece: str, read: Callable[[str], Sequence[Mailbox] | None]
) -> tuple[str | None, Sequence[Mailbox] | None]:
    mailboxes = None if changed is None else read(changed)
    if not mailboxes:
        return None, None
    typed = unicodedata.normalize("NFC", piece).translate(_DOTS).casefold()
    if any(mailbox.domain.strip("[]").casefold() not in typed for mailbox in mailboxes):
        return None, None
    return changed, mailboxes

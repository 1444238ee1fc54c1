"""Reading a whole input: one mailbox, or a list of them at the configured separator.

This reads the boxes To, CC and BCC and the preferences. Only the configured separator separates, and the
input may have 64 kB at most.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.address.addr_spec import ASCII_ATOM, PLAIN_ADDRESS, plain_key
from vetmail_core.address.advice import advised
from vetmail_core.address.entry import read_entry
from vetmail_core.address.faults import Fault, as_text
from vetmail_core.address.lenient import lenient_entries, repaired
from vetmail_core.address.mailbox import Mailbox, mailbox_of_checked
from vetmail_core.address.names import NAME_LIMIT
from vetmail_core.address.nesting import Nesting, trimmed
from vetmail_core.address.rules import ONE, in_list, pasted
from vetmail_core.errors import AddressError, AddressErrorCode, AddressListError, wrong_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vetmail_core.address.rules import Rules

__all__ = [
    "CollectedMailboxes",
    "as_mailbox",
    "collect_mailbox_list",
    "format_mailbox_list",
    "parse_mailbox",
    "parse_mailbox_list",
    "unique_mailboxes",
]

_INPUT_LIMIT: Final = 65_536  # code points; more is a mistake or an attack and is not looked at
_TOLD: Final = 5  # errors that the sentence of a list tells one by one
_BLANKS: Final = " \t"
_LIST_BLANKS: Final = " \t\r\n"
_NO_BLANK: Final = re.compile(r"[^ \t\r\n]")

_FAST_NAME: Final = rf"(?:[{ASCII_ATOM}.]++(?: [{ASCII_ATOM}.]++)*+)"
_FAST_QUOTED: Final = r'"([ !#-\[\]-~]*+)"'
_FAST: Final = rf"(?:({PLAIN_ADDRESS})|(?:({_FAST_NAME}) ?|{_FAST_QUOTED} ?)?<({PLAIN_ADDRESS})>)"
"""What nearly every entry looks like, in plain ASCII. Whatever does not match is read by the rules."""
_FAST_ONE: Final = re.compile(_FAST)
_FAST_IN_LIST: Final = {sep: re.compile(rf"{_FAST}(?=[ \t\r\n]*+(?:{sep}|\Z))") for sep in ";,"}


@attrs.frozen
class CollectedMailboxes:
    """What a list gave: the good entries and the errors of the others, both in order.

    Attributes:
        mailboxes: one for each good entry.
        errors: one for each bad entry.
    """

    mailboxes: tuple[Mailbox, ...] = attrs.field(default=(), converter=tuple[Mailbox, ...])
    errors: tuple[AddressError, ...] = attrs.field(default=(), converter=tuple[AddressError, ...])


def parse_mailbox(text: str, *, lenient: bool = False) -> Mailbox:
    """Read one mailbox, as it is typed.

    Args:
        text: ``addr``, ``<addr>``, ``name <addr>`` or ``addr (comment)``; blanks around it do not count.
        lenient: make the repairs to pasted text that cannot change who gets the mail.

    Raises:
        AddressError: it is not a mailbox.

    >>> parse_mailbox("Anna Berg <anna@example.com>")
    Mailbox(addr_spec='anna@example.com', display_name='Anna Berg')
    """
    text = as_text(text, "A mailbox to read")
    found = _FAST_ONE.fullmatch(text)
    if found is not None:
        made = _made_fast(found)
        if made is not None and (not lenient or _is_plain(made, text[0])):
            return made
    try:
        return _read_one(text, lenient=lenient)
    except Fault as fault:
        advice = advised(
            fault,
            text,
            0,
            len(text),
            read=_reader_of_one(lenient=lenient),
            repair=None if lenient else _repair_one,
        )
        raise fault.as_error(text, advice=advice) from None


def _reader_of_one(*, lenient: bool) -> Callable[[str], tuple[Mailbox, ...] | None]:
    def read(text: str) -> tuple[Mailbox, ...] | None:
        try:
            return (_read_one(text, lenient=lenient),)
        except Fault:
            return None

    return read


def _repair_one(text: str) -> str | None:
    try:
        return str(_read_one(text, lenient=True))
    except Fault:
        return None


def _read_one(text: str, *, lenient: bool) -> Mailbox:
    _refuse_long(text)
    if lenient:
        start, end = next(lenient_entries(text, separator=""), (0, 0))
        return _read_lenient(text, start, end, pasted(""))
    start, end = trimmed(text, 0, len(text), _BLANKS)
    return read_entry(Nesting(text), start, end, ONE)


def as_mailbox(given: Mailbox | str) -> Mailbox:
    """A mailbox as it is, or a text read strictly: whatever takes a mailbox takes both.

    Raises:
        AddressError: a text that is not a mailbox.
        TypeError: neither.
    """
    return given if isinstance(given, Mailbox) else parse_mailbox(given)


def _each(mailboxes: Iterable[Mailbox | str]) -> Iterator[Mailbox]:
    """Each of several mailboxes; a text alone would come apart into its characters."""
    if isinstance(mailboxes, str | Mailbox) or not isinstance(mailboxes, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
        raise wrong_type(
            "format_mailbox_list()",
            "a list of mailboxes",
            mailboxes,
            "Put a single one in brackets, and read a text that holds a list with parse_mailbox_list().",
        )
    return map(as_mailbox, mailboxes)


def parse_mailbox_list(text: str, *, separator: str = ";", lenient: bool = False) -> tuple[Mailbox, ...]:
    """Read a list of mailboxes.

    Args:
        text: mailboxes with the separator between them; blank text is an empty list, empty entries are
            skipped, duplicates stay.
        separator: ";" or ",", VETtrak's **Email address separator**.
        lenient: make the repairs to pasted text that cannot change who gets the mail.

    Raises:
        AddressListError: at least one entry is bad; holds every error and the good mailboxes.
        ValueError: another separator.
    """
    collected = collect_mailbox_list(text, separator=separator, lenient=lenient)
    if collected.errors:
        raise AddressListError(
            _sentence_of(collected.errors),
            errors=collected.errors,
            mailboxes=collected.mailboxes,
            text=text,
        )
    return collected.mailboxes


def collect_mailbox_list(text: str, *, separator: str = ";", lenient: bool = False) -> CollectedMailboxes:
    """Read a list of mailboxes, and keep the errors beside the good ones.

    Args:
        text: as for `parse_mailbox_list`.
        separator: ";" or ",".
        lenient: as for `parse_mailbox_list`.

    Raises:
        ValueError: another separator; never for a bad entry.
    """
    text = as_text(text, "A list of mailboxes to read")
    _refuse_separator(separator)
    try:
        _refuse_long(text)
    except Fault as fault:
        return CollectedMailboxes((), (fault.as_error(text),))
    mailboxes: list[Mailbox] = []
    errors: list[AddressError] = []
    read = _lenient_list(text, separator) if lenient else _strict_list(text, separator)
    for number, outcome in enumerate(read, start=1):
        if isinstance(outcome, Mailbox):
            mailboxes.append(outcome)
            continue
        found, start, end = outcome
        advice = advised(
            found,
            text,
            start,
            end,
            read=_reader_of_entries(separator, lenient=lenient),
            repair=None if lenient else lambda piece: _repair_entries(piece, separator),
        )
        errors.append(found.as_error(text, entry=number, advice=advice))
    return CollectedMailboxes(mailboxes, errors)


def _reader_of_entries(separator: str, *, lenient: bool) -> Callable[[str], tuple[Mailbox, ...] | None]:
    def read(text: str) -> tuple[Mailbox, ...] | None:
        outcomes = tuple(_lenient_list(text, separator) if lenient else _strict_list(text, separator))
        good = tuple(one for one in outcomes if isinstance(one, Mailbox))
        return good if len(good) == len(outcomes) else None

    return read


def _repair_entries(piece: str, separator: str) -> str | None:
    outcomes = tuple(_lenient_list(piece, separator))
    good = [one for one in outcomes if isinstance(one, Mailbox)]
    return f"{separator} ".join(map(str, good)) if len(good) == len(outcomes) else None


def _sentence_of(errors: tuple[AddressError, ...]) -> str:
    """One sentence for all errors of a list; of very many it tells the first and the number."""
    sentence = "; ".join(map(str, errors[:_TOLD]))
    more = len(errors) - _TOLD
    return sentence if more <= 0 else f"{sentence}; and {more:,} more"


def _strict_list(text: str, separator: str) -> Iterator[Mailbox | tuple[Fault, int, int]]:
    fast = _FAST_IN_LIST[separator]
    rules = in_list(separator)
    nesting = Nesting(text)
    position = 0
    while (begin := _NO_BLANK.search(text, position)) is not None:
        start = begin.start()
        if text[start] == separator:
            position = start + 1
            continue
        found = fast.match(text, start)
        made = None if found is None else _made_fast(found)
        if found is not None and made is not None:
            position = found.end()
            yield made
            continue
        end = nesting.entry_end(start, separator)
        position = end + 1
        end = trimmed(text, start, end, _LIST_BLANKS)[1]
        try:
            yield read_entry(nesting, start, end, rules)
        except Fault as fault:
            yield fault, start, end


def _lenient_list(text: str, separator: str) -> Iterator[Mailbox | tuple[Fault, int, int]]:
    rules = pasted(separator)
    for start, end in lenient_entries(text, separator=separator):
        try:
            yield _read_lenient(text, start, end, rules)
        except Fault as fault:
            yield fault, start, end


def _read_lenient(text: str, start: int, end: int, rules: Rules) -> Mailbox:
    found = _FAST_ONE.fullmatch(text, start, end)
    made = None if found is None else _made_fast(found)
    if made is not None and _is_plain(made, text[start]):
        return made  # nothing to repair
    piece = repaired(text[start:end])
    try:
        first, last = trimmed(piece, 0, len(piece), _BLANKS)
        return read_entry(Nesting(piece), first, last, rules)
    except Fault as fault:
        raise fault.moved(start) from None


def _is_plain(made: Mailbox, first: str) -> bool:
    """Whether no bullet, number or apostrophe stands where the name begins."""
    return not made.display_name or made.display_name[0].isalpha() or first == '"'


def _made_fast(found: re.Match[str]) -> Mailbox | None:
    """The mailbox of a fast match; None when a limit wants looking at by the rules."""
    bare, name, quoted, angled = found.groups()
    address = bare or angled
    shown = name or quoted or ""
    if shown.isspace():
        shown = ""
    key = plain_key(address)
    return mailbox_of_checked(address, key, shown) if key and len(shown) <= NAME_LIMIT else None


def _refuse_long(text: str) -> None:
    if len(text) > _INPUT_LIMIT:
        raise Fault(
            AddressErrorCode.INPUT_TOO_LONG,
            0,
            len(text),
            f"the text has {len(text):,} characters; at most {_INPUT_LIMIT:,} are allowed",
            "split it",
        )


def _refuse_separator(separator: str) -> None:
    if separator not in {";", ","}:
        raise ValueError(f'The address separator must be ";" or ",", got {separator!r}.')


def format_mailbox_list(mailboxes: Iterable[Mailbox | str], *, separator: str = ";") -> str:
    """Write mailboxes as people type them: ``"A B" <a@example.com>; c@example.com``.

    Args:
        mailboxes: mailboxes, or strings that are read strictly.
        separator: ";" or ",".

    Raises:
        AddressError: a string that is not a mailbox.
        TypeError: one text or mailbox instead of several.
        ValueError: another separator.
    """
    _refuse_separator(separator)
    return f"{separator} ".join(map(str, _each(mailboxes)))


def unique_mailboxes(mailboxes: Iterable[Mailbox | str]) -> tuple[Mailbox, ...]:
    """Keep each address once, where it first stands and under the name it has there.

    Args:
        mailboxes: mailboxes, or strings that are read strictly.

    Raises:
        AddressError: a string that is not a mailbox.
        TypeError: one text or mailbox instead of several.
    """
    first: dict[str, Mailbox] = {}
    for mailbox in _each(mailboxes):
        first.setdefault(mailbox.address_key, mailbox)
    return tuple(first.values())

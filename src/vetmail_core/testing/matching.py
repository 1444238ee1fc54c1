"""What a test wants of an email, and how near an email comes to it.

A plain text means exactly that text, and a plain address means "among these". A field that no email has, or
an address that is not valid, is an error: a typing slip must not read as "no such email".
"""

from __future__ import annotations

import difflib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias, TypedDict, cast

import attrs

from vetmail_core.address import Mailbox, parse_mailbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from vetmail_core.message import Email
    from vetmail_core.receipts import Receipt

__all__ = [
    "AddressWish",
    "Comparison",
    "Delivery",
    "Fields",
    "Matcher",
    "TextWish",
    "Wish",
    "any_of",
    "contains",
    "matches",
    "wishes",
]


class Matcher(ABC):
    """A test on a text, for the value of a field. Subclass it for a test of your own."""

    @abstractmethod
    def fits(self, text: str) -> bool:
        """Whether the text passes.

        Args:
            text: the field of the email; an address comes bare, and once more with its name.
        """


@attrs.frozen(repr=False)
class _Contains(Matcher):
    part: str

    def fits(self, text: str) -> bool:
        return self.part in text

    def __repr__(self) -> str:
        return f"contains({self.part!r})"


@attrs.frozen(repr=False)
class _Matches(Matcher):
    pattern: re.Pattern[str]

    def fits(self, text: str) -> bool:
        return self.pattern.search(text) is not None

    def __repr__(self) -> str:
        return f"matches({self.pattern.pattern!r})"


@attrs.frozen(repr=False)
class _AnyOf(Matcher):
    options: tuple[str | Matcher, ...]

    def fits(self, text: str) -> bool:
        return any(_fits(option, text) for option in self.options)

    def __repr__(self) -> str:
        return f"any_of({', '.join(map(repr, self.options))})"


TextWish: TypeAlias = str | Matcher
"""The exact text, or a matcher."""

AddressWish: TypeAlias = str | Mailbox | Matcher | Iterable[str | Mailbox | Matcher]
"""One address among others, or, as a list, exactly these in any order; an empty list is nobody."""


def contains(part: str) -> Matcher:
    """A text with this part somewhere in it, upper and lower case as written.

    Raises:
        TypeError: the part is not text.

    >>> contains("moved").fits("Your class moved")
    True
    """
    if not isinstance(part, str):  # pyright: ignore[reportUnnecessaryIsInstance] - tests are not all typed
        raise TypeError(f"expected a text in contains(...), got {part!r}")
    return _Contains(part)


def matches(pattern: str | re.Pattern[str]) -> Matcher:
    """A text in which this regular expression is found.

    Raises:
        re.error: the pattern is no regular expression.

    >>> matches(r"Invoice [0-9]+$").fits("Invoice 12")
    True
    """
    return _Matches(re.compile(pattern))


def any_of(*options: TextWish) -> Matcher:
    """A text that is one of these, or fits one of these.

    Raises:
        TypeError: an option is neither a text nor a matcher.
        ValueError: no option was given.

    >>> any_of("Moved", contains("cancelled")).fits("Class cancelled")
    True
    """
    if not options:
        raise ValueError("any_of() needs at least one option, such as any_of('Moved', contains('cancelled'))")
    for option in options:
        _check_text("each option of any_of", option)
    return _AnyOf(options)


class Fields(TypedDict, total=False):
    """What can be asked of an email: texts exactly or by matcher, addresses one or a whole list."""

    to: AddressWish
    cc: AddressWish
    bcc: AddressWish
    recipient: AddressWish
    """To, CC or BCC."""
    sender: AddressWish
    reply_to: AddressWish
    subject: TextWish
    text: TextWish
    html: TextWish
    body: TextWish
    """The text or the HTML."""
    attachment: TextWish
    """The file name of an attachment."""
    headers: Mapping[str, TextWish]
    """Further headers; each must be there."""
    key: TextWish
    accepted: AddressWish
    refused: AddressWish
    deferred: AddressWish
    unknown: AddressWish
    not_attempted: AddressWish


@attrs.frozen(kw_only=True)
class Delivery:
    """One email that came to a recording transport, and what it answered.

    Attributes:
        number: 1 for the first.
        email: the very email that was handed over.
        receipt: the answer.
        data: its bytes as they would go on the wire.
    """

    number: int
    email: Email
    receipt: Receipt
    data: bytes = attrs.field(repr=False)


@attrs.frozen
class Comparison:
    """How one field of one email came out.

    Attributes:
        name: the field.
        ok: whether it is as wanted.
        wanted: what was wanted, as it reads in a failure.
        got: what the email has, likewise.
        likeness: 1 when ok, otherwise below 1 and higher the nearer it comes.
    """

    name: str
    ok: bool
    wanted: str
    got: str
    likeness: float


@attrs.frozen
class Wish:
    """One field and what is wanted in it.

    Attributes:
        name: the field.
        wanted: its value, as the test gave it.
    """

    name: str
    wanted: object

    def compare(self, delivery: Delivery) -> Comparison:
        """Hold it against an email."""
        if self.name in _ADDRESSES:
            found = _ADDRESSES[self.name](delivery)
            ok = _among(self.wanted, found)
            got = repr(tuple(mailbox.addr_spec for mailbox in found))
            likeness = _likeness(_addresses_as_text(self.wanted), [mailbox.addr_spec for mailbox in found])
        elif self.name == "headers":
            headers = {name.casefold(): value for name, value in delivery.email.headers.items()}
            wanted = cast("Mapping[str, TextWish]", self.wanted)
            ok = all(
                name.casefold() in headers and _fits(wish, headers[name.casefold()])
                for name, wish in wanted.items()
            )
            got = _short(repr(dict(delivery.email.headers)))
            likeness = 0.0
        else:
            texts = _TEXTS[self.name](delivery)
            wanted_text = cast("TextWish", self.wanted)
            ok = any(_fits(wanted_text, text) for text in texts)
            got = _short(" or ".join(map(repr, texts)) if texts else "-")
            likeness = _likeness([wanted_text] if isinstance(wanted_text, str) else [], texts)
        return Comparison(self.name, ok, _short(_wanted(self.wanted)), got, 1.0 if ok else likeness / 2)

    def is_met_by(self, delivery: Delivery, reached: frozenset[str]) -> bool:
        """Whether it still holds when only those count whom the email reached.

        Args:
            delivery: an email that is as wanted.
            reached: the address keys of those it reached.
        """
        if self.name not in _BOXES:
            return True
        people = [one for one in _ADDRESSES[self.name](delivery) if one.address_key in reached]
        return all(any(_is_mailbox(one, mailbox) for mailbox in people) for one in _as_list(self.wanted))


def wishes(fields: Mapping[str, object]) -> tuple[Wish, ...]:
    """Read the keyword arguments of an assertion.

    Raises:
        TypeError: a field no email has, or a value that field cannot have; says what would do.
        AddressError: an address that is not valid.
    """
    return tuple(Wish(name, _checked(name, wanted)) for name, wanted in fields.items())


def _checked(name: str, wanted: object) -> object:
    if name in _ADDRESSES:
        return _checked_addresses(name, wanted)
    if name == "headers":
        if not isinstance(wanted, Mapping):
            raise TypeError(f"expected headers={{'X-Name': ...}}, got {wanted!r}")
        for header, value in cast("Mapping[str, object]", wanted).items():
            _check_text(f"header {header}", value)
        return cast("Mapping[str, object]", wanted)
    if name not in _TEXTS:
        known = (*_ADDRESSES, *_TEXTS, "headers")
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise TypeError(f"an email has no field {name!r}{hint} The fields are {', '.join(sorted(known))}.")
    _check_text(name, wanted)
    return wanted


def _checked_addresses(name: str, wanted: object) -> object:
    several = not _is_single(wanted) and hasattr(wanted, "__iter__")
    listed = tuple(cast("Iterable[object]", wanted)) if several else (wanted,)
    for one in listed:
        if not _is_single(one):
            raise TypeError(
                f"expected {name}=... an address, a matcher such as contains(...), or a list of such;"
                f" got {wanted!r}"
            )
        if isinstance(one, str):
            parse_mailbox(one)
    return listed if several else listed[0]


def _check_text(name: str, wanted: object) -> None:
    if not isinstance(wanted, str | Matcher):
        raise TypeError(
            f"expected a text for {name}, or contains(...), matches(...) or any_of(...); got {wanted!r}"
        )


_BOXES: Final = frozenset({"to", "cc", "bcc", "recipient"})
_ADDRESSES: Final[Mapping[str, Callable[[Delivery], tuple[Mailbox, ...]]]] = {
    "to": lambda one: one.email.recipients.to,
    "cc": lambda one: one.email.recipients.cc,
    "bcc": lambda one: one.email.recipients.bcc,
    "recipient": lambda one: one.email.recipients.all,
    "sender": lambda one: (one.email.sender,),
    "reply_to": lambda one: one.email.reply_to,
    "accepted": lambda one: one.receipt.accepted,
    "refused": lambda one: one.receipt.refused,
    "deferred": lambda one: one.receipt.deferred,
    "unknown": lambda one: one.receipt.unknown,
    "not_attempted": lambda one: one.receipt.not_attempted,
}

_TEXTS: Final[Mapping[str, Callable[[Delivery], list[str]]]] = {
    "subject": lambda one: [one.email.content.subject],
    "text": lambda one: [one.email.content.text],
    "html": lambda one: [one.email.content.html],
    "body": lambda one: [part for part in (one.email.content.text, one.email.content.html) if part],
    "attachment": lambda one: [attachment.filename for attachment in one.email.content.attachments],
    "key": lambda one: [one.email.key],
}


def _fits(wanted: TextWish, text: str) -> bool:
    return wanted.fits(text) if isinstance(wanted, Matcher) else wanted == text


def _is_single(wanted: object) -> bool:
    return isinstance(wanted, str | Mailbox | Matcher)


def _as_list(wanted: object) -> list[str | Mailbox | Matcher]:
    if _is_single(wanted):
        return [cast("str | Mailbox | Matcher", wanted)]
    return list(cast("Iterable[str | Mailbox | Matcher]", wanted))


def _is_mailbox(wanted: str | Mailbox | Matcher, mailbox: Mailbox) -> bool:
    """By address; the name counts when the test gives one."""
    if isinstance(wanted, Matcher):
        return wanted.fits(mailbox.addr_spec) or wanted.fits(str(mailbox))
    one = parse_mailbox(wanted) if isinstance(wanted, str) else wanted
    same_name = not one.display_name or one.display_name == mailbox.display_name
    return same_name and one.address_key == mailbox.address_key


def _among(wanted: object, found: tuple[Mailbox, ...]) -> bool:
    listed = _as_list(wanted)
    if _is_single(wanted):
        return any(_is_mailbox(listed[0], mailbox) for mailbox in found)
    return (
        len(listed) == len(found)
        and all(any(_is_mailbox(one, mailbox) for mailbox in found) for one in listed)
        and all(any(_is_mailbox(one, mailbox) for one in listed) for mailbox in found)
    )


def _addresses_as_text(wanted: object) -> list[str]:
    return [str(one) for one in _as_list(wanted) if not isinstance(one, Matcher)]


def _likeness(wanted: list[str], found: list[str]) -> float:
    """The best likeness of any pair, 0 to 1; matchers have none."""
    pairs = [(left[:200], right[:200]) for left in wanted for right in found]
    return max((difflib.SequenceMatcher(None, *pair).ratio() for pair in pairs), default=0.0)


def _wanted(wanted: object) -> str:
    if isinstance(wanted, Mailbox):
        return repr(str(wanted))
    if isinstance(wanted, str | Matcher | Mapping):
        return repr(cast("object", wanted))
    return repr(tuple(str(one) if isinstance(one, Mailbox) else one for one in _as_list(wanted)))


_WIDTH: Final = 120


def _short(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"

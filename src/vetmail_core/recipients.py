"""To, CC and BCC of one email, and who they are in a context.

An address is in an email once, To over CC over BCC. Whoever is left out is an `Exclusion` with a reason.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import TYPE_CHECKING, assert_never

import attrs

from vetmail_core.address import Mailbox, parse_mailbox_list
from vetmail_core.address.lists import as_mailbox
from vetmail_core.contexts import (
    ROLE_LABELS,
    RecipientType,
    find_context,
    known_roles,
    refuse_unknown_context,
    refuse_unknown_roles,
)
from vetmail_core.errors import AddressError, AddressListError, RecipientsError, wrong_type
from vetmail_core.people import Person, as_people, by_role

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vetmail_core.contexts import EmailContext
    from vetmail_core.preferences import EmailPreferences

__all__ = [
    "Exclusion",
    "ExclusionReason",
    "Expansion",
    "PlacedRoles",
    "Recipients",
    "expand_context",
    "name_of",
    "place_roles",
    "refuse_private_copies",
    "typed",
    "why_excluded",
]


def _mailboxes(value: Iterable[Mailbox | str] | Mailbox | str | None) -> tuple[Mailbox, ...]:
    if value is None:
        return ()
    if isinstance(value, Mailbox):
        return (value,)
    if isinstance(value, str):
        return parse_mailbox_list(value)
    if not isinstance(value, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
        raise wrong_type(
            "Recipients()",
            "mailboxes or their texts",
            value,
            "Take the mailbox() of a person or a staff member.",
        )
    return tuple(map(as_mailbox, value))


def typed(
    box: Iterable[Mailbox | str] | Mailbox | str | None, separator: str
) -> Iterable[Mailbox | str] | Mailbox | None:
    """Split what was typed into a box at the preferences' separator; a value that is not text stays as it is.

    Raises:
        AddressListError: an entry is not a mailbox.
    """
    return parse_mailbox_list(box, separator=separator) if isinstance(box, str) else box


@attrs.frozen
class Recipients:
    """Who receives one email.

    An address given twice stands once, where it is seen best: To over CC over BCC, under its first name.

    Attributes:
        to: mailboxes: an iterable of them, or one string, a list at ";"; "" and None are nobody. `parse`
            takes another separator.
        cc: likewise.
        bcc: likewise; these never appear in the bytes of the message.

    Raises:
        AddressError: a string that is not a mailbox.
        TypeError: neither a mailbox nor a string.
    """

    to: tuple[Mailbox, ...] = attrs.field(default=(), converter=_mailboxes)
    cc: tuple[Mailbox, ...] = attrs.field(default=(), converter=_mailboxes)
    bcc: tuple[Mailbox, ...] = attrs.field(default=(), converter=_mailboxes)

    def __attrs_post_init__(self) -> None:
        given = (self.to, self.cc, self.bcc)
        if sum(map(len, given)) <= 1:
            return
        seen: set[str] = set()
        for field, mailboxes in zip(("to", "cc", "bcc"), given, strict=True):
            kept: list[Mailbox] = []
            for mailbox in mailboxes:
                if mailbox.address_key not in seen:
                    seen.add(mailbox.address_key)
                    kept.append(mailbox)
            if len(kept) < len(mailboxes):
                object.__setattr__(self, field, tuple(kept))

    @classmethod
    def parse(
        cls, *, to: str = "", cc: str = "", bcc: str = "", separator: str = ";", lenient: bool = False
    ) -> Recipients:
        """Read the three boxes of a compose screen.

        Args:
            to: a list of mailboxes, as typed.
            cc: likewise.
            bcc: likewise.
            separator: the address separator of the preferences, one character.
            lenient: forgive what can be forgiven without guessing; see `parse_mailbox_list`.

        Raises:
            AddressListError: a box holds a bad entry; the sentence names the box.
        """
        read: list[tuple[Mailbox, ...]] = []
        for box, text in (("To", to), ("CC", cc), ("BCC", bcc)):
            try:
                read.append(parse_mailbox_list(text, separator=separator, lenient=lenient))
            except AddressListError as error:
                raise AddressListError(
                    f"{box}: {error}", errors=error.errors, mailboxes=error.mailboxes, text=error.text
                ) from error
        return cls(*read)

    @property
    def all(self) -> tuple[Mailbox, ...]:
        """To, then CC, then BCC."""
        return self.to + self.cc + self.bcc

    def addressed_to(self, mailbox: Mailbox) -> Recipients:
        """The same recipients with one more, who stands first in To and is copied on nothing.

        Args:
            mailbox: whose email it is.
        """
        own = mailbox.address_key
        for box in (self.to, self.cc, self.bcc):
            for other in box:
                if other.address_key == own:
                    return Recipients((mailbox, *self.to), self.cc, self.bcc)
        # These are disjoint already, and stay so: a bulk send comes through here for each of its people.
        recipients = object.__new__(Recipients)
        put = object.__setattr__
        put(recipients, "to", (mailbox, *self.to))
        put(recipients, "cc", self.cc)
        put(recipients, "bcc", self.bcc)
        return recipients

    def __bool__(self) -> bool:
        return bool(self.to or self.cc or self.bcc)

    def __or__(self, other: Recipients) -> Recipients:
        if not isinstance(other, Recipients):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
            return NotImplemented
        if not other:
            return self
        return Recipients(self.to + other.to, self.cc + other.cc, self.bcc + other.bcc)


class ExclusionReason(enum.Enum):
    """Why a person gets no email."""

    NO_ADDRESS = "no_address"
    BAD_ADDRESS = "bad_address"
    INACTIVE = "inactive"
    MARKETING_OPT_OUT = "marketing_opt_out"
    DUPLICATE_PERSON = "duplicate_person"
    ALREADY_SENT = "already_sent"
    SUPPRESSED = "suppressed"


@attrs.frozen
class Exclusion:
    """A person who gets no email, and why.

    Attributes:
        person: who.
        reason: for code.
        detail: for people: one sentence.

    Raises:
        RecipientsError: the reason is not a `ExclusionReason`.
    """

    person: Person
    reason: ExclusionReason
    detail: str = ""

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.reason, ExclusionReason):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
            raise wrong_type(
                "Exclusion(reason=...)",
                "an ExclusionReason such as ExclusionReason.NO_ADDRESS",
                self.reason,
                error=RecipientsError,
            )


@attrs.frozen(kw_only=True)
class Expansion:
    """What a context came to.

    Attributes:
        recipients: To, CC and BCC.
        exclusions: people who hold a role that receives, and cannot be written to.
        empty_roles: roles that should receive and came to nobody; a warning, not an error.
    """

    recipients: Recipients
    exclusions: tuple[Exclusion, ...] = attrs.field(default=(), converter=tuple[Exclusion, ...])
    empty_roles: tuple[str, ...] = attrs.field(default=(), converter=tuple[str, ...])


def why_excluded(
    person: Person, *, marketing: bool = False, suppressed: Callable[[Mailbox], str | None] | None = None
) -> Exclusion | None:
    """Why a person cannot be written to, or None when they can.

    Args:
        person: whom to write to.
        marketing: whether the mail is marketing, which some have opted out of.
        suppressed: asked last, about an address that is a good one: a sentence when it is no use writing
            there, such as that of `SqliteLedger.suppressed`; None or "" when it is.
    """
    if not person.active:
        return _left_out(person, ExclusionReason.INACTIVE, "is archived or no longer active")
    if marketing and not person.marketing:
        return _left_out(person, ExclusionReason.MARKETING_OPT_OUT, "is excluded from marketing e-mail")
    try:
        mailbox = person.mailbox()
    except AddressError as error:
        if not person.has_address:
            return _left_out(person, ExclusionReason.NO_ADDRESS, "has no e-mail address on record")
        return _left_out(
            person, ExclusionReason.BAD_ADDRESS, f"has an e-mail address that cannot be used: {error}"
        )
    why = suppressed(mailbox) if suppressed is not None else None
    return Exclusion(person, ExclusionReason.SUPPRESSED, why) if why else None


def _left_out(person: Person, reason: ExclusionReason, why: str) -> Exclusion:
    return Exclusion(person, reason, f"{name_of(person)} {why}")


def name_of(person: Person) -> str:
    """How to call a person in a sentence: their name, else key, else what stands in place of an address."""
    return person.name or person.key or str(person.address or "").strip() or "A person without a name"


@attrs.frozen
class PlacedRoles:
    """The people of some roles, placed as To, CC or BCC.

    Attributes:
        recipients: who can be written to.
        exclusions: who cannot, and why; the detail names the role.
        filled: the roles that came to somebody.
    """

    recipients: Recipients
    exclusions: tuple[Exclusion, ...]
    filled: tuple[str, ...]


def place_roles(
    people: Mapping[str, Iterable[Person] | Person],
    types: Mapping[str, RecipientType],
    *,
    marketing: bool = False,
    suppressed: Callable[[Mailbox], str | None] | None = None,
) -> PlacedRoles:
    """Place people by the recipient types of their roles.

    Args:
        people: role -> the people who hold it; a role without a type is left alone.
        types: role -> recipient type, in the order the roles shall stand.
        marketing: whether the mail is marketing.
        suppressed: says of an address why it is no use writing there.

    Raises:
        RecipientsError: somebody is not a `Person`.
    """
    to: list[Mailbox] = []
    cc: list[Mailbox] = []
    bcc: list[Mailbox] = []
    exclusions: list[Exclusion] = []
    filled: list[str] = []
    held = by_role(people)
    for role, kind in types.items():
        match kind:
            case RecipientType.TO:
                box = to
            case RecipientType.CC:
                box = cc
            case RecipientType.BCC:
                box = bcc
            case RecipientType.NONE:
                continue
            case _:
                assert_never(kind)
        before = len(box)
        for person in as_people(held.get(role, ())):
            exclusion = why_excluded(person, marketing=marketing, suppressed=suppressed)
            if exclusion is None:
                box.append(person.mailbox())
            else:
                label = ROLE_LABELS.get(role, role)
                exclusions.append(attrs.evolve(exclusion, detail=f"{label}: {exclusion.detail}"))
        if len(box) > before:
            filled.append(role)
    return PlacedRoles(Recipients(to, cc, bcc), tuple(exclusions), tuple(filled))


def expand_context(
    context: EmailContext | str,
    people: Mapping[str, Iterable[Person] | Person],
    preferences: EmailPreferences,
) -> Expansion:
    """Turn "who holds which role" into To, CC and BCC of one email, as the preferences say for a context.

    A private email (passwords, personal results) is for one address. Should `people` name more, that is an
    error, never a copy.

    Args:
        context: a context key, "occurrence_class", one that the preferences have rules for, or a host's own
            context.
        people: role -> the people who hold it, one or several; roles that receive nothing may be among
            them.
        preferences: say which role is To, CC, BCC or left out.

    Returns:
        The recipients, who was left out and why, and the roles that came to nobody.

    Raises:
        RecipientsError: the context is private and more than one address would read the email; nothing
            knows the context or one of the roles; or somebody is not a `Person`.
    """
    refuse_unknown_context(context, preferences.contexts)
    refuse_unknown_roles(by_role(people), known_roles(context, preferences.contexts), given="people=")
    types = preferences.recipient_types(context)
    placed = place_roles(people, types)
    refuse_private_copies(context, placed.recipients)
    known = find_context(context)
    to_roles = () if known is None else known.to_roles
    addressed = any(role in placed.filled for role in to_roles)
    empty_roles = [
        role
        for role, kind in types.items()
        if kind is not RecipientType.NONE
        and role not in placed.filled
        # Several To roles are alternatives ("to the client or to the employer"): one of them is enough.
        and not (addressed and role in to_roles and role not in people)
    ]
    return Expansion(recipients=placed.recipients, exclusions=placed.exclusions, empty_roles=empty_roles)


def refuse_private_copies(context: EmailContext | str | None, recipients: Recipients) -> None:
    """Make sure that a private email (passwords, personal results) is for one address, and for no copies.

    Args:
        context: a context or its key, or None for none.
        recipients: of one email, or the CC and BCC typed for many.

    Raises:
        RecipientsError: the context is private, and somebody stands in CC or BCC or second in To.
    """
    known = None if context is None else find_context(context)
    if known is None or not known.private:
        return
    copies = recipients.to[1:] + recipients.cc + recipients.bcc
    if copies:
        others = ", ".join(one.addr_spec for one in copies)
        raise RecipientsError(
            f'"{known.label}" e-mail carries passwords or personal results, so it is for one address and '
            f"is never copied, but it would also go to {others}. Take them out, or send each person an "
            "email of their own: plan_bulk does so."
        )

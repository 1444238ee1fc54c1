"""To, CC and BCC of one email, and who they are in a context.

What it is for: deciding who receives an email, once. What it refuses: to lose anybody in silence; whoever is
left out is an `Exclusion` with a reason. Its law: an address stands once in an email, To over CC over BCC.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final, assert_never

import attrs

from vetmail_core.address import Mailbox, parse_mailbox, parse_mailbox_list
from vetmail_core.contexts import STANDARD_CONTEXTS, RecipientType
from vetmail_core.errors import AddressError, AddressListError, RecipientsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vetmail_core.people import Person
    from vetmail_core.preferences import EmailPreferences

__all__ = ["Exclusion", "ExclusionReason", "Expansion", "Recipients", "expand_context", "why_excluded"]


def _mailboxes(value: Iterable[Mailbox | str] | Mailbox | str) -> tuple[Mailbox, ...]:
    if isinstance(value, Mailbox):
        return (value,)
    if isinstance(value, str):
        return (parse_mailbox(value),) if value.strip() else ()
    return tuple(parse_mailbox(one) if isinstance(one, str) else one for one in value)


@attrs.frozen
class Recipients:
    """Who receives one email.

    An address given twice stands once, where it is seen best: To over CC over BCC, under its first name.

    Attributes:
        to: mailboxes, as an iterable, or one as a string; "" is nobody.
        cc: likewise.
        bcc: likewise; these never appear in the bytes of the message.

    Raises:
        AddressError: a string that is not a mailbox.
    """

    to: tuple[Mailbox, ...] = attrs.field(default=(), converter=_mailboxes)
    cc: tuple[Mailbox, ...] = attrs.field(default=(), converter=_mailboxes)
    bcc: tuple[Mailbox, ...] = attrs.field(default=(), converter=_mailboxes)

    def __attrs_post_init__(self) -> None:
        if len(self.to) == 1 and not self.cc and not self.bcc:
            return
        seen: set[str] = set()
        for field in ("to", "cc", "bcc"):
            kept: list[Mailbox] = []
            for mailbox in getattr(self, field):
                if mailbox.address_key not in seen:
                    seen.add(mailbox.address_key)
                    kept.append(mailbox)
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

    def __bool__(self) -> bool:
        return bool(self.to or self.cc or self.bcc)

    def __or__(self, other: Recipients) -> Recipients:
        return Recipients(self.to + other.to, self.cc + other.cc, self.bcc + other.bcc)


class ExclusionReason(enum.Enum):
    """Why a person gets no email."""

    NO_ADDRESS = "no_address"
    BAD_ADDRESS = "bad_address"
    INACTIVE = "inactive"
    MARKETING_OPT_OUT = "marketing_opt_out"
    DUPLICATE_PERSON = "duplicate_person"
    ALREADY_SENT = "already_sent"


@attrs.frozen
class Exclusion:
    """A person who gets no email, and why.

    Attributes:
        person: who.
        reason: for code.
        detail: for people: one sentence.
    """

    person: Person
    reason: ExclusionReason
    detail: str = ""


@attrs.frozen(kw_only=True)
class Expansion:
    """What a context came to.

    Attributes:
        recipients: To, CC and BCC.
        exclusions: people who hold a role that receives, and cannot be written to.
        empty_roles: roles that should receive and came to nobody; a warning, not an error.
    """

    recipients: Recipients
    exclusions: tuple[Exclusion, ...] = attrs.field(default=(), converter=tuple)
    empty_roles: tuple[str, ...] = attrs.field(default=(), converter=tuple)


def why_excluded(person: Person, *, marketing: bool = False) -> Exclusion | None:
    """Why a person cannot be written to, or None when they can.

    Args:
        person: whom to write to.
        marketing: whether the mail is marketing, which some have opted out of.
    """
    who = person.name or person.key or "This person"
    if not person.active:
        return Exclusion(person, ExclusionReason.INACTIVE, f"{who} is archived or no longer active.")
    if marketing and not person.marketing:
        return Exclusion(
            person, ExclusionReason.MARKETING_OPT_OUT, f"{who} is excluded from marketing e-mail."
        )
    if not person.has_address:
        return Exclusion(person, ExclusionReason.NO_ADDRESS, f"{who} has no e-mail address on record.")
    try:
        person.mailbox()
    except AddressError as error:
        return Exclusion(person, ExclusionReason.BAD_ADDRESS, f"The address of {who} cannot be used: {error}")
    return None


def expand_context(
    context: str, people: Mapping[str, Iterable[Person]], preferences: EmailPreferences
) -> Expansion:
    """Turn "who holds which role" into To, CC and BCC, as the preferences say for a context.

    Args:
        context: a context key, "occurrence_class"; one the catalogue does not know is fine.
        people: role -> the people who hold it.
        preferences: say which role is To, CC, BCC or left out.

    Returns:
        The recipients, who was left out and why, and the roles that came to nobody.
    """
    placed: dict[RecipientType, list[Mailbox]] = {kind: [] for kind in RecipientType}
    exclusions: list[Exclusion] = []
    empty_roles: list[str] = []
    for role, kind in preferences.recipient_types(context).items():
        if kind is RecipientType.NONE:
            continue
        found = False
        for person in people.get(role, ()):
            exclusion = why_excluded(person)
            if exclusion is not None:
                exclusions.append(exclusion)
                continue
            found = True
            placed[kind].append(person.mailbox())
        if not found:
            empty_roles.append(role)
    return Expansion(
        recipients=Recipients(
            placed[RecipientType.TO], placed[RecipientType.CC], placed[RecipientType.BCC]
        ),
        exclusions=exclusions,
        empty_roles=empty_roles,
    )

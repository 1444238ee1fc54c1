"""The plan of a bulk send: decided purely, walked lazily."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import attrs

from vetmail_core.address import Mailbox
from vetmail_core.bulk.seen import SeenKeys
from vetmail_core.bulk.summary import PlanSummary, summarise
from vetmail_core.contexts import STANDARD_CONTEXTS, RecipientType
from vetmail_core.errors import MergeError, RecipientsError
from vetmail_core.message import Content, Email
from vetmail_core.people import merge_fields
from vetmail_core.preferences import BulkCopies, EmailPreferences
from vetmail_core.recipients import Exclusion, ExclusionReason, Recipients, why_excluded
from vetmail_core.sender import Sender

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from vetmail_core.people import Person

__all__ = ["BulkPlan", "plan_bulk"]

_NOBODY = Recipients()


class _OnceOnly:
    """People that come from an iterator, which can be walked once."""

    __slots__ = ("_people", "_walked")

    def __init__(self, people: Iterator[Person]) -> None:
        self._people = people
        self._walked = False

    def __iter__(self) -> Iterator[Person]:
        if self._walked:
            raise RecipientsError(
                "The people of this plan came from an iterator, which can be read once, and it has been read. "
                "Give plan_bulk a list, or an object whose __iter__ reads the people anew, to preview and send."
            )
        self._walked = True
        return self._people


@attrs.frozen(kw_only=True)
class BulkPlan:
    """Who gets an email, who gets a copy and who is left out.

    Made by `plan_bulk`. Nothing is computed until it is walked, and each walk gives the same.
    """

    content: Content | Callable[[Person], Content] = attrs.field(repr=False)
    people: Iterable[Person] = attrs.field(repr=False)
    sender: Sender
    first_copies: Recipients
    every_copies: Recipients
    related_types: Mapping[str, RecipientType] = attrs.field(hash=False)
    marketing: bool
    batch: str

    def __iter__(self) -> Iterator[Email]:
        for step in self.steps():
            if isinstance(step, Email):
                yield step

    def steps(self) -> Iterator[Email | Exclusion]:
        """Walk the people: each gives an email, or an exclusion with its reason.

        Raises:
            MergeError: a merge field is unknown, or its value cannot stand in its place; names the person.
            RecipientsError: the people came from an iterator that has been read already.
        """
        seen = SeenKeys()
        copies = self.first_copies
        prefix = self.batch and self.batch.replace("%", "%25").replace("/", "%2F") + "/"
        for person in self.people:
            if person.key and not seen.meet(person.key):
                yield Exclusion(
                    person,
                    ExclusionReason.DUPLICATE_PERSON,
                    f"{person.name or person.key} is in the list more than once (key {person.key!r}).",
                )
                continue
            exclusion = why_excluded(person, marketing=self.marketing)
            if exclusion is not None:
                yield exclusion
                continue
            yield Email(
                sender=self.sender.mailbox,
                recipients=self._recipients(person, copies),
                content=self._content(person),
                reply_to=self.sender.reply_to,
                key=prefix and prefix + person.key,
            )
            copies = self.every_copies

    def summary(self) -> PlanSummary:
        """Count what a run would do, by walking the whole plan.

        Raises:
            MergeError: as in `steps`.
            RecipientsError: as in `steps`.
        """
        return summarise(self.steps())

    def _recipients(self, person: Person, copies: Recipients) -> Recipients:
        own = Recipients((person.mailbox(),))
        if person.related and self.related_types:
            own = own | self._related(person)
        return own | copies if copies else own

    def _related(self, person: Person) -> Recipients:
        placed: dict[RecipientType, list[Mailbox]] = {kind: [] for kind in RecipientType}
        for role, people in person.related.items():
            kind = self.related_types.get(role, RecipientType.NONE)
            placed[kind] += [one.mailbox() for one in people if why_excluded(one, marketing=self.marketing) is None]
        return Recipients(placed[RecipientType.TO], placed[RecipientType.CC], placed[RecipientType.BCC])

    def _content(self, person: Person) -> Content:
        content = self.content if isinstance(self.content, Content) else self.content(person)
        try:
            return content.merge(merge_fields(person))
        except MergeError as error:
            raise MergeError(
                f"For {person.name or person.key} (key {person.key!r}): {error}",
                field=error.field,
                place=error.place,
            ) from error


def plan_bulk(
    content: Content | Callable[[Person], Content],
    people: Iterable[Person],
    *,
    sender: Sender | Mailbox | str,
    cc: Iterable[Mailbox | str] | Mailbox | str = (),
    bcc: Iterable[Mailbox | str] | Mailbox | str = (),
    copies: BulkCopies = BulkCopies.FIRST_RECIPIENT,
    context: str | None = None,
    shared: Mapping[str, Iterable[Person]] = MappingProxyType({}),
    preferences: EmailPreferences | None = None,
    context_copies: BulkCopies | None = None,
    marketing: bool = False,
    batch: str = "",
) -> BulkPlan:
    """Plan one email for each person.

    Args:
        content: what is read, or a function that gives it for a person; both are merged with their fields.
        people: who gets an email; walked lazily.
        sender: from whom.
        cc: typed copies.
        bcc: typed blind copies.
        copies: whether the typed copies go with the first email made, or with every one.
        context: where in the product the mail leaves from; None for no context.
        shared: role -> people who hold it for the whole mailing (class staff).
        preferences: say which role is To, CC or BCC in the context; None for VETtrak's defaults.
        context_copies: as `copies`, for the shared roles; None for the same choice.
        marketing: whether people who opted out of marketing are left out.
        batch: the mailing's name; with it each email has a key and a Message-ID that are the same in every run.

    Raises:
        AddressError: a typed copy or the sender is not a mailbox.
        RecipientsError: copies of a private context, or shared roles without a context.
    """
    typed = Recipients(cc=cc, bcc=bcc)
    standard = STANDARD_CONTEXTS.get(context) if context is not None else None
    if standard is not None and standard.private and typed:
        raise RecipientsError(
            f'"{standard.label}" e-mail is private and is never copied. Take out the CC and BCC addresses.'
        )
    types: dict[str, RecipientType] = {}
    common = _NOBODY
    if context is not None and not (standard is not None and standard.private):
        types = {
            role: kind
            for role, kind in (preferences or EmailPreferences()).recipient_types(context).items()
            if kind is not RecipientType.NONE
        }
        placed: dict[RecipientType, list[Mailbox]] = {kind: [] for kind in RecipientType}
        for role, holders in shared.items():
            placed[types.get(role, RecipientType.NONE)] += [
                one.mailbox() for one in holders if why_excluded(one, marketing=marketing) is None
            ]
        common = Recipients(placed[RecipientType.TO], placed[RecipientType.CC], placed[RecipientType.BCC])
    every = _NOBODY
    if copies is BulkCopies.EVERY_RECIPIENT:
        every = every | typed
    if (context_copies or copies) is BulkCopies.EVERY_RECIPIENT:
        every = every | common
    return BulkPlan(
        content=content,
        people=_OnceOnly(people) if iter(people) is people else people,
        sender=sender if isinstance(sender, Sender) else Sender(sender),
        first_copies=typed | common,
        every_copies=every,
        related_types=MappingProxyType(types),
        marketing=marketing,
        batch=batch,
    )

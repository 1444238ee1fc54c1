"""What a sender wants to know before pressing the button.

The figures are counted from the very steps that a run takes; emails are not kept.
"""

from __future__ import annotations

import functools
from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, final

import attrs

from vetmail_core.bulk.pace import Pace, at_least
from vetmail_core.bulk.personal import nobody_has
from vetmail_core.bulk.seen import SeenKeys
from vetmail_core.contexts import ROLE_LABELS
from vetmail_core.message.merge import STANDARD_FIELDS, nearest_field
from vetmail_core.people import is_given, merge_fields
from vetmail_core.recipients import Exclusion, ExclusionReason, name_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from vetmail_core.address import Mailbox
    from vetmail_core.message import Content, Email
    from vetmail_core.people import Person
    from vetmail_core.recipients import PlacedRoles, Recipients

__all__ = ["PlanSummary", "Tally"]

_UNKNOWN: Final = Pace()
_FIRST_NAMES: Final = 5  # of the people for whom a field is empty
_MOST_WARNINGS: Final = 10_000  # about people; a list of a million may have one for each


def _counter(counts: Mapping[ExclusionReason, int]) -> Counter[ExclusionReason]:
    return Counter(counts)


def _read_only(counts: Mapping[str, int]) -> Mapping[str, int]:
    return MappingProxyType(dict(counts))


def _read_only_names(names: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    return MappingProxyType(dict(names))


def _as_dict(counts: Mapping[str, int]) -> str:
    return repr(dict(counts))


@attrs.frozen(kw_only=True)
class PlanSummary:
    """The figures of a plan; ``str(summary)`` says them in words.

    Attributes:
        emails: how many would be sent.
        copies: addr-spec -> how many emails that address gets on top of its own, the most first.
        exclusions: reason -> how many people get no email for it.
        first: the first email in full; None when there is none.
        copy_exclusions: reason -> how often somebody who should be copied cannot be.
        empty_roles: roles that the preferences want copied and that came to nobody.
        empty_fields: merge field that is asked for without a default -> in how many emails it is empty.
        empty_for: the same -> the first of the people whose email it is, by name or key.
        same_address: addr-spec -> how many emails are To it, where it is more than one. Spellings that
            differ in case only are one, under the first; a copy of an email to another spelling of the
            person's own address counts.
        warnings: what somebody should look at before sending, in a sentence each: in people's records, in
            the sender and the copies, in the content; marketing that nobody can leave, and copies that carry
            the link to unsubscribe; more recipients than the provider takes a day, or a message.
        seconds: how long a run takes at least, at the wait of the preferences and the provider's rate.
    """

    emails: int
    copies: Mapping[str, int] = attrs.field(converter=_read_only, hash=False, repr=_as_dict)
    exclusions: Counter[ExclusionReason] = attrs.field(converter=_counter, hash=False)
    first: Email | None
    copy_exclusions: Counter[ExclusionReason] = attrs.field(
        factory=Counter[ExclusionReason], converter=_counter, hash=False
    )
    empty_roles: tuple[str, ...] = attrs.field(default=(), converter=tuple[str, ...])
    empty_fields: Mapping[str, int] = attrs.field(
        factory=dict[str, int], converter=_read_only, hash=False, repr=_as_dict
    )
    empty_for: Mapping[str, tuple[str, ...]] = attrs.field(
        factory=dict[str, tuple[str, ...]], converter=_read_only_names, hash=False, repr=False
    )
    same_address: Mapping[str, int] = attrs.field(
        factory=dict[str, int], converter=_read_only, hash=False, repr=_as_dict
    )
    warnings: tuple[str, ...] = attrs.field(default=(), converter=tuple[str, ...])
    seconds: float = 0.0

    @property
    def recipients(self) -> int:
        """How many people are written to, copies counted."""
        return self.emails + sum(self.copies.values())

    def __reduce__(self) -> tuple[functools.partial[PlanSummary], tuple[()]]:
        # A read-only mapping cannot be pickled or deep-copied, so a plain one travels and is wrapped again.
        plain = functools.partial(
            PlanSummary,
            emails=self.emails,
            copies=dict(self.copies),
            exclusions=self.exclusions,
            first=self.first,
            copy_exclusions=self.copy_exclusions,
            empty_roles=self.empty_roles,
            empty_fields=dict(self.empty_fields),
            empty_for=dict(self.empty_for),
            same_address=dict(self.same_address),
            warnings=self.warnings,
            seconds=self.seconds,
        )
        return plain, ()

    def __str__(self) -> str:
        lines = [_count(self.emails, "email")]
        lines += [f"{address} gets {_count(number, 'copy')}" for address, number in self.copies.items()]
        lines += [
            f"{_count(number, 'person')} left out: {_words(reason)}"
            for reason, number in self.exclusions.items()
        ]
        lines += [
            f"{_count(number, 'copy')} not possible: {_words(reason)}"
            for reason, number in self.copy_exclusions.items()
        ]
        lines += [f"nobody gets a copy as {ROLE_LABELS.get(role, role)}" for role in self.empty_roles]
        lines += [f"{field} is empty for {_count(n, 'person')}" for field, n in self.empty_fields.items()]
        lines += [f"{_count(n, 'email')} go to {address}" for address, n in self.same_address.items()]
        lines += filter(None, [at_least(self.seconds)])
        lines += self.warnings
        return "\n".join(lines)


_PLURALS = {"email": "emails", "copy": "copies", "person": "people"}


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun if number == 1 else _PLURALS[noun]}"


def _words(reason: ExclusionReason) -> str:
    return reason.value.replace("_", " ")


@final
class Tally:
    """Counts steps as they come.

    Args:
        lost: people with a shared role who cannot be copied.
    """

    __slots__ = (
        "_asked",
        "_copies",
        "_defaults",
        "_doubtful",
        "_emails",
        "_empty",
        "_empty_for",
        "_exclusions",
        "_filled",
        "_first",
        "_given",
        "_known",
        "_largest",
        "_lost",
        "_met",
        "_odd",
        "_same",
        "_seen",
        "_spellings",
        "_untold",
        "_warnings",
    )

    def __init__(self, lost: Iterable[Exclusion]) -> None:
        self._emails = 0
        self._largest = 0
        self._first: Email | None = None
        self._copies: Counter[str] = Counter()
        self._spellings: dict[str, str] = {}
        self._exclusions: Counter[ExclusionReason] = Counter()
        self._lost = Counter(exclusion.reason for exclusion in lost)
        self._filled: set[str] = set()
        self._known: dict[str, None] = {}  # the fields that anybody has
        self._asked: dict[str, str] = {}  # and where
        self._given: set[str] = set()
        self._defaults: set[str] = set()
        self._empty: Counter[str] = Counter()
        self._empty_for: dict[str, list[str]] = {}
        self._doubtful: dict[str, None] = {}
        self._warnings: list[str] = []
        self._untold = 0
        self._met = SeenKeys()  # addresses in To, case-folded
        self._odd: dict[str, str] = {}  # the first spelling, where it is not the folded one
        self._same: dict[str, int] = {}
        self._seen: tuple[Content, int] | None = (
            None  # the template that was looked at, and with how many fields
        )

    def add(self, step: Email | Exclusion) -> None:
        """Count one step."""
        if isinstance(step, Exclusion):
            self._exclusions[step.reason] += 1
            return
        self._emails += 1
        if self._first is None:
            self._first = step
        # The person stands first in To; whoever follows gets a copy.
        own, *copies = step.recipients.all
        self._largest = max(self._largest, len(copies) + 1)
        folded = own.address_key.casefold()
        self._meet(folded, own.addr_spec)
        for mailbox in copies:
            self._copies[self._spellings.setdefault(mailbox.address_key, mailbox.addr_spec)] += 1
            if mailbox.address_key.casefold() == folded:
                self._meet(folded, mailbox.addr_spec)

    def _meet(self, folded: str, addr_spec: str) -> None:
        if not self._met.meet(folded):
            self._same[folded] = self._same.get(folded, 1) + 1
        elif addr_spec != folded:
            self._odd[folded] = addr_spec

    def add_letter(self, person: Person, content: Content, fields: Mapping[str, object]) -> None:
        """Count what an email is made of.

        Args:
            person: whose it is.
            content: what it was merged from.
            fields: what was merged in; none where nothing was.
        """
        for warning in person.warnings:
            self._warn(f"{name_of(person)}: {warning}")
        if not fields:
            if content.marks_something:
                self._look_at(content, merge_fields(person))
            return
        self._look_at(content, fields)
        for name in content.asked:
            if is_given(fields[name]):
                self._given.add(name)
            else:
                self._empty[name] += 1
                names = self._empty_for.setdefault(name, [])
                if len(names) < _FIRST_NAMES:
                    names.append(name_of(person))

    def _look_at(self, content: Content, fields: Mapping[str, object]) -> None:
        """Look at a template; once for all the people who have the same fields."""
        for name, value in fields.items():
            if value is not None or name not in content.asked:
                self._known[name] = None
        if self._seen is not None and self._seen[0] is content and self._seen[1] == len(self._known):
            return
        self._seen = (content, len(self._known))
        self._defaults |= content.defaulted
        for name in content.asked:
            self._asked.setdefault(name, content.place_of(name))
        self._doubtful.update(dict.fromkeys(content.doubtful_marks(self._known)))

    def _warn(self, said: str) -> None:
        if len(self._warnings) < _MOST_WARNINGS:
            self._warnings.append(said)
        else:
            self._untold += 1

    def refuse_ungiven(self) -> None:
        """Refuse a plan in which a field is empty for everybody; of people who can be walked once, only now.

        Raises:
            MergeError: there is such a field.
        """
        for name, place in self._asked.items():
            if name not in self._given:
                raise nobody_has(name, place, self._known)

    def add_mailboxes(self, sender: Mailbox, copies: Recipients) -> None:
        """Take in what is to be said of the sender and the typed copies."""
        said = [f"the sender {sender.addr_spec}: {warning}" for warning in sender.warnings]
        said += [
            f"the copy to {mailbox.addr_spec}: {warning}"
            for mailbox in copies.all
            for warning in mailbox.warnings
        ]
        self._warnings[:0] = said

    def add_related(self, related: PlacedRoles) -> None:
        """Count the related people of one person: which roles they filled, and who could not be copied."""
        self._filled.update(related.filled)
        self._lost.update(exclusion.reason for exclusion in related.exclusions)

    def summary(
        self,
        *,
        wanted: Iterable[str],
        filled: Collection[str],
        marketing: bool,
        unsubscribe: bool,
        pace: Pace = _UNKNOWN,
    ) -> PlanSummary:
        """What has been counted.

        Args:
            wanted: the roles that the context copies.
            filled: the shared roles that came to somebody.
            marketing: it is marketing.
            unsubscribe: the emails carry a link to unsubscribe.
            pace: how fast the emails leave, and what the provider takes.
        """
        warnings: list[str] = []
        if marketing and not unsubscribe:
            warnings.append(
                "This is marketing, and nobody can leave it by a button: give plan_bulk unsubscribe=, an "
                "https or mailto link."
            )
        if unsubscribe and self._copies:
            warnings.append(
                "Copies carry the link to unsubscribe too, so whoever gets a copy can unsubscribe the person "
                "it is about: send without copies, or without unsubscribe=."
            )
        recipients = self._emails + self._copies.total()
        warnings += pace.warnings(recipients=recipients, largest=self._largest)
        return PlanSummary(
            emails=self._emails,
            seconds=pace.seconds(self._emails),
            copies=dict(self._copies.most_common()),
            exclusions=self._exclusions,
            first=self._first,
            copy_exclusions=self._lost,
            empty_roles=[role for role in wanted if role not in filled and role not in self._filled],
            empty_fields=self._empty,
            empty_for={name: tuple(names) for name, names in self._empty_for.items()},
            same_address={self._odd.get(folded, folded): number for folded, number in self._same.items()},
            warnings=(*warnings, *self._of_content(), *self._warnings, *self._and_more()),
        )

    def _of_content(self) -> Iterator[str]:
        for name in sorted(self._defaults - self._known.keys()):
            yield (
                f'nobody has the field "{name}", so everybody reads its default; '
                f"{nearest_field(name, dict.fromkeys((*self._known, *STANDARD_FIELDS)))}"
            )
        yield from self._doubtful

    def _and_more(self) -> Iterator[str]:
        if self._untold:
            yield f"and {self._untold:,} more warnings about people's records"

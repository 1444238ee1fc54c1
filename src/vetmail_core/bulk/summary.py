"""What a sender wants to know before pressing the button.

What it is for: the figures of a plan, and its first email. What it refuses: to keep the emails it counts. Its
law: it is counted from the very steps that a run takes.
"""

from __future__ import annotations

import functools
from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING, final

import attrs

from vetmail_core.contexts import ROLE_LABELS
from vetmail_core.recipients import Exclusion, ExclusionReason

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from vetmail_core.message import Email
    from vetmail_core.recipients import PlacedRoles

__all__ = ["PlanSummary", "Tally"]


def _counter(counts: Mapping[ExclusionReason, int]) -> Counter[ExclusionReason]:
    return Counter(counts)


def _read_only(counts: Mapping[str, int]) -> Mapping[str, int]:
    return MappingProxyType(dict(counts))


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
        warnings: what deserves a second look before it is sent, as sentences.
    """

    emails: int
    copies: Mapping[str, int] = attrs.field(converter=_read_only, hash=False, repr=_as_dict)
    exclusions: Counter[ExclusionReason] = attrs.field(converter=_counter, hash=False)
    first: Email | None
    copy_exclusions: Counter[ExclusionReason] = attrs.field(
        factory=Counter[ExclusionReason], converter=_counter, hash=False
    )
    empty_roles: tuple[str, ...] = attrs.field(default=(), converter=tuple[str, ...])
    warnings: tuple[str, ...] = attrs.field(default=(), converter=tuple[str, ...])

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
            warnings=self.warnings,
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

    __slots__ = ("_copies", "_emails", "_exclusions", "_filled", "_first", "_lost", "_spellings")

    def __init__(self, lost: Iterable[Exclusion]) -> None:
        self._emails = 0
        self._first: Email | None = None
        self._copies: Counter[str] = Counter()
        self._spellings: dict[str, str] = {}
        self._exclusions: Counter[ExclusionReason] = Counter()
        self._lost = Counter(exclusion.reason for exclusion in lost)
        self._filled: set[str] = set()

    def add(self, step: Email | Exclusion) -> None:
        """Count one step."""
        if isinstance(step, Exclusion):
            self._exclusions[step.reason] += 1
            return
        self._emails += 1
        if self._first is None:
            self._first = step
        # The person stands first in To; whoever follows gets a copy.
        for mailbox in step.recipients.all[1:]:
            self._copies[self._spellings.setdefault(mailbox.address_key, mailbox.addr_spec)] += 1

    def add_related(self, related: PlacedRoles) -> None:
        """Count the related people of one person: which roles they filled, and who could not be copied."""
        self._filled.update(related.filled)
        self._lost.update(exclusion.reason for exclusion in related.exclusions)

    def summary(
        self, *, wanted: Iterable[str], filled: Collection[str], marketing: bool, unsubscribe: bool
    ) -> PlanSummary:
        """What has been counted.

        Args:
            wanted: the roles that the context copies.
            filled: the shared roles that came to somebody.
            marketing: it is marketing.
            unsubscribe: the emails carry a link to unsubscribe.
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
        return PlanSummary(
            emails=self._emails,
            copies=dict(self._copies.most_common()),
            exclusions=self._exclusions,
            first=self._first,
            copy_exclusions=self._lost,
            empty_roles=[role for role in wanted if role not in filled and role not in self._filled],
            warnings=warnings,
        )

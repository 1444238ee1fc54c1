"""What a sender wants to know before pressing the button.

What it is for: the figures of a plan, and its first email. What it refuses: to hold the emails. Its law: it is
counted from the very steps that a run would take.
"""

from __future__ import annotations

from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING

import attrs

from vetmail_core.recipients import ExclusionReason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vetmail_core.message import Email
    from vetmail_core.recipients import Exclusion

__all__ = ["PlanSummary", "summarise"]


def _counter(counts: Mapping[ExclusionReason, int]) -> Counter[ExclusionReason]:
    return Counter(counts)


def _read_only(counts: Mapping[str, int]) -> Mapping[str, int]:
    return MappingProxyType(dict(counts))


@attrs.frozen(kw_only=True)
class PlanSummary:
    """The figures of a plan.

    Attributes:
        emails: how many would be sent.
        copies: addr-spec -> how many of the emails that address gets besides its own, most first.
        exclusions: reason -> how many people are left out for it.
        first: the first email in full; None when there is none.
    """

    emails: int
    copies: Mapping[str, int] = attrs.field(converter=_read_only, hash=False)
    exclusions: Counter[ExclusionReason] = attrs.field(converter=_counter, hash=False)
    first: Email | None


def summarise(steps: Iterable[Email | Exclusion]) -> PlanSummary:
    """Walk the steps of a plan and count.

    Args:
        steps: all of them, in order.
    """
    from vetmail_core.recipients import Exclusion

    emails = 0
    copies: Counter[str] = Counter()
    names: dict[str, str] = {}
    exclusions: Counter[ExclusionReason] = Counter()
    first: Email | None = None
    for step in steps:
        if isinstance(step, Exclusion):
            exclusions[step.reason] += 1
            continue
        emails += 1
        if first is None:
            first = step
        for mailbox in step.recipients.all[1:]:
            copies[names.setdefault(mailbox.address_key, mailbox.addr_spec)] += 1
    return PlanSummary(
        emails=emails, copies=dict(copies.most_common()), exclusions=exclusions, first=first
    )

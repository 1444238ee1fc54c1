"""What is told of a mailing that was written down.

Small values for a host's pages and logs, without emails or addresses. All counts are of emails, and the
counts of a mailing add up to its emails.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = ["Mailing", "MailingProgress", "SliceResult"]


def _read_only(counts: Mapping[str, int]) -> Mapping[str, int]:
    return MappingProxyType(dict(counts))


@attrs.frozen(kw_only=True)
class Mailing:
    """A plan that was written down.

    Attributes:
        batch: its name.
        slices: the numbers of its slices, for an engine's tasks.
        emails: how many there are.
    """

    batch: str
    slices: tuple[int, ...]
    emails: int


@attrs.frozen(kw_only=True)
class SliceResult:
    """What one call of `Mailings.deliver_slice` came to.

    Attributes:
        counts: the value of a `Status`, or "already_sent" -> emails that this call answered for. An email
            counts once, by the recipient who needs attention most.
        open: emails of the slice that a later call may send.
        poisoned: the slice was begun too often without an end; it waits for `Mailings.resume`.
    """

    counts: Mapping[str, int] = attrs.field(converter=_read_only)
    open: int
    poisoned: bool = False


@attrs.frozen(kw_only=True)
class MailingProgress:
    """How far a mailing is.

    Attributes:
        batch: its name.
        emails: how many there are.
        counts: the value of a `Status` -> emails; together `emails`.
        open: emails that may still be sent.
        poisoned: slices that were begun too often without an end.
        stopped: whether it was stopped.
        enqueued_at: when it was written down, aware, UTC.
    """

    batch: str
    emails: int
    counts: Mapping[str, int] = attrs.field(converter=_read_only)
    open: int
    poisoned: tuple[int, ...]
    stopped: bool
    enqueued_at: datetime

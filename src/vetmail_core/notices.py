"""What came back after an email was accepted: the values that `read_bounce` makes and a ledger keeps."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from datetime import datetime

    from vetmail_core.receipts import Cause

__all__ = ["Action", "Bounce", "BounceTaken", "NeverReached", "Notice"]


class Action(enum.Enum):
    """What happened to an email after it was accepted (RFC 3464, 2.3.3; `COMPLAINED` is RFC 5965)."""

    FAILED = "failed"
    """It came back and will not be delivered."""
    DELAYED = "delayed"
    """Not delivered yet; a server is still trying."""
    DELIVERED = "delivered"
    """It is in the mailbox."""
    RELAYED = "relayed"
    """It went on to a server that sends no reports of success."""
    EXPANDED = "expanded"
    """It went to a mailing list."""
    COMPLAINED = "complained"
    """The reader called it spam, and the provider says so."""


@attrs.frozen
class Notice:
    """What a report says of one recipient.

    Args:
        address: as the report names it; "" where a complaint hides it.
        action: what happened.
        enhanced: "5.1.1" (RFC 3463), the more exact code where the report has two; "" when it has none.
        said: the remote server's words, on one line, at most 300 characters; "" when there are none.
        cause: what these words mean, for an email that failed or is delayed.
    """

    address: str
    action: Action
    enhanced: str = ""
    said: str = ""
    cause: Cause | None = None


@attrs.frozen(kw_only=True)
class Bounce:
    """One report about one email.

    Args:
        envelope_id: what the email was called in its envelope (RFC 3461, 4.4); our transports send the key
            there. "" when the report does not repeat it.
        message_id: of the email that came back, with its angle brackets; "" when the report has none.
        notices: one for each recipient that the report is about; at least one.
    """

    envelope_id: str = ""
    message_id: str = ""
    notices: tuple[Notice, ...]


@attrs.frozen(kw_only=True)
class BounceTaken:
    """One notice that a ledger took: it is about an email of this ledger, and about a recipient of it.

    Args:
        key: of the email.
        person_key: the person the email was for; "" when the notice is about a copy.
        address: as the report names it; where it hides the address, the email's only recipient.
        action: what happened.
        enhanced: the code, as in the notice.
        said: the remote server's words, as in the notice.
        suppressed: why the address is left out of plans from now on; "" when it is not.
    """

    key: str
    person_key: str
    address: str
    action: Action
    enhanced: str = ""
    said: str = ""
    suppressed: str = ""


@attrs.frozen(kw_only=True)
class NeverReached:
    """An address that none of our emails reached since a moment.

    Args:
        person_key: of the latest of these emails; "" when it was a copy.
        address: as the latest report or receipt names it.
        said: what was said of the latest of them.
        times: how many emails failed.
        last: when the latest of them failed, in UTC.
    """

    person_key: str
    address: str
    said: str
    times: int
    last: datetime

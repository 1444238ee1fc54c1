"""What became of each email, recipient by recipient.

What a server says is a value here, never an exception. An answer covers each recipient exactly once.

The way through: a `Reply` (what the server said) and a `Cause` (what it means) make an `Outcome` (one
recipient), outcomes make a `Receipt` (one email), receipts make a `Report` (a run). `Tally` is the one
mutable thing: it counts receipts while a run goes on and gives the `Report` at any moment.
"""

from __future__ import annotations

from vetmail_core.receipts.causes import Cause, Phase, Status
from vetmail_core.receipts.outcomes import Outcome, Receipt, Reply, only_for
from vetmail_core.receipts.records import receipt_from_dict
from vetmail_core.receipts.report import Report, Tally

__all__ = [
    "Cause",
    "Outcome",
    "Phase",
    "Receipt",
    "Reply",
    "Report",
    "Status",
    "Tally",
    "only_for",
    "receipt_from_dict",
]

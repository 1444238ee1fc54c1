"""The test kit: for testing features that send e-mail, in pytest, unittest or none of them.

A test gets a transport that answers like a mail server and remembers everything. It accepts nothing that
the real thing would refuse, and it patches nothing.

::

    Outbox ── the recording transport      matching ── contains, matches, any_of
    Faults ── refusals on demand           builders ── a_student, content, email ...
    FakeClock ── waits that take no time   strategies ── the same for hypothesis
    LocalSmtpServer ── a real socket       snapshots ── render, normalise, approve
    TransportContract ── what every transport must pass
    LedgerContract ── what every ledger must pass
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vetmail_core._lazy import late

if TYPE_CHECKING:
    from vetmail_core.testing import strategies
    from vetmail_core.testing.builders import (
        a_staff_member,
        a_student,
        an_employer,
        content,
        email,
        preferences,
    )
    from vetmail_core.testing.clock import FakeClock
    from vetmail_core.testing.contract import TransportContract
    from vetmail_core.testing.fault import Fault, FaultKind
    from vetmail_core.testing.faults import Faults
    from vetmail_core.testing.ledger_contract import LedgerContract
    from vetmail_core.testing.matching import Matcher, any_of, contains, matches
    from vetmail_core.testing.outbox import Outbox, capture
    from vetmail_core.testing.records import Record
    from vetmail_core.testing.smtpd import LocalSmtpServer, ReceivedEmail
    from vetmail_core.testing.snapshots import approve, normalise, render

__all__ = [
    "FakeClock",
    "Fault",
    "FaultKind",
    "Faults",
    "LedgerContract",
    "LocalSmtpServer",
    "Matcher",
    "Outbox",
    "ReceivedEmail",
    "Record",
    "TransportContract",
    "a_staff_member",
    "a_student",
    "an_employer",
    "any_of",
    "approve",
    "capture",
    "contains",
    "content",
    "email",
    "matches",
    "normalise",
    "preferences",
    "render",
    "strategies",
]

_HOMES: Final = {
    ".outbox": "Outbox capture",
    ".records": "Record",
    ".matching": "Matcher any_of contains matches",
    ".fault": "Fault FaultKind",
    ".faults": "Faults",
    ".clock": "FakeClock",
    ".smtpd": "LocalSmtpServer ReceivedEmail",
    ".contract": "TransportContract",
    ".ledger_contract": "LedgerContract",
    ".builders": "a_staff_member a_student an_employer content email preferences",
    ".strategies": "strategies",
    ".snapshots": "approve normalise render",
}

__getattr__, __dir__ = late(__name__, _HOMES)

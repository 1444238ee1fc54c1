"""The test kit: for testing features that send e-mail, in pytest, unittest or none of them.

What it is for: handing a test a transport that answers like a mail server and remembers everything.
What it refuses: patching, global switches, and accepting more than the real thing would. Its law: a
fake that accepts more is a liar.

::

    Outbox ── the recording transport      matching ── contains, matches, any_of
    Faults ── refusals on demand           builders ── a_student, content, email ...
    FakeClock ── waits that take no time   strategies ── the same for hypothesis
    LocalSmtpServer ── a real socket       snapshots ── render, normalise, approve
    TransportContract ── what every transport must pass
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vetmail_core._lazy import late

if TYPE_CHECKING:
    from vetmail_core.testing.clock import FakeClock
    from vetmail_core.testing.fault import Fault, FaultKind
    from vetmail_core.testing.faults import Faults
    from vetmail_core.testing.smtpd import LocalSmtpServer, ReceivedEmail

__all__ = [
    "FakeClock",
    "Fault",
    "FaultKind",
    "Faults",
    "LocalSmtpServer",
    "ReceivedEmail",
]

_HOMES: Final = {
    "FakeClock": ".clock",
    "Fault": ".fault",
    "FaultKind": ".fault",
    "Faults": ".faults",
    "LocalSmtpServer": ".smtpd",
    "ReceivedEmail": ".smtpd",
}

__getattr__, __dir__ = late(__name__, _HOMES)

"""A mail server on this machine: a real socket, a scripted answer, and a record of what came.

What it is for: tests of the wire. What it refuses: to be used for mail. Its law: what it was asked to
refuse it refuses, and all else it takes as a submission server would.
"""

from __future__ import annotations

from vetmail_core.testing.smtpd.received import ReceivedEmail
from vetmail_core.testing.smtpd.server import LocalSmtpServer

__all__ = ["LocalSmtpServer", "ReceivedEmail"]

"""A mail server on this machine: a real socket, a scripted answer, and a record of what came.

For tests over a real socket. What it was told to refuse it refuses; all else it takes as a submission
server would.
"""

from __future__ import annotations

from vetmail_core.testing.smtpd.received import ReceivedEmail
from vetmail_core.testing.smtpd.server import LocalSmtpServer

__all__ = ["LocalSmtpServer", "ReceivedEmail"]

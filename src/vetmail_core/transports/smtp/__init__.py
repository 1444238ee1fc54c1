"""SMTP: a few connections, used well, and an honest answer for every recipient.

What it is for: `SmtpTransport`. What it refuses: see each room. Its law: the rules of the session do no input
or output; the socket knows no rules.

The rooms, from the inside out: `protocol` (replies and commands), `auth` (logins), `opening` (from the
greeting to the login), `transaction` (one message), `pipeline` and `chunking` (messages on their way), all
without a socket; `waiting` (for one line or several), `connection`, `handshake`, `transcript` and `dialling`
(socket, TLS, deadlines), `session`, `lending` (of connections to runs), `pace`, `course` (what ends a run or
slows it), `link` (from one connection to the next), `run`, `transport`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vetmail_core._lazy import late

if TYPE_CHECKING:
    from vetmail_core.transports.smtp.check import ConnectionCheck
    from vetmail_core.transports.smtp.settings import Deadlines, Limits, Pipelining
    from vetmail_core.transports.smtp.transport import SmtpTransport

__all__ = ["ConnectionCheck", "Deadlines", "Limits", "Pipelining", "SmtpTransport"]

_HOMES: Final = {
    ".check": "ConnectionCheck",
    ".settings": "Deadlines Limits Pipelining",
    ".transport": "SmtpTransport",
}

__getattr__, __dir__ = late(__name__, _HOMES)

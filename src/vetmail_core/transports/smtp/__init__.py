"""SMTP: a few connections, used well, and an honest answer for every recipient.

The rules of the session do no input or output, and the socket knows no rules.

The rooms, from the outside in::

    transport.py  the front
    check.py      a connection tried before the first email
    run.py        one run: pull, place, order, stop, try again
    host.py       what was learnt of the server, and the modes that follow from it
    link.py       from one connection to the next
    lending.py    connections lent to runs
    session.py    one connection from the greeting to QUIT
    token_login.py  logins by token
    pace.py       the wait between emails and for a server that asks for time
    settings.py   Deadlines, Limits, Pipelining
    rules         what is said and what follows from an answer, without a socket or a clock
    wire          octets, deadlines, TLS, without a rule of what is said
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

"""Ways for an email to leave: SMTP, a mail program, a folder, and transports made of transports.

What it is for: taking decided emails to the edge and answering for every recipient. What it refuses: to
decide who receives what. Its law: one receipt for each email, in order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vetmail_core._lazy import late

if TYPE_CHECKING:
    from vetmail_core.transports.base import EmailSource, Transport
    from vetmail_core.transports.choice import transport_for
    from vetmail_core.transports.eml import EmlTransport
    from vetmail_core.transports.mailto import MailtoTransport, mailto_uri
    from vetmail_core.transports.smtp import ConnectionCheck, Deadlines, Limits, Pipelining, SmtpTransport
    from vetmail_core.transports.wrappers import RedirectAll, Retrying, Spaced, Spacing

__all__ = [
    "ConnectionCheck",
    "Deadlines",
    "EmailSource",
    "EmlTransport",
    "Limits",
    "MailtoTransport",
    "Pipelining",
    "RedirectAll",
    "Retrying",
    "SmtpTransport",
    "Spaced",
    "Spacing",
    "Transport",
    "mailto_uri",
    "transport_for",
]

_HOMES: Final = {
    ".base": "EmailSource Transport",
    ".choice": "transport_for",
    ".smtp": "ConnectionCheck Deadlines Limits Pipelining SmtpTransport",
    ".mailto": "MailtoTransport mailto_uri",
    ".eml": "EmlTransport",
    ".wrappers": "RedirectAll Retrying Spaced Spacing",
}

__getattr__, __dir__ = late(__name__, _HOMES)

"""Ways for an email to leave: SMTP, a mail program, a folder, and transports made of transports.

Who receives what is decided before. A transport gives one receipt for each email, in order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vetmail_core._lazy import late

if TYPE_CHECKING:
    from vetmail_core.transports.base import EmailSource, Transport
    from vetmail_core.transports.choice import transport_for
    from vetmail_core.transports.eml import EmlTransport
    from vetmail_core.transports.imap_drafts import ImapDrafts
    from vetmail_core.transports.mailto import HandOverWarning, MailtoTransport, draft_bytes, mailto_uri
    from vetmail_core.transports.smtp import ConnectionCheck, Deadlines, Limits, Pipelining, SmtpTransport
    from vetmail_core.transports.wrappers import Archived, RedirectAll, Retrying, Spaced, Spacing

__all__ = [
    "Archived",
    "ConnectionCheck",
    "Deadlines",
    "EmailSource",
    "EmlTransport",
    "HandOverWarning",
    "ImapDrafts",
    "Limits",
    "MailtoTransport",
    "Pipelining",
    "RedirectAll",
    "Retrying",
    "SmtpTransport",
    "Spaced",
    "Spacing",
    "Transport",
    "draft_bytes",
    "mailto_uri",
    "transport_for",
]

_HOMES: Final = {
    ".base": "EmailSource Transport",
    ".choice": "transport_for",
    ".smtp": "ConnectionCheck Deadlines Limits Pipelining SmtpTransport",
    ".mailto": "HandOverWarning MailtoTransport draft_bytes mailto_uri",
    ".eml": "EmlTransport",
    ".imap_drafts": "ImapDrafts",
    ".wrappers": "Archived RedirectAll Retrying Spaced Spacing",
}

__getattr__, __dir__ = late(__name__, _HOMES)

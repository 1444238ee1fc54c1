"""Hands drafts to the mail program of whoever sits at the machine.

What it is for: the other half of VETtrak's choice "Use built-in VETtrak email client": a link or a draft
file that Outlook, Thunderbird or another program opens, and a person sends. What it refuses: to run a
shell, to cut what is too long, to open window after window. Its law: what was opened is HANDED_OVER, never
ACCEPTED, because nobody tells us whether it was sent.

::

    uri.py        an email as a mailto link (RFC 6068): pure
    warnings.py   what a mail program may do with it
    drafts.py     an email as a draft file, and the private folder of such files
    opening.py    asking Windows, macOS or Linux to open one
    transport.py  the choice between link and file
"""

from __future__ import annotations

from vetmail_core.transports.mailto.transport import MailtoTransport
from vetmail_core.transports.mailto.uri import mailto_uri
from vetmail_core.transports.mailto.warnings import HandOverWarning

__all__ = ["HandOverWarning", "MailtoTransport", "mailto_uri"]

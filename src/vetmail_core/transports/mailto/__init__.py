"""Hands drafts to the mail program of whoever sits at the machine.

The other half of VETtrak's choice "Use built-in VETtrak email client": a link or a draft file that Outlook,
Thunderbird or another program opens, and a person sends. What was opened is HANDED_OVER, never ACCEPTED,
because nobody tells us whether it was sent.

::

    programs.py   the table of measured programs
    desktop.py    asking the desktop which program opens what
    uri.py        an email as a mailto link (RFC 6068): pure
    drafts.py     an email as a draft file, and the private folder of such files
    controls.py   characters that programs cut a text at
    deciding.py   link, draft file or neither
    warnings.py   what a mail program may do with it
    problems.py   errors whose way out depends on the reader
    opening.py    asking Windows, macOS or Linux to open one
    transport.py  a run
"""

from __future__ import annotations

from vetmail_core.transports.mailto.drafts import draft_bytes
from vetmail_core.transports.mailto.problems import NoScreenError, TooManyWindowsError
from vetmail_core.transports.mailto.transport import MailtoTransport
from vetmail_core.transports.mailto.uri import mailto_uri
from vetmail_core.transports.mailto.warnings import HandOverWarning

__all__ = [
    "HandOverWarning",
    "MailtoTransport",
    "NoScreenError",
    "TooManyWindowsError",
    "draft_bytes",
    "mailto_uri",
]

"""Mailings that are written down before anything is queued, so that nobody is forgotten.

What it is for: a plan in a ledger's database, sent slice by slice by whichever workers there are. What it
refuses: to keep private mail, and to trust an engine. Its law: the list is the truth. A report starts from
it, so whoever was never tried can be seen.

::

    values.py   what is told of a mailing
    codec.py    an email as JSON, and back
    writing.py  a plan becomes rows, all or nothing
    reading.py  slices and reports out of rows
    room.py     Mailings: the calls a host makes
"""

from __future__ import annotations

from vetmail_core.mailings.room import Mailings
from vetmail_core.mailings.values import Mailing, MailingProgress, SliceResult

__all__ = ["Mailing", "MailingProgress", "Mailings", "SliceResult"]

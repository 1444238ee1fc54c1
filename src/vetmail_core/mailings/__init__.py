"""Mailings that are written down before anything is queued, so that nobody is forgotten.

A plan is kept in a ledger's database and sent slice by slice by whichever workers there are. The report
starts from the list, so whoever was never tried can be seen. Private mail is never kept.

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

"""Addresses as people type them, and as messages carry them.

What it is for: one mailbox or a list of them, read strictly or, on request, with the repairs that pasted text
needs; written for people and for headers. What it refuses: text that could be read in two ways, and anything
invisible. Its law: ``parse_mailbox(str(mailbox)) == mailbox``, alone and in a list with either separator.
"""

from __future__ import annotations

from vetmail_core.address.lists import (
    CollectedMailboxes,
    collect_mailbox_list,
    format_mailbox_list,
    parse_mailbox,
    parse_mailbox_list,
    unique_mailboxes,
)
from vetmail_core.address.mailbox import Mailbox
from vetmail_core.errors import AddressError, AddressErrorCode, AddressListError

__all__ = [
    "AddressError",
    "AddressErrorCode",
    "AddressListError",
    "CollectedMailboxes",
    "Mailbox",
    "collect_mailbox_list",
    "format_mailbox_list",
    "parse_mailbox",
    "parse_mailbox_list",
    "unique_mailboxes",
]

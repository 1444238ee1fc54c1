"""Addresses as people type them, and as messages carry them.

A mailbox or a list is read strictly or, on request, with the repairs that pasted text needs. Text that
could be read in two ways is an error. ``parse_mailbox(str(mailbox)) == mailbox``, alone and in a list with
either separator.

::

    lists.py          a whole input: one mailbox, or a list of them
    lenient.py        repairs to pasted text, on request
    nesting.py        where quotes, comments and literals close, and where entries end
    entry.py          one mailbox as it is typed
    rules.py          what may stand in its name without quotes
    mistakes.py       what people write instead, and what to tell them
    faults.py         a broken rule, on its way to the error that people see
    addr_spec.py      local-part@domain, checked and brought to one written form
    domain.py         what stands behind its @
    names.py          the display name, checked, and what looks odd about it
    slips.py          what is allowed in an address but is often a slip
    advice.py         hints that are tested before they are given
    mailbox.py        both together: the value
    header.py         name <address> in a message header
    encoded_words.py  UTF-8 in the seven bits of any header
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

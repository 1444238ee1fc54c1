"""What an email gets as it leaves: a date, and a Message-ID by chance where it has none and no key.

This is the only file that asks for a random value for something that is sent. What an email says of itself
is not changed.
"""

from __future__ import annotations

from os import urandom
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from vetmail_core.message import Email

__all__ = ["message_id_of", "stamp"]


def message_id_of(email: Email) -> str:
    """The email's own Message-ID, or a new one at the sender's domain (RFC 5322, section 3.6.4)."""
    return email.message_id or f"<{urandom(16).hex()}@{email.sender.ascii_domain}>"


def stamp(email: Email, now: datetime) -> Email:
    """The same email with a Date and a Message-ID.

    Args:
        email: what is about to be written.
        now: aware; used when the email has no date.
    """
    return email.stamped(now, message_id_of(email))

"""The keys that a run has met, and to whom each went.

A key names one email. Two emails of one run with one key and the same recipients are one email that comes
twice; with other recipients they are a mistake of whoever gave the keys, and somebody would get nothing if
the second were taken for the first. Between two runs the key alone decides, so that a corrected address
changes nothing about who has been written to.

Sixteen octets are kept for each email: a digest of its key and one of the key with the recipients. To name
the first of two in a sentence, the recipients of the last thousands are kept as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vetmail_core.bulk.seen import SeenKeys

if TYPE_CHECKING:
    from vetmail_core.message import Email

__all__ = ["KeysOfARun"]

_RECENT: Final = 4096


class KeysOfARun:
    """What a run asks before it decides on an email."""

    __slots__ = ("_keys", "_pairs", "_recent")

    def __init__(self) -> None:
        self._keys = SeenKeys()
        self._pairs = SeenKeys()
        self._recent: dict[str, str] = {}

    def clash(self, email: Email) -> str:
        """Remember an email by its key and recipients.

        Args:
            email: with a key.

        Returns:
            Why it is not the email that this run met under the same key, as a sentence; "" when it is, or
            when the key is new.
        """
        key = email.key
        to = ", ".join([mailbox.addr_spec for mailbox in email.recipients.all])
        # The addresses are compared as a ledger compares them, in whatever order they come.
        pair = "\n".join([key, *sorted(mailbox.address_key for mailbox in email.recipients.all)])
        if self._keys.meet(key):
            self._pairs.meet(pair)
            if len(self._recent) >= _RECENT:
                del self._recent[next(iter(self._recent))]
            self._recent[key] = to
            return ""
        if pair in self._pairs:
            return ""
        first = self._recent.get(key, "somebody else")
        return (
            f'The key "{key}" names two emails of this run, to {first} and to {to}. Give each email a key of '
            "its own."
        )

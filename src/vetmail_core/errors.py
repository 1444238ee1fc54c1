"""Every exception of the library, so that a caller can name what it catches.

What it is for: what a caller got wrong, or nothing having been tried. What it refuses: to carry a
secret or a message body. Its law: what a server says about a recipient is a receipt, never an exception.

::

    VetmailError
    ├── AddressError (ValueError)           one address, with code, place and hint
    │   └── AddressListError                a list in which at least one entry is bad
    ├── PreferencesError (ValueError)       settings that cannot stand, all problems at once
    │   └── StalePreferencesError           the shared file changed since it was read
    ├── RecipientsError (ValueError)        nobody to write to
    ├── MessageError (ValueError)           subject, header, body or attachment name
    ├── MergeError (ValueError)             an unknown merge field, or a value its place cannot hold
    ├── TransportError                      misuse, a failed check, a mail program that cannot be opened
    └── DeliveryError                       one email that nobody accepted; holds its receipt
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Self

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vetmail_core.address import Mailbox
    from vetmail_core.receipts import Receipt

__all__ = [
    "AddressError",
    "AddressErrorCode",
    "AddressListError",
    "DeliveryError",
    "MergeError",
    "MessageError",
    "PreferencesError",
    "Problem",
    "RecipientsError",
    "Severity",
    "StalePreferencesError",
    "TransportError",
    "VetmailError",
]


class VetmailError(Exception):
    """The root: ``except VetmailError`` catches whatever this library raises on purpose."""


class AddressErrorCode(enum.Enum):
    """What is wrong with an address; stable names for code, while the sentence is for people."""

    SYNTAX = "syntax"


class AddressError(VetmailError, ValueError):
    """A text that is not the mailbox it should be.

    Attributes:
        code: what is wrong.
        text: the whole input, as it came.
        start: first code point of the faulty piece, an offset in ``text``.
        end: the offset behind its last code point.
        entry: 1-based index of the entry in a list; None outside a list.
        hint: what to write instead, "" when there is nothing better to say.
    """

    def __init__(
        self,
        message: str,
        *,
        code: AddressErrorCode,
        text: str,
        start: int = 0,
        end: int = 0,
        entry: int | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.text = text
        self.start = start
        self.end = end
        self.entry = entry
        self.hint = hint


class AddressListError(AddressError):
    """A list of mailboxes with at least one bad entry; speaks of the first, holds them all.

    Attributes:
        errors: one error for each bad entry, in order.
        mailboxes: the entries that were good.
    """

    def __init__(
        self, message: str, *, errors: Iterable[AddressError], mailboxes: Iterable[Mailbox], text: str
    ) -> None:
        self.errors = tuple(errors)
        self.mailboxes = tuple(mailboxes)
        first = self.errors[0]
        super().__init__(
            message,
            code=first.code,
            text=text,
            start=first.start,
            end=first.end,
            entry=first.entry,
            hint=first.hint,
        )


class Severity(enum.Enum):
    """How much a problem matters."""

    ERROR = "error"
    WARNING = "warning"
    HINT = "hint"


@attrs.frozen(kw_only=True)
class Problem:
    """One thing that is wrong, or unwise, about the settings.

    Attributes:
        severity: ERROR stops mail, WARNING will hurt some day, HINT is good to know.
        setting: dotted name, "mail_server.port".
        message: what is the matter, in plain words.
        advice: what to do about it.
    """

    severity: Severity
    setting: str
    message: str
    advice: str = ""

    def __str__(self) -> str:
        advice = f" {self.advice}" if self.advice else ""
        return f"{self.setting}: {self.message}{advice}"


class PreferencesError(VetmailError, ValueError):
    """Settings that cannot stand.

    Attributes:
        problems: every problem found, each with its dotted setting name.
    """

    def __init__(self, message: str, *, problems: Iterable[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)

    @classmethod
    def of(cls, problems: Iterable[Problem], *, opening: str = "") -> Self:
        """Make the error whose sentence speaks of every problem.

        Args:
            problems: at least one.
            opening: what the problems are about, "The file /etc/x.json cannot be used."; a plain
                sentence when left out.
        """
        found = tuple(problems)
        count = "1 setting cannot stand." if len(found) == 1 else f"{len(found)} settings cannot stand."
        return cls("\n".join((opening or count, *(f"  {problem}" for problem in found))), problems=found)


class StalePreferencesError(PreferencesError):
    """The preferences file holds another content than the one this value was loaded from."""


class RecipientsError(VetmailError, ValueError):
    """An email that nobody would receive, or recipients that contradict themselves."""


class MessageError(VetmailError, ValueError):
    """A subject, header, body or attachment name that cannot go into a message."""


class MergeError(VetmailError, ValueError):
    """A merge field that is unknown, or a value its place cannot hold."""


class TransportError(VetmailError):
    """A transport that was misused, failed its check, or could not open a mail program."""


class DeliveryError(VetmailError):
    """A single email that nobody accepted.

    Attributes:
        receipt: what happened, recipient by recipient.
    """

    def __init__(self, message: str, *, receipt: Receipt) -> None:
        super().__init__(message)
        self.receipt = receipt

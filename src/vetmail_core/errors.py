"""Every exception of the library, so that a caller can name what it catches.

An exception means that the caller made a mistake, or that nothing was tried. What a server says about a
recipient is in the receipt instead. No exception holds a secret or the body of a message.

A value of the wrong type is a TypeError everywhere, made by `wrong_type`. Where a class below was promised
for it, the error is an instance of both.

::

    VetmailError
    ├── AddressError (ValueError)           one address, with code, place and hint
    │   └── AddressListError                a list in which at least one entry is bad
    ├── PreferencesError (ValueError)       settings that are not valid, all problems at once
    │   └── StalePreferencesError           the shared file changed since it was read
    ├── RecipientsError (ValueError)        nobody to write to
    ├── MessageError (ValueError)           subject, header, body or attachment name
    ├── MergeError (ValueError)             an unknown merge field, or a value its place cannot hold
    ├── TokenError                          no access token could be had; what an administrator has to do
    ├── TransportError                      misuse, a failed check, a mail program that cannot be opened
    │   └── TransportValueError (ValueError)   a separator, limit or delay that no transport can work with
    ├── LedgerError                         what has been sent cannot be read or written
    └── DeliveryError                       one email that nobody accepted; holds its receipt
"""

from __future__ import annotations

import enum
import math
from typing import TYPE_CHECKING, Final, Self

import attrs

from vetmail_core._shown import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vetmail_core.address import Mailbox
    from vetmail_core.receipts import Receipt

__all__ = [
    "AddressError",
    "AddressErrorCode",
    "AddressListError",
    "DeliveryError",
    "LedgerError",
    "MergeError",
    "MessageError",
    "PreferencesError",
    "Problem",
    "RecipientsError",
    "Severity",
    "StalePreferencesError",
    "TokenError",
    "TransportError",
    "TransportValueError",
    "VetmailError",
]


class VetmailError(Exception):
    """The root: ``except VetmailError`` catches whatever this library raises on purpose."""

    def __str__(self) -> str:
        # Most sentences quote what somebody else wrote; each of them can be printed, wherever it is.
        return shown(Exception.__str__(self))

    def __reduce__(self) -> tuple[object, ...]:
        # Exception's own way calls the class with the sentence alone; ours need their facts too, when a
        # worker process hands them back or a test copies them.
        return _restored, (type(self), self.args, dict(self.__dict__))


def _restored(kind: type[VetmailError], args: tuple[object, ...], facts: dict[str, object]) -> VetmailError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(facts)
    return error


class AddressErrorCode(enum.Enum):
    """What is wrong with an address; stable names for code, while the sentence is for people."""

    EMPTY = "empty"
    """There is nothing where an address should be."""
    NO_ADDRESS = "no_address"
    """A text without an address in it, such as a bare word."""
    INPUT_TOO_LONG = "input_too_long"
    """More text than the library will look at."""
    CONTROL_CHARACTER = "control_character"
    """A line break, NUL or another control character, a lone surrogate, U+2028 or U+2029."""
    INVISIBLE_CHARACTER = "invisible_character"
    """A character nobody sees, such as a zero-width one, a direction mark, a soft hyphen or a tag."""
    UNCLOSED_QUOTE = "unclosed_quote"
    """A quotation mark without its partner."""
    UNCLOSED_COMMENT = "unclosed_comment"
    """An opening parenthesis without its partner."""
    UNCLOSED_ANGLE = "unclosed_angle"
    """A ``<`` without its ``>``."""
    UNCLOSED_LITERAL = "unclosed_literal"
    """A ``[`` after the @ without its ``]``."""
    NAME_CHARACTER = "name_character"
    """A character that needs quotes in a name."""
    NAME_START = "name_start"
    """A name that begins with a combining mark."""
    NAME_TOO_LONG = "name_too_long"
    """A name of more than 1,000 characters."""
    ADDRESS_IN_NAME = "address_in_name"
    """An address without quotes where the name should be."""
    GROUP = "group"
    """A group, ``Team: a@example.com``."""
    OTHER_SEPARATOR = "other_separator"
    """The comma or semicolon that does not separate here follows a complete address."""
    SEVERAL_ADDRESSES = "several_addresses"
    """Two addresses with nothing between them that separates."""
    TEXT_AFTER_ADDRESS = "text_after_address"
    """Text after a complete address."""
    TEXT_AFTER_COMMENT = "text_after_comment"
    """Text after a comment within an address."""
    ROUTE = "route"
    """A route, ``<@relay:user@example.com>``."""
    LOCAL_PART_EMPTY = "local_part_empty"
    """Nothing before the @."""
    LOCAL_PART = "local_part"
    """A character or a dot that is not allowed where it is before the @."""
    LOCAL_PART_TOO_LONG = "local_part_too_long"
    """More than 64 octets before the @."""
    LOCAL_PART_ENCODED_WORD = "local_part_encoded_word"
    """A part before the @ that readers would decode (``=?...?=``)."""
    DOMAIN_EMPTY = "domain_empty"
    """Nothing after the @."""
    DOMAIN = "domain"
    """A character, dot, hyphen or label that is not allowed where it is after the @."""
    DOMAIN_LABEL_TOO_LONG = "domain_label_too_long"
    """More than 63 octets between two dots after the @."""
    DOMAIN_TOO_LONG = "domain_too_long"
    """More than 253 octets after the @."""
    DOMAIN_LITERAL = "domain_literal"
    """Square brackets that hold no valid IP address."""
    ADDRESS_TOO_LONG = "address_too_long"
    """An address of more than 254 octets."""
    MAILTO_QUERY = "mailto_query"
    """A mailto link that carries more than an address."""
    NEEDS_SMTPUTF8 = "needs_smtputf8"
    """A non-ASCII part before the @ where only ASCII can go."""


class AddressError(VetmailError, ValueError):
    """A text that is not the mailbox it should be.

    Attributes:
        code: what is wrong.
        text: the whole input, as it came.
        start: first code point of the faulty piece, an offset in ``text``.
        end: the offset after its last code point.
        entry: 1-based index of the entry in a list; None outside a list.
        hint: what to write instead, "" when there is nothing better to say.
        suggestion: the whole text as the hint says to write it, which is read without this error; None
            where the hint is for a person to decide.
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
        suggestion: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.text = text
        self.start = start
        self.end = end
        self.entry = entry
        self.hint = hint
        self.suggestion = suggestion


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
            suggestion=first.suggestion,
        )


class Severity(enum.Enum):
    """How much a problem matters."""

    ERROR = "error"
    WARNING = "warning"
    HINT = "hint"


@attrs.frozen
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
    """Settings that are not valid.

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
            opening: what the problems are about: "The file /etc/x.json cannot be used."
        """
        found = tuple(problems)
        if len(found) == 1:
            return cls(f"{opening} {found[0]}".lstrip(), problems=found)
        lines = (opening or f"{len(found)} settings are not valid:", *(f"  {problem}" for problem in found))
        return cls("\n".join(lines), problems=found)

    @classmethod
    def about(cls, setting: str, message: str, advice: str) -> Self:
        """Make the error of one problem, in words that need no setting's name in front.

        Args:
            setting: dotted name, for a settings screen.
            message: what is the matter, as a whole sentence.
            advice: what to do about it, as another.
        """
        problem = Problem(severity=Severity.ERROR, setting=setting, message=message, advice=advice)
        return cls(f"{message} {advice}", problems=(problem,))


class StalePreferencesError(PreferencesError):
    """The preferences file holds another content than the one this value was loaded from."""


class RecipientsError(VetmailError, ValueError):
    """An email that nobody would receive, or recipients that contradict themselves."""


class MessageError(VetmailError, ValueError):
    """A subject, header, body or attachment name that cannot go into a message."""


class MergeError(VetmailError, ValueError):
    """A merge field that is unknown, or a value its place cannot hold.

    Attributes:
        field: the field's name, "" when a field was never closed.
        place: "subject", "text" or "html".
    """

    def __init__(self, message: str, *, field: str = "", place: str = "") -> None:
        super().__init__(message)
        self.field = field
        self.place = place


class TokenError(VetmailError):
    """No access token could be had. ``str()`` is what happened, and then what to do about it.

    Args:
        message: what happened, as a whole sentence.
        advice: what an administrator has to do, as another; "" when the message says it.
        transient: another try may do, as with a server that is down for a moment.
        retry_after: how many seconds the server asked to be left alone; None when it did not say.

    Raises:
        TypeError: an argument is of another type.
        ValueError: ``retry_after`` is below 0 or not finite.
    """

    def __init__(
        self, message: str, *, advice: str = "", transient: bool = False, retry_after: float | None = None
    ) -> None:
        for name, text in (("message", message), ("advice", advice)):
            if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
                raise TypeError(f"TokenError({name}=...) must be a string, got {type(text).__name__}.")
        if not isinstance(transient, bool):  # pyright: ignore[reportUnnecessaryIsInstance] - as above
            raise TypeError(f"TokenError(transient=...) must be True or False, got {transient!r}.")
        if retry_after is not None:
            if not isinstance(retry_after, int | float) or isinstance(retry_after, bool):  # pyright: ignore[reportUnnecessaryIsInstance] - as above
                raise TypeError(
                    f"TokenError(retry_after=...) must be a number of seconds or None, got {retry_after!r}."
                )
            if not 0 <= retry_after < math.inf:
                raise ValueError(
                    "TokenError(retry_after=...) must be a finite number of seconds from 0, got "
                    f"{retry_after!r}."
                )
        super().__init__(f"{message} {advice}" if advice else message)
        self.message = message
        self.advice = advice
        self.transient = transient
        self.retry_after = retry_after


class TransportError(VetmailError):
    """A transport that was misused, failed its check, or could not open a mail program."""


class TransportValueError(TransportError, ValueError):
    """A separator, limit, delay or folder that no transport can work with."""


class LedgerError(VetmailError):
    """A ledger that cannot be opened, read or written, or a run that it cannot remember."""


class DeliveryError(VetmailError):
    """A single email that nobody accepted.

    Attributes:
        receipt: what happened, recipient by recipient.
    """

    def __init__(self, message: str, *, receipt: Receipt) -> None:
        super().__init__(message)
        self.receipt = receipt


class _MessageTypeError(MessageError, TypeError):
    """A part of a message of the wrong type."""


class _RecipientsTypeError(RecipientsError, TypeError):
    """Recipients or people of the wrong type."""


class _MergeTypeError(MergeError, TypeError):
    """The fields of a merge of the wrong type."""


class _TransportTypeError(TransportError, TypeError):
    """An argument of a transport of the wrong type."""


class _LedgerTypeError(LedgerError, TypeError):
    """A ledger, or an argument of one, of the wrong type."""


_TYPE_ERRORS: Final[dict[type[VetmailError], type[TypeError]]] = {
    MessageError: _MessageTypeError,
    RecipientsError: _RecipientsTypeError,
    MergeError: _MergeTypeError,
    TransportError: _TransportTypeError,
    LedgerError: _LedgerTypeError,
}


def wrong_type(
    what: str, wanted: str, got: object, cure: str = "", *, error: type[VetmailError] | None = None
) -> TypeError:
    """Make the error for a value of the wrong type: what needs what, what it got, what to do.

    Args:
        what: the call, argument or thing, as the caller writes it: "Mailer()".
        wanted: what it needs: "EmailPreferences".
        got: the value; only the name of its type is shown, as it may hold a secret.
        cure: what to do, as a whole sentence. A text that starts in lower case follows a semicolon.
        error: the class that the contract promises beside TypeError; None for TypeError alone.
    """
    between = "; " if cure[:1].islower() else ". "
    sentence = f"{what} needs {wanted}, got {type(got).__name__}{between if cure else ''}{cure}"
    return TypeError(sentence) if error is None else _TYPE_ERRORS[error](sentence)

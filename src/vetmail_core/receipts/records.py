"""A receipt as one sentence, as one line and as a dictionary.

The dictionary has schema 1 and is ready for JSON. It holds addresses, subject and answers, never a text, an
attachment, a header or a login. It does name blind copies: who may see it is the host's decision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar, cast

import attrs

from vetmail_core.address import Mailbox
from vetmail_core.errors import RecipientsError, VetmailError, wrong_type
from vetmail_core.message import Content, Email
from vetmail_core.receipts.causes import Cause, Phase, Status
from vetmail_core.receipts.outcomes import Outcome, Receipt, Reply
from vetmail_core.recipients import Recipients

if TYPE_CHECKING:
    import enum
    from collections.abc import Mapping

__all__ = ["WORDS", "dict_of", "line_of", "many", "plain", "receipt_from_dict", "sentence_of"]

_SCHEMA: Final = 1
_ADVICE: Final = "Give what Receipt.to_dict() returned."
WORDS: Final = {
    Status.ACCEPTED: "accepted",
    Status.HANDED_OVER: "handed over",
    Status.REFUSED: "refused",
    Status.DEFERRED: "deferred",
    Status.UNKNOWN: "in doubt",
    Status.NOT_ATTEMPTED: "not tried",
}
_KINDS: Final = {"str": "text", "int": "a whole number", "bool": "True or False"}
_Choice = TypeVar("_Choice", bound="enum.Enum")
_Value = TypeVar("_Value")


def plain(text: str) -> str:
    """On one line, and without what could move a cursor."""
    return "".join(c if c.isprintable() else f"U+{ord(c):04X}" for c in " ".join(text.split()))


def many(count: int, one: str, more: str) -> str:
    """The count with its noun."""
    return f"{count} {one if count == 1 else more}"


# -- one sentence ----------------------------------------------------------------------------------------


def sentence_of(outcome: Outcome, happened: str) -> str:
    """What happened to one recipient and what to do, in one sentence without line ends.

    Args:
        outcome: theirs; not accepted or handed over.
        happened: the connection's own words, "" when it said nothing.

    Returns:
        The sentence; "" where neither a cause, a reply nor the connection says anything.
    """
    advice = outcome.advice
    own_words = outcome.reply is not None and not outcome.reply.code
    if outcome.said and outcome.said not in happened:  # a note may be about the others
        happened = f"the server answered {outcome.said}"
    if not happened or own_words:
        return plain(advice)
    what_to_do = plain(advice)
    if not outcome.has_own_advice:
        # A cause's advice says in its first half what usually happened, and this is what did.
        what_to_do = advice.partition(": ")[2] or advice
    happened = plain(happened).rstrip(" .:;")
    return f"{happened[:1].upper()}{happened[1:]}{': ' if what_to_do else '.'}{what_to_do}"


# -- one line --------------------------------------------------------------------------------------------

_NAMED: Final = 3


def line_of(receipt: Receipt) -> str:
    """For people: the email in the first line, and a line for each kind of outcome when there are several."""
    groups: dict[tuple[Status, Cause | None], list[str]] = {}
    for outcome in receipt.outcomes:
        groups.setdefault((outcome.status, outcome.cause), []).append(outcome.mailbox.addr_spec)
    lines = [f"{_listed(who)}: {_ended(status, cause)}" for (status, cause), who in groups.items()]
    subject = plain(receipt.email.content.subject)
    if len(lines) == 1:
        return f'"{subject}" to {lines[0]}'
    return "\n  ".join((f'"{subject}" to {many(len(receipt.outcomes), "recipient", "recipients")}', *lines))


def _ended(status: Status, cause: Cause | None) -> str:
    return WORDS[status] if cause is None else f"{WORDS[status]} ({cause.value.replace('_', ' ')})"


def _listed(addresses: list[str]) -> str:
    more = len(addresses) - _NAMED
    return ", ".join(addresses[:_NAMED]) + (f" and {more} more" if more > 0 else "")


# -- a dictionary ----------------------------------------------------------------------------------------


def dict_of(receipt: Receipt) -> dict[str, object]:
    """The receipt as a dictionary of schema 1."""
    email = receipt.email
    kinds = {
        mailbox.address_key: kind
        for kind, group in (
            ("bcc", email.recipients.bcc), ("cc", email.recipients.cc), ("to", email.recipients.to)
        )
        for mailbox in group
    }  # fmt: skip
    return {
        "schema": _SCHEMA,
        "key": email.key,
        "message_id": email.message_id,
        "subject": email.content.subject,
        "sender": str(email.sender),
        "reply_to": [str(mailbox) for mailbox in email.reply_to],
        "attempts": receipt.attempts,
        "remembered": receipt.remembered,
        "reason": receipt.reason,
        "queue_id": receipt.queue_id,
        "reply": _reply(receipt.reply),
        "warnings": list(receipt.warnings),
        "recipients": [
            {
                "address": outcome.mailbox.addr_spec,
                "name": outcome.mailbox.display_name,
                "kind": kinds[outcome.mailbox.address_key],
                "status": outcome.status.value,
                "cause": None if outcome.cause is None else outcome.cause.value,
                "advice": outcome.advice,
                "phase": None if outcome.phase is None else outcome.phase.value,
                "reply": _reply(outcome.reply),
            }
            for outcome in receipt.outcomes
        ],
    }


def _reply(reply: Reply | None) -> dict[str, object] | None:
    return None if reply is None else {"code": reply.code, "enhanced": reply.enhanced, "text": reply.text}


def receipt_from_dict(data: Mapping[str, object]) -> Receipt:
    """Read what `Receipt.to_dict` made, also in JSON and back.

    Args:
        data: a dictionary of schema 1. Keys it does not know are passed over.

    Returns:
        A receipt with the same outcomes, replies, attempts, warnings, queue id and reason. Its email has
        key, subject, sender and recipients, and no text.

    Raises:
        RecipientsError: it is no dictionary, of a later schema, or something in it is missing or of
            another kind; the error names the place, such as ``recipients[1].status``.
    """
    record = _Place.of(data)
    schema = record.get("schema", int)
    if schema != _SCHEMA:
        later = "was written by a later version" if schema > _SCHEMA else "is of no known schema"
        raise RecipientsError(
            f"This receipt {later} (schema {schema}, expected {_SCHEMA}). Read it with the version that"
            " wrote it."
        )
    people = record.items("recipients")
    named = [(person, person.mailbox("address", "name"), person.get("kind", str)) for person in people]
    groups: dict[str, list[Mailbox]] = {"to": [], "cc": [], "bcc": []}
    for person, mailbox, kind in named:
        if kind not in groups:
            raise person.wrong("kind", '"to", "cc" or "bcc"', kind)
        groups[kind].append(mailbox)
    outcomes = [
        Outcome(
            mailbox,
            person.choice("status", Status),
            cause=person.maybe("cause", Cause),
            reply=person.reply("reply"),
            phase=person.maybe("phase", Phase),
            told=person.get("advice", str),
        )
        for person, mailbox, _ in named
    ]
    try:
        email = Email(
            sender=record.get("sender", str),
            recipients=Recipients(**groups),
            content=Content(record.get("subject", str)),
            reply_to=record.texts("reply_to"),
            key=record.get("key", str),
            message_id=record.get("message_id", str),
        )
        return Receipt(
            email,
            outcomes,
            attempts=record.get("attempts", int),
            remembered=record.get("remembered", bool),
            reply=record.reply("reply"),
            warnings=record.texts("warnings"),
            told=(record.get("reason", str), record.get("queue_id", str)),
        )
    except RecipientsError:
        raise
    except VetmailError as error:
        raise RecipientsError(f"This receipt cannot be read: {error}") from error


@attrs.frozen
class _Place:
    """A dictionary within what is read, and the way to it."""

    data: Mapping[str, object]
    path: str = ""

    @classmethod
    def of(cls, value: object, path: str = "") -> _Place:
        if not isinstance(value, dict):
            where = f"{path} of a receipt" if path else "A receipt"
            raise wrong_type(where, "a dictionary", value, _ADVICE, error=RecipientsError)
        return cls(cast("dict[str, object]", value), f"{path}." if path else "")

    def wrong(self, key: str, needed: str, got: object) -> RecipientsError:
        shown = f"{got!r:.80}" if isinstance(got, str | int | None) else type(got).__name__
        return RecipientsError(f"{self.path}{key} of a receipt needs {needed}, got {shown}. {_ADVICE}")

    def _found(self, key: str) -> object:
        if key not in self.data:
            raise RecipientsError(f"{self.path}{key} of a receipt is missing. {_ADVICE}")
        return self.data[key]

    def get(self, key: str, kind: type[_Value]) -> _Value:
        value = self._found(key)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.wrong(key, _KINDS[kind.__name__], value)
        return value

    def _list(self, key: str) -> list[object]:
        value = self._found(key)
        if not isinstance(value, list | tuple):
            raise self.wrong(key, "a list", value)
        return list(cast("list[object]", value))

    def texts(self, key: str) -> list[str]:
        found: list[str] = []
        for number, value in enumerate(self._list(key)):
            if not isinstance(value, str):
                raise self.wrong(f"{key}[{number}]", "text", value)
            found.append(value)
        return found

    def items(self, key: str) -> list[_Place]:
        return [
            _Place.of(value, f"{self.path}{key}[{number}]") for number, value in enumerate(self._list(key))
        ]

    def choice(self, key: str, choices: type[_Choice]) -> _Choice:
        value = self.get(key, str)
        try:
            return choices(value)
        except ValueError:
            raise self.wrong(key, f"the value of a {choices.__name__}", value) from None

    def maybe(self, key: str, choices: type[_Choice]) -> _Choice | None:
        return None if self._found(key) is None else self.choice(key, choices)

    def mailbox(self, address: str, name: str) -> Mailbox:
        try:
            return Mailbox(self.get(address, str), self.get(name, str))
        except VetmailError as error:
            raise RecipientsError(f"{self.path}{address} of a receipt cannot be read: {error}") from error

    def reply(self, key: str) -> Reply | None:
        value = self._found(key)
        if value is None:
            return None
        place = _Place.of(value, f"{self.path}{key}")
        return Reply(place.get("code", int), place.get("enhanced", str), place.get("text", str))

"""What follows from a report that came back: whose email it is about, and whom it is no use writing to.

A report comes by email, so anybody can write one. It counts only for an email that this ledger let out in the
last two weeks, and only for an address which that email went to. So whoever forges one has to know a key or
a Message-ID, and can at most stop mail to the recipients of that email, in the open: plan, preview and
`never_reached` show it, and `lift` ends it.

The decisions are here, once, for every ledger; a ledger keeps the rows (`BouncedRows`).
"""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from vetmail_core.address import parse_mailbox
from vetmail_core.errors import AddressError, LedgerError, wrong_type
from vetmail_core.ledger.policy import LedgerState, recalled
from vetmail_core.notices import Action, Bounce, BounceTaken, Notice
from vetmail_core.receipts import Cause, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["BouncedRows", "End", "Known", "Weight", "as_seconds", "ends", "person_of", "take"]

_DAY: Final = 24 * 60 * 60
_COUNTS_FOR: Final = 14 * _DAY
_THIRD_WITHIN: Final = 30 * _DAY
_THIRD_OF: Final = 3
_LEFT_OUT_FOR: Final = 90 * _DAY
_LET_OUT: Final = frozenset({Status.ACCEPTED, Status.UNKNOWN})
_TEXT_OR_SIZE: Final = frozenset({Cause.CONTENT_REFUSED, Cause.TOO_LARGE})
_UNDELIVERABLE: Final = frozenset({Cause.BAD_RECIPIENT, Cause.MAILBOX_FULL})


class Weight(enum.StrEnum):
    """What a notice counts for."""

    AT_ONCE = "at_once"
    """The address is left out from now on."""
    THIRD = "third"
    """The third such email within 30 days leaves the address out for 90 days."""
    NOTHING = "nothing"
    """It is about us, or the email did not fail."""

    @classmethod
    def of(cls, notice: Notice) -> Weight:
        """Weigh a notice."""
        if notice.action is Action.COMPLAINED:
            return cls.AT_ONCE
        if notice.action is not Action.FAILED:
            return cls.NOTHING
        if notice.cause is Cause.BAD_RECIPIENT:
            return cls.AT_ONCE
        about_us = notice.cause is not None and (notice.cause.is_about_us or notice.cause in _TEXT_OR_SIZE)
        return cls.NOTHING if about_us else cls.THIRD


class Known(NamedTuple):
    """An email that a ledger holds; `recipients` are address keys in order, none where it does not know."""

    row: int
    key: str
    state: LedgerState
    at: int
    detail: str | None
    recipients: tuple[str, ...]


class BouncedRows(Protocol):
    """What a ledger keeps of reports; each method is called within one transaction of the ledger."""

    def find(self, *, key: str = "", message_id: str = "", queue_id: str = "") -> Known | None:
        """Find the email that has this name; exactly one name is given."""
        ...

    def note(self, email: int, address: str, notice: Notice, weight: Weight, at: int) -> None:
        """Keep a notice; one that is kept already changes nothing."""
        ...

    def fruitless(self, address: str, since: int) -> int:
        """How many emails to an address have a notice of weight THIRD since then that was not lifted."""
        ...

    def suppress(self, address: str, why: str, until: int | None) -> None:
        """Leave an address out until a moment, or None: until it is lifted, which outlasts any moment."""
        ...


def take(rows: BouncedRows, bounce: Bounce, now: int) -> tuple[BounceTaken, ...]:
    """Take what a report says of emails of this ledger.

    Args:
        rows: the ledger's.
        bounce: the report.
        now: by the ledger's clock, in seconds since 1970.

    Returns:
        One for each notice that counts.
    """
    email = _email_of(rows, bounce)
    if email is None or now - email.at > _COUNTS_FOR:
        return ()
    taken: list[BounceTaken] = []
    for notice in bounce.notices:
        address = _recipient(email, notice)
        if address is None:
            continue
        weight = Weight.of(notice)
        rows.note(email.row, address, notice, weight, now)
        why = _why_left_out(rows, address, notice, weight, now)
        taken.append(
            BounceTaken(
                key=email.key,
                person_key=person_of(email.key, is_first=address == email.recipients[0]),
                address=address,
                action=notice.action,
                enhanced=notice.enhanced,
                said=notice.said,
                suppressed=why,
            )
        )
    return tuple(taken)


def _email_of(rows: BouncedRows, bounce: Bounce) -> Known | None:
    """Find the email by the names that our transports give it, and last by the name that Amazon gave it."""
    found = None
    if _can_be_kept(bounce.envelope_id):
        found = rows.find(key=bounce.envelope_id) or rows.find(message_id=bounce.envelope_id)
    if found is None and _can_be_kept(bounce.message_id):
        found = rows.find(message_id=bounce.message_id)
        left, _, domain = bounce.message_id.strip("<>").rpartition("@")
        if found is None and left and f".{domain.lower()}".endswith(".amazonses.com"):
            found = rows.find(queue_id=left)
    return found


def _can_be_kept(name: str) -> bool:
    """Whether a database can hold it at all: what a forger writes must not become an error."""
    return bool(name) and "\0" not in name and name == name.encode(errors="replace").decode()


def _recipient(email: Known, notice: Notice) -> str | None:
    """Whose notice it is: None where the address is not of this email, or was not let out to them."""
    if len(email.recipients) == 1:
        (address,) = email.recipients  # whatever an alias or a provider's care for privacy makes of it
    else:
        address = _address_key(notice.address)
        if address not in email.recipients:
            return None
    known = recalled(email.state, email.detail)(address)
    return address if known.status in _LET_OUT else None


def _address_key(address: str) -> str:
    try:
        return parse_mailbox(address, lenient=True).address_key
    except AddressError:
        return ""


def person_of(key: str, *, is_first: bool) -> str:
    """The person an email was for: what follows the batch in its key; "" for somebody who got a copy."""
    batch, slash, person = key.partition("/")
    return (person if slash else batch) if is_first else ""


def _why_left_out(rows: BouncedRows, address: str, notice: Notice, weight: Weight, now: int) -> str:
    day = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d}"
    until = None
    if weight is Weight.NOTHING:
        return ""
    said = f": {notice.said}" if notice.said else ""
    if notice.action is Action.COMPLAINED:
        why = (
            f"the reader at {address} called an email of ours spam on {day}. Write to them again only if they"
            " ask for it, and lift the address in the ledger then."
        )
    elif weight is Weight.AT_ONCE:
        why = (
            f"mail to {address} came back on {day}{said}. Correct the address; or, if it is right, lift it in"
            " the ledger."
        )
    elif rows.fruitless(address, now - _THIRD_WITHIN) < _THIRD_OF:
        return ""
    else:
        until = now + _LEFT_OUT_FOR
        end = f"{datetime.fromtimestamp(until, UTC):%Y-%m-%d}"
        why = (
            f"three emails to {address} came back within 30 days, the last on {day}{said}. The address is"
            f" left out until {end}; ask for another one, or lift it in the ledger."
        )
    rows.suppress(address, why, until)
    return why


class End(NamedTuple):
    """What an email says of one recipient, for the question who is never reached; `failed` is 0 or 1."""

    address: str
    reached: int
    failed: int
    at: int
    said: str
    person: str


def ends(email: Known, failures: Iterable[tuple[str, str, str, int]], since: int) -> Iterator[End]:
    """Decide about the recipients of an email; nothing comes of those of whom it says nothing.

    Args:
        email: as the ledger holds it.
        failures: address key, weight, words and time of each notice since then that it failed.
        since: seconds since 1970.
    """
    came_back = {address: (Weight(weight), said, at) for address, weight, said, at in failures}
    for address in email.recipients:
        person = person_of(email.key, is_first=address == email.recipients[0])
        if address in came_back:
            weight, said, at = came_back[address]
            if weight is not Weight.NOTHING:
                yield End(address, 0, 1, at, said, person)
        elif email.at >= since:
            known = recalled(email.state, email.detail)(address)
            if known.status is Status.ACCEPTED:
                yield End(address, 1, 0, 0, "", "")
            elif known.status is Status.REFUSED and known.cause in _UNDELIVERABLE:
                yield End(address, 0, 1, email.at, "" if known.reply is None else str(known.reply), person)


def as_seconds(since: datetime) -> int:
    """Take a moment from a caller.

    Raises:
        TypeError: it is not a datetime.
        LedgerError: it has no time zone.
    """
    if not isinstance(since, datetime):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
        raise wrong_type(
            "never_reached(since=...)", "a datetime", since, "Write since=datetime(2026, 2, 1, tzinfo=UTC)."
        )
    if since.utcoffset() is None:
        raise LedgerError(
            f"never_reached(since=...) needs a time zone, got {since.isoformat()}. Write"
            f" since=datetime({since.year}, {since.month}, {since.day}, tzinfo=UTC)."
        )
    return int(since.timestamp())

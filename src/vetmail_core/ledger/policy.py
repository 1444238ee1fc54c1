"""What a ledger knows of an email, and what follows for sending it.

The states of an email, and the one decision of a resumed run: who still needs it. Recipients are decided
one by one; nobody who has it, or may have it, gets it again.

An email to Ann with a copy to her employer, whose server was busy: Ann's stands as accepted, the employer's
as deferred. A later run sends to the employer alone, under the same Message-ID, so Ann gets nothing twice
and a mail program that has both copies of a forwarded message shows one. The receipt of the later run
answers for both: Ann's answer is the remembered one.
"""

from __future__ import annotations

import enum
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

import attrs

from vetmail_core.receipts import Cause, Outcome, Receipt, Reply, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from vetmail_core.address import Mailbox
    from vetmail_core.message import Email

__all__ = [
    "NEW",
    "Ledger",
    "LedgerState",
    "Remembered",
    "Standing",
    "Verdict",
    "doubted",
    "forgotten",
    "identity",
    "recalled",
    "remember",
    "resolved",
    "stand",
]

_LONGEST_REPLY: Final = 300
_EVERYBODY_ELSE: Final = "*"  # in a detail: all who are not named; no address looks like it
_TO_BE_SENT: Final = frozenset({Status.DEFERRED, Status.NOT_ATTEMPTED})


class LedgerState(enum.StrEnum):
    """What a ledger knows of an email as a whole.

    `ATTEMPTING` is written before the email can leave, the others after it was answered. Where recipients
    ended differently, the state is the one that needs attention most: unknown, then deferred, then accepted.
    """

    ATTEMPTING = "attempting"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    DEFERRED = "deferred"
    UNKNOWN = "unknown"
    HANDED_OVER = "handed_over"

    @classmethod
    def of(cls, receipt: Receipt) -> LedgerState:
        """The state of an email whose recipients ended so: open while one of them is.

        Args:
            receipt: what became of the email.
        """
        return _neediest({_kept(outcome) for outcome in receipt.outcomes})


@runtime_checkable
class Ledger(Protocol):
    """What remembers. Implement the three methods to keep it in your own database.

    Such a ledger knows one state for an email, not for each recipient: `LedgerState.of` keeps it open while
    one of them is, and an open email goes to all its recipients again. Where copies are sent, or several
    workers send, give the ledger runs (`OpensRuns`).
    """

    def state(self, key: str, /) -> LedgerState | None:
        """What is known of an email; None when it was never seen, or may be tried as if it never was."""
        ...

    def attempting(self, keys: Iterable[str], /) -> Collection[str] | None:
        """Write down, durably before it returns, that these are about to be sent.

        Returns:
            Those that are the caller's to send, without those that another run holds. None is all of them.
        """
        ...

    def settle(self, receipt: Receipt, /) -> None:
        """Write down what became of one email."""
        ...


class Verdict(enum.Enum):
    """What a run does with an email that its ledger was asked about."""

    SEND = "send"
    DONE = "done"
    IN_DOUBT = "in_doubt"
    ELSEWHERE = "elsewhere"


@attrs.frozen
class Remembered:
    """How it ended for one recipient in an earlier run."""

    status: Status
    cause: Cause | None = None
    reply: Reply | None = None

    def outcome(self, mailbox: Mailbox) -> Outcome:
        """The remembered answer, as an outcome of today's receipt."""
        return Outcome(mailbox, self.status, cause=self.cause, reply=self.reply)


@attrs.frozen
class Standing:
    """What follows from the ledger for one email.

    Args:
        verdict: what to do with it.
        known: address key -> what is already known and is not tried again.
        state: the email's state as a whole, None when it was never seen.
        at: when that was written, in seconds since 1970.
    """

    verdict: Verdict
    known: Mapping[str, Remembered] = attrs.field(factory=dict[str, Remembered])
    state: LedgerState | None = None
    at: int = 0

    def since(self) -> str:
        """When, for a sentence."""
        return f"{datetime.fromtimestamp(self.at, UTC):%Y-%m-%d %H:%M} UTC"


NEW: Final = Standing(Verdict.SEND)

# What a recipient is who is not named in the detail. Deferred and refused rows name those who have it, or
# who refused; anybody else (a corrected address, too) is to be sent to.
_UNNAMED: Final[Mapping[LedgerState, Remembered | None]] = {
    LedgerState.ACCEPTED: Remembered(Status.ACCEPTED),
    LedgerState.HANDED_OVER: Remembered(Status.HANDED_OVER),
    LedgerState.UNKNOWN: Remembered(Status.UNKNOWN, Cause.CONNECTION),
    LedgerState.ATTEMPTING: Remembered(Status.UNKNOWN, Cause.CONNECTION),
    LedgerState.DEFERRED: None,
    LedgerState.REFUSED: None,
}
_ALIKE: Final[Mapping[LedgerState, set[Status]]] = {
    state: {Status(state.value)}
    for state in (LedgerState.ACCEPTED, LedgerState.HANDED_OVER, LedgerState.UNKNOWN, LedgerState.DEFERRED)
}


def stand(email: Email, state: LedgerState, detail: str | None, at: int, *, retry_unknown: bool) -> Standing:
    """Decide what to do with an email that was seen before.

    Args:
        email: as the run would send it.
        state: of the whole email; ATTEMPTING counts as unknown.
        detail: what `remember` made of recipients who ended differently.
        at: when, in seconds since 1970.
        retry_unknown: those in doubt are tried again, by somebody's choice.
    """
    named = _read(detail) if detail else {}
    unnamed = named.get(_EVERYBODY_ELSE, _UNNAMED[state])
    known: dict[str, Remembered] = {}
    doubt = send = False
    for mailbox in email.recipients.all:
        entry = named.get(mailbox.address_key, unnamed)
        if (
            entry is None
            or entry.outcome(mailbox).is_open
            or (entry.status is Status.UNKNOWN and retry_unknown)
        ):
            send = True
        else:
            known[mailbox.address_key] = entry
            doubt = doubt or entry.status is Status.UNKNOWN
    verdict = Verdict.SEND if send else Verdict.IN_DOUBT if doubt else Verdict.DONE
    return Standing(verdict, known, state, at)


def recalled(state: LedgerState, detail: str | None) -> Callable[[str], Remembered]:
    """What is known of each recipient of an email that was tried, those who were put off too.

    Args:
        state: of the whole email.
        detail: what `remember` made of it.
    """
    named = _read(detail) if detail else {}
    unnamed = named.get(_EVERYBODY_ELSE, _UNNAMED[state]) or Remembered(Status.DEFERRED)
    return lambda address_key: named.get(address_key, unnamed)


def remember(
    receipt: Receipt, state: LedgerState | None = None, detail: str | None = None
) -> tuple[LedgerState | None, str | None]:
    """Boil a receipt down to what a later run needs.

    Args:
        receipt: what became of the email, or of its copies to some of its recipients. Whoever is not in it,
            or was not tried, stands as before.
        state: of the whole email, before.
        detail: what this function made of it before.

    Returns:
        The state of the whole email, None when nothing at all was tried, and the detail for `stand`: None
        where all ended alike, otherwise how it ended for each.
    """
    outcomes = receipt.outcomes
    first = outcomes[0].status
    if (
        detail is None
        and first is Status.ACCEPTED
        and (len(outcomes) == 1 or all(o.status is first for o in outcomes))
    ):
        return LedgerState.ACCEPTED, None
    if all(o.status is Status.NOT_ATTEMPTED for o in outcomes):
        return None, None
    named = _entries(detail)
    before = None if state is None else _UNNAMED[state]
    untried = Status.NOT_ATTEMPTED if before is None else before.status
    for outcome in outcomes:
        address = outcome.mailbox.address_key
        if outcome.status is not Status.NOT_ATTEMPTED:
            named[address] = _write(outcome)
        elif address not in named:
            named[address] = [untried.value]
    statuses = {Status(entry[0]) for entry in named.values()}
    neediest = _neediest(statuses)
    # Why somebody was put off is asked for later; that of the others who ended alike is in their state.
    alike = neediest is not LedgerState.DEFERRED and statuses == _ALIKE.get(neediest)
    return neediest, None if alike else _dumped(named)


def forgotten(state: LedgerState, detail: str | None) -> str | None:
    """The detail without addresses and words of servers; it decides about a later run as before.

    Args:
        state: of the whole email, which has ended: nobody of it is open or in doubt.
        detail: as it was.
    """
    if detail is None:
        return None
    ended: list[object] = [state.value]
    return _dumped({_EVERYBODY_ELSE: ended})


def identity(email: Email) -> tuple[str, str]:
    """What a ledger keeps of an email beside what became of it.

    Returns:
        Its Message-ID, and the address keys of its recipients in order (To, CC, BCC), one a line.
    """
    return email.message_id, "\n".join([mailbox.address_key for mailbox in email.recipients.all])


def _kept(outcome: Outcome) -> Status:
    return Status.DEFERRED if outcome.is_open else outcome.status


def _neediest(statuses: Collection[Status]) -> LedgerState:
    """The state of an email whose recipients ended so."""
    if Status.UNKNOWN in statuses:
        return LedgerState.UNKNOWN
    if Status.DEFERRED in statuses or Status.NOT_ATTEMPTED in statuses:
        return LedgerState.DEFERRED
    if Status.ACCEPTED in statuses:
        return LedgerState.ACCEPTED
    if Status.HANDED_OVER in statuses:
        return LedgerState.HANDED_OVER
    return LedgerState.REFUSED


def resolved(detail: str | None, state: LedgerState) -> tuple[LedgerState, str | None]:
    """An email whose doubt somebody ended, for those who were in doubt; the others stand.

    Args:
        detail: as it was.
        state: how the doubt ended.

    Returns:
        The state of the whole email, and the detail.
    """
    ended: list[object] = [state.value]
    named = {
        address: ended if entry[0] == Status.UNKNOWN.value else entry
        for address, entry in _entries(detail).items()
    }
    if state is not LedgerState.DEFERRED:  # those whom no entry names are sent to where somebody is put off
        named.setdefault(_EVERYBODY_ELSE, ended)
    return _neediest({Status(state.value), *(Status(entry[0]) for entry in named.values())}), _dumped(named)


def doubted(detail: str | None) -> str | None:
    """The detail of an email that was on its way when its run died.

    Whoever was still to be sent to may have it by now. They are in doubt, as are those whom no entry names.

    Args:
        detail: as it was before that run.
    """
    if detail is None:
        return None
    in_doubt: list[object] = [Status.UNKNOWN.value, Cause.CONNECTION.value]
    return _dumped(
        {
            address: in_doubt if Status(entry[0]) in _TO_BE_SENT else entry
            for address, entry in _entries(detail).items()
        }
    )


def _write(outcome: Outcome) -> list[object]:
    # Whoever met the day's allowance, a text taken for spam or a reply that names nobody was not refused: we
    # were.
    status = Status.DEFERRED if outcome.is_open else outcome.status
    entry: list[object] = [status.value, None if outcome.cause is None else outcome.cause.value]
    if outcome.reply is not None:
        reply = outcome.reply
        entry += [reply.code, reply.enhanced, reply.text[:_LONGEST_REPLY]]
    return entry


def _dumped(named: Mapping[str, list[object]]) -> str:
    return json.dumps(named, ensure_ascii=False, separators=(",", ":"))


def _entries(detail: str | None) -> dict[str, list[object]]:
    return {} if detail is None else json.loads(detail)


def _read(detail: str) -> dict[str, Remembered]:
    named: dict[str, Remembered] = {}
    entries: dict[str, tuple[str, str | None, int, str, str]] = json.loads(detail)
    for address, (status, *rest) in entries.items():
        cause = Cause(rest[0]) if rest and rest[0] is not None else None
        if status == Status.REFUSED.value and cause is None:
            cause = Cause.BAD_RECIPIENT  # somebody's word that it ends here (`resolve`)
        reply = Reply(*rest[1:]) if rest[1:] else None  # type: ignore[arg-type] # as _write left them
        named[address] = Remembered(Status(status), cause, reply)
    return named

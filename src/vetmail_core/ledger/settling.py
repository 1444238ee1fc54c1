"""Looking into a ledger, and settling by hand what a run left open.

One text for each statement, whichever database the ledger is in: see `vetmail_core.ledger.tables`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.errors import LedgerError
from vetmail_core.ledger.policy import LedgerState, resolved
from vetmail_core.receipts import Cause, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vetmail_core.ledger.tables import Statements, Tables

__all__ = ["Unfinished", "listed", "resolve_all", "send_again"]

_SETTLE: Final = "UPDATE @emails SET state=?, detail=?, at=? WHERE key=?"
_REMEMBERED: Final = "SELECT state, detail, run FROM @emails WHERE key=?"
_TO_BE_DECIDED: Final = frozenset({Status.UNKNOWN.value, Status.REFUSED.value})
_ENDS: Final = frozenset({LedgerState.ACCEPTED, LedgerState.DEFERRED, LedgerState.REFUSED})


@attrs.frozen(kw_only=True)
class Unfinished:
    """An email that a ledger does not have as done.

    Attributes:
        key: the email's.
        state: of the email as a whole; REFUSED too where it was accepted for some and refused for others.
        recipients: address keys, as far as they are known; the first is the person's own.
        since: when that was written.
        why: what is known of each of its recipients who is not done, in a sentence each.
    """

    key: str
    state: LedgerState
    recipients: tuple[str, ...] = attrs.field(converter=tuple[str, ...])
    since: datetime
    why: tuple[str, ...] = attrs.field(converter=tuple[str, ...])


def listed(tables: Tables, *, states: Iterable[LedgerState], batch: str = "") -> tuple[Unfinished, ...]:
    """The emails in these states, in the order in which they were first tried.

    Args:
        tables: the ledger's.
        states: which ones.
        batch: of this mailing alone; "" is all.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    wanted = frozenset(states)
    tables.recover_all()
    # Nobody refused by a server hides behind somebody who has the same email.
    asked = sorted(
        wanted | ({LedgerState.ACCEPTED} if LedgerState.REFUSED in wanted else frozenset[LedgerState]())
    )
    holes = ",".join("?" * len(asked))
    prefix = batch.replace("%", "%25").replace("/", "%2F") + "/" if batch else ""
    with tables.reading() as statements:
        rows = statements.rows(
            f"SELECT key, state, at, detail, recipients FROM @emails WHERE state IN ({holes}) ORDER BY id",  # noqa: S608 - question marks
            *(state.value for state in asked),
        )
    found: list[Unfinished] = []
    for key, said, at, detail, recipients in rows:
        state = LedgerState(said)
        why = _why(detail)
        if state is LedgerState.ACCEPTED and LedgerState.ACCEPTED not in wanted:
            if not why:
                continue
            state = LedgerState.REFUSED
        if key.startswith(prefix):
            since = datetime.fromtimestamp(at, UTC)
            named = (recipients or "").split("\n") if recipients else ()
            found.append(Unfinished(key=key, state=state, recipients=named, since=since, why=why))
    return tuple(found)


def resolve_all(tables: Tables, keys: Iterable[str], state: LedgerState) -> None:
    """End doubts, all of them or none.

    Args:
        tables: the ledger's.
        keys: of emails in doubt.
        state: ACCEPTED when they arrived, DEFERRED when they did not and are to be sent by the next run,
            REFUSED when they did not and are not to be sent.

    Raises:
        LedgerError: one of them is not in doubt, the state is not one of the three, or the ledger cannot be
            written.
    """
    if state not in _ENDS:
        raise LedgerError(f"resolve() needs the state accepted, deferred or refused, got {state}.")
    tables.recover_all()
    with tables.writing() as statements:
        for key in dict.fromkeys(keys):
            before, detail = _row(statements, key)
            if before is not LedgerState.UNKNOWN:
                raise LedgerError(
                    f"The email {key!r} is not in doubt, it is {_word(before)}; nothing was changed."
                )
            _write(statements, key, *resolved(detail, state))


def send_again(tables: Tables, keys: Iterable[str]) -> tuple[str, ...]:
    """Have the next run send emails again to those who are in doubt or were refused; all of them or none.

    Args:
        tables: the ledger's.
        keys: of emails with such a recipient.

    Returns:
        Those in which somebody was in doubt, and who may get a second copy.

    Raises:
        LedgerError: nobody of one of them is in doubt or was refused, or the ledger cannot be written.
    """
    doubts: list[str] = []
    tables.recover_all()
    with tables.writing() as statements:
        for key in dict.fromkeys(keys):
            state, detail = _row(statements, key)
            entries: dict[str, list[object]] = json.loads(detail) if detail else {}
            again = [address for address, entry in entries.items() if entry[0] in _TO_BE_DECIDED]
            if state not in {LedgerState.UNKNOWN, LedgerState.REFUSED} and not again:
                raise LedgerError(
                    f"The email {key!r} is {_word(state)}, so there is nothing to send again; nothing was "
                    "changed."
                )
            if state is LedgerState.UNKNOWN:
                doubts.append(key)
            for address in again:
                entries[address] = [Status.DEFERRED.value]
            # Whoever is not named in the detail of an email put off is sent to.
            _write(statements, key, LedgerState.DEFERRED, json.dumps(entries, ensure_ascii=False))
    return tuple(doubts)


def _row(statements: Statements, key: str) -> tuple[LedgerState, str | None]:
    rows = statements.rows(_REMEMBERED, key)
    if not rows:
        raise LedgerError(f"The ledger has no email with the key {key!r}; nothing was changed.")
    state, detail, run = rows[0]
    if run is not None:
        raise LedgerError(
            f"The email {key!r} is being sent at this moment; nothing was changed. Wait for that run."
        )
    return LedgerState(state), detail


def _write(statements: Statements, key: str, state: LedgerState, detail: str | None) -> None:
    statements.many(_SETTLE, [(state.value, detail, int(statements.now), key)])


def _word(state: LedgerState) -> str:
    return state.value.replace("_", " ")


def _why(detail: str | None) -> tuple[str, ...]:
    """What is known of each recipient who is not done."""
    entries: dict[str, Sequence[object]] = json.loads(detail) if detail else {}
    lines: list[str] = []
    for address, (status, *rest) in entries.items():
        if status in {Status.ACCEPTED.value, Status.HANDED_OVER.value}:
            continue
        cause = Cause(rest[0]).value.replace("_", " ") if rest and rest[0] is not None else ""
        reply = " ".join(str(part) for part in rest[1:] if part)
        who = "" if address == "*" else f"{address} "
        lines.append(
            f"{who}{str(status).replace('_', ' ')}" + "".join(f": {said}" for said in (cause, reply) if said)
        )
    return tuple(lines)

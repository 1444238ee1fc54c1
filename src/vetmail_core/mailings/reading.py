"""Slices and reports, out of the rows of a mailing.

Everything is answered from the list, so the recipients of a report are the recipients of the plan.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import attrs

from vetmail_core.errors import LedgerError
from vetmail_core.ledger.policy import LedgerState, recalled
from vetmail_core.mailings.codec import SCHEMA, Shared, decoded
from vetmail_core.people import Person
from vetmail_core.receipts import Cause, Receipt, Reply, Status, Tally
from vetmail_core.recipients import Exclusion, ExclusionReason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vetmail_core.ledger.tables import Statements, Tables
    from vetmail_core.message import Email
    from vetmail_core.receipts import Report

__all__ = ["GIVEN_UP_SECONDS", "TRIES", "Known", "find", "report_of", "slice_emails"]

TRIES: Final = 10
GIVEN_UP_SECONDS: Final = 2 * 86400.0
_REACHED: Final = {LedgerState.ACCEPTED: Status.ACCEPTED, LedgerState.HANDED_OVER: Status.HANDED_OVER}
_NOT_YET: Final = "It was not this email's turn yet; the mailing goes on."
_STOPPED: Final = "The mailing was stopped before this email's turn; resume it to send the rest."
_POISONED: Final = (
    f"The slice of this email was begun {TRIES} times and never came to an end, so it is left alone. Find out"
    " what ended its workers, then resume the mailing."
)


@attrs.frozen(kw_only=True)
class Known:
    """What is known of a mailing as a whole."""

    id: int
    batch: str
    at: float
    schema: int
    emails: int
    base: str | None
    stopped: bool
    since: float
    forgotten: float | None


_COLUMNS: Final = "m.id, m.batch, m.at, m.schema, m.emails, m.base, m.stopped, m.since, m.forgotten"


def find(statements: Statements, *, batch: str | None = None, slice_id: int | None = None) -> Known:
    """A mailing by its name, or by one of its slices.

    Raises:
        LedgerError: there is none.
    """
    if slice_id is None:
        rows = statements.rows(f"SELECT {_COLUMNS} FROM @mailings m WHERE m.batch=?", batch)  # noqa: S608 - our own columns
        what = f"batch {batch!r}"
    else:
        rows = statements.rows(
            f"SELECT {_COLUMNS} FROM @mailings m JOIN @slices s ON s.mailing=m.id WHERE s.id=?",  # noqa: S608 - as above
            slice_id,
        )
        what = f"slice {slice_id!r}"
    if not rows:
        raise LedgerError(f"The {what} is unknown to this ledger; write the mailing down with enqueue first.")
    ((id_, name, at, schema, emails, base, stopped, since, forgotten),) = rows
    if schema > SCHEMA:
        raise LedgerError(
            f"The mailing {name!r} was written down by a later version (schema {schema}, expected at most"
            f" {SCHEMA}). Use that version."
        )
    return Known(
        id=id_,
        batch=name,
        at=at,
        schema=schema,
        emails=emails,
        base=base,
        stopped=bool(stopped),
        since=since,
        forgotten=forgotten,
    )


def shared_of(tables: Tables, mailing: Known) -> Shared:
    """What the emails of a mailing have in common, its files read when they are needed."""

    def load(digest: str) -> bytes:
        with tables.reading() as statements:
            ((data,),) = statements.rows(
                "SELECT data FROM @files WHERE mailing=? AND digest=?", mailing.id, digest
            )
        return bytes(data)

    return Shared(None if mailing.base is None else json.loads(mailing.base), load)


def slice_emails(tables: Tables, mailing: Known, slice_id: int) -> Iterator[Email]:
    """The emails of a slice that may still be sent or are in doubt, in order."""
    shared = shared_of(tables, mailing)
    with tables.reading() as statements:
        rows = statements.rows("SELECT email FROM @planned WHERE slice=? ORDER BY place", slice_id)
    for (text,) in rows:
        yield decoded(json.loads(text), shared)


def report_of(tables: Tables, mailing: Known) -> Report:
    """What became of everybody, from the list."""
    tally = Tally()
    shared = shared_of(tables, mailing)
    with tables.reading() as statements:
        slices = statements.rows("SELECT id, tries FROM @slices WHERE mailing=? ORDER BY place", mailing.id)
        for (person,) in statements.rows(
            "SELECT person FROM @left_out WHERE mailing=? ORDER BY place", mailing.id
        ):
            tally.exclude(_exclusion(json.loads(person)))
    for number, tries in slices:
        why = _POISONED if tries >= TRIES else _STOPPED if mailing.stopped else _NOT_YET
        with tables.reading() as statements:
            rows = statements.rows(
                "SELECT p.recipients, p.email, e.state, e.detail FROM @planned p"
                " LEFT JOIN @emails e ON e.key=p.key WHERE p.slice=? ORDER BY p.place",
                number,
            )
        for recipients, text, state, detail in rows:
            status = _REACHED.get(state)
            if status is not None and detail is None:
                tally.count(status, recipients)
            else:
                tally.add(_receipt(decoded(json.loads(text), shared), state, detail, why))
    if mailing.stopped:
        tally.cancel()
    return tally.report()


def _receipt(email: Email, state: str | None, detail: str | None, why: str) -> Receipt:
    if state is None:
        return _untouched(email, Cause.OTHER, Reply(0, "", why))
    if state == LedgerState.ATTEMPTING.value:
        return _untouched(email, Cause.HELD_ELSEWHERE, None)
    known = recalled(LedgerState(state), detail)
    outcomes = [known(mailbox.address_key).outcome(mailbox) for mailbox in email.recipients.all]
    return Receipt(email, outcomes, reply=next((o.reply for o in outcomes if o.reply is not None), None))


def _untouched(email: Email, cause: Cause, reply: Reply | None) -> Receipt:
    return Receipt.for_all(email, Status.NOT_ATTEMPTED, cause=cause, reply=reply)


def _exclusion(told: dict[str, Any]) -> Exclusion:
    person = Person(told["address"], key=told["key"], name=told["name"])
    return Exclusion(person, ExclusionReason(told["reason"]), told["detail"])

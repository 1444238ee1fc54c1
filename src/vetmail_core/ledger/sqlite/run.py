"""One run through the ledger in a file.

Emails are written down in groups, and answers with the next group. What a kill leaves unwritten, the marks
tell.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from vetmail_core.errors import LedgerError
from vetmail_core.ledger.adapters import keyless
from vetmail_core.ledger.policy import NEW, LedgerState, Standing, Verdict, identity, remember, stand
from vetmail_core.ledger.sqlite.marks import SLOTS, Mark, RunMarks
from vetmail_core.ledger.sqlite.store import Settled
from vetmail_core.receipts import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vetmail_core.ledger.sqlite.store import Claim, Row, Store
    from vetmail_core.message import Email
    from vetmail_core.receipts import Receipt

__all__ = ["SqliteRun"]

_UNTOLD: Final[Mapping[str, tuple[str, str]]] = MappingProxyType({})
_MARKS: Final[Mapping[LedgerState | None, Mark]] = MappingProxyType(
    {LedgerState.ACCEPTED: Mark.ACCEPTED, LedgerState.HANDED_OVER: Mark.HANDED_OVER}
)
_MAY_HAVE_IT: Final = frozenset({Status.ACCEPTED, Status.HANDED_OVER, Status.UNKNOWN})


class SqliteRun:
    """One run through a `SqliteLedger`: what it has put down, and what it has not yet written.

    Args:
        store: the file.
        marks: how far the run has got.
    """

    def __init__(self, store: Store, marks: RunMarks) -> None:
        self._store = store
        self._marks = marks
        self._free = list(range(SLOTS))
        self._claims: dict[str, Claim] = {}
        self._unwritten: dict[str, Settled] = {}
        self._bare: set[str] = set()  # put down by their keys alone
        self._any_put_off: bool | None = None  # known when first asked
        self.closed = False
        self._cut = False  # by an interrupt, in the middle of `close`
        self._ended = False

    def has_settled(self, key: str) -> bool:
        """Whether an email was answered and that is not written yet."""
        return key in self._unwritten

    def put_off(self, keys: Sequence[str]) -> frozenset[str]:
        """Those of the emails that an earlier run put off, for some or all of their recipients.

        Raises:
            LedgerError: the file cannot be read.
        """
        with self._store.lock:
            if self._any_put_off is None:
                self._any_put_off = self._store.has(LedgerState.DEFERRED)
            if not self._any_put_off:
                return frozenset()
            with self._store.guard("cannot be read"):
                rows = self._store.rows(keys)
            return frozenset(
                key for key, row in rows.items() if row.state is LedgerState.DEFERRED and row.run is None
            )

    def claim(self, emails: Sequence[Email], *, retry_unknown: bool) -> list[Standing]:
        """Decide about a group of emails, and put down those to be sent.

        Args:
            emails: each with a key; some thousands at most.
            retry_unknown: those in doubt are sent again.

        Returns:
            One standing for each email, in order.

        Raises:
            LedgerError: the file cannot be written; none of the group may be sent.
        """
        with self._store.lock:
            standings, foreign = self._claim(emails, retry_unknown=retry_unknown)
            dead = self._store.recover(frozenset(foreign.values())) if foreign else frozenset[str]()
            again = [index for index, run in foreign.items() if run in dead]
            if again:
                decided, _ = self._claim([emails[index] for index in again], retry_unknown=retry_unknown)
                for index, standing in zip(again, decided, strict=True):
                    standings[index] = standing
            return standings

    def _claim(
        self, emails: Sequence[Email], *, retry_unknown: bool
    ) -> tuple[list[Standing], dict[int, str]]:
        standings: list[Standing] = []
        foreign: dict[int, str] = {}
        wanted: dict[str, Row | None] = {}
        with self._store.writing():
            self._write()
            rows = self._store.rows([email.key for email in emails])
            for index, email in enumerate(emails):
                row = rows.get(email.key)
                if email.key in wanted:
                    standing = Standing(Verdict.ELSEWHERE, state=LedgerState.ATTEMPTING, at=self._store.now())
                elif row is None:
                    standing = NEW
                elif row.run is not None:
                    standing = Standing(Verdict.ELSEWHERE, state=row.state, at=row.at)
                    foreign[index] = row.run
                else:
                    standing = stand(email, row.state, row.detail, row.at, retry_unknown=retry_unknown)
                if standing.verdict is Verdict.SEND:
                    wanted[email.key] = row
                standings.append(standing)
            claims = self._put_down(wanted, {email.key: identity(email) for email in reversed(emails)})
        self._written()
        self._claims.update(claims)
        return standings, foreign

    def claim_keys(self, keys: Sequence[str]) -> frozenset[str]:
        """Put down emails of which only the keys are known, as begun.

        Raises:
            LedgerError: the file cannot be written; none of them may be sent.
        """
        taken = (LedgerState.ACCEPTED, LedgerState.HANDED_OVER)
        with self._store.lock:
            self._store.recover_all()
            with self._store.writing():
                self._write()
                rows = self._store.rows(keys)
                wanted = {
                    key: row
                    for key, row in ((key, rows.get(key)) for key in keys)
                    if row is None or (row.run is None and row.state not in taken)
                }
                claims = self._put_down(wanted)
                for claim in claims.values():
                    self._mark(claim.slot, Mark.BEGUN)
            self._written()
            self._claims.update(claims)
            self._bare.update(claims)
            return frozenset(claims)

    def _put_down(
        self, wanted: Mapping[str, Row | None], identities: Mapping[str, tuple[str, str]] = _UNTOLD
    ) -> dict[str, Claim]:
        if not wanted:
            return {}
        # A transport that takes thousands before it answers leaves no free slot; that email counts as begun.
        slots = {key: self._free.pop() if self._free else None for key in wanted}
        for slot in slots.values():
            self._mark(slot, Mark.CLAIMED)
        fresh = {key: slots[key] for key, row in wanted.items() if row is None}
        seen = [(row, slots[key]) for key, row in wanted.items() if row is not None]
        return self._store.put_down(self._marks.run, fresh, seen, identities)

    def _mark(self, slot: int | None, mark: Mark) -> None:
        if slot is not None:
            self._marks.set(slot, mark)

    def begin(self, email: Email) -> bool:
        """Mark that an email may leave from now on.

        Returns:
            True: as long as this program lives, nobody else takes what it has put down.

        Raises:
            LedgerError: the ledger was closed in the middle of the run.
        """
        if self.closed:
            raise LedgerError(
                f"The ledger {self._store.path} was closed in the middle of a run; close it after."
            )
        with self._store.lock:  # which a child of a fork cannot take
            self._mark(self._claims[email.key].slot, Mark.BEGUN)
        return True

    def _marked(self, slot: int | None) -> Mark:
        return Mark.BEGUN if slot is None else self._marks.get(slot)

    def settle(self, receipt: Receipt) -> None:
        """Take down what became of an email; written with the next group.

        Raises:
            LedgerError: the email has no key, or its recipients ended differently, which is written at once,
                and the file cannot be written.
        """
        key = receipt.email.key
        if not key:
            raise keyless(receipt.email)
        if self.closed:
            raise LedgerError(
                f"The ledger {self._store.path} was closed in the middle of a run; close it after."
            )
        with self._store.lock:
            claim = self._claims.get(key)
            before = self._store.row(key) if claim is None else claim
            state, detail = (
                remember(receipt) if before is None else remember(receipt, before.state, before.detail)
            )
            queue_id = receipt.queue_id if state is LedgerState.ACCEPTED else ""
            untold = claim is None or key in self._bare
            known = identity(receipt.email) if untold else None
            self._unwritten[key] = Settled(state, detail, queue_id or None, known)
            if claim is None:
                return
            if not any(outcome.status in _MAY_HAVE_IT for outcome in receipt.outcomes):
                self._mark(claim.slot, Mark.NOBODY)  # a kill takes the email back to what it was before
            elif detail is None and state in _MARKS:
                self._mark(claim.slot, _MARKS[state])
            else:
                self.flush()

    def flush(self) -> None:
        """Write what is taken down.

        Raises:
            LedgerError: the file cannot be written.
        """
        with self._store.lock:
            with self._store.writing():
                self._write()
            self._written()

    def _write(self) -> None:
        if self._cut or not self._marks.held:
            self._forget_what_is_no_longer_ours()
        settled: list[tuple[int, LedgerState, str | None, str | None]] = []
        for key, (state, detail, queue_id, known) in self._unwritten.items():
            claim = self._claims.get(key)
            if state is None:
                if claim is not None:
                    self._store.end(claim, Mark.NOBODY)
                continue
            if claim is None:
                self._store.settle_unclaimed(key, state, detail, queue_id)
            else:
                settled.append((claim.row, state, detail, queue_id))
            if known is not None:
                self._store.make_known(key, known)
        if settled:
            self._store.settle(settled)

    def _written(self) -> None:
        for key in self._unwritten:
            self._bare.discard(key)
            claim = self._claims.pop(key, None)
            if claim is not None and claim.slot is not None:
                self._free.append(claim.slot)
        self._unwritten.clear()

    def close(self) -> None:
        """End the run: write what is taken down, and let go of what was put down and never begun.

        When that cannot be written, the marks stay where they are and the next program that opens the ledger
        writes it.
        """
        self._marks.ending.begun = True
        if self._store.lock.foreign:
            return
        with self._store.lock:
            if self._ended:
                return
            kept, self._cut, self.closed = False, self.closed, True
            try:
                with self._store.writing():
                    self._write()
                    self._store.end_run(self._marks.run, self._marked)
                self._written()
            except LedgerError:
                kept = True
            self._marks.close(keep=kept)
            self._store.own.discard(self._marks.run)
            self._ended = True

    def _forget_what_is_no_longer_ours(self) -> None:
        """Leave alone what an earlier `close` wrote before it was cut, or what another run took up since."""
        ours = self._store.held_by(self._marks.run)
        for key, claim in self._claims.items():
            if claim.row not in ours:
                self._unwritten.pop(key, None)

"""One email on its way through a run.

The answer is for the caller's own email and for each of its recipients. The transport is not asked about a
recipient who is already answered for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

import attrs

from vetmail_core.errors import TransportError
from vetmail_core.ledger.policy import LedgerState, Remembered, Standing, Verdict
from vetmail_core.receipts import Cause, Phase, Receipt, Reply, Status, only_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vetmail_core.message import Email

__all__ = ["AlreadySent", "Entry", "Sending", "decided", "held_elsewhere", "in_doubt", "not_attempted"]

_DONE: Final = {
    LedgerState.ACCEPTED: "was accepted",
    LedgerState.HANDED_OVER: "was handed over to a mail program or a folder",
    LedgerState.REFUSED: "was refused for good",
}
# Whoever closed the window without sending needs it once more; the ledger cannot know that they did.
_ONCE_MORE: Final = {
    LedgerState.HANDED_OVER: " To open it again, send it without the ledger or under another batch name.",
}


@attrs.frozen
class AlreadySent:
    """An email that was not handed over, because the ledger says it need not or must not be.

    Args:
        email: as the caller gave it.
        state: what the ledger knows.
        detail: the same in a sentence.
        known: how it ended for each recipient, by address key; empty where that is not known yet.
    """

    email: Email
    state: LedgerState
    detail: str
    known: Mapping[str, Remembered] = attrs.field(factory=dict[str, Remembered], eq=False, repr=False)

    def receipt(self) -> Receipt:
        """The receipt that the ledger remembers. Nothing was sent now."""
        outcomes = [self.known[mailbox.address_key].outcome(mailbox) for mailbox in self.email.recipients.all]
        reply = next((outcome.reply for outcome in outcomes if outcome.reply is not None), None)
        return Receipt(self.email, outcomes, attempts=0, reply=reply, remembered=True)


@attrs.define(eq=False)
class Sending:
    """An email to hand over.

    Args:
        email: the caller's.
        sent: the same, to those who still need it.
        standing: what is known of the others.

    Attributes:
        begun: it may have left.
        held: the ledger said at the last moment that another worker has it.
        written: its answer, where that was known and written down before its turn.
    """

    email: Email
    sent: Email
    standing: Standing
    begun: bool = attrs.field(default=False, init=False)
    held: bool = attrs.field(default=False, init=False)
    written: Receipt | None = attrs.field(default=None, init=False)

    def answer(self, receipt: Receipt) -> Receipt:
        """The receipt for the caller's own email.

        Raises:
            TransportError: the receipt is for other recipients than those it was handed.
        """
        if receipt.email is self.email:
            return receipt
        new = {outcome.mailbox.address_key: outcome for outcome in receipt.outcomes}
        if new.keys() != {mailbox.address_key for mailbox in self.sent.recipients.all}:
            raise TransportError(
                "The transport answered out of order, for another email than the one whose turn it was;"
                " expected one receipt for each email, in order."
            )
        known = self.standing.known
        outcomes = [
            known[mailbox.address_key].outcome(mailbox)
            if mailbox.address_key in known
            else attrs.evolve(new[mailbox.address_key], mailbox=mailbox)
            for mailbox in self.email.recipients.all
        ]
        return attrs.evolve(
            receipt,
            email=self.email,
            outcomes=outcomes,
            warnings=(*receipt.warnings, *self._remembered()),
        )

    def _remembered(self) -> tuple[str, ...]:
        known = [m.addr_spec for m in self.email.recipients.all if m.address_key in self.standing.known]
        if not known:
            return ()
        return (f"answered in an earlier run ({self.standing.since()}), not tried again: {', '.join(known)}",)


Entry = Sending | Receipt | AlreadySent


def decided(email: Email, standing: Standing, *, mine: bool = False) -> Entry:
    """What a standing means for an email.

    Args:
        email: as the caller gave it.
        standing: what the ledger says.
        mine: this very run has an email of this key under way.
    """
    match standing.verdict:
        case Verdict.SEND:
            return Sending(email, _narrowed(email, standing), standing)
        case Verdict.IN_DOUBT:
            return _still_in_doubt(email, standing)
        case Verdict.DONE:
            state = standing.state or LedgerState.ACCEPTED
            words = _DONE.get(state, "was answered")
            again = _ONCE_MORE.get(state, "")
            detail = f"This email {words} in an earlier run{_when(standing)}.{again}"
            return AlreadySent(email, state, detail, standing.known)
        case Verdict.ELSEWHERE if mine:
            return AlreadySent(
                email, LedgerState.ATTEMPTING, "This email comes twice in this run; the first is under way."
            )
        case Verdict.ELSEWHERE:
            return held_elsewhere(email)
        case _:
            assert_never(standing.verdict)


def _narrowed(email: Email, standing: Standing) -> Email:
    if not standing.known:
        return email
    return only_for(email, {m.address_key for m in email.recipients.all} - standing.known.keys())


def _when(standing: Standing) -> str:
    return f" ({standing.since()})" if standing.at else ""


def _still_in_doubt(email: Email, standing: Standing) -> Receipt:
    return Receipt(
        email,
        [standing.known[mailbox.address_key].outcome(mailbox) for mailbox in email.recipients.all],
        attempts=0,
        remembered=True,
        warnings=(
            (
                f"in doubt since an earlier run{_when(standing)}: it may have arrived. Ask the recipient or"
                " look into the server's log; then resolve it in the ledger, or send it again by choice."
            ),
        ),
    )


def not_attempted(email: Email, cause: Cause, *, reply: Reply | None = None) -> Receipt:
    """The receipt for an email that was not handed over."""
    return Receipt.for_all(email, Status.NOT_ATTEMPTED, cause=cause, reply=reply)


def held_elsewhere(email: Email) -> Receipt:
    """The receipt for an email that another worker has at this moment."""
    return not_attempted(email, Cause.HELD_ELSEWHERE)


def in_doubt(email: Email) -> Receipt:
    """The receipt for an email that was handed over and never answered."""
    return Receipt.for_all(email, Status.UNKNOWN, cause=Cause.CONNECTION, phase=Phase.DOT)

"""What a run asks of a ledger, and runs through ledgers that can do less.

One loop serves every ledger, and no ledger. An email is claimed before it is begun.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from vetmail_core.errors import LedgerError
from vetmail_core.ledger.policy import NEW, Ledger, LedgerState, Standing, Verdict, stand

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vetmail_core.message import Email
    from vetmail_core.receipts import Receipt

__all__ = ["KnowsPutOff", "LedgerRun", "OneByOne", "OpensRuns", "Unremembered", "keyless"]


class LedgerRun(Protocol):
    """One run through a ledger: one walk of one worker.

    A run that has put an email down holds it: no other run may send it until this one has settled it, given
    it back by `close`, or died. Whatever a method raises ends sending: the email at hand and all that follow
    are NOT_ATTEMPTED, with the words of the error as their reason.
    """

    def claim(self, emails: Sequence[Email], *, retry_unknown: bool) -> Sequence[Standing]:
        """Decide about emails, and put down, durably, those to be sent.

        Args:
            emails: each with a key; some thousands at most.
            retry_unknown: those in doubt are sent again, by somebody's choice.

        Returns:
            One standing for each, in order: what `stand` makes of a row, `Standing(Verdict.SEND)` where it
            has no row, and `Standing(Verdict.ELSEWHERE)` for what a run holds at this moment.
        """
        ...

    def begin(self, email: Email) -> bool:
        """Mark that an email may leave from now on; the last question before its first octet.

        Returns:
            False: it is no longer this run's, so it must not leave.
        """
        ...

    def settle(self, receipt: Receipt) -> None:
        """Take down what became of an email: what `remember` makes of its receipt.

        A receipt in which nothing was tried gives the email back as it was before the run.
        """
        ...

    def close(self) -> None:
        """End: give back what was put down and never begun. What was begun and not settled is in doubt."""
        ...


@runtime_checkable
class KnowsPutOff(Protocol):
    """A run that can tell, before it claims, which emails an earlier run put off."""

    def put_off(self, keys: Sequence[str]) -> frozenset[str]:
        """Those of the keys whose email was put off."""
        ...


@runtime_checkable
class OpensRuns(Protocol):
    """A ledger that knows runs: it keeps workers apart, and puts down a group at a time."""

    def open_run(self) -> LedgerRun:
        """Begin a run.

        Raises:
            LedgerError: it cannot; the transport has not been touched.
        """
        ...


class OneByOne:
    """A run through a ledger that has the three methods, and perhaps `known`.

    Args:
        ledger: a host's own.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._under_way: set[str] = set()
        self._asked: dict[str, LedgerState | None] = {}

    def claim(self, emails: Sequence[Email], *, retry_unknown: bool) -> list[Standing]:
        """Ask for the state of each, and put down those to be sent."""
        return [self._claim(email, retry_unknown=retry_unknown) for email in emails]

    def _claim(self, email: Email, *, retry_unknown: bool) -> Standing:
        key = email.key
        if key in self._under_way:
            return Standing(Verdict.ELSEWHERE, state=LedgerState.ATTEMPTING)
        row = self._asked.pop(key) if key in self._asked else self._ledger.state(key)
        state = None if row is None else LedgerState(row)  # a host's table may give it as text
        if state is LedgerState.REFUSED:
            return Standing(Verdict.DONE, state=state)
        standing = NEW if state is None else stand(email, state, None, 0, retry_unknown=retry_unknown)
        if standing.verdict is Verdict.SEND:
            mine = self._ledger.attempting((email.key,))
            if mine is not None and email.key not in mine:
                return Standing(Verdict.ELSEWHERE, state=LedgerState.ATTEMPTING)
            self._under_way.add(email.key)
        return standing

    def put_off(self, keys: Sequence[str]) -> frozenset[str]:
        """Ask for the state of each; `claim` need not ask again about the others."""
        self._asked = {key: self._ledger.state(key) for key in keys}
        put_off = frozenset(key for key, state in self._asked.items() if state == LedgerState.DEFERRED)
        for key in put_off:
            del self._asked[key]
        return put_off

    def begin(self, email: Email) -> bool:
        """Nothing more to write down."""
        del email
        return True

    def settle(self, receipt: Receipt) -> None:
        """Pass it on."""
        self._ledger.settle(receipt)
        self._under_way.discard(receipt.email.key)

    def close(self) -> None:
        """Nothing to end."""


class Unremembered:
    """A run without a ledger: everything is sent."""

    def claim(self, emails: Sequence[Email], *, retry_unknown: bool) -> list[Standing]:
        """Send them all."""
        del retry_unknown  # without a memory nothing is in doubt
        return [NEW] * len(emails)

    def begin(self, email: Email) -> bool:
        """Nothing to write down."""
        del email
        return True

    def settle(self, receipt: Receipt) -> None:
        """Nothing to write down."""

    def close(self) -> None:
        """Nothing to end."""


def keyless(email: Email) -> LedgerError:
    """The error for an email that no ledger can remember."""
    first = email.recipients.all[0].addr_spec
    return LedgerError(
        f'The email "{email.content.subject}" to {first} has no key, so a ledger could not know it again.'
        " Give every email of the run a key, as plan_bulk does from batch=... and each person's key; or run"
        " without a ledger."
    )

"""What a run asks of a ledger, and runs through ledgers that can do less.

What it is for: one loop for every ledger, and for none. What it refuses: nothing; it passes on. Its law:
an email is claimed before it is begun.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from vetmail_core.errors import LedgerError
from vetmail_core.ledger.standing import (
    NEW,
    KnowsRecipients,
    Ledger,
    LedgerState,
    Standing,
    Verdict,
    named_apart,
    stand,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vetmail_core.message import Email
    from vetmail_core.receipts import Receipt

__all__ = ["KnowsPutOff", "OneByOne", "OpensRuns", "Run", "Unremembered", "keyless"]


class Run(Protocol):
    """One run through a ledger."""

    def claim(self, emails: Sequence[Email], *, retry_unknown: bool) -> list[Standing]:
        """Decide about emails and put down those to be sent."""
        ...

    def begin(self, email: Email) -> None:
        """Mark that an email may leave from now on."""
        ...

    def settle(self, receipt: Receipt) -> None:
        """Take down what became of an email."""
        ...

    def close(self) -> None:
        """End."""
        ...


@runtime_checkable
class KnowsPutOff(Protocol):
    """A run that can tell, before it claims, which emails an earlier run put off."""

    def put_off(self, keys: Sequence[str]) -> frozenset[str]:
        """Those of the keys whose email was put off."""
        ...


@runtime_checkable
class OpensRuns(Protocol):
    """A ledger that can put down a group at a time."""

    def open_run(self) -> Run:
        """Begin a run."""
        ...


class OneByOne:
    """A run through a ledger that has the three methods, and perhaps `known`.

    Args:
        ledger: a host's own.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._asked: dict[str, LedgerState | None] = {}

    def claim(self, emails: Sequence[Email], *, retry_unknown: bool) -> list[Standing]:
        """Ask for the state of each, and put down those to be sent."""
        return [self._claim(email, retry_unknown=retry_unknown) for email in emails]

    def _claim(self, email: Email, *, retry_unknown: bool) -> Standing:
        key = email.key
        row = self._asked.pop(key) if key in self._asked else self._ledger.state(key)
        state = None if row is None else LedgerState(row)  # a host's table may give it as text
        if state is LedgerState.REFUSED:
            return Standing(Verdict.DONE, state=state)
        detail = named_apart(self._ledger.known(key)) if isinstance(self._ledger, KnowsRecipients) else None
        standing = NEW if state is None else stand(email, state, detail, 0, retry_unknown=retry_unknown)
        if standing.verdict is Verdict.SEND:
            mine = self._ledger.attempting((email.key,))
            if mine is not None and email.key not in mine:
                return Standing(Verdict.ELSEWHERE, state=LedgerState.ATTEMPTING)
        return standing

    def put_off(self, keys: Sequence[str]) -> frozenset[str]:
        """Ask for the state of each; `claim` need not ask again about the others."""
        self._asked = {key: self._ledger.state(key) for key in keys}
        put_off = frozenset(key for key, state in self._asked.items() if state == LedgerState.DEFERRED)
        for key in put_off:
            del self._asked[key]
        return put_off

    def begin(self, email: Email) -> None:
        """Nothing more to write down."""

    def settle(self, receipt: Receipt) -> None:
        """Pass it on."""
        self._ledger.settle(receipt)

    def close(self) -> None:
        """Nothing to end."""


class Unremembered:
    """A run without a ledger: everything is sent."""

    def claim(self, emails: Sequence[Email], *, retry_unknown: bool) -> list[Standing]:
        """Send them all."""
        del retry_unknown  # without a memory nothing is in doubt
        return [NEW] * len(emails)

    def begin(self, email: Email) -> None:
        """Nothing to write down."""

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

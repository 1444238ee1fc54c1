"""``ledger``: who is not done in a ledger, and what somebody knows of them by now."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Final

from vetmail_core.cli.layout import Table, tell
from vetmail_core.cli.planning import NothingTriedError
from vetmail_core.cli.show import say
from vetmail_core.ledger import LedgerState, SqliteLedger
from vetmail_core.ledger.settling import listed, resolve_all, send_again

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

__all__ = ["ledger"]

_WORDS: Final[Mapping[LedgerState, str]] = {
    LedgerState.UNKNOWN: "in doubt",
    LedgerState.REFUSED: "refused",
    LedgerState.DEFERRED: "open",
    LedgerState.ATTEMPTING: "under way",
    LedgerState.ACCEPTED: "accepted",
    LedgerState.HANDED_OVER: "handed over",
}
_NOT_DONE: Final = (LedgerState.UNKNOWN, LedgerState.REFUSED, LedgerState.DEFERRED, LedgerState.ATTEMPTING)
_WHY: Final[Mapping[LedgerState, str]] = {
    LedgerState.UNKNOWN: "it may have arrived: the run or its connection ended before the answer",
    LedgerState.REFUSED: "it is not sent again",
    LedgerState.DEFERRED: "the next run sends it",
    LedgerState.ATTEMPTING: "a run is sending it at this moment",
}
_SECOND_COPY: Final = "whoever was in doubt may get a second copy"


def ledger(arguments: argparse.Namespace) -> int:
    """Run one of the commands about a ledger.

    Returns:
        0.

    Raises:
        VetmailError: there is no such ledger, or a key that was typed cannot be settled; nothing was changed.
    """
    path = arguments.ledger
    # Opening makes a ledger where there is none; an empty file is not one either.
    if not path.is_file() or not path.stat().st_size:
        raise NothingTriedError(f"there is no ledger {path}; name the file that `send --ledger` was given")
    with SqliteLedger(path) as opened:
        _DOES[arguments.does](arguments, opened)
    return 0


def _list(arguments: argparse.Namespace, opened: SqliteLedger) -> None:
    states = _NOT_DONE if arguments.state is None else (_state(arguments.state),)
    found = listed(opened.tables, states=states, batch=arguments.batch)
    rows = [
        (
            one.key,
            _WORDS[one.state],
            f"{one.since:%Y-%m-%d %H:%M} UTC",
            ", ".join(one.recipients),
            "; ".join(one.why) or _WHY.get(one.state, ""),
        )
        for one in found
    ]
    table = Table(sys.stdout, "key", "state", "since", "recipients", "why")
    for row in rows:
        table.measure(*row)
    for row in rows:
        table.row(*row)
    counts = Counter(opened.counts())
    totals = [f"{counts[state]} {word}" for state, word in _WORDS.items() if counts[state]]
    if rows:
        say(out=sys.stdout)
    tell(f"in all: {', '.join(totals) or 'no emails'}", out=sys.stdout)


def _state(word: str) -> LedgerState:
    wanted = word.strip().casefold().replace("-", " ").replace("_", " ")
    for state, name in _WORDS.items():
        if wanted in {name, state.value.replace("_", " ")}:
            return state
    listed_words = ", ".join(name.replace(" ", "-") for name in _WORDS.values())
    raise NothingTriedError(f"--state {word}: expected one of {listed_words}")


def _resolve(arguments: argparse.Namespace, opened: SqliteLedger) -> None:
    ending = LedgerState(arguments.ending)
    resolve_all(opened.tables, arguments.keys, ending)
    meaning = {
        LedgerState.ACCEPTED: "arrived; no run sends them again",
        LedgerState.DEFERRED: "not sent; the next run sends them",
        LedgerState.REFUSED: "given up; no run sends them",
    }[ending]
    tell(f"{_emails(len(set(arguments.keys)))} {meaning}", out=sys.stdout)


def _retry(arguments: argparse.Namespace, opened: SqliteLedger) -> None:
    if bool(arguments.keys) == arguments.all:
        raise NothingTriedError("expected the keys of emails, or --all for everything in doubt")
    keys = opened.in_doubt() if arguments.all else arguments.keys
    doubts = send_again(opened.tables, keys)
    tell(f"{_emails(len(set(keys)))} sent again by the next run", out=sys.stdout)
    if doubts:
        tell(f"{_emails(len(doubts))} of them in doubt: {_SECOND_COPY}", out=sys.stdout)


def _lift(arguments: argparse.Namespace, opened: SqliteLedger) -> None:
    refused = [address for address in arguments.addresses if opened.suppressed(address) is None]
    if refused:
        raise NothingTriedError(f"{', '.join(refused)}: not left out by this ledger; nothing was changed")
    for address in arguments.addresses:
        opened.lift(address)
        tell(f"{address} is written to again", out=sys.stdout)


def _emails(count: int) -> str:
    return "1 email" if count == 1 else f"{count} emails"


_DOES: Final[Mapping[str, Callable[[argparse.Namespace, SqliteLedger], None]]] = {
    "list": _list,
    "resolve": _resolve,
    "retry": _retry,
    "lift": _lift,
}

"""A ledger that was open when its program forked belongs to the parent alone."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from vetmail_core import LedgerError, SqliteLedger, deliver_once
from vetmail_core.ledger import LedgerState

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Make = Any  # the conftest's classes and factories; a test folder is no package to import them from

USES: dict[str, Callable[[SqliteLedger], object]] = {
    "state": lambda ledger: ledger.state("a"),
    "attempting": lambda ledger: ledger.attempting(["b"]),
    "resolve": lambda ledger: ledger.resolve("a", LedgerState.ACCEPTED),
    "in_doubt": lambda ledger: ledger.in_doubt(),
    "counts": lambda ledger: ledger.counts(),
    "open_run": lambda ledger: ledger.open_run(),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_ledger_of_another_process_is_not_used(
    path: Path, monkeypatch: pytest.MonkeyPatch, use: Callable[[SqliteLedger], object]
) -> None:
    """It says what to do instead; closing it there does nothing, and its own process goes on with it."""
    with SqliteLedger(path) as ledger:
        assert ledger.attempting(["a"]) == {"a"}
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(os, "getpid", lambda: -1)
            with pytest.raises(LedgerError, match="Open it in the process that uses it"):
                use(ledger)
            ledger.close()
        assert ledger.state("a") is LedgerState.ATTEMPTING


def test_a_run_of_another_process_is_not_gone_on_with(
    path: Path, postbox: Make, email: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of it is dropped without a word, and nobody is mailed twice by it."""
    everybody = [email(f"p{number}@example.com") for number in range(3)]
    with SqliteLedger(path) as ledger:
        run = ledger.open_run()
        run.claim(everybody, retry_unknown=False)
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(os, "getpid", lambda: -1)
            with pytest.raises(LedgerError, match="before this process was forked"):
                run.begin(everybody[0])
            run.close()
        run.begin(everybody[0])
        run.close()
        assert ledger.counts() == {LedgerState.UNKNOWN: 1}
        assert len(list(deliver_once(ledger, postbox(), everybody))) == 3


FORKS = """
import os, sys
from vetmail_core import LedgerError, SqliteLedger

for path in sys.argv[1], ":memory:":
    ledger = SqliteLedger(path)
    assert ledger.attempting(["a"]) == {"a"}
    child = os.fork()
    if child == 0:
        try:
            ledger.state("a")
        except LedgerError:
            ledger.close()
            if path != ":memory:":
                with SqliteLedger(path) as own:
                    assert own.attempting(["a", "b"]) == {"b"}  # the parent's run lives, and holds the other
            sys.exit(0)
        sys.exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert ledger.path.exists()
    assert ledger.attempting(["c"]) == {"c"}
    ledger.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no process is forked here")
def test_a_child_opens_a_ledger_of_its_own_and_the_parent_goes_on(path: Path) -> None:
    """The child's end takes nothing of the parent's along, a ledger in memory among it."""
    ran = subprocess.run(
        [sys.executable, "-c", FORKS, str(path)], capture_output=True, check=False, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr

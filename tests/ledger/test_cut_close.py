"""A ledger whose `close` is cut by another Ctrl-C."""

from __future__ import annotations

import contextlib
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import vetmail_core
from vetmail_core import Email, Receipt, SqliteLedger, Status, deliver_once

if TYPE_CHECKING:
    from types import FrameType

Make = Any  # the conftest's classes and factories

ROOM = str(Path(vetmail_core.__file__).parent)
PEOPLE = [f"p{number}@example.com" for number in range(6)]


class Cut:
    """Raises a KeyboardInterrupt at one executed line of the library's.

    Args:
        at: which, from 0, counted from the line behind the one with which `close` begins.
    """

    def __init__(self, at: int) -> None:
        self.left = at
        self.happened = False
        self._begun = False

    def __call__(self, frame: FrameType, event: str, _argument: object) -> Cut | None:
        """See `sys.settrace`."""
        if not frame.f_code.co_filename.startswith(ROOM):
            return None
        if event == "line":
            if not self._begun:
                self._begun = frame.f_code.co_name == "close"
                return self
            if self.left == 0 and not self.happened:
                self.happened = True
                raise KeyboardInterrupt
            self.left -= 1
        return self


def _interrupted_run(path: Path, emails: list[Email], postbox: Make) -> SqliteLedger:
    """A run of which two are answered, one is begun, and the rest are put down."""
    ledger = SqliteLedger(path)
    run = ledger.open_run()
    run.claim(emails, retry_unknown=False)
    for email in emails[:3]:
        run.begin(email)
    for email in emails[:2]:
        run.settle(postbox.receipt(email))
    return ledger


@pytest.mark.parametrize("again", [False, True], ids=["left at that", "closed again"])
def test_an_interrupt_at_any_line_of_close_forgets_nobody(
    tmp_path: Path, postbox: Make, email: Make, *, again: bool
) -> None:
    """A later ledger of the same process takes up what was left: nobody twice, and nobody passed over.

    The first ledger is still referred to, as it is where a traceback is kept.
    """
    emails = [email(person) for person in PEOPLE]
    lines = 0
    while True:
        path = tmp_path / f"{lines}.ledger"
        first, second = postbox(), postbox()
        ledger = _interrupted_run(path, emails, first)
        cut = Cut(lines)
        before = sys.gettrace()
        with contextlib.suppress(KeyboardInterrupt):
            sys.settrace(cut)
            try:
                ledger.close()
            finally:
                sys.settrace(before)
        if again:
            ledger.close()
        with SqliteLedger(path) as later:
            receipts: list[Receipt] = list(deliver_once(later, second, emails))
            assert later.in_doubt() == (emails[2].key,), lines
        ledger.close()
        status = [receipt.outcomes[0].status for receipt in receipts]
        assert status == [*[Status.UNKNOWN], *[Status.ACCEPTED] * 3], (lines, status)
        assert second.sent == [(person,) for person in PEOPLE[3:]], lines
        assert list(tmp_path.glob("*-run-*")) == [], lines
        if not cut.happened:
            break
        lines += 1
    assert lines > 30


def test_a_run_that_another_took_up_is_not_written_again(path: Path, postbox: Make, email: Make) -> None:
    """What the other found out since stays: here the one in doubt was sent."""
    emails = [email(person) for person in PEOPLE]
    ledger = _interrupted_run(path, emails, postbox())
    before = sys.gettrace()
    with contextlib.suppress(KeyboardInterrupt):
        sys.settrace(Cut(3))
        try:
            ledger.close()
        finally:
            sys.settrace(before)
    with SqliteLedger(path) as later:
        assert len(list(deliver_once(later, postbox(), emails, retry_unknown=True))) == 4
        counts = later.counts()
        ledger.close()
        assert later.counts() == counts


def test_a_thread_that_ends_a_run_is_waited_for(path: Path, postbox: Make, email: Make) -> None:
    """A run is taken up by its marks when nobody ends it any more, and not before."""
    emails = [email(person) for person in PEOPLE]
    ledger = _interrupted_run(path, emails, postbox())
    thread = threading.Thread(target=ledger.close)
    thread.start()
    with SqliteLedger(path) as later:
        thread.join(10)
        assert len(later.in_doubt()) == 1
    assert list(path.parent.iterdir()) == [path]

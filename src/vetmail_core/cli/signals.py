"""The signals of a system that wants the program to end, as a Ctrl-C.

When a service manager or a closed terminal ends a run, answers are heard, the ledger is written and a
report is printed. A second signal ends the program at once. A signal that was ignored before, as under
nohup, stays ignored.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import FrameType

__all__ = ["ended_politely"]

# Windows has the first of them alone.
_POLITE: Final = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


def _end(_number: int, _frame: FrameType | None) -> None:
    for number in _POLITE:
        if signal.getsignal(number) is _end:
            signal.signal(number, signal.SIG_DFL)
    raise KeyboardInterrupt


@contextlib.contextmanager
def ended_politely() -> Generator[None]:
    """Take SIGTERM and SIGHUP as the first Ctrl-C, while this lasts; only the main thread can."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {
            number: signal.signal(number, _end)
            for number in _POLITE
            if signal.getsignal(number) is not signal.SIG_IGN
        }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

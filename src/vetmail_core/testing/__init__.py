"""The test kit: for testing features that send e-mail, in pytest, unittest or none of them.

What it is for: handing a test a transport that answers like a mail server and remembers everything.
What it refuses: patching, global switches, and accepting more than the real thing would. Its law: a
fake that accepts more is a liar.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vetmail_core._lazy import late

if TYPE_CHECKING:
    from vetmail_core.testing.clock import FakeClock

__all__ = [
    "FakeClock",
]

_HOMES: Final = {
    "FakeClock": ".clock",
}

__getattr__, __dir__ = late(__name__, _HOMES)

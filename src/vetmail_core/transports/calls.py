"""What every call of `deliver` is told when it is made: one email is not several, and receipts want asking.

`deliver` gives an iterator, and nothing is sent until it is asked. A call whose receipts are never asked for
would lose its mail in silence, so it is a ``ResourceWarning`` that names the line of the call.
"""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, TypeVar, cast

from vetmail_core.message import Email

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vetmail_core.receipts import Receipt

__all__ = ["checked_call", "one_email"]

_Transport = TypeVar("_Transport")


def one_email(call: str) -> TypeError:
    """Make the error for one email where several are wanted."""
    return TypeError(f"{call} needs an iterable of emails, got one Email. Put it in brackets: [email].")


def checked_call(
    deliver: Callable[[_Transport, Iterable[Email]], Iterator[Receipt]],
) -> Callable[[_Transport, Iterable[Email]], Iterator[Receipt]]:
    """Make a transport's `deliver` say at once what is wrong with its call.

    Returns:
        The method. It raises TypeError for one email, and warns when its receipts are never asked for.
    """

    @functools.wraps(deliver)
    def checked(transport: _Transport, emails: Iterable[Email], /) -> Iterator[Receipt]:
        if isinstance(emails, Email):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
            raise one_email("deliver()")
        return _Receipts(deliver(transport, emails))

    return checked


class _Receipts(Generator["Receipt", None, None]):
    """The receipts of one call."""

    __slots__ = ("_asked", "_receipts", "_where")

    def __init__(self, receipts: Iterator[Receipt]) -> None:
        self._receipts = cast("Generator[Receipt, None, None]", receipts)  # as each `deliver` here gives
        frame = sys._getframe(1)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - the line of the call
        while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("vetmail_core"):
            frame = frame.f_back
        self._where = (frame.f_code.co_filename, frame.f_lineno)
        self._asked = False

    def send(self, value: None, /) -> Receipt:
        """The next receipt."""
        self._asked = True
        return self._receipts.send(value)

    def throw(self, *error: Any) -> Receipt:  # noqa: ANN401 - as the standard library has it
        """Raise an error in the middle of the run."""
        self._asked = True
        return self._receipts.throw(*error)

    def close(self) -> None:
        """Walk away; what has left is heard out."""
        self._asked = True
        self._receipts.close()

    def __del__(self) -> None:
        if not getattr(self, "_asked", True):  # an interrupt fell while it was made
            file, line = self._where
            warnings.warn_explicit(
                "deliver() was called and its receipts were never asked for, so nothing was sent. Write: "
                "for receipt in transport.deliver(emails): ...",
                ResourceWarning,
                file,
                line,
                source=self,
            )

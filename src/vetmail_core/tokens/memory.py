"""Tokens that this process holds, one for each source that is equal.

The only state of the room: sources are values, and ten mailers made from ten loads of one file have ten equal
sources, which must not ask ten times (Microsoft answers programs that keep no token with 429). Life is counted by
the monotonic clock, so a clock that is put right makes no token old or young.

What `refused` drops is the token that the calling thread was given last. When twenty threads have one token and
the server refuses it to all of them, the first fetches a new one, and the other nineteen have nothing to drop.
"""

from __future__ import annotations

import copy
import os
import threading
import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from vetmail_core.clock import SystemClock
from vetmail_core.errors import TokenError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from vetmail_core.clock import Clock
    from vetmail_core.tokens.hidden import HiddenText
    from vetmail_core.tokens.source import Token

__all__ = ["MEMORY", "Memory"]

_MOST: Final = 256
_MARGIN_SECONDS: Final = 300.0


class _Slot:
    """One source's token.

    Attributes:
        text: the token; None when there is none.
        good_until: by the clock, seconds.
        number: counts the tokens.
        tries: counts the fetches, failed ones too.
        failure: why the last fetch failed; None when it did not.
        waiting: threads that want the token, the one that fetches not counted.
    """

    __slots__ = ("__weakref__", "failure", "good_until", "lock", "number", "text", "tries", "waiting")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.text: HiddenText | None = None
        self.good_until = 0.0
        self.number = 0
        self.tries = 0
        self.failure: TokenError | None = None
        self.waiting = 0


class Memory:
    """Tokens by source. Threads share; one that waits for another's fetch takes its answer, good or bad.

    Args:
        clock: how long tokens live.
        most: how many are held; of more, the one not asked for the longest is forgotten.
    """

    def __init__(self, clock: Clock | None = None, *, most: int = _MOST) -> None:
        self._clock = SystemClock() if clock is None else clock
        self._most = most
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._slots: OrderedDict[Hashable, _Slot] = OrderedDict()
        self._given = threading.local()

    def token(self, source: Hashable, fetch: Callable[[], Token | TokenError]) -> HiddenText:
        """The token of a source, fetched when there is none that is good.

        Args:
            source: equal for those that share.
            fetch: asks the endpoint.

        Raises:
            TokenError: as ``fetch`` answered.
        """
        slot = self._slot(source)
        seen = slot.tries
        with self._lock:
            slot.waiting += 1
        with slot.lock:
            with self._lock:
                slot.waiting -= 1
            text = slot.text if self._clock.monotonic() < slot.good_until else None
            if text is None and slot.tries != seen and slot.failure is not None:
                raise copy.copy(slot.failure)
            if text is None:
                text = self._fetched(slot, fetch)
            self._numbers()[slot] = slot.number
        return text

    def _fetched(self, slot: _Slot, fetch: Callable[[], Token | TokenError]) -> HiddenText:
        begun = self._clock.monotonic()
        slot.text = None
        token = fetch()
        slot.tries += 1
        if isinstance(token, TokenError):
            slot.failure = token
            raise copy.copy(token)
        slot.text, slot.failure = token.text, None
        slot.good_until = begun + token.seconds - min(_MARGIN_SECONDS, token.seconds / 2)
        slot.number += 1
        return token.text

    def refused(self, source: Hashable) -> None:
        """Drop the token that this thread was given last, unless another has come since."""
        slot = self._slot(source)
        with slot.lock:
            if self._numbers().get(slot, slot.number) == slot.number:
                slot.text, slot.good_until = None, 0.0

    def forget(self, source: Hashable) -> None:
        """Drop the token of a source, whoever was given it."""
        slot = self._slot(source)
        with slot.lock:
            slot.text, slot.good_until = None, 0.0

    def waiting(self, source: Hashable) -> int:
        """How many threads wait for a fetch of this source; to be looked at, not to be decided by."""
        return self._slot(source).waiting

    def seconds_left(self, source: Hashable) -> float:
        """How long the token of a source will be used, in seconds; 0 when there is none."""
        slot = self._slot(source)
        with slot.lock:
            return max(0.0, slot.good_until - self._clock.monotonic())

    def _slot(self, source: Hashable) -> _Slot:
        if self._process != os.getpid():
            # A lock that another thread held at the fork would never be free in the child.
            self._begin()
        with self._lock:
            slot = self._slots.setdefault(source, _Slot())
            self._slots.move_to_end(source)
            if len(self._slots) > self._most:
                self._slots.popitem(last=False)
        return slot

    def _numbers(self) -> weakref.WeakKeyDictionary[_Slot, int]:
        """For each source, which of its tokens this thread was given last."""
        numbers: weakref.WeakKeyDictionary[_Slot, int] | None = getattr(self._given, "numbers", None)
        if numbers is None:
            numbers = self._given.numbers = weakref.WeakKeyDictionary()
        return numbers


MEMORY: Final = Memory()
"""What this process holds."""

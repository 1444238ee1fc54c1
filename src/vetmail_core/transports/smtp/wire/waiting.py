"""What a step on a line waits for, and who waits for it.

One thread waits for several lines at once. Whatever may take time is a generator: it does what can be done,
and gives out a `Wait` when it can do no more; it is sent what is ready, as `selectors` has it, or 0 when
its time is over. Waiting for one line and for five run the very same steps.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import selectors
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from vetmail_core.clock import SystemClock

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Generator, Iterable, Sequence

    _T = TypeVar("_T")
    Steps = Generator["Wait", int, _T]

__all__ = ["Called", "Wait", "carried_out", "ready_among", "together"]

_clock: Final = SystemClock()  # a wire has real time, whatever clock the run goes by
_monotonic: Final = _clock.monotonic
# It holds nothing of the system's between two waits, so that nothing is left of a line that is closed.
_Selector: Final[type[selectors.BaseSelector]] = getattr(selectors, "PollSelector", selectors.SelectSelector)


class Called(Exception):  # noqa: N818 - what happened, not a mistake of anybody's
    """Whoever waits is wanted elsewhere; what was waited for goes on as if nothing had happened."""


class Wait(NamedTuple):
    """What a step waits for.

    Attributes:
        files: sockets, and the events of each, as `selectors` has them.
        deadline: when the time is over, by the machine's clock.
        alone: waits for this and nothing else; gives what is ready, 0 when the time is over.
    """

    files: tuple[tuple[socket.socket, int], ...]
    deadline: float
    alone: Callable[[], int]


def carried_out(steps: Steps[_T]) -> _T:
    """Carry steps out to their end, waiting where they wait.

    Raises:
        Exception: what the steps raise. What falls into a wait, Ctrl-C say, falls into the steps.
    """
    try:
        wait = next(steps)
    except StopIteration as end:
        value: _T = end.value
        return value
    return carried_on(steps, wait)


def carried_on(steps: Steps[_T], wait: Wait) -> _T:
    """Carry out the rest of steps that wait for something."""
    try:
        while True:
            try:
                ready = wait.alone()
            except BaseException as error:  # noqa: BLE001 - it is the steps' to deal with
                wait = steps.throw(error)
            else:
                wait = steps.send(ready)
    except StopIteration as end:
        value: _T = end.value
        return value
    finally:
        steps.close()  # now, and not when somebody has let go of the exception


def together(many: Iterable[Steps[None]]) -> None:
    """Carry several out at once, to the end of the last of them."""
    at_work: list[tuple[Steps[None], Wait]] = []
    try:
        for steps in many:
            at_work += ((steps, wait) for wait in itertools.islice(steps, 1))
        while len(at_work) > 1:
            ready = dict(ready_among([wait for _steps, wait in at_work], math.inf))
            before, at_work = at_work, []
            for number, (steps, wait) in enumerate(before):
                if number not in ready:
                    at_work.append((steps, wait))
                    continue
                with contextlib.suppress(StopIteration):
                    at_work.append((steps, steps.send(ready[number])))
        for steps, wait in at_work:
            carried_on(steps, wait)
    finally:
        for steps, _wait in at_work:
            steps.close()


def ready_among(waits: Sequence[Wait], latest: float) -> list[tuple[int, int]]:
    """Wait for several things at once, until one of them is ready or its time is over.

    Args:
        waits: what is waited for.
        latest: when to come back whatever happens, by the machine's clock.

    Returns:
        The number of each that has something, and what: 0 when its time is over.
    """
    began = _monotonic()
    seconds = max(0.0, min(latest, *(wait.deadline for wait in waits)) - began)
    found: dict[int, int] = {}
    with _Selector() as selector:
        for number, wait in enumerate(waits):
            for file, events in wait.files:
                selector.register(file, events, number)
        for key, events in _selected(selector, seconds):
            found[key.data] = found.get(key.data, 0) | events
    now = _monotonic()
    # Something may come in all the time; a deadline counts all the same.
    for number, wait in enumerate(waits):
        if wait.deadline <= (began if number in found else now):
            found[number] = 0
    return sorted(found.items())


def _selected(selector: selectors.BaseSelector, seconds: float) -> list[tuple[selectors.SelectorKey, int]]:
    if selector.get_map():
        return selector.select(seconds)
    _clock.sleep(seconds)  # for nothing but name servers; Windows cannot wait for no socket at all
    return []

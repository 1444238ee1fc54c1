"""Mailings by Celery (extra ``celery``): a task for a slice, and a sweep for the beat.

A host that has Celery lends its processes to mailings. A task's message holds no people and no texts: the
list is in the ledger, so a task that is lost, late or delivered twice forgets nobody and mails nobody
twice.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from vetmail_core.errors import LedgerError
from vetmail_core.mailings import Mailings

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from vetmail_core.bulk import BulkPlan
    from vetmail_core.ledger import PostgresLedger, SqliteLedger
    from vetmail_core.mailings import Mailing
    from vetmail_core.transports import Transport

    class Task(Protocol):
        """A task of Celery, as far as it is used here."""

        def __call__(self, *arguments: int) -> None:
            """Run it here and now."""
            ...

        def delay(self, *arguments: int) -> object:
            """Queue it."""
            ...

        def apply_async(self, arguments: tuple[int, ...], *, retry: bool) -> object:
            """Queue it, with options."""
            ...

    class App(Protocol):
        """A Celery app, as far as it is used here."""

        def task(self, function: Callable[..., None], /, **options: object) -> Task:
            """Make a task of a function."""
            ...


__all__ = ["SliceTasks", "slice_tasks"]

_SOFT_SECONDS: Final = 30.0  # beyond a slice's own; then the worker's process is told to end the task
_HARD_SECONDS: Final = 60.0


class _Opened(NamedTuple):
    """What a process keeps between tasks."""

    process: int
    mailings: Mailings
    transport: Transport


class SliceTasks:
    """The tasks of one Celery app. Made by `slice_tasks`.

    Attributes:
        deliver: the task that sends a slice; it takes the slice's number and nothing else.
        sweep: the task for the beat, every 30 seconds: it queues whatever nobody is at.
    """

    def __init__(
        self,
        app: App,
        *,
        ledger: Callable[[], SqliteLedger | PostgresLedger],
        transport: Callable[[], Transport],
        seconds: float,
    ) -> None:
        self._make_ledger = ledger
        self._make_transport = transport
        self._seconds = seconds
        self._opened: _Opened | None = None

        # Celery looks at a function's arguments, and takes a method's own self for one.
        def deliver(slice_id: int) -> None:
            self._deliver(slice_id)

        def sweep() -> None:
            self._sweep()

        self.deliver: Final[Task] = app.task(
            deliver,
            name="vetmail_core.deliver_slice",
            acks_late=True,
            reject_on_worker_lost=True,
            ignore_result=True,
            soft_time_limit=seconds + _SOFT_SECONDS,
            time_limit=seconds + _HARD_SECONDS,
        )
        self.sweep: Final[Task] = app.task(sweep, name="vetmail_core.sweep_slices", ignore_result=True)

    def enqueue(self, plan: BulkPlan, *, slice_emails: int = 250) -> Mailing:
        """Write a plan down, then queue its slices.

        A broker that is down is a warning in the log: the sweep queues them when it is back.

        Args:
            plan: with a batch; each person with a key.
            slice_emails: how many emails a slice has.

        Raises:
            RecipientsError, LedgerError: as `Mailings.enqueue`; nothing is queued then.
        """
        mailing = self._ready().mailings.enqueue(plan, slice_emails=slice_emails)
        self._queue(mailing.slices)
        return mailing

    def _deliver(self, slice_id: int) -> None:
        opened = self._ready()
        try:
            opened.mailings.deliver_slice(slice_id, opened.transport, seconds=self._seconds)
        except LedgerError as error:
            # A task that fails comes again at once, or is lost, as the broker likes; the sweep does better.
            _log().warning("slice %d is not at its end: %s", slice_id, error)

    def _sweep(self) -> None:
        try:
            slices = self._ready().mailings.open_slices()
        except LedgerError as error:
            _log().warning("the ledger could not be swept: %s", error)
        else:
            self._queue(slices)

    def _queue(self, slices: tuple[int, ...]) -> None:
        try:
            for number in slices:
                self.deliver.apply_async((number,), retry=False)
        except Exception as error:  # noqa: BLE001 - whatever the broker's driver raises
            _log().warning("the broker took no tasks, the sweep will queue them: %s", type(error).__name__)

    def _ready(self) -> _Opened:
        """The ledger and the transport of this process, made after the fork and kept between tasks."""
        opened = self._opened
        if opened is None or opened.process != os.getpid():
            opened = _Opened(os.getpid(), Mailings(self._make_ledger()), self._make_transport())
            self._opened = opened
        return opened


def _log() -> logging.Logger:
    import logging  # noqa: PLC0415 - used here alone

    return logging.getLogger("vetmail_core.celery")


def slice_tasks(
    app: App,
    *,
    ledger: Callable[[], SqliteLedger | PostgresLedger],
    transport: Callable[[], Transport],
    seconds: float = 60.0,
) -> SliceTasks:
    """Register the tasks of mailings with a Celery app.

    Args:
        app: the host's.
        ledger: opens the ledger; called in the process that uses it, after the fork.
        transport: makes the transport, likewise.
        seconds: how long a task sends; its soft limit is half a minute above, its hard limit a minute.

    Returns:
        The tasks: give `sweep` to the beat, and call `enqueue` with a plan.
    """
    return SliceTasks(app, ledger=ledger, transport=transport, seconds=seconds)

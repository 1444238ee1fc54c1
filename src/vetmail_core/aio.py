"""A mailer for asyncio: the same engine, on threads of its own.

A pool of n threads carries the emails out, each with a transport of its own, so never more than n connections
are open. A `send` puts its email into one queue. A thread that is free takes the next one and gives it to its
transport as an iterable that goes on with whatever waits by then. So a thousand sends at once leave as one
run on each connection, pipelined as a bulk run is::

    event loop                       n threads
    await send() --+
    await send() --+--> queue -----> Delivery.steps() <- transport.deliver(what waits)
    await send() --+                    |
         ^                              | receipt
         +------------------------------+

An email is taken when its thread takes it out of the queue. Until then a cancelled task takes it back; from
then on it goes its way. The pool is not the event loop's own, which has few threads and other work.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final, Self

from vetmail_core.errors import TransportError, TransportValueError, wrong_type
from vetmail_core.ledger import Delivery, LedgerState
from vetmail_core.mailer import Mailer
from vetmail_core.mailer.one_email import compose, limits_while_somebody_waits, sender_for
from vetmail_core.preferences.providers import provider_for
from vetmail_core.receipts import Cause, Receipt, Status
from vetmail_core.transports import transport_for
from vetmail_core.transports.base import hang_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from vetmail_core.address import Mailbox
    from vetmail_core.bulk import BulkPlan
    from vetmail_core.clock import Clock
    from vetmail_core.contexts import EmailContext
    from vetmail_core.ledger import AlreadySent, Ledger
    from vetmail_core.message import Content, Email
    from vetmail_core.people import Person, Staff
    from vetmail_core.preferences import EmailPreferences
    from vetmail_core.receipts import Report
    from vetmail_core.transports import Deadlines, Limits, Transport

__all__ = ["AsyncMailer"]

_CONNECTIONS: Final = 3  # where the provider states none: what most servers bear


class AsyncMailer:
    """Sends under an organisation's preferences, from the coroutines of one event loop.

    Use it as ``async with AsyncMailer(preferences) as mailer``, for as long as the application runs.

    Whatever belongs to the caller and is called while emails go out (the token function, the ledger, the
    clock, the people of a plan, `progress` and `cancel`) is called on a thread of the pool. `late` is called
    on the event loop.

    Args:
        preferences: the organisation's.
        staff: the staff member who sends; None for mail by the system.
        transport: where emails go; one that several threads may use, such as the `Outbox` of a test. By
            default each thread makes what the preferences say.
        token: gives an OAuth 2.0 access token, asked for at each connection.
        limits: of a connection, a message and a run, as for `Mailer`.
        deadlines: how long each answer of the mail server may take.
        connections: how many are open at once, at most; None for what the provider of the server allows, else
            3. With a wait between emails, and for a mail program, one is used.
        ledger: what has been sent; a `send` with a key is sent once.
        late: gets the receipt of each email that was on its way when its task was cancelled.
        clock: every wait goes through it.

    Raises:
        TypeError: the preferences are not EmailPreferences, or `late` is not a function.
        TransportValueError: `connections` is not a whole number from 1; or limits or deadlines came beside a
            transport, which has its own.
    """

    def __init__(
        self,
        preferences: EmailPreferences,
        *,
        staff: Staff | None = None,
        transport: Transport | None = None,
        token: Callable[[], str] | None = None,
        limits: Limits | None = None,
        deadlines: Deadlines | None = None,
        connections: int | None = None,
        ledger: Ledger | None = None,
        late: Callable[[Receipt], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        _check_connections(connections)
        if late is not None and not callable(late):  # pyright: ignore[reportUnnecessaryComparison] - hosts are not all typed
            raise wrong_type("late=", "a function", late, "Write late=receipts.append.")

        def bulk_mailer() -> Mailer:
            return Mailer(
                preferences,
                staff=staff,
                transport=transport,
                token=token,
                limits=limits,
                deadlines=deadlines,
                clock=clock,
            )

        def opened() -> Transport:
            if transport is not None:
                return transport
            patience = limits_while_somebody_waits(limits, preferences)
            return transport_for(
                preferences, staff=staff, token=token, limits=patience, deadlines=deadlines, clock=clock
            )

        bulk_mailer()  # says what is wrong with the arguments
        self.preferences: Final = preferences
        self.staff: Final = staff
        self._transport = transport
        self._ledger = ledger
        self._late = late
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pool = _Pool(
            _connections(preferences, connections, handed_in=transport is not None),
            lambda jobs: _Worker(jobs, opened, bulk_mailer, ledger, own=transport is None),
        )

    def __repr__(self) -> str:
        sender = "the system" if self.staff is None else self.staff.name or self.staff.address.addr_spec
        return f"AsyncMailer(for {sender}, connections={self._pool.size})"

    async def send(
        self,
        content: Content,
        *,
        to: Iterable[Mailbox | str] | Mailbox | str | None = (),
        cc: Iterable[Mailbox | str] | Mailbox | str | None = (),
        bcc: Iterable[Mailbox | str] | Mailbox | str | None = (),
        context: EmailContext | str | None = None,
        people: Mapping[str, Iterable[Person] | Person] | None = None,
        headers: Mapping[str, str] | None = None,
        fields: Mapping[str, object] | None = None,
        reply_to: Iterable[Mailbox | str] | Mailbox | str | None = None,
        key: str = "",
        retry_unknown: bool = False,
    ) -> Receipt:
        """Send one email; with a key and the mailer's ledger, once. The arguments are those of `Mailer.send`.

        A task that is cancelled before its email is taken takes it back. Afterwards the email goes its way,
        and its receipt goes to the ledger and to `late`.

        Returns:
            What became of it; at least one recipient was accepted or handed over.

        Raises:
            TransportError: the mailer is closed, or is used from a second event loop.
            CancelledError: the task was cancelled, or the mailer was closed before the email was taken.
            VetmailError: as `Mailer.send`.
        """
        loop = self._here()
        one = compose(
            content,
            preferences=self.preferences,
            sender=lambda: sender_for(self.preferences, self.staff, transport=self._transport),
            to=to,
            cc=cc,
            bcc=bcc,
            context=context,
            people=people,
            headers=headers,
            fields=fields,
            reply_to=reply_to,
            key=key,
        )
        job = _Send(one.email, once=bool(key) and self._ledger is not None, retry_unknown=retry_unknown)
        self._pool.put(job)
        try:
            receipt = await asyncio.wrap_future(job.answer)
        except asyncio.CancelledError:
            job.answer.add_done_callback(lambda answer: self._is_late(loop, answer))
            raise
        return one.answered(receipt)

    async def send_bulk(
        self,
        plan: BulkPlan | Iterable[Email],
        *,
        progress: Callable[[Receipt], None] | None = None,
        cancel: Callable[[], bool] | None = None,
        retry_unknown: bool = False,
        new_keys: bool = False,
    ) -> Report:
        """Send a plan, or any emails, by the mailer's ledger. The arguments are those of `Mailer.send_bulk`.

        The run has one thread of the pool, and goes on beside other sends where there are more. Cancelling
        the task ends it as `cancel` does; the receipts that still come go to `late`.

        Returns:
            What became of everyone.

        Raises:
            TransportError: the mailer is closed, or is used from a second event loop.
            CancelledError: the task was cancelled, or the mailer was closed before the run began.
            VetmailError: as `Mailer.send_bulk`.
        """
        loop = self._here()
        told = _Progress(progress, lambda receipt: self._tell(loop, receipt))
        job = _Bulk(
            lambda mailer: mailer.send_bulk(
                plan,
                ledger=self._ledger,
                progress=told,
                cancel=lambda: told.abandoned or self._pool.closed or (cancel is not None and cancel()),
                retry_unknown=retry_unknown,
                new_keys=new_keys,
            )
        )
        self._pool.put(job)
        try:
            return await asyncio.wrap_future(job.answer)
        except asyncio.CancelledError:
            told.abandoned = True
            raise

    async def aclose(self) -> None:
        """Take no more, hear out what is owed, and end the connections politely. A second call does nothing.

        What has not been taken yet is cancelled. A bulk run ends as if it had been cancelled, and gives its
        report.
        """
        self._here(closing=True)
        await asyncio.gather(*map(asyncio.wrap_future, self._pool.close()))
        if self._transport is not None:
            hang_up(self._transport)

    async def __aenter__(self) -> Self:
        self._here()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.aclose()

    def _here(self, *, closing: bool = False) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        if self._loop is not loop:
            raise TransportError(
                "This AsyncMailer is used from a second event loop; it belongs to the one that used it first."
                " Make one AsyncMailer for each event loop."
            )
        if self._pool.closed and not closing:
            raise TransportError("This AsyncMailer is closed; make a new one.")
        return loop

    def _is_late(self, loop: asyncio.AbstractEventLoop, answer: Future[Receipt]) -> None:
        """Nobody waits for this answer any more; an error has nobody to go to."""
        if not answer.cancelled() and answer.exception() is None:
            self._tell(loop, answer.result())

    def _tell(self, loop: asyncio.AbstractEventLoop, receipt: Receipt) -> None:
        if self._late is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and with it whoever would listen
                loop.call_soon_threadsafe(self._late, receipt)


class _Send:
    """An email in the queue, and who waits for its answer.

    Args:
        email: what is sent; an object of its own, by which its receipt is known again.
        once: by way of the ledger.
        retry_unknown: send again when it is in doubt.
    """

    __slots__ = ("answer", "email", "once", "retry_unknown")

    def __init__(self, email: Email, *, once: bool, retry_unknown: bool) -> None:
        self.answer: Future[Receipt] = Future()
        self.email = email
        self.once = once
        self.retry_unknown = retry_unknown

    def goes_with(self, other: _Send) -> bool:
        """Whether one run can carry both."""
        return self.once is other.once and self.retry_unknown is other.retry_unknown

    def carry_out(self, worker: _Worker) -> None:
        """Send it, and what waits behind it."""
        worker.send_with_those_behind(self)


class _Bulk:
    """A bulk run in the queue.

    Args:
        run: carries it out.
    """

    __slots__ = ("answer", "run")

    def __init__(self, run: Callable[[Mailer], Report]) -> None:
        self.answer: Future[Report] = Future()
        self.run = run

    def carry_out(self, worker: _Worker) -> None:
        """Run it to its end."""
        worker.run_bulk(self)


class _Progress:
    """What a bulk run reports to: the caller, or once nobody waits for it, whoever hears of late receipts."""

    def __init__(self, progress: Callable[[Receipt], None] | None, late: Callable[[Receipt], None]) -> None:
        self._progress = progress
        self._late = late
        self.abandoned = False  # nobody waits for the run any more

    def __call__(self, receipt: Receipt) -> None:
        if self.abandoned:
            self._late(receipt)
        elif self._progress is not None:
            self._progress(receipt)

    def pass_over(self) -> None:
        """One that an earlier run has sent."""
        pass_over: Callable[[], None] | None = getattr(self._progress, "pass_over", None)
        if pass_over is not None:
            pass_over()


class _Pool:
    """The queue, and the threads that take from it; a thread is started when all others are busy.

    Args:
        size: how many threads, at most.
        worker: makes what a thread runs.
    """

    def __init__(self, size: int, worker: Callable[[_Pool], _Worker]) -> None:
        self.size: Final = size
        self.closed = False
        self._worker = worker
        self._jobs: deque[_Send | _Bulk] = deque()
        self._change = threading.Condition()
        self._resting: set[_Worker] = set()
        self._ended: list[Future[None]] = []

    def put(self, job: _Send | _Bulk) -> None:
        """Take a job into the queue."""
        with self._change:
            self._jobs.append(job)
            if len(self._jobs) > len(self._resting) and len(self._ended) < self.size:
                ended: Future[None] = Future()
                ended.set_running_or_notify_cancel()  # whoever waits may go; the thread ends all the same
                self._ended.append(ended)
                worker = self._worker(self)
                name = f"vetmail_core.aio-{len(self._ended)}"
                threading.Thread(target=worker.work, args=(ended,), name=name, daemon=True).start()
            else:
                self._change.notify()

    def take(self, worker: _Worker) -> _Send | _Bulk | None:
        """Wait for the next job; None when there will be none any more."""
        with self._change:
            while (job := self._next(worker, lambda _: True)) is None and not self.closed:
                self._resting.add(worker)
                self._change.wait()
            return job

    def take_with(self, worker: _Worker, first: _Send) -> _Send | None:
        """The next job at hand, if it can go in one run with the first; without waiting."""
        with self._change:
            job = self._next(worker, lambda job: isinstance(job, _Send) and first.goes_with(job))
            return job if isinstance(job, _Send) else None

    def rest(self, worker: _Worker) -> None:
        """A worker has nothing under way and comes for the next job; said before its last answer is out."""
        with self._change:
            self._resting.add(worker)

    def _next(self, worker: _Worker, wanted: Callable[[_Send | _Bulk], bool]) -> _Send | _Bulk | None:
        while self._jobs and wanted(self._jobs[0]):
            job = self._jobs.popleft()
            if job.answer.set_running_or_notify_cancel():  # from here on it cannot be taken back
                self._resting.discard(worker)
                return job
        return None

    def close(self) -> list[Future[None]]:
        """Take no more; what waits is cancelled.

        Returns:
            For each thread when it has ended.
        """
        with self._change:
            self.closed = True
            waiting, self._jobs = self._jobs, deque()
            self._change.notify_all()
        for job in waiting:
            job.answer.cancel()
        return self._ended


class _Worker:
    """What a thread does: one job after the other, over one transport.

    Args:
        pool: where jobs come from.
        opened: makes the transport.
        bulk_mailer: makes the mailer of a bulk run.
        ledger: what has been sent.
        own: the transport is the worker's to close.
    """

    def __init__(
        self,
        pool: _Pool,
        opened: Callable[[], Transport],
        bulk_mailer: Callable[[], Mailer],
        ledger: Ledger | None,
        *,
        own: bool,
    ) -> None:
        self._pool = pool
        self._opened = opened
        self._bulk_mailer = bulk_mailer
        self._ledger = ledger
        self._own = own
        self._transport: Transport | None = None

    def work(self, ended: Future[None]) -> None:
        """Carry out jobs until the pool is closed."""
        while (job := self._pool.take(self)) is not None:
            job.carry_out(self)
            del job  # its text and attachments are not kept while nothing is to do
        if self._own and self._transport is not None:
            self._transport.close()
        ended.set_result(None)

    def send_with_those_behind(self, first: _Send) -> None:
        """Send an email, and what waits by the time that the transport has a place for it."""
        under_way = {id(first.email): first}
        delivery: Delivery | None = None

        def emails() -> Iterator[Email]:
            job: _Send | None = first
            while job is not None:
                under_way[id(job.email)] = job
                yield job.email
                job = self._pool.take_with(self, first)

        try:
            if self._transport is None:
                self._transport = self._opened()
            delivery = Delivery(
                self._transport,
                emails(),
                ledger=self._ledger if first.once else None,
                retry_unknown=first.retry_unknown,
            )
            with contextlib.closing(delivery.steps()) as steps:
                for step in steps:
                    job = under_way.pop(id(step.email))
                    if not under_way:
                        self._pool.rest(self)
                    job.answer.set_result(_receipt(step))
        except BaseException as error:  # noqa: BLE001 - raised where somebody waits for it
            for step in () if delivery is None else delivery.unfinished:
                receipt = _receipt(step)
                if any(outcome.status is not Status.NOT_ATTEMPTED for outcome in receipt.outcomes):
                    under_way.pop(id(step.email)).answer.set_result(receipt)
            self._pool.rest(self)
            for job in under_way.values():
                job.answer.set_exception(error)

    def run_bulk(self, job: _Bulk) -> None:
        """Carry out a bulk run over a connection in place of the worker's own."""
        if self._own and self._transport is not None:
            hang_up(self._transport)
        try:
            with self._bulk_mailer() as mailer:
                report = job.run(mailer)
        except BaseException as error:  # noqa: BLE001 - raised where somebody waits for it
            self._pool.rest(self)
            job.answer.set_exception(error)
        else:
            self._pool.rest(self)
            job.answer.set_result(report)


def _receipt(step: Receipt | AlreadySent) -> Receipt:
    if isinstance(step, Receipt):
        return step
    if step.state is LedgerState.ATTEMPTING:  # the same key twice at once: the first is not answered yet
        return Receipt.for_all(step.email, Status.NOT_ATTEMPTED, cause=Cause.HELD_ELSEWHERE)
    return step.receipt()


def _check_connections(connections: object) -> None:
    if connections is None:
        return
    if not isinstance(connections, int) or isinstance(connections, bool) or connections < 1:
        raise TransportValueError(
            f"connections must be a whole number from 1, got {connections!r}. Leave it out for what the"
            " provider of the mail server allows."
        )


def _connections(preferences: EmailPreferences, wanted: int | None, *, handed_in: bool) -> int:
    if handed_in:
        return wanted or _CONNECTIONS
    server = preferences.mail_server
    if not preferences.use_built_in_client or server.wait_between_emails_ms:
        return 1
    provider = provider_for(server.host)
    allowed = None if provider is None else provider.connections
    if allowed is None:
        return wanted or _CONNECTIONS
    return min(wanted or allowed, allowed)

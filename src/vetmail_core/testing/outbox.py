"""The recording transport.

It is the SMTP transport, holding its ordinary session with a server in memory; nothing about receipts is
made up here.
"""

from __future__ import annotations

import contextlib
import inspect
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self, Unpack

from vetmail_core.testing.clock import FakeClock
from vetmail_core.testing.failure_texts import unclaimed_mail, unused_faults
from vetmail_core.testing.faults import Faults
from vetmail_core.testing.matching import Delivery, Fields, wishes
from vetmail_core.testing.memory_server import MemoryServer
from vetmail_core.testing.records import Record, WatchedReceipt
from vetmail_core.testing.sent import SentMail, fits
from vetmail_core.transports.base import DefaultAnswers
from vetmail_core.transports.stamping import stamp

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from vetmail_core.clock import Clock
    from vetmail_core.mailer import Mailer
    from vetmail_core.message import Email
    from vetmail_core.people import Staff
    from vetmail_core.preferences import EmailPreferences
    from vetmail_core.receipts import Receipt
    from vetmail_core.recipients import Exclusion
    from vetmail_core.testing.matching import Wish
    from vetmail_core.testing.memory_transport import MemoryTransport

__all__ = ["Line", "Outbox", "Watch", "capture", "unused_trouble"]


class Outbox(DefaultAnswers, SentMail):
    """A transport that sends nothing and remembers everything; several threads may use it at once.

    Args:
        faults: what its server answers otherwise; may be written on at any time.
        clock: for every wait and date; a `FakeClock` when not given.
        size_limit: octets of the largest message its server takes.
        test_file: the file whose reading of a receipt counts as the test's look; the file that makes the
            outbox when not given.

    >>> from vetmail_core.testing import content
    >>> outbox = Outbox()
    >>> outbox.mailer().send(content("Your class moved"), to="sam@example.com").ok
    True
    >>> outbox.assert_sent(to="sam@example.com", subject="Your class moved").number
    1
    """

    def __init__(
        self,
        *,
        faults: Faults | None = None,
        clock: Clock | None = None,
        size_limit: int = 35_000_000,
        test_file: str | None = None,
    ) -> None:
        self.faults = Faults() if faults is None else faults
        self.clock: Clock = FakeClock() if clock is None else clock
        self._test_file = _caller() if test_file is None else test_file
        self._size_limit = size_limit
        self._records: list[Record] = []
        self._lock = threading.Lock()  # a feature may send by several lines, each in a thread of its own
        self._exclusions: list[Exclusion] = []
        self._ignored: list[Sequence[Wish]] = []
        self._closed = False
        self._lines: dict[int, Line] = {}  # each thread has a session of its own
        self._blamed = False  # an assertion about this mail has failed

    # -- a transport -----------------------------------------------------------------------------------

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """Deliver to the server in memory, and remember.

        Args:
            emails: any iterable, pulled lazily.

        Yields:
            One receipt for each email, in order.

        Raises:
            TransportError: the outbox is closed.
        """
        return self._own_line().deliver(emails)

    def line(self, *, wait_between_emails_ms: int = 0) -> Line:
        """A further transport into this outbox, for a feature that opens and closes one each time.

        Args:
            wait_between_emails_ms: the wait time of the preferences, which passes on the outbox's clock.
        """
        from vetmail_core.testing.memory_transport import MemoryTransport  # noqa: PLC0415 - brings ssl and sockets

        server = MemoryServer(self.faults, size_limit=self._size_limit)
        transport = MemoryTransport(server, clock=self.clock, wait_between_emails_ms=wait_between_emails_ms)
        return Line(self, transport)

    def close(self) -> None:
        """End the sessions; what it remembers stays. A second call does nothing."""
        with self._lock:
            self._closed = True
            lines = [*self._lines.values()]
        for line in lines:
            line.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Outbox with {len(self)} emails, {len(self.unclaimed)} unclaimed>"

    # -- what a test does with it ----------------------------------------------------------------------

    def save_page(self, path: Path | str) -> None:
        """Write everything that came here as one page, to look at in a browser. Claims nothing.

        Args:
            path: the file, which is replaced; "outbox.html".

        Raises:
            OSError: it cannot be written.
        """
        from vetmail_core.message.page import article, left_out_table, page  # noqa: PLC0415 - hardly ever asked for

        deliveries = [record.peek() for record in self._records]
        parts = [f"<h1>{len(deliveries)} email{'s' * (len(deliveries) != 1)}</h1>\n"]
        if self._exclusions:
            parts.append(left_out_table(self._exclusions))
        parts += [article(one.email, more=[("Outcome", str(one.receipt))]) for one in deliveries]
        Path(path).write_text(page("Outbox", parts), encoding="utf-8")

    @property
    def records(self) -> tuple[Record, ...]:
        """Every email handed over, in order, whatever became of it. Reading a record claims it."""
        return tuple(self._records)

    @property
    def exclusions(self) -> tuple[Exclusion, ...]:
        """People whom a plan or context left out, as far as the mailers made here have said."""
        return tuple(self._exclusions)

    @property
    def unclaimed(self) -> tuple[Record, ...]:
        """The emails that no assertion has looked at and that are not ignored."""
        return tuple(
            record
            for record in self._records
            if not record.claimed and not any(fits(wanted, record.peek()) for wanted in self._ignored)
        )

    def mailer(self, preferences: EmailPreferences | None = None, *, staff: Staff | None = None) -> Mailer:
        """A mailer that sends into this outbox.

        Args:
            preferences: whose rules apply; those of `builders.preferences` when not given.
            staff: who sends.
        """
        from vetmail_core.testing.builders import preferences as usual  # noqa: PLC0415 - brings the mailer
        from vetmail_core.testing.listening import ListeningMailer  # noqa: PLC0415 - as above

        return ListeningMailer(self, preferences or usual(), staff=staff)

    def heard(self, exclusions: Iterable[Exclusion]) -> None:
        """Take note of people who were left out, so that a failure can say so.

        The mailers made here call it; with one of your own, hand in ``report.exclusions``.

        Args:
            exclusions: who, and why.
        """
        self._exclusions.extend(exclusions)

    def ignore(self, **fields: Unpack[Fields]) -> None:
        """Mail with these fields, past and to come, need not be looked at; without fields, no mail need be.

        Args:
            **fields: as in ``find``.
        """
        self._ignored.append(wishes(fields))

    @contextlib.contextmanager
    def during(self) -> Generator[Watch]:
        """What is sent within a block.

        Yields:
            The same questions, about that mail only.

        >>> from vetmail_core.testing import content
        >>> outbox = Outbox()
        >>> with outbox.during() as sent:
        ...     _ = outbox.mailer().send(content(), to="sam@example.com")
        >>> len(sent), sent.assert_sent(to="sam@example.com").number
        (1, 1)
        """
        watch = Watch(self, len(self._records))
        try:
            yield watch
        finally:
            watch.end()

    @property
    def blamed(self) -> bool:
        """Whether an assertion about this mail has failed, so that the test fails for that."""
        return self._blamed

    def failure(self, text: str) -> AssertionError:
        """Make the error of an assertion that failed, and take note of it."""
        self._blamed = True
        return super().failure(text)

    def verify(self) -> None:
        """What strict mode checks: every email was looked at, every scripted fault fired.

        Raises:
            AssertionError: not so; says which.
        """
        __tracebackhide__ = True
        troubles = [*self.unclaimed_trouble(), *unused_trouble(self.faults)]
        if troubles:
            raise AssertionError("\n".join(troubles))

    def unclaimed_trouble(self) -> tuple[str, ...]:
        """What there is to say about mail that no assertion looked at: one text, or none."""
        left = self.unclaimed
        return (unclaimed_mail([record.peek() for record in left]),) if left else ()

    @classmethod
    def from_folder(cls, folder: Path | str) -> Outbox:
        """An outbox of what an `EmlTransport`, or ``vetmail send --outbox``, wrote into a folder.

        Args:
            folder: where the files are.

        Raises:
            TransportError: it cannot be read, or a file in it is not what was written.
        """
        from vetmail_core.transports.eml import read_folder  # noqa: PLC0415 - only this reads folders

        outbox = cls(test_file=_caller())
        for stored in read_folder(folder):
            outbox.remember(stored.email, stored.receipt(), stored.data)
        return outbox

    def remember(self, email: Email, receipt: Receipt, data: bytes) -> Receipt:
        """Write down one email with its answer, for a recording transport of your own.

        Args:
            email: what was handed over.
            receipt: what was answered.
            data: its bytes.

        Returns:
            The same receipt, watched; reading it in the test claims the email.
        """
        with self._lock:
            number = len(self._records) + 1
            record = Record(Delivery(number=number, email=email, receipt=receipt, data=data))
            self._records.append(record)
        return WatchedReceipt.of(receipt, record, self._test_file)

    def watched(self, receipt: Receipt) -> Receipt:
        """A receipt whose reading in the test claims the email it answers for.

        Args:
            receipt: of an email that came here; a copy of the one that was given back will do.
        """
        record = next(record for record in reversed(self._records) if record.peek().email is receipt.email)
        return WatchedReceipt.of(receipt, record, self._test_file)

    def _own_line(self) -> Line:
        thread = threading.get_ident()
        with self._lock:
            if thread not in self._lines:
                self._lines[thread] = self.line()
            line = self._lines[thread]
            closed = self._closed
        if closed:
            line.close()
        return line


class Line(DefaultAnswers):
    """One transport into an outbox; see `Outbox.line`. A context manager.

    Args:
        outbox: which remembers.
        transport: which delivers.
    """

    def __init__(self, outbox: Outbox, transport: MemoryTransport) -> None:
        self._outbox = outbox
        self._transport = transport

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """Deliver to the server in memory, and remember; see `Outbox.deliver`.

        Raises:
            TransportError: the line is closed, or used from two threads at once.
        """
        return self._remembering(self._transport.deliver(emails))

    def _remembering(self, receipts: Iterator[Receipt]) -> Iterator[Receipt]:
        for receipt in receipts:
            email = receipt.email
            bodies = self._transport.take_bodies()
            now = self._outbox.clock.now()
            data = bodies[0] if bodies else stamp(email, now).as_bytes(smtputf8=email.needs_smtputf8)
            yield self._outbox.remember(email, receipt, data)

    def close(self) -> None:
        """Say goodbye. A second call does nothing."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Line into {self._outbox!r}>"


class Watch(SentMail):
    """The mail of a block; see `Outbox.during`.

    Args:
        outbox: which records.
        start: how many there were before.
    """

    def __init__(self, outbox: Outbox, start: int) -> None:
        self._outbox = outbox
        self._start = start
        self._stop: int | None = None

    @property
    def records(self) -> tuple[Record, ...]:
        """Every email handed over within the block, so far."""
        return self._outbox.records[self._start : self._stop]

    @property
    def exclusions(self) -> tuple[Exclusion, ...]:
        """As the outbox knows them."""
        return self._outbox.exclusions

    def failure(self, text: str) -> AssertionError:
        """As the outbox takes note of it."""
        return self._outbox.failure(text)

    def end(self) -> None:
        """The block is over."""
        self._stop = len(self._outbox)


def capture(
    *, faults: Faults | None = None, clock: Clock | None = None, strict: bool = True
) -> contextlib.AbstractContextManager[Outbox]:
    """An outbox for a block, or a unittest; at the end it checks what strict mode checks.

    In a TestCase: ``self.outbox = self.enterContext(capture())``.

    Args:
        faults: what its server answers otherwise.
        clock: for every wait and date.
        strict: whether mail that nobody looked at, and faults that never fired, are an AssertionError at the
            end of the block, unless another error is on its way or an assertion of this outbox has failed.

    >>> from vetmail_core.testing import content
    >>> with capture() as outbox:
    ...     _ = outbox.mailer().send(content(), to="sam@example.com")
    ...     _ = outbox.assert_sent(to="sam@example.com")
    """
    return _captured(Outbox(faults=faults, clock=clock, test_file=_caller()), strict=strict)


@contextlib.contextmanager
def _captured(outbox: Outbox, *, strict: bool) -> Generator[Outbox]:
    __tracebackhide__ = True
    with outbox:
        yield outbox
        # A TestCase ends the block without the error that is on its way: one failing test is one failure.
        if strict and not outbox.blamed:
            outbox.verify()


def _caller() -> str:
    """The file of the code that called into this one."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return "" if frame is None else frame.f_code.co_filename


def unused_trouble(faults: Faults) -> tuple[str, ...]:
    """What there is to say about faults that never fired: one text, or none."""
    unused = faults.unused()
    return (unused_faults(unused),) if unused else ()

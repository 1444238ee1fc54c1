"""A mailer for coroutines: each receipt to its own caller, and nothing lost when a task is cancelled."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import attrs
import pytest

from vetmail_core import (
    Cause,
    Content,
    DeliveryError,
    Email,
    EmailPreferences,
    EmailSource,
    EnvironmentSecret,
    LedgerError,
    LedgerState,
    Limits,
    Mailer,
    MailServer,
    Outcome,
    Person,
    PreferencesError,
    Progress,
    Receipt,
    Recipients,
    RecipientsError,
    Settings,
    SqliteLedger,
    Staff,
    Status,
    TransportError,
)
from vetmail_core.aio import AsyncMailer
from vetmail_core.errors import TransportValueError
from vetmail_core.preferences import AuthenticationType
from vetmail_core.testing import LocalSmtpServer, Outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator
    from pathlib import Path

SECONDS = 20.0  # nothing here takes as long
HELLO = Content("Class on Monday", "See you at nine.")
PREFERENCES = EmailPreferences(
    use_built_in_client=True,
    mail_server=MailServer(host="mail.example.com"),
    settings=Settings(default_from="office@example.com"),
)


class Gate:
    """A transport that several threads may use; it sends what the test lets through.

    Attributes:
        begun: addresses whose email a thread holds, in order.
        sent: addresses that were answered for.
    """

    def __init__(self, *, is_open: bool = False) -> None:
        self.begun: list[str] = []
        self.sent: list[str] = []
        self.hung_up = 0
        self.closed = 0
        self.fails: dict[str, BaseException] = {}
        self.put_off: set[str] = set()
        self._change = threading.Condition()
        self._places = 10**9 if is_open else 0

    def let(self, count: int) -> None:
        """Let so many more through."""
        with self._change:
            self._places += count
            self._change.notify_all()

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """One receipt for each email, in order."""
        for email in emails:
            [mailbox] = email.recipients.all
            with self._change:
                self.begun.append(mailbox.addr_spec)
                self._change.notify_all()
                assert self._change.wait_for(lambda: self._places > 0, SECONDS)
                self._places -= 1
                if mailbox.addr_spec in self.fails:
                    raise self.fails[mailbox.addr_spec]
                self.sent.append(mailbox.addr_spec)
            put_off = mailbox.addr_spec in self.put_off
            yield Receipt.for_all(email, Status.DEFERRED if put_off else Status.ACCEPTED)

    def hang_up(self) -> None:
        """Count it."""
        self.hung_up += 1

    def close(self) -> None:
        """Count it; nobody here owns it but the test."""
        self.closed += 1


def run(scene: Coroutine[object, object, None]) -> None:
    """Run a scene to its end, which must come."""
    asyncio.run(asyncio.wait_for(scene, SECONDS))


async def until(is_so: Callable[[], bool]) -> None:
    """Let the loop go on until something is so; the scene's time runs out otherwise."""
    while not is_so():  # noqa: ASYNC110 - what changes is on other threads
        await asyncio.sleep(0.001)


def to(number: int) -> str:
    """An address with a number in it."""
    return f"p{number}@example.com"


def emails(count: int) -> list[Email]:
    """So many, each with a key."""
    return [
        Email(sender="office@example.com", recipients=Recipients(to(n)), content=HELLO, key=f"class/{n}")
        for n in range(count)
    ]


def test_fifty_sends_at_once_each_get_their_own_receipt_over_two_connections() -> None:
    """A real server sees two connections, each kept open, and QUIT on both at the end."""

    async def scene() -> None:
        with LocalSmtpServer() as smtpd:
            async with AsyncMailer(smtpd.server_preferences(), connections=2) as mailer:
                receipts = await asyncio.gather(*(mailer.send(HELLO, to=to(n)) for n in range(50)))
            got = [[mailbox.addr_spec for mailbox in receipt.accepted] for receipt in receipts]
            assert got == [[to(n)] for n in range(50)]
            assert len(smtpd.emails) == 50
            assert smtpd.verbs.count("EHLO") <= 2
            assert smtpd.verbs.count("QUIT") == smtpd.verbs.count("EHLO")

    run(scene())


def test_a_single_send_opens_one_connection_and_the_next_uses_it_again() -> None:
    """A thread is started only when all others are busy."""

    async def scene() -> None:
        with LocalSmtpServer() as smtpd:
            async with AsyncMailer(smtpd.server_preferences()) as mailer:
                for number in range(5):
                    assert (await mailer.send(HELLO, to=to(number))).ok
                assert smtpd.verbs.count("EHLO") == 1

    run(scene())


def test_a_task_that_is_cancelled_before_its_email_is_taken_takes_it_back() -> None:
    """The others go out, and nothing is late."""

    async def scene() -> None:
        gate, late = Gate(), list[Receipt]()
        async with AsyncMailer(PREFERENCES, transport=gate, connections=1, late=late.append) as mailer:
            tasks = [asyncio.create_task(mailer.send(HELLO, to=to(n))) for n in range(8)]
            await until(lambda: gate.begun == [to(0)])
            tasks[7].cancel()
            with pytest.raises(asyncio.CancelledError):
                await tasks[7]
            gate.let(8)
            assert all(receipt.ok for receipt in await asyncio.gather(*tasks[:7]))
        assert gate.sent == [to(n) for n in range(7)]
        assert late == []

    run(scene())


def test_an_email_that_is_on_its_way_goes_on_when_its_task_is_cancelled_and_its_receipt_is_late() -> None:
    """Its receipt comes to `late` on the event loop, before aclose has ended."""

    async def scene() -> None:
        gate, late, here = Gate(), list[tuple[Receipt, int]](), threading.get_ident()

        def note(receipt: Receipt) -> None:
            late.append((receipt, threading.get_ident()))

        async with AsyncMailer(PREFERENCES, transport=gate, connections=1, late=note) as mailer:
            tasks = [asyncio.create_task(mailer.send(HELLO, to=to(n))) for n in range(3)]
            await until(lambda: gate.begun == [to(0)])
            tasks[0].cancel()
            with pytest.raises(asyncio.CancelledError):
                await tasks[0]
            gate.let(3)
            assert all(receipt.ok for receipt in await asyncio.gather(*tasks[1:]))
        assert gate.sent == [to(0), to(1), to(2)]
        assert [(receipt.accepted[0].addr_spec, thread) for receipt, thread in late] == [(to(0), here)]

    run(scene())


def test_a_late_receipt_without_anybody_to_hear_it_is_let_go() -> None:
    """`late` is optional, and an error of a cancelled task has nobody to go to."""

    async def scene() -> None:
        gate = Gate()
        gate.fails[to(1)] = OSError("broken")
        async with AsyncMailer(PREFERENCES, transport=gate, connections=2) as mailer:
            tasks = [asyncio.create_task(mailer.send(HELLO, to=to(n))) for n in range(2)]
            await until(lambda: len(gate.begun) == 2)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            gate.let(2)
        assert to(0) in gate.sent

    run(scene())


def test_aclose_hears_out_what_is_owed_and_cancels_what_waits() -> None:
    """Every send ends; who has a receipt was sent to, and nobody else."""

    async def scene() -> None:
        gate = Gate()
        mailer = AsyncMailer(PREFERENCES, transport=gate, connections=2)
        tasks = [asyncio.create_task(mailer.send(HELLO, to=to(n))) for n in range(20)]
        await until(lambda: len(gate.begun) == 2)
        closing = asyncio.create_task(mailer.aclose())
        await asyncio.sleep(0)
        gate.let(2)
        await closing
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        sent = [one.accepted[0].addr_spec for one in ended if isinstance(one, Receipt)]
        assert sorted(sent) == sorted(gate.sent)
        assert len(sent) == 2
        assert sum(isinstance(one, asyncio.CancelledError) for one in ended) == 18
        await mailer.aclose()
        assert (gate.hung_up, gate.closed) == (2, 0)
        with pytest.raises(TransportError, match="This AsyncMailer is closed"):
            await mailer.send(HELLO, to=to(0))

    run(scene())


def test_aclose_without_a_send_ends_at_once() -> None:
    """No thread was started, and no connection was made."""

    async def scene() -> None:
        before = threading.active_count()
        async with AsyncMailer(PREFERENCES):
            pass
        assert threading.active_count() == before

    run(scene())


def test_a_second_event_loop_is_told_so() -> None:
    """One loop an instance: answers find their way to one loop only."""
    mailer = AsyncMailer(PREFERENCES, transport=Gate(is_open=True))

    async def scene() -> None:
        await mailer.send(HELLO, to=to(0))

    run(scene())
    with pytest.raises(TransportError, match=r"second event loop; .* one AsyncMailer for each event loop"):
        run(scene())


def test_a_receipt_that_comes_when_the_loop_is_closed_is_let_go() -> None:
    """Who forgets aclose loses receipts, and no thread breaks."""
    gate, late = Gate(), list[Receipt]()

    async def scene() -> None:
        mailer = AsyncMailer(PREFERENCES, transport=gate, late=late.append)
        task = asyncio.create_task(mailer.send(HELLO, to=to(0)))
        await until(lambda: gate.begun == [to(0)])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(scene())
    (worker,) = [one for one in threading.enumerate() if one.name.startswith("vetmail_core.aio")][-1:]
    gate.let(2)
    assert worker.daemon
    asyncio.run(until(lambda: gate.sent == [to(0)]))
    assert late == []


def test_an_outbox_takes_what_several_threads_send() -> None:
    """A test of an application gives its outbox as the transport."""

    async def scene() -> None:
        outbox = Outbox()
        async with AsyncMailer(PREFERENCES, transport=outbox, connections=4) as mailer:
            await asyncio.gather(*(mailer.send(HELLO, to=to(n)) for n in range(40)))
        assert {record.email.recipients.to[0].addr_spec for record in outbox.records} == {
            to(n) for n in range(40)
        }
        outbox.close()
        with pytest.raises(TransportError, match="closed"):
            await asyncio.get_running_loop().run_in_executor(None, lambda: list(outbox.deliver(emails(1))))

    run(scene())


def test_an_email_that_nobody_takes_is_a_delivery_error_of_its_own_caller() -> None:
    """The one beside it is well."""

    async def scene() -> None:
        gate = Gate(is_open=True)
        gate.put_off.add(to(1))
        async with AsyncMailer(PREFERENCES, transport=gate) as mailer:
            well, bad = await asyncio.gather(
                mailer.send(HELLO, to=to(0)), mailer.send(HELLO, to=to(1)), return_exceptions=True
            )
        assert isinstance(well, Receipt)
        assert isinstance(bad, DeliveryError)
        assert bad.receipt.deferred[0].addr_spec == to(1)

    run(scene())


def test_what_is_wrong_with_an_email_is_told_before_anything_is_sent() -> None:
    """As `Mailer.send` does."""

    async def scene() -> None:
        gate = Gate(is_open=True)
        async with AsyncMailer(PREFERENCES, transport=gate) as mailer:
            with pytest.raises(RecipientsError):
                await mailer.send(HELLO, people={"class_staff": []}, context="occurrence_class")
            with pytest.raises(RecipientsError):
                await mailer.send(HELLO)
        assert gate.begun == []

    run(scene())


@pytest.mark.parametrize(
    "server",
    [
        MailServer(),
        MailServer(
            host="mail.example.com",
            authentication=AuthenticationType.PASSWORD,
            username="office",
            password=EnvironmentSecret("VETMAIL_NO_SUCH_VARIABLE"),
        ),
    ],
    ids=["no server", "no password"],
)
def test_settings_that_lead_nowhere_are_an_error_of_the_caller(server: MailServer) -> None:
    """A missing server, or a password that is not where it should be; the next send is told as well."""

    async def scene() -> None:
        async with AsyncMailer(attrs.evolve(PREFERENCES, mail_server=server)) as mailer:
            for _ in range(2):
                with pytest.raises(PreferencesError):
                    await mailer.send(HELLO, to=to(0))

    run(scene())


def test_a_transport_that_breaks_puts_nobody_in_doubt_whom_it_had_not_come_to() -> None:
    """The one under way is UNKNOWN; who waited behind it goes in a new run."""

    async def scene() -> None:
        gate = Gate()
        gate.fails[to(0)] = OSError("broken")
        async with AsyncMailer(PREFERENCES, transport=gate, connections=1) as mailer:
            tasks = [asyncio.create_task(mailer.send(HELLO, to=to(n))) for n in range(3)]
            await until(lambda: gate.begun == [to(0)])
            gate.let(3)
            broken, *others = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(broken, DeliveryError)
        assert broken.receipt.unknown[0].addr_spec == to(0)
        assert all(isinstance(one, Receipt) and one.ok for one in others)

    run(scene())


class Breaking:
    """A transport that takes what comes, and breaks before it has begun to send any of it."""

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """Ask about none."""
        assert isinstance(emails, EmailSource)
        emails.announce()
        yield from ()
        raise TransportError(f"broken after {len(list(emails))}")

    def close(self) -> None:
        """Nothing to end."""


def test_an_error_before_anything_has_left_goes_to_the_caller_as_it_is() -> None:
    """Nobody is in doubt, so nobody gets a receipt that says no more than that."""

    async def scene() -> None:
        async with AsyncMailer(PREFERENCES, transport=Breaking()) as mailer:
            with pytest.raises(TransportError, match="broken after 1"):
                await mailer.send(HELLO, to=to(0))

    run(scene())


def test_a_key_is_sent_once_by_the_ledger(tmp_path: Path) -> None:
    """The same key again gives the remembered receipt; an email without a key needs no ledger."""

    async def scene() -> None:
        gate = Gate(is_open=True)
        with SqliteLedger(tmp_path / "sent.ledger") as ledger:
            async with AsyncMailer(PREFERENCES, transport=gate, connections=2, ledger=ledger) as mailer:
                keyed = [mailer.send(HELLO, to=to(n), key=f"order/{n}") for n in range(20)]
                plain = [mailer.send(HELLO, to=to(n)) for n in range(20, 30)]
                assert all(receipt.ok for receipt in await asyncio.gather(*keyed, *plain))
                again = await mailer.send(HELLO, to=to(3), key="order/3")
                assert again.remembered
            assert sorted(gate.sent) == sorted(to(n) for n in range(30))
            assert ledger.counts()[LedgerState.ACCEPTED] == 20

    run(scene())


def test_a_ledger_that_cannot_be_opened_is_an_error_of_the_caller(tmp_path: Path) -> None:
    """Nothing was sent."""

    async def scene() -> None:
        gate = Gate(is_open=True)
        ledger = SqliteLedger(tmp_path / "sent.ledger")
        ledger.close()
        async with AsyncMailer(PREFERENCES, transport=gate, ledger=ledger) as mailer:
            with pytest.raises(LedgerError):
                await mailer.send(HELLO, to=to(0), key="order/0")
        assert gate.sent == []

    run(scene())


def test_a_bulk_run_gives_its_report_and_its_progress(tmp_path: Path) -> None:
    """A second run passes over whom the first has reached, and the bar knows."""

    async def scene() -> None:
        with LocalSmtpServer() as smtpd, SqliteLedger(tmp_path / "sent.ledger") as ledger:
            told: list[Receipt] = []
            async with AsyncMailer(smtpd.server_preferences(), connections=1, ledger=ledger) as mailer:
                assert (await mailer.send(HELLO, to=to(99))).ok
                report = await mailer.send_bulk(emails(5), progress=told.append)
                assert (report.ok, len(told)) == (True, 5)
                bar = Progress(5, show=lambda _: None)
                again = await mailer.send_bulk(emails(5), progress=bar)
                third = await mailer.send_bulk(emails(5), progress=told.append)
            assert (bar.done, again.accepted, third.accepted) == (5, 0, 0)
            assert len(smtpd.emails) == 6
            assert smtpd.verbs.count("EHLO") == smtpd.verbs.count("QUIT")

    run(scene())


def test_a_bulk_run_ends_by_its_cancel_and_by_an_error() -> None:
    """As `Mailer.send_bulk` does."""

    async def scene() -> None:
        gate = Gate(is_open=True)
        async with AsyncMailer(PREFERENCES, transport=gate, connections=1) as mailer:
            report = await mailer.send_bulk(emails(5), cancel=lambda: len(gate.sent) >= 2)
            assert (report.cancelled, len(gate.sent)) == (True, 2)
            with pytest.raises(TypeError):
                await mailer.send_bulk(5)  # type: ignore[arg-type]

    run(scene())


def test_cancelling_the_task_of_a_bulk_run_ends_it_and_the_rest_is_late() -> None:
    """Nothing more is begun, and the receipts that still come are heard of."""

    async def scene() -> None:
        gate, late, told = Gate(), list[Receipt](), list[Receipt]()
        async with AsyncMailer(PREFERENCES, transport=gate, connections=1, late=late.append) as mailer:
            task = asyncio.create_task(mailer.send_bulk(emails(9), progress=told.append))
            await until(lambda: gate.begun == [to(0)])
            gate.let(1)
            await until(lambda: gate.begun == [to(0), to(1)])
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            gate.let(9)
        assert gate.sent == [to(0), to(1)]
        assert [receipt.accepted[0].addr_spec for receipt in told] == [to(0)]
        assert [receipt.accepted[0].addr_spec for receipt in late if receipt.ok] == [to(1)]
        assert all(receipt.not_attempted for receipt in late if not receipt.ok)

    run(scene())


def test_aclose_ends_a_bulk_run_with_its_report() -> None:
    """Whoever it did not come to is not attempted; a send that waited behind it is cancelled."""

    async def scene() -> None:
        gate = Gate()
        mailer = AsyncMailer(PREFERENCES, transport=gate, connections=1)
        run_of_nine = asyncio.create_task(mailer.send_bulk(emails(9)))
        await until(lambda: gate.begun == [to(0)])
        behind = asyncio.create_task(mailer.send(HELLO, to=to(50)))
        await asyncio.sleep(0)
        closing = asyncio.create_task(mailer.aclose())
        await asyncio.sleep(0)
        gate.let(9)
        await closing
        report = await run_of_nine
        assert (report.cancelled, gate.sent) == (True, [to(0)])
        with pytest.raises(asyncio.CancelledError):
            await behind

    run(scene())


def test_sends_and_bulk_runs_wait_for_one_connection_in_turn() -> None:
    """A run that waits in the queue ends the group of sends before it."""

    async def scene() -> None:
        gate = Gate()
        async with AsyncMailer(PREFERENCES, transport=gate, connections=1) as mailer:
            first = asyncio.create_task(mailer.send(HELLO, to=to(70)))
            await until(lambda: gate.begun == [to(70)])
            bulk = asyncio.create_task(mailer.send_bulk(emails(2)))
            await asyncio.sleep(0)
            last = asyncio.create_task(mailer.send(HELLO, to=to(71)))
            await asyncio.sleep(0)
            gate.let(9)
            await asyncio.gather(first, bulk, last)
        assert gate.sent == [to(70), to(0), to(1), to(71)]

    run(scene())


@pytest.mark.parametrize("connections", [0, -1, True, 2.5, "3"])
def test_connections_is_a_whole_number_from_one(connections: object) -> None:
    """Said when the mailer is made."""
    with pytest.raises(TransportValueError, match="connections must be a whole number from 1"):
        AsyncMailer(PREFERENCES, connections=connections)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("preferences", "connections", "used"),
    [
        (PREFERENCES, None, 3),
        (PREFERENCES, 12, 12),
        (attrs.evolve(PREFERENCES, mail_server=MailServer(host="smtp.office365.com")), None, 3),
        (attrs.evolve(PREFERENCES, mail_server=MailServer(host="smtp.office365.com")), 12, 3),
        (attrs.evolve(PREFERENCES, mail_server=MailServer(host="smtp.office365.com")), 2, 2),
        (
            attrs.evolve(
                PREFERENCES, mail_server=MailServer(host="mail.example.com", wait_between_emails_ms=100)
            ),
            5,
            1,
        ),
        (attrs.evolve(PREFERENCES, use_built_in_client=False), 5, 1),
    ],
)
def test_no_more_connections_are_used_than_the_provider_allows(
    preferences: EmailPreferences, connections: int | None, used: int
) -> None:
    """With a wait between emails two would wait for each other; a mail program is one."""
    mailer = AsyncMailer(preferences, connections=connections)
    assert repr(mailer) == f"AsyncMailer(for the system, connections={used})"


def test_a_transport_that_is_handed_in_is_used_by_three_threads_or_as_many_as_said() -> None:
    """Its server is not the preferences' to know."""
    kim = Staff("Kim", "kim@example.com")
    outbox = Outbox()
    assert (
        repr(AsyncMailer(PREFERENCES, staff=kim, transport=outbox)) == "AsyncMailer(for Kim, connections=3)"
    )
    assert repr(AsyncMailer(PREFERENCES, transport=outbox, connections=7)).endswith("connections=7)")


def test_what_is_wrong_with_the_arguments_is_told_at_once() -> None:
    """Not by the first email of a running application."""
    with pytest.raises(TypeError, match="EmailPreferences"):
        AsyncMailer({})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="late= needs a function, got list"):
        AsyncMailer(PREFERENCES, late=[])  # type: ignore[arg-type]
    with pytest.raises(TransportValueError, match="limits"):
        AsyncMailer(PREFERENCES, transport=Outbox(), limits=Limits())


def test_a_bulk_run_reaches_people_by_a_plan() -> None:
    """The plan is made by a `Mailer`, or by `plan_bulk`."""

    async def scene() -> None:
        outbox = Outbox()
        people = [Person(to(n), key=str(n), name=f"Student {n}") for n in range(3)]
        plan = Mailer(PREFERENCES, transport=outbox).plan_bulk(Content("Hello", "Dear ${name}"), people)
        async with AsyncMailer(PREFERENCES, transport=outbox) as mailer:
            report = await mailer.send_bulk(plan)
        assert report.accepted == 3

    run(scene())


def test_an_answer_known_to_have_been_held_elsewhere_is_a_delivery_error(tmp_path: Path) -> None:
    """The same key twice at once: one goes, and the other is told who has it."""

    async def scene() -> None:
        gate = Gate(is_open=True)
        with SqliteLedger(tmp_path / "sent.ledger") as ledger:
            async with AsyncMailer(PREFERENCES, transport=gate, connections=1, ledger=ledger) as mailer:
                both = await asyncio.gather(
                    *(mailer.send(HELLO, to=to(0), key="order/0") for _ in range(2)), return_exceptions=True
                )
        assert gate.sent == [to(0)]
        assert any(isinstance(one, Receipt) and one.ok for one in both)
        for one in both:
            if isinstance(one, DeliveryError):
                outcomes: tuple[Outcome, ...] = one.receipt.outcomes
                assert {outcome.cause for outcome in outcomes} == {Cause.HELD_ELSEWHERE}

    run(scene())

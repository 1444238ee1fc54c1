"""The ledger in PostgreSQL, against a real server that is private to these tests."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from tests.integration.databases import Postgres, schemas
from tests.mailings.promises import Box, MailingsPromises, plan
from tests.spacing.promises import SpacingPromises

from vetmail_core import Action, Bounce, Cause, LedgerError, Notice, Status, SystemClock, deliver_once
from vetmail_core.ledger import LedgerState, PostgresLedger, Verdict
from vetmail_core.mailings import Mailings
from vetmail_core.spacing import SharedSpacing
from vetmail_core.testing import LedgerContract, email

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vetmail_core import Email, Receipt

NAMES = schemas()


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A server for all of these tests."""
    with Postgres("fsync = off") as server:
        yield server


@pytest.fixture
def schema(server: Postgres) -> str:
    """A schema of the test's own, with tables."""
    name = next(NAMES)
    with PostgresLedger(server.conninfo, schema=name) as ledger:
        ledger.create_tables()
    return name


def expire(conninfo: str, schema: str) -> None:
    """Nothing was heard of any run for longer than the lease."""
    quoted = schema.replace('"', '""')
    with psycopg.connect(conninfo) as connection:
        connection.execute(
            f"UPDATE \"{quoted}\".vetmail_runs SET until = until - interval '1 hour'"  # noqa: S608 - a name
        )


def emails(number: int) -> list[Email]:
    """A class."""
    return [email(f"p{n}@example.com", key=f"class/{n}") for n in range(number)]


class TestContract(LedgerContract):
    """What every ledger promises."""

    takes_over = True

    @pytest.fixture(autouse=True)
    def _database(self, server: Postgres, schema: str) -> None:
        self.server, self.schema = server, schema

    def make_ledger(self) -> PostgresLedger:
        """Open the test's schema."""
        return PostgresLedger(self.server.conninfo, schema=self.schema, lease_seconds=600)

    def wait_a_moment(self) -> None:
        """Every lease is over."""
        expire(self.server.conninfo, self.schema)


class TestMailings(MailingsPromises):
    """What mailings promise."""

    @pytest.fixture(autouse=True)
    def _database(self, server: Postgres, schema: str) -> None:
        self.server, self.schema = server, schema

    def make_ledger(self) -> PostgresLedger:
        """Open the test's schema."""
        return PostgresLedger(self.server.conninfo, schema=self.schema)


class TestSpacing(SpacingPromises):
    """What limits held together promise."""

    @pytest.fixture(autouse=True)
    def _database(self, server: Postgres, schema: str) -> None:
        self.server, self.schema = server, schema

    def make_ledger(self) -> PostgresLedger:
        """Open the test's schema."""
        return PostgresLedger(self.server.conninfo, schema=self.schema)


def test_four_workers_share_a_rate_fairly(server: Postgres, schema: str) -> None:
    """Ten a second between them, in real time; nobody goes hungry."""
    turns: list[tuple[float, int]] = []
    clock = SystemClock()
    end = clock.monotonic() + 3

    def work(number: int) -> None:
        with PostgresLedger(server.conninfo, schema=schema) as ledger:
            spacing = SharedSpacing(ledger, "office", per_minute=600)
            while clock.monotonic() < end:
                with spacing:
                    turns.append((clock.monotonic(), number))

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    times = sorted(time for time, _ in turns)
    assert len(times) <= (times[-1] - times[0]) * 10 + 2, "the server would be sent more than it takes"
    shares = [sum(number == one for _, one in turns) for number in range(4)]
    assert max(shares) <= 2 * min(shares) + 2


def test_it_is_used_by_hand_as_the_one_in_a_file(server: Postgres, schema: str) -> None:
    """Three methods, and what is told of them."""
    box = Box()
    with PostgresLedger(server.conninfo, schema=schema) as ledger:
        assert ledger.attempting(["class/0", "class/1", "class/0"]) == {"class/0", "class/1"}
        assert ledger.attempting(["class/0"]) == frozenset()
        assert ledger.state("class/0") is LedgerState.ATTEMPTING
        (receipt,) = box.deliver(emails(1))
        ledger.settle(receipt)
        assert ledger.attempting(["class/0"]) == frozenset()
        list(deliver_once(ledger, box, emails(3)))
        assert ledger.counts() == {LedgerState.ACCEPTED: 2, LedgerState.UNKNOWN: 1}
        assert ledger.in_doubt() == ("class/1",)
        with pytest.raises(LedgerError, match="needs the state accepted, deferred or refused"):
            ledger.resolve("class/1", LedgerState.UNKNOWN)
        ledger.resolve("class/1", LedgerState.ACCEPTED)
        with pytest.raises(LedgerError, match="is not in doubt"):
            ledger.resolve("class/1", LedgerState.ACCEPTED)
        (stranger,) = box.deliver([email("lee@example.com", key="class/9")])
        ledger.settle(stranger)
        ledger.settle(stranger)
        assert ledger.state("class/9") is LedgerState.ACCEPTED
        with pytest.raises(LedgerError, match="no key"):
            ledger.settle(next(box.deliver([email("lee@example.com")])))
        untried = Box({"new@example.com": (Status.NOT_ATTEMPTED, None)})
        ledger.settle(next(untried.deliver([email("new@example.com", key="class/new")])))
        assert ledger.state("class/new") is None


def test_a_run_sees_its_own_answers_at_once(server: Postgres, schema: str) -> None:
    """Also those that are written with the next email."""
    with PostgresLedger(server.conninfo, schema=schema) as ledger:
        receipts = deliver_once(ledger, Box(), [*emails(3), emails(1)[0]])
        seen = [ledger.state(receipt.email.key) for receipt in receipts]
        assert seen == [LedgerState.ACCEPTED] * 3
        assert list(deliver_once(ledger, Box(), emails(3))) == []


def test_what_is_kept_of_an_email(server: Postgres, schema: str) -> None:
    """Its Message-ID and its recipients, once."""
    one = email("ann@example.com", cc="boss@example.com", key="class/ann")
    with PostgresLedger(server.conninfo, schema=schema) as ledger:
        list(deliver_once(ledger, Box(), [one]))
        with ledger.tables.reading() as statements:
            rows = statements.rows("SELECT message_id, queue_id, recipients FROM @emails")
    assert rows == [(one.message_id, None, "ann@example.com\nboss@example.com")]


def test_a_later_run_goes_first_to_those_whom_nobody_has_tried(server: Postgres, schema: str) -> None:
    """Whoever was put off comes last; without anybody put off, nothing more is asked."""
    box = Box({f"p{n}@example.com": (Status.DEFERRED, Cause.MAILBOX_FULL) for n in (0, 2)})
    with PostgresLedger(server.conninfo, schema=schema) as ledger:
        list(deliver_once(ledger, box, emails(3)))
        again = Box()
        list(deliver_once(ledger, again, emails(5)))
        assert [mail.key for mail in again.sent] == [f"class/{n}" for n in (3, 4, 0, 2)]
        run = ledger.open_run()
        assert run.put_off(["class/0"]) == frozenset()
        assert run.put_off(["class/1"]) == frozenset()
        run.close()


def test_reports_of_thousands_are_gone_through_on_the_server(server: Postgres, schema: str) -> None:
    """The latest failure first; a list that is not read to its end leaves nothing behind."""
    since = datetime(2020, 1, 1, tzinfo=UTC)
    with PostgresLedger(server.conninfo, schema=schema) as ledger:
        list(deliver_once(ledger, Box(), emails(3)))
        for number in range(2):
            notice = Notice(
                f"p{number}@example.com", Action.FAILED, "5.1.1", f"no p{number}", Cause.BAD_RECIPIENT
            )
            ledger.take_bounce(Bounce(envelope_id=f"class/{number}", message_id="", notices=(notice,)))
        with ledger.tables.writing() as statements:
            statements.many("UPDATE @notices SET at=at+60 WHERE address=?", [("p1@example.com",)])
            statements.many(
                "INSERT INTO @emails (key, state, at, recipients) SELECT 'x/' || n, 'accepted', 1800000000,"
                " 'x' || n || '@example.com' FROM generate_series(1, ?) AS n",
                [(2_500,)],
            )
        found = [(one.person_key, one.said, one.times) for one in ledger.never_reached(since=since)]
        assert found == [("1", "no p1", 1), ("0", "no p0", 1)]
        stream = ledger.never_reached(since=since)
        assert next(iter(stream)).person_key == "1"
        del stream
        assert len(list(ledger.never_reached(since=since))) == 2


def test_a_report_of_an_answer_that_is_not_written_yet_is_taken(server: Postgres, schema: str) -> None:
    """In the middle of a run: it is written first."""
    notice = Notice("p0@example.com", Action.FAILED, "5.1.1", "no", Cause.BAD_RECIPIENT)
    report = Bounce(envelope_id="class/0", message_id="", notices=(notice,))
    with PostgresLedger(server.conninfo, schema=schema) as ledger:
        receipts = deliver_once(ledger, Box(), emails(2))
        next(receipts)
        assert len(ledger.take_bounce(report)) == 1
        assert [one.address for one in ledger.never_reached(since=datetime(2020, 1, 1, tzinfo=UTC))] == [
            "p0@example.com"
        ]
        assert len(list(receipts)) == 1


def test_tables_of_an_earlier_version_are_completed(server: Postgres, schema: str) -> None:
    """It says how; what was known stays."""
    since = datetime(2020, 1, 1, tzinfo=UTC)
    with PostgresLedger(server.conninfo, schema=schema) as ledger:
        list(deliver_once(ledger, Box(), emails(1)))
        with ledger.tables.writing() as statements:
            statements.rows("DROP TABLE @notices")
            statements.rows("DROP TABLE @suppressed")
        for ask in (
            lambda: ledger.suppressed("p0@example.com"),
            lambda: list(ledger.never_reached(since=since)),
        ):
            with pytest.raises(LedgerError, match=r"create_tables\(\)"):
                ask()
        ledger.create_tables()
        assert ledger.suppressed("p0@example.com") is None
        assert list(ledger.never_reached(since=since)) == []
        assert ledger.counts() == {LedgerState.ACCEPTED: 1}


def test_a_lease_that_ran_out_costs_a_run_its_number_and_not_its_way(server: Postgres, schema: str) -> None:
    """It goes on with whatever nobody holds; what it had on its way ends as the server said."""
    with (
        PostgresLedger(server.conninfo, schema=schema) as one,
        PostgresLedger(server.conninfo, schema=schema) as two,
    ):
        other = Box()
        told: list[Receipt] = []

        def freeze(mail: Email) -> None:
            if mail.key == "class/2":
                expire(server.conninfo, schema)
                told.extend(deliver_once(two, other, emails(4)))

        box = Box(before=freeze)
        receipts = list(deliver_once(one, box, emails(8)))
        assert [receipt.email.key for receipt in told if receipt.unknown] == ["class/2"]
        assert not any(receipt.unknown for receipt in receipts)
        held = [receipt for receipt in receipts if receipt.outcomes[0].cause is Cause.HELD_ELSEWHERE]
        assert "class/3" in {receipt.email.key for receipt in held}, "what another has sent stays here"
        list(deliver_once(one, other, emails(8)))
        sent = sorted([mail.key for mail in box.sent] + [mail.key for mail in other.sent])
        assert sent == [f"class/{n}" for n in range(8)]
        assert one.in_doubt() == ()
        assert two.counts() == {LedgerState.ACCEPTED: 8}


def test_what_was_put_off_stays_put_off_when_nothing_comes_of_another_try(
    server: Postgres, schema: str
) -> None:
    """Given back at once, or when the run ends; a key that comes twice in a group is taken once."""
    box = Box({f"p{n}@example.com": (Status.DEFERRED, Cause.MAILBOX_FULL) for n in range(3)})
    with PostgresLedger(server.conninfo, schema=schema) as ledger:
        list(deliver_once(ledger, box, emails(2)))
        run = ledger.open_run()
        standings = run.claim([*emails(3), emails(1)[0]], retry_unknown=False)
        assert [standing.verdict for standing in standings] == [Verdict.SEND] * 3 + [Verdict.ELSEWHERE]
        untried = Box(dict.fromkeys(("p0@example.com", "p2@example.com"), (Status.NOT_ATTEMPTED, None)))
        for one in (0, 2):
            run.settle(next(untried.deliver([emails(3)[one]])))
        run.close()
        assert [ledger.state(f"class/{n}") for n in range(3)] == [LedgerState.DEFERRED] * 2 + [None]


def test_a_long_run_stays_alive(server: Postgres, schema: str) -> None:
    """Each beginning says that it lives, when a third of the lease has gone."""
    with PostgresLedger(server.conninfo, schema=schema, lease_seconds=0.01) as ledger:
        receipts = list(deliver_once(ledger, Box(), emails(20)))
        assert sum(receipt.ok for receipt in receipts) == 20
    with PostgresLedger(server.conninfo, schema=schema, lease_seconds=600) as ledger:
        run = ledger.open_run()
        run.claim(emails(22)[20:], retry_unknown=False)
        run._heard -= 300
        before = until(server, schema)
        assert run.begin(emails(21)[20])
        assert until(server, schema) > before
        run.close()


def until(server: Postgres, schema: str) -> Any:  # noqa: ANN401 - a moment
    """When the youngest run ends."""
    with PostgresLedger(server.conninfo, schema=schema) as ledger, ledger.tables.reading() as statements:
        return statements.rows("SELECT max(until) FROM @runs")[0][0]


def test_a_run_that_is_closed_sends_nothing(server: Postgres, schema: str) -> None:
    """Nor does a ledger; closing twice is fine."""
    ledger = PostgresLedger(server.conninfo, schema=schema)
    run = ledger.open_run()
    assert run.claim(emails(2), retry_unknown=False)
    run.begin(emails(1)[0])
    ledger.close()
    ledger.close()
    run.close()
    with pytest.raises(LedgerError, match="closed in the middle"):
        run.begin(emails(1)[0])
    for ask in (ledger.open_run, ledger.counts):
        with pytest.raises(LedgerError, match="has been closed"):
            ask()
    with PostgresLedger(server.conninfo, schema=schema) as again:
        assert again.in_doubt() == ("class/0",)
        assert again.counts() == {LedgerState.UNKNOWN: 1}


def test_keys_that_no_database_can_keep_are_named(server: Postgres, schema: str) -> None:
    """And nothing is written or sent."""
    box = Box()
    with PostgresLedger(server.conninfo, schema=schema) as ledger:
        with pytest.raises(LedgerError, match="half of a surrogate pair"):
            ledger.attempting(["class/\ud83d"])
        with pytest.raises(LedgerError, match="NUL"):
            ledger.state("class/\0")
        receipts = list(deliver_once(ledger, box, [email("a@example.com", key="a\0b")]))
        assert [receipt.outcomes[0].status for receipt in receipts] == [Status.NOT_ATTEMPTED]
        assert "NUL" in str(receipts[0].outcomes[0].reply)
        assert box.sent == []
        nul = email("a@example.com", text="a NUL \0 in a text", key="class/nul")
        (receipt,) = deliver_once(ledger, box, [nul])
        assert receipt.ok


def test_without_its_tables_it_says_how_to_make_them(server: Postgres) -> None:
    """Any number may make them at once, and again."""
    name = next(NAMES)
    with PostgresLedger(server.conninfo, schema=name) as ledger:
        with pytest.raises(LedgerError, match=r"Make them with create_tables\(\)"):
            ledger.counts()
        with pytest.raises(LedgerError, match=r"create_tables\(\)"):
            list(deliver_once(ledger, Box(), emails(1)))
        errors: list[BaseException] = []

        def make() -> None:
            try:
                with PostgresLedger(server.conninfo, schema=name) as other:
                    other.create_tables()
            except BaseException as error:  # noqa: BLE001 - told below
                errors.append(error)

        makers = [threading.Thread(target=make) for _ in range(4)]
        for maker in makers:
            maker.start()
        for maker in makers:
            maker.join()
        assert errors == []
        assert ledger.counts() == {}


def test_its_sql_is_what_a_migration_needs(server: Postgres) -> None:
    """The search path says where."""
    with psycopg.connect(server.conninfo, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA migrated")
        connection.execute("SET search_path = migrated")
        connection.execute(PostgresLedger.SQL)
        connection.execute(PostgresLedger.SQL)
    with PostgresLedger(server.conninfo, schema="migrated") as ledger:
        (number,) = Mailings(ledger).enqueue(plan(3)).slices
        assert Mailings(ledger).deliver_slice(number, Box()).counts == {"accepted": 3}


def test_a_password_shows_nowhere(server: Postgres) -> None:
    """Not in the repr, in an error, or in what led to it."""
    secret = "correct-horse"
    for conninfo in (
        f"host=127.0.0.1 port={server.port} user=owner dbname=missing password={secret}",
        f"postgresql://owner:{secret}@127.0.0.1:{server.port}/missing",
        f"postgresql://owner:{secret}@127.0.0.1:notaport/missing",
        f"password = {secret} and so on",
        f"postgresql://owner:{secret}@nowhere.invalid/missing",
    ):
        with pytest.raises(LedgerError, match="cannot be opened") as caught:
            PostgresLedger(conninfo)
        error: BaseException | None = caught.value
        while error is not None:
            assert secret not in str(error)
            error = error.__cause__ or error.__context__
    with PostgresLedger(f"{server.conninfo} password={secret}") as ledger:
        assert repr(ledger) == f"PostgresLedger(host=127.0.0.1 port={server.port} dbname=postgres)"


def test_a_lease_is_a_time(server: Postgres) -> None:
    """None would make every run dead."""
    with pytest.raises(ValueError, match="a number of seconds above 0"):
        PostgresLedger(server.conninfo, lease_seconds=0)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_of_a_fork_opens_its_own(
    server: Postgres, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can neither use nor close its parent's."""
    owner = os.getpid()
    with PostgresLedger(server.conninfo, schema=schema) as ledger:
        run = ledger.open_run()
        monkeypatch.setattr(os, "getpid", lambda: owner + 1)
        with pytest.raises(LedgerError, match="before this process was forked off"):
            ledger.counts()
        run.close()
        ledger.close()
        monkeypatch.undo()
        assert ledger.counts() == {}


def test_workers_that_want_the_same_emails_do_not_stand_in_each_other_s_way(
    server: Postgres, schema: str
) -> None:
    """In different orders; each email goes once, and a deadlock is tried again."""
    boxes = [Box() for _ in range(4)]
    wanted = emails(200)
    start = threading.Barrier(len(boxes))

    def work(number: int) -> None:
        mine = wanted if number % 2 else wanted[::-1]
        with PostgresLedger(server.conninfo, schema=schema) as ledger:
            start.wait()
            list(deliver_once(ledger, boxes[number], mine))

    workers = [threading.Thread(target=work, args=(number,)) for number in range(len(boxes))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(mail.key for box in boxes for mail in box.sent) == sorted(mail.key for mail in wanted)


def test_a_deadlock_is_tried_again_and_not_for_ever(server: Postgres, schema: str) -> None:
    """The database ends one of the two; here it ends the same one over and over."""
    with PostgresLedger(server.conninfo, schema=schema) as ledger:
        tries: list[int] = []

        def work(_statements: object) -> str:
            tries.append(1)
            if len(tries) < 3:
                raise psycopg.errors.DeadlockDetected("deadlock detected")
            return "done"

        assert ledger._store.again(work) == "done"

        def never(_statements: object) -> None:
            raise psycopg.errors.SerializationFailure("could not serialize")

        with pytest.raises(LedgerError, match="could not serialize"):
            ledger._store.again(never)


class TestRestarts:
    """The database's server goes away, and comes back."""

    @pytest.fixture
    def own(self) -> Iterator[Postgres]:
        """A server that a test may stop; marks stay in its memory until it is told to write."""
        with Postgres("wal_writer_delay = 10s", "fsync = off") as server:
            with PostgresLedger(server.conninfo) as ledger:
                ledger.create_tables()
            yield server

    def test_a_crash_voids_the_marks_so_nobody_gets_a_second_copy(self, own: Postgres) -> None:
        """Marks that did not wait for the disk may be lost: all that the run held counts as begun."""
        box = Box()

        def crash(mail: Email) -> None:
            if mail.key == "class/30":
                own.stop("immediate")
                own.start()

        box.before = crash
        with PostgresLedger(own.conninfo) as ledger:
            receipts = list(deliver_once(ledger, box, emails(60)))
        statuses = {receipt.outcomes[0].status for receipt in receipts}
        assert statuses <= {Status.ACCEPTED, Status.NOT_ATTEMPTED}
        first = {mail.key for mail in box.sent}
        again = Box()
        with PostgresLedger(own.conninfo) as ledger:
            list(deliver_once(ledger, again, emails(60)))
            doubts = set(ledger.in_doubt())
        assert not first & {mail.key for mail in again.sent}, "a crash of the database makes second copies"
        assert first | {mail.key for mail in again.sent} | doubts == {f"class/{n}" for n in range(60)}

    def test_a_server_that_is_down_is_said_and_one_that_is_back_is_used(self, own: Postgres) -> None:
        """At opening an error; in a run the rest is not tried; the same ledger goes on afterwards."""
        box = Box()

        def stop(mail: Email) -> None:
            if mail.key == "class/3":
                own.stop()

        box.before = stop
        with PostgresLedger(own.conninfo) as ledger:
            receipts = list(deliver_once(ledger, box, emails(10)))
            assert [receipt.ok for receipt in receipts] == [True] * 4 + [False] * 6
            assert "cannot be written" in str(receipts[4].outcomes[0].reply)
            with pytest.raises(LedgerError, match="cannot be opened"):
                ledger.counts()
            with pytest.raises(LedgerError, match="cannot be opened"):
                PostgresLedger(own.conninfo)
            own.start()
            list(deliver_once(ledger, box, emails(10)))
            assert len(box.sent) + len(ledger.in_doubt()) >= 10
            assert sorted({mail.key for mail in box.sent}) == sorted(mail.key for mail in box.sent)

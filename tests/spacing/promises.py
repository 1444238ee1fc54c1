"""What limits that workers hold together promise on every ledger; each ledger's tests make a class of it."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.mailings.promises import Box, plan

from vetmail_core import Cause, Content, Person, Spaced, Status, plan_bulk
from vetmail_core.mailings import Mailings
from vetmail_core.spacing import SharedSpacing, forecast
from vetmail_core.testing import FakeClock, email

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from vetmail_core import BulkPlan, Email, PlanSummary

HOUR = 3600.0


def emails(number: int, *, cc: str = "") -> list[Email]:
    """A class."""
    return [email(f"p{n}@example.com", cc=cc, key=f"class/{n}") for n in range(number)]


class SpacingPromises:
    """Make a class of it with `make_ledger`."""

    def make_ledger(self) -> Any:  # noqa: ANN401 - a SqliteLedger or a PostgresLedger
        """Open the test's one storage; called once for each worker."""
        raise NotImplementedError

    @pytest.fixture
    def ledger(self) -> Iterator[Any]:
        """One worker's."""
        with self.make_ledger() as ledger:
            yield ledger

    def age(self, ledger: Any, hours: int) -> None:  # noqa: ANN401 - as above
        """Let hours go by for what is written down."""
        with ledger.tables.writing() as statements:
            statements.rows("UPDATE @uses SET hour=hour-?", hours)
            statements.rows("UPDATE @turns SET closed=closed-?, next=next-?", hours * HOUR, hours * HOUR)
            statements.rows("UPDATE @places SET until=until-?", hours * HOUR)

    def test_turns_are_given_out_one_after_the_other(self, ledger: Any) -> None:  # noqa: ANN401 - a ledger
        """Whoever asks; a worker that dies wastes one."""
        clock = FakeClock()
        with self.make_ledger() as other:
            workers = [SharedSpacing(one, "office", per_minute=6, clock=clock) for one in (ledger, other)]
            for worker in workers * 2:
                with worker:
                    pass
            SharedSpacing(ledger, "another relay", per_minute=6, clock=clock).__enter__()
        assert [round(seconds) for seconds in clock.slept] == [10, 20, 30]

    def test_without_a_rate_nobody_waits(self, ledger: Any) -> None:  # noqa: ANN401 - a ledger
        """For connections or a day alone."""
        clock = FakeClock()
        for _ in range(3):
            with SharedSpacing(ledger, "office", clock=clock):
                pass
        assert clock.slept == ()

    def test_connections_are_held_by_all_together(self, ledger: Any) -> None:  # noqa: ANN401 - a ledger
        """The next one waits until a place is given back, or its holder is dead."""
        with self.make_ledger() as other:

            class Frees(FakeClock):
                def sleep(self, seconds: float) -> None:
                    super().sleep(seconds)
                    if len(self.slept) == 3:
                        held.close()
                    if len(self.slept) == 6:
                        outer.age(other, 1)

            outer, clock = self, Frees()
            one, two = (SharedSpacing(each, "office", connections=1, clock=clock) for each in (ledger, other))

            def holding() -> Generator[None]:
                with one.place():
                    yield

            held = holding()
            next(held)
            with two.place(), two:
                assert len(clock.slept) == 3
            with ledger.tables.writing() as statements:
                statements.add("places", name="office", until=statements.now + 60)  # of somebody who died
            with two.place():
                assert len(clock.slept) == 6
            with ledger.tables.reading() as statements:
                assert statements.rows("SELECT count(*) FROM @places") == [(0,)]

    def test_a_transport_holds_a_place_while_it_delivers_and_hangs_up_before_it_gives_it_back(
        self,
        ledger: Any,  # noqa: ANN401 - a ledger
    ) -> None:
        """Nobody is ever beyond the limit at the server; without emails no place is taken."""
        places: list[int] = []

        def look(*_: object) -> None:
            with ledger.tables.reading() as statements:
                places.append(statements.rows("SELECT count(*) FROM @places")[0][0])

        class HangsUp(Box):
            def hang_up(self) -> None:
                look()

        spacing = SharedSpacing(ledger, "office", connections=2)
        box = HangsUp(before=look)
        assert len(list(Spaced(box, spacing).deliver(emails(2)))) == 2
        assert len(list(Spaced(box, spacing).deliver([]))) == 0
        look()
        assert places == [1, 1, 1, 0]

    def test_a_day_that_is_used_up_ends_a_run_and_says_when_it_goes_on(self, ledger: Any) -> None:  # noqa: ANN401 - a ledger
        """Six a day, four used, three emails of two recipients: one goes, and nobody waits."""
        clock = FakeClock()
        spacing = SharedSpacing(ledger, "office", recipients_per_day=6, clock=clock)
        transport = Spaced(Box(), spacing)
        assert all(receipt.ok for receipt in transport.deliver(emails(2, cc="boss@example.com")))
        self.age(ledger, 2)
        receipts = list(transport.deliver(emails(3, cc="boss@example.com")))
        assert [receipt.ok for receipt in receipts] == [True, False, False]
        for receipt in receipts[1:]:
            assert {outcome.status for outcome in receipt.outcomes} == {Status.NOT_ATTEMPTED}
            assert {outcome.cause for outcome in receipt.outcomes} == {Cause.DAILY_QUOTA}
        with ledger.tables.reading() as statements:
            in_22_hours = (statements.now // HOUR + 23) * HOUR
        moment = datetime.fromtimestamp(in_22_hours, UTC)
        said = str(receipts[1].outcomes[0].reply)
        assert "of 6 recipients in 24 hours is used up for office (6 so far)" in said
        assert f"it goes on at {moment:%Y-%m-%d %H:%M}" in said
        assert transport.goes_on == in_22_hours
        assert clock.slept == ()
        self.age(ledger, 23)
        assert [receipt.ok for receipt in transport.deliver(emails(3, cc="boss@example.com"))] == [
            True, True, False,
        ]  # fmt: skip

    def test_only_what_may_have_arrived_counts(self, ledger: Any) -> None:  # noqa: ANN401 - a ledger
        """Accepted and in doubt; not who was refused or put off."""
        box = Box(
            {
                "p0@example.com": (Status.REFUSED, Cause.BAD_RECIPIENT),
                "p1@example.com": (Status.UNKNOWN, Cause.CONNECTION),
                "p2@example.com": (Status.DEFERRED, Cause.MAILBOX_FULL),
            }
        )
        transport = Spaced(box, SharedSpacing(ledger, "office", recipients_per_day=3))
        list(transport.deliver(emails(5)))
        assert [mail.key for mail in box.sent] == [f"class/{n}" for n in range(5)]
        (last,) = transport.deliver(emails(1))
        assert last.not_attempted

    def test_an_interrupt_goes_on_behind_the_answers_that_were_there(self, ledger: Any) -> None:  # noqa: ANN401 - a ledger
        """Ctrl-C ends the run; the place of its connection is another's at once."""

        def pressed(_email: Email) -> None:
            raise KeyboardInterrupt

        spacing = SharedSpacing(ledger, "office", connections=1)
        answers = Spaced(Box(before=pressed), spacing).deliver(emails(2))
        with pytest.raises(KeyboardInterrupt):
            next(answers)
        assert [receipt.ok for receipt in Spaced(Box(), spacing).deliver(emails(2))] == [True, True]

    def test_when_a_server_throttles_one_all_slow_down(self, ledger: Any) -> None:  # noqa: ANN401 - a ledger
        """A second, doubled each time up to the longest pause, and back bit by bit."""
        clock = FakeClock()
        box = Box({"p0@example.com": (Status.DEFERRED, Cause.THROTTLED)})
        with self.make_ledger() as other:
            one = Spaced(box, SharedSpacing(ledger, "office", clock=clock, longest_pause=3))
            two = SharedSpacing(other, "office", clock=clock)

            def wait() -> float:
                before = sum(clock.slept)
                self.age(ledger, 1)  # whatever was waited for is over
                with two:
                    pass
                with two:
                    pass
                return sum(clock.slept) - before

            pauses = []
            for _ in range(3):
                list(one.deliver(emails(1)))
                pauses.append(round(wait()))
            assert pauses == [1, 2, 3]
            box.answers.clear()
            for _ in range(60):
                list(one.deliver(emails(1)))
            assert wait() == 0

    def test_a_server_that_says_the_day_is_used_up_closes_it_for_all(self, ledger: Any) -> None:  # noqa: ANN401 - a ledger
        """It counts more than we do; and the slices of a mailing wait until then."""
        box = Box({"s0@students.example": (Status.REFUSED, Cause.DAILY_QUOTA)})
        with self.make_ledger() as other:
            (number,) = Mailings(ledger).enqueue(plan(3)).slices
            result = Mailings(ledger).deliver_slice(number, Spaced(box, SharedSpacing(ledger, "office")))
            assert result.counts == {"refused": 1, "not_attempted": 2}
            (receipt,) = Spaced(Box(), SharedSpacing(other, "office")).deliver(emails(1))
            assert receipt.not_attempted
            assert "used up for office" in str(receipt.outcomes[0].reply)
            assert Mailings(other).open_slices(quiet_seconds=0) == ()
            with ledger.tables.writing() as statements:
                ((until,),) = statements.rows("SELECT until FROM @slices")
                assert until - statements.now > 23 * HOUR

    def test_a_forecast_knows_what_was_used(self, ledger: Any) -> None:  # noqa: ANN401 - a ledger
        """And when the rest goes."""
        spacing = SharedSpacing(ledger, "office", per_minute=30, recipients_per_day=100)
        list(Spaced(Box(), SharedSpacing(ledger, "office")).deliver(emails(30)))
        told = spacing.forecast(summary(90))
        assert (told.seconds, told.today, told.later) == (180, 70, 20)
        assert told.goes_on is not None
        assert (
            str(told)
            == f"at least 3 min; 20 are over the 100 of a day and go from {told.goes_on:%Y-%m-%d %H:%M} UTC"
        )
        assert spacing.forecast(summary(70)).goes_on is None
        assert SharedSpacing(ledger, "new", recipients_per_day=20).forecast(summary(30)).goes_on is not None
        self.age(ledger, 2)
        first = SharedSpacing(ledger, "office", recipients_per_day=2).forecast(summary(3)).goes_on
        list(Spaced(Box(), SharedSpacing(ledger, "office")).deliver(emails(2)))
        later = SharedSpacing(ledger, "office", recipients_per_day=2).forecast(summary(3)).goes_on
        assert first is not None
        assert later is not None
        assert later > first, "the oldest hour alone does not make room"


def summary(number: int, **more: Any) -> PlanSummary:  # noqa: ANN401 - as plan_bulk
    """Of a plan for so many."""
    made: BulkPlan = plan_bulk(
        Content("x", "y"),
        [Person(f"s{n}@students.example", key=str(n)) for n in range(number)],
        sender="office@college.example",
        **more,
    )
    return made.summary()


@pytest.mark.parametrize(
    ("number", "boss", "per_minute", "used", "per_day", "minutes", "today", "later", "said"),
    [
        (90, "", 30, 0, 10_000, 3, 90, 0, "at least 3 min"),
        (2340, "", 30, 0, 10_000, 78, 2340, 0, "at least 1 h 18 min"),
        (100, "every", 30, 101, 300, 4, 198, 2, "at least 4 min; 2 are over the 300 of a day"),
        (100, "every", 30, 102, 300, 4, 198, 2, "at least 4 min; 2 are over the 300 of a day"),
        (100, "first", 30, 0, 300, 4, 101, 0, "at least 4 min"),
        (120, "", 30, 0, 100, 4, 100, 20, "at least 4 min; 20 are over the 100 of a day"),
        (50, "", 30, 100, 100, 2, 0, 50, "at least 2 min; 50 are over the 100 of a day"),
        (50, "", None, 0, 20, 0, 20, 30, "30 are over the 20 of a day"),
        (500, "", 60, 0, None, 9, 500, 0, "at least 9 min"),
        (5, "", None, 0, None, 0, 5, 0, "no limit is known"),
        (0, "", 30, 0, 10, 0, 0, 0, "no limit is known"),
    ],
)
def test_a_forecast_says_how_long_and_how_many_go_later(
    number: int, boss: str, per_minute: float | None, used: int, per_day: int | None,
    minutes: int, today: int, later: int, said: str,
) -> None:  # fmt: skip
    """Minutes are rounded up; an email whose recipients do not all fit goes later as a whole."""
    from vetmail_core import BulkCopies  # noqa: PLC0415 - used here alone

    choices: dict[str, dict[str, Any]] = {
        "": {},
        "first": {"cc": "boss@x.example"},
        "every": {"cc": "boss@x.example", "copies": BulkCopies.EVERY_RECIPIENT},
    }
    copies = choices[boss]
    told = forecast(summary(number, **copies), per_minute=per_minute, recipients_per_day=per_day, used=used)
    assert (math.ceil(told.seconds / 60), told.today, told.later) == (minutes, today, later)
    assert str(told) == said


@pytest.mark.parametrize("limit", ["per_minute", "connections", "recipients_per_day"])
def test_a_limit_is_above_zero(limit: str) -> None:
    """None is no limit."""

    class Keeps:
        tables: Any = None

    with pytest.raises(ValueError, match="must be above 0, got 0"):
        SharedSpacing(Keeps(), "office", **{limit: 0})  # type: ignore[arg-type] # one of the limits


def test_limits_need_a_ledger_with_tables() -> None:
    """A host's own remembers what was sent, and no more; the name of the limits is shown."""
    with pytest.raises(TypeError, match="got dict"):
        SharedSpacing({}, "office")  # type: ignore[arg-type] # that is what it is about

    class Keeps:
        tables: Any = None

    assert repr(SharedSpacing(Keeps(), "office")) == "SharedSpacing('office')"

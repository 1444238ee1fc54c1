"""The estimate follows the pace."""

from __future__ import annotations

import pytest

from vetmail_core import Content, Email, Outcome, Receipt, Recipients, Status
from vetmail_core.mailer import Progress
from vetmail_core.mailer.waiting import StoppableClock, Stopped
from vetmail_core.testing import FakeClock


@pytest.fixture
def receipt() -> Receipt:
    """Any receipt."""
    email = Email(
        sender="office@example.com", recipients=Recipients("ann@example.com"), content=Content("Hello")
    )
    return Receipt(email, [Outcome(email.recipients.to[0], Status.ACCEPTED)])


def run(progress: Progress, clock: FakeClock, receipt: Receipt, *, emails: int, seconds: float) -> None:
    """So many emails at a pace."""
    for _ in range(emails):
        clock.advance(seconds)
        progress(receipt)


def test_at_an_even_pace_the_estimate_is_exact(receipt: Receipt) -> None:
    """A hundred emails, two seconds each."""
    clock = FakeClock()
    progress = Progress(100, clock=clock)
    run(progress, clock, receipt, emails=25, seconds=2)
    assert progress.seconds_left == pytest.approx(150)
    assert progress.per_minute == pytest.approx(30)
    assert progress.elapsed == pytest.approx(50)
    assert (progress.done, progress.total, progress.fraction) == (25, 100, 0.25)


def test_before_anything_is_known_nothing_is_said(receipt: Receipt) -> None:
    """The first email includes the connecting, so the second is waited for."""
    clock = FakeClock()
    progress = Progress(10, clock=clock)
    assert progress.seconds_left is None
    assert progress.per_minute == 0
    run(progress, clock, receipt, emails=1, seconds=9)
    assert progress.seconds_left is None
    run(progress, clock, receipt, emails=1, seconds=1)
    assert progress.seconds_left is not None


def test_a_wait_time_is_in_the_estimate_from_the_beginning() -> None:
    """Thirty emails at two seconds each take a minute at least."""
    assert Progress(30, wait_ms=2000, clock=FakeClock()).seconds_left == pytest.approx(60)


def test_throttling_shows_in_the_estimate_and_shows_again_when_it_ends(receipt: Receipt) -> None:
    """The pace of late counts, not the average of the day."""
    clock = FakeClock()
    progress = Progress(10_000, clock=clock)
    run(progress, clock, receipt, emails=500, seconds=0.01)
    quick = progress.seconds_left
    run(progress, clock, receipt, emails=50, seconds=30)
    slow = progress.seconds_left
    run(progress, clock, receipt, emails=500, seconds=0.01)
    assert quick is not None
    assert slow is not None
    assert slow > 100 * quick
    assert progress.seconds_left is not None
    assert progress.seconds_left < slow / 100


def test_what_an_earlier_run_has_sent_is_done_and_no_measure_of_the_pace(receipt: Receipt) -> None:
    """A run that is taken up again goes on from where it was, at its own pace."""
    clock = FakeClock()
    progress = Progress(100, clock=clock)
    for _ in range(90):
        clock.advance(0.001)
        progress.pass_over()
    assert (progress.done, progress.fraction, progress.seconds_left) == (90, 0.9, None)
    run(progress, clock, receipt, emails=5, seconds=2)
    assert progress.seconds_left == pytest.approx(10)


def test_an_empty_or_overfull_run_is_complete(receipt: Receipt) -> None:
    """The bar does not run over, and does not divide by zero."""
    clock = FakeClock()
    assert Progress(0, clock=clock).fraction == 1
    assert Progress(0, clock=clock).seconds_left == 0
    progress = Progress(1, clock=clock)
    run(progress, clock, receipt, emails=3, seconds=1)
    assert (progress.fraction, progress.seconds_left) == (1, 0)


def test_show_is_called_after_each_receipt(receipt: Receipt) -> None:
    """To draw."""
    drawn: list[int] = []
    progress = Progress(2, show=lambda progress: drawn.append(progress.done))
    progress(receipt)
    progress(receipt)
    assert drawn == [1, 2]


def test_a_wait_lasts_its_time_when_nobody_stops_it() -> None:
    """In slices, which add up."""
    inner = FakeClock()
    clock = StoppableClock(inner)
    clock.sleep(5)
    assert inner.slept == (5,)
    clock.stop = lambda: False
    clock.sleep(1.1)
    clock.sleep(0)
    assert sum(inner.slept) == pytest.approx(6.1)
    assert clock.monotonic() == inner.monotonic()
    assert clock.now() == inner.now()


def test_a_wait_that_is_stopped_goes_no_further() -> None:
    """It raises what no ``except Exception`` takes."""
    inner = FakeClock()
    clock = StoppableClock(inner)
    clock.stop = lambda: inner.monotonic() > 1
    with pytest.raises(Stopped):
        clock.sleep(600)
    assert sum(inner.slept) < 1.5
    assert not issubclass(Stopped, Exception)

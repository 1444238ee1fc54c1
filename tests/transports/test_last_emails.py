"""The wait between emails holds for a server and login, whichever object or thread sends."""

from __future__ import annotations

import threading
from itertools import pairwise
from typing import TYPE_CHECKING

import attrs
import pytest

from vetmail_core import (
    Content,
    Email,
    Login,
    Mailer,
    PlainSecret,
    Recipients,
    SmtpTransport,
    SystemClock,
)
from vetmail_core.testing import FakeClock, Faults, LocalSmtpServer
from vetmail_core.transports import last_emails
from vetmail_core.transports.last_emails import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vetmail_core import Clock, EmailPreferences

HELLO = Content("Class on Monday", "See you at nine.")
WAIT_MS = 400
ONE_CLOCK = SystemClock()


@pytest.fixture
def smtpd() -> Iterator[LocalSmtpServer]:
    """A real server on the loopback address."""
    with LocalSmtpServer() as server:
        yield server


def waiting(smtpd: LocalSmtpServer, wait_ms: int = WAIT_MS) -> EmailPreferences:
    """Its preferences, with a wait between emails."""
    preferences = smtpd.server_preferences()
    server = attrs.evolve(preferences.mail_server, wait_between_emails_ms=wait_ms)
    return attrs.evolve(preferences, mail_server=server)


def test_mailers_made_one_after_another_keep_the_wait(smtpd: LocalSmtpServer) -> None:
    """Five mailers, an email each, four waits."""
    clock = FakeClock()
    for number in range(5):
        with Mailer(waiting(smtpd), clock=clock) as mailer:
            mailer.send(HELLO, to=f"p{number}@example.com")
    assert clock.slept == pytest.approx((0.4,) * 4)


def test_time_that_has_passed_anyway_counts(smtpd: LocalSmtpServer) -> None:
    """Half a wait later, half a wait is left; after a whole one, none."""
    clock = FakeClock()
    for pause in (0.0, 0.25, 0.5):
        clock.advance(pause)
        with Mailer(waiting(smtpd), clock=clock) as mailer:
            mailer.send(HELLO, to="sam@example.com")
    assert clock.slept == pytest.approx((0.15,))


def test_a_bulk_run_waits_for_the_email_before_it(smtpd: LocalSmtpServer) -> None:
    """One wait before it, and one between its two."""
    clock = FakeClock()
    with Mailer(waiting(smtpd), clock=clock) as mailer:
        mailer.send(HELLO, to="sam@example.com")
    emails = [
        Email(sender="office@example.com", recipients=Recipients(f"p{n}@example.com"), content=HELLO)
        for n in range(2)
    ]
    with Mailer(waiting(smtpd), clock=clock) as mailer:
        assert mailer.send_bulk(emails).ok
    assert sum(clock.slept) == pytest.approx(0.8)


def test_other_logins_and_other_clocks_do_not_wait() -> None:
    """Ann's emails wait for each other, Bob's for each other; a test's clock is a world of its own."""
    clock = FakeClock()
    ann, bob = (
        Turns(("mail.example.com", 25, f"{name}@example.com"), wait=0.4, clock=clock)
        for name in ("ann", "bob")
    )
    other = Turns(("mail.example.com", 25, "ann@example.com"), wait=0.4, clock=FakeClock())
    for turns in (ann, bob, other):
        turns.take()
        turns.end()
    assert len(clock.slept) == 0
    ann.take()
    assert clock.slept == pytest.approx((0.4,))


def test_the_login_of_a_staff_member_has_waits_of_its_own(smtpd: LocalSmtpServer) -> None:
    """One server, two logins: no wait from one to the other, and one for each one's second email."""
    clock = FakeClock()
    email = Email(sender="office@example.com", recipients=Recipients("sam@example.com"), content=HELLO)
    slept: list[int] = []
    for name in ("ann", "bob", "ann", "bob"):
        login = Login(name, PlainSecret("made up"))
        with SmtpTransport(waiting(smtpd).mail_server, login=login, clock=clock) as transport:
            assert next(transport.deliver([email])).ok
        slept.append(len(clock.slept))
    assert slept == [0, 0, 1, 1]


@pytest.mark.parametrize("clocks", [SystemClock, lambda: ONE_CLOCK], ids=["each", "one"])
def test_threads_with_a_mailer_each_keep_the_wait(clocks: Callable[[], Clock]) -> None:
    """No email begins sooner than the wait after another has ended."""
    spans: list[tuple[float, float]] = []

    def one_email() -> None:
        clock = clocks()
        turns = Turns(("mail.example.com", 25, clocks), wait=0.03, clock=clock)
        turns.take()
        began = clock.monotonic()
        clock.sleep(0.01)
        spans.append((began, clock.monotonic()))
        turns.end()

    threads = [threading.Thread(target=one_email) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    spans.sort()
    assert len(spans) == 5
    assert all(begins - ended >= 0.03 - 1e-5 for (_, ended), (begins, _) in pairwise(spans))


def test_an_email_that_is_under_way_is_waited_for_and_one_that_was_given_up_is_not() -> None:
    """A run that ends in the middle of an email, or whose transport is gone, holds nobody up."""

    class Noting(FakeClock):
        """Ends the other's email at the third look."""

        def sleep(self, seconds: float, /) -> None:
            """Write it down."""
            super().sleep(seconds)
            if len(self.slept) == 3:
                first.end()

    clock = Noting()
    first, second = (Turns("login", wait=0.4, clock=clock) for _ in range(2))
    first.take()
    first.take()  # once more over another connection: it has its turn
    second.take()
    assert clock.slept == pytest.approx((0.4,) * 4)
    first.give_up()  # it is not its turn
    second.give_up()
    first.take()
    assert len(clock.slept) == 4
    first.give_up()
    gone = Turns("login", wait=0.4, clock=clock)
    gone.take()
    del gone
    first.take()
    assert clock.slept == pytest.approx((0.4,) * 5)


def test_a_run_whose_connection_fails_lets_the_next_one_begin() -> None:
    """Nothing was sent, so nothing is under way."""
    clock = FakeClock()
    email = Email(sender="office@example.com", recipients=Recipients("sam@example.com"), content=HELLO)
    login = Login("kim", PlainSecret("made up"))
    with LocalSmtpServer(login=login, faults=Faults().auth_fails(times=1)) as smtpd:
        for reached in (False, True):
            with SmtpTransport(waiting(smtpd).mail_server, clock=clock) as transport:
                (receipt,) = transport.deliver([email])
                assert receipt.ok is reached
    assert clock.slept == ()


def test_no_entry_outlives_its_wait() -> None:
    """A program with many logins does not grow."""
    clock = FakeClock()
    before = len(last_emails._last)
    for number in range(50):
        turns = Turns(f"login {number}", wait=0.4, clock=clock)
        turns.take()
        turns.end()
        clock.advance(1)
    assert len(last_emails._last) <= before + 1

"""Transports made of transports answer for what came in."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import attrs
import pytest

from vetmail_core import (
    AddressError,
    Cause,
    Content,
    Email,
    Mailbox,
    Outcome,
    Pipelining,
    Receipt,
    Recipients,
    RedirectAll,
    Reply,
    Retrying,
    SmtpTransport,
    Spaced,
    Spacing,
    SqliteLedger,
    Status,
    Transport,
    TransportError,
    deliver_once,
)
from vetmail_core.ledger import LedgerState
from vetmail_core.testing import FakeClock, LocalSmtpServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path


class Server:
    """Answers each address from a list of fates, one after the other; "accepted" when the list is used up."""

    def __init__(
        self, fates: dict[str, list[Status]] | None = None, *, ahead: int = 0, cause: Cause | None = None
    ) -> None:
        self.fates = {} if fates is None else fates
        self.ahead = ahead
        self.cause = cause
        self.got: list[Email] = []
        self.runs = 0
        self.closed = 0

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """One receipt for each email, in order."""
        self.runs += 1
        taken: deque[Email] = deque()
        for email in emails:
            taken.append(email)
            if len(taken) > self.ahead:
                yield self._receipt(taken.popleft())
        while taken:
            yield self._receipt(taken.popleft())

    def _receipt(self, email: Email) -> Receipt:
        self.got.append(email)
        outcomes = [self._outcome(mailbox) for mailbox in email.recipients.all]
        return Receipt(
            email, outcomes, reply=Reply(250, "2.0.0", f"Ok: queued as Q{len(self.got)}"), warnings=("w",)
        )

    def _outcome(self, mailbox: Mailbox) -> Outcome:
        fates = self.fates.get(mailbox.addr_spec, [])
        status = fates.pop(0) if fates else Status.ACCEPTED
        return Outcome(mailbox, status, cause=None if status is Status.ACCEPTED else self.cause)

    def close(self) -> None:
        """Count it."""
        self.closed += 1

    def __repr__(self) -> str:
        return "Server()"


def an_email(
    to: str, *, cc: Iterable[str] = (), bcc: Iterable[str] = (), subject: str = "Your class moved"
) -> Email:
    """An email whose key is the first address."""
    content = Content(subject, "It is in room 4 now.")
    return Email(
        sender="office@example.com", recipients=Recipients(to, cc, bcc), content=content, key=f"k/{to}"
    )


def people(count: int) -> list[Email]:
    """So many emails."""
    return [an_email(f"p{number}@example.com") for number in range(count)]


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda inner: RedirectAll(inner, "test@example.com"),
        lambda inner: Retrying(inner, delays=[1.0]),
        lambda inner: Spaced(inner, Spacing(0)),
    ],
    ids=["RedirectAll", "Retrying", "Spaced"],
)
class TestEveryWrapper:
    """What all three keep of a transport's promises."""

    def test_answers_once_for_each_email_in_order(self, wrapped: Callable[[Transport], RedirectAll]) -> None:
        """With the very emails that were handed over."""
        emails = people(7)
        receipts = list(wrapped(Server(ahead=2)).deliver(iter(emails)))
        assert all(receipt.email is email for receipt, email in zip(receipts, emails, strict=True))
        assert all(receipt.ok for receipt in receipts)

    def test_ends_the_transport_inside(self, wrapped: Callable[[Transport], RedirectAll]) -> None:
        """As a context manager too."""
        inner = Server()
        with wrapped(inner) as transport:
            assert isinstance(transport, Transport)
            assert inner.closed == 0
        assert inner.closed == 1
        transport.close()
        assert "Server()" in repr(transport)

    def test_pulls_lazily(self, wrapped: Callable[[Transport], RedirectAll]) -> None:
        """An endless run is fine."""

        def endless() -> Iterator[Email]:
            while True:
                yield an_email("ann@example.com")

        receipts = wrapped(Server()).deliver(endless())
        assert next(receipts).ok
        assert next(receipts).ok


# -- RedirectAll -----------------------------------------------------------------------------------------


def test_every_email_goes_to_the_one_address() -> None:
    """Whoever it was meant for gets nothing, by no door."""
    inner = Server()
    list(
        RedirectAll(inner, "test@example.com").deliver(
            [an_email("ann@example.com", cc=["lee@example.com"], bcc=["kim@example.com"])]
        )
    )
    (got,) = inner.got
    assert [mailbox.addr_spec for mailbox in got.recipients.all] == ["test@example.com"]


def test_the_original_recipients_are_shown_and_blind_copies_only_counted() -> None:
    """In headers and in the subject; a blind copy stands in no email."""
    inner = Server()
    meant = an_email("ann@example.com", cc=["lee@example.com", "max@example.com"], bcc=["kim@example.com"])
    list(RedirectAll(inner, "test@example.com").deliver([meant]))
    data = inner.got[0].as_bytes()
    assert b"X-Original-To: ann@example.com\r\n" in data
    assert b"X-Original-Cc: lee@example.com, max@example.com\r\n" in data
    assert b"X-Original-Bcc-Count: 1\r\n" in data
    assert b"Subject: [for ann@example.com and 3 more] Your class moved\r\n" in data
    assert b"kim@example.com" not in data


def test_an_email_to_blind_copies_alone_tells_nobodys_address() -> None:
    """Only that it was meant for blind copies, and how many."""
    inner = Server()
    list(
        RedirectAll(inner, "test@example.com").deliver(
            [an_email("", bcc=["ann@example.com", "lee@example.com"])]
        )
    )
    data = inner.got[0].as_bytes()
    assert b"[for blind copies]" in data
    assert b"X-Original-Bcc-Count: 2" in data
    assert b"ann@example.com" not in data


def test_what_became_of_the_one_copy_counts_for_each_recipient() -> None:
    """With a warning, so that no report of a trial passes for the real one."""
    inner = Server({"test@example.com": [Status.REFUSED]}, cause=Cause.BAD_RECIPIENT)
    (receipt,) = RedirectAll(inner, Mailbox("test@example.com")).deliver(
        [an_email("ann@example.com", cc=["lee@example.com"])]
    )
    assert [mailbox.addr_spec for mailbox in receipt.refused] == ["ann@example.com", "lee@example.com"]
    assert receipt.outcomes[0].cause is Cause.BAD_RECIPIENT
    assert receipt.warnings == ("w", "redirected to test@example.com; nobody else was written to")
    assert receipt.queue_id == "Q1"


def test_an_email_that_was_redirected_once_already_can_be_redirected_again() -> None:
    """However its headers are spelt; they tell of the last redirection."""
    server = Server()
    email = attrs.evolve(
        an_email("ann@example.com"), headers={"x-original-to": "old@example.com", "X-Class": "7"}
    )
    (receipt,) = RedirectAll(server, "test@example.com").deliver([email])
    assert receipt.ok
    (got,) = server.got
    assert dict(got.headers) == {"X-Class": "7", "X-Original-To": "ann@example.com"}


def test_the_one_address_has_to_be_one() -> None:
    """A mistake shows before anything is sent."""
    with pytest.raises(AddressError):
        RedirectAll(Server(), "not an address")


# -- Retrying --------------------------------------------------------------------------------------------

TRIES = [
    # fates of the one recipient; delays; status in the end; attempts; pauses
    ([], [60, 300], Status.ACCEPTED, 1, ()),
    ([Status.DEFERRED], [60, 300], Status.ACCEPTED, 2, (60,)),
    ([Status.DEFERRED] * 2, [60, 300], Status.ACCEPTED, 3, (60, 300)),
    ([Status.DEFERRED] * 3, [60, 300], Status.DEFERRED, 3, (60, 300)),
    ([Status.DEFERRED, Status.REFUSED], [60, 300], Status.REFUSED, 2, (60,)),
    ([Status.DEFERRED, Status.UNKNOWN], [60, 300], Status.UNKNOWN, 2, (60,)),
    ([Status.DEFERRED, Status.NOT_ATTEMPTED], [60, 300], Status.DEFERRED, 2, (60,)),
    ([Status.DEFERRED], [], Status.DEFERRED, 1, ()),
    ([Status.REFUSED], [60], Status.REFUSED, 1, ()),
    ([Status.UNKNOWN], [60], Status.UNKNOWN, 1, ()),
    ([Status.NOT_ATTEMPTED], [60], Status.NOT_ATTEMPTED, 1, ()),
]


@pytest.mark.parametrize(("fates", "delays", "status", "attempts", "pauses"), TRIES)
def test_only_what_was_put_off_is_tried_again(
    fates: list[Status], delays: list[float], status: Status, attempts: int, pauses: tuple[float, ...]
) -> None:
    """As many tries as there are delays, each after its own; a refusal or a doubt ends it."""
    clock = FakeClock()
    inner = Server({"ann@example.com": list(fates)}, cause=Cause.RECIPIENT_THROTTLED)
    (receipt,) = Retrying(inner, delays=delays, clock=clock).deliver([an_email("ann@example.com")])
    assert receipt.outcomes[0].status is status
    assert receipt.attempts == attempts
    assert clock.slept == pauses
    assert receipt.warnings == ("w",)


@pytest.mark.parametrize("cause", [Cause.DAILY_QUOTA, Cause.BLOCKED])
def test_a_quota_or_a_block_is_left_alone(cause: Cause) -> None:
    """Repeating it makes it last longer."""
    inner = Server({"ann@example.com": [Status.DEFERRED]}, cause=cause)
    (receipt,) = Retrying(inner, delays=[60], clock=FakeClock()).deliver([an_email("ann@example.com")])
    assert receipt.deferred
    assert len(inner.got) == 1


def test_only_the_recipients_that_were_put_off_get_another_try() -> None:
    """The others have it, or are refused for good; the receipt tells the latest of each."""
    fates = {"lee@example.com": [Status.DEFERRED], "max@example.com": [Status.REFUSED]}
    inner = Server(fates)
    email = an_email("ann@example.com", cc=["lee@example.com", "max@example.com"])
    (receipt,) = Retrying(inner, delays=[60], clock=FakeClock()).deliver([email])
    assert [mailbox.addr_spec for mailbox in inner.got[1].recipients.all] == ["lee@example.com"]
    assert [outcome.status for outcome in receipt.outcomes] == [
        Status.ACCEPTED,
        Status.ACCEPTED,
        Status.REFUSED,
    ]
    assert (receipt.email, receipt.attempts) == (email, 2)


@pytest.mark.parametrize(("fate", "queue_id"), [(Status.ACCEPTED, "Q2"), (Status.REFUSED, "Q1")])
def test_the_server_s_own_name_for_the_message_is_that_of_the_last_try_that_it_took(
    fate: Status, queue_id: str
) -> None:
    """A try that nobody accepts ends without a reply to the message, and takes the earlier one not away."""

    class TellsWhatItTook(Server):
        def _receipt(self, email: Email) -> Receipt:
            receipt = super()._receipt(email)
            return receipt if receipt.accepted else attrs.evolve(receipt, reply=None)

    inner = TellsWhatItTook({"lee@example.com": [Status.DEFERRED, fate]})
    email = an_email("ann@example.com", cc=["lee@example.com"])
    (receipt,) = Retrying(inner, delays=[60], clock=FakeClock()).deliver([email])
    assert receipt.queue_id == queue_id


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_receipts_stay_in_order_and_what_is_on_its_way_is_finished_first(ahead: int) -> None:
    """The transport is never asked for a second run in the middle of one."""
    inner = Server({"p2@example.com": [Status.DEFERRED], "p6@example.com": [Status.DEFERRED]}, ahead=ahead)
    emails = people(9)
    receipts = list(Retrying(inner, delays=[60], clock=FakeClock()).deliver(emails))
    assert [receipt.email for receipt in receipts] == emails
    assert all(receipt.ok for receipt in receipts)
    assert len(inner.got) == 11


def test_an_interrupted_wait_loses_no_answer() -> None:
    """What is known comes first, then the interrupt."""

    class Impatient(FakeClock):
        def sleep(self, seconds: float, /) -> None:
            del seconds
            raise KeyboardInterrupt

    inner = Server({"p1@example.com": [Status.DEFERRED]}, ahead=1)
    receipts: list[Receipt] = []
    with pytest.raises(KeyboardInterrupt):
        receipts.extend(Retrying(inner, delays=[60], clock=Impatient()).deliver(people(9)))
    statuses = [receipt.outcomes[0].status for receipt in receipts]
    assert statuses == [Status.ACCEPTED, Status.DEFERRED, Status.ACCEPTED]


@pytest.mark.parametrize("delay", [-1.0, float("nan"), float("inf"), "5", None])
def test_a_delay_is_a_number_of_seconds(delay: float) -> None:
    """A mistake shows when the transport is made."""
    with pytest.raises(TransportError, match="seconds from 0"):
        Retrying(Server(), delays=[1, delay])


@pytest.mark.parametrize("mode", Pipelining)
def test_each_try_counts_once_and_goes_over_a_new_connection(mode: Pipelining) -> None:
    """A server that puts off whom it does not know, or is not well, may take the next one kindly."""
    clock = FakeClock()
    with LocalSmtpServer() as smtpd:
        smtpd.faults.defer("ann@example.com", code=451, enhanced="4.7.1", times=2)
        inner = SmtpTransport(smtpd.mail_server, pipelining=mode, clock=clock)
        with Retrying(inner, delays=(seconds for seconds in (1, 2)), clock=clock) as transport:
            (receipt,) = transport.deliver([an_email("ann@example.com")])
        assert smtpd.verbs.count("EHLO") == smtpd.verbs.count("QUIT") == 3
    assert receipt.ok
    assert receipt.attempts == 3


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), "2"])
def test_a_pause_is_a_number_of_seconds(seconds: float) -> None:
    """A mistake shows when it is made, not at the second email."""
    with pytest.raises(TransportError, match="seconds from 0"):
        Spacing(seconds)
    with pytest.raises(TransportError, match=r"got (float|str)\. Write Spaced"):
        Spaced(Server(), seconds)  # type: ignore[arg-type]


def test_greylisting_over_a_real_connection_ends_well() -> None:
    """450 at first, accepted five minutes later; nobody waited."""
    clock = FakeClock()
    with LocalSmtpServer() as smtpd:
        smtpd.faults.defer("lee@example.com", code=450, enhanced="4.7.1", times=1)
        with Retrying(SmtpTransport(smtpd.mail_server, clock=clock), delays=[300], clock=clock) as transport:
            emails = [
                an_email("ann@example.com"),
                an_email("lee@example.com", cc=["max@example.com"]),
                an_email("kim@example.com"),
            ]
            receipts = list(transport.deliver(emails))
        assert all(receipt.ok for receipt in receipts)
        received = [recipient for email in smtpd.emails for recipient in email.recipients]
    assert sorted(received) == ["ann@example.com", "kim@example.com", "lee@example.com", "max@example.com"]
    assert sum(clock.slept) >= 300


def test_a_ledger_around_it_remembers_the_end(tmp_path: Path) -> None:
    """Two wrappers and a ledger: each person stands as they ended."""
    inner = Server({"test@example.com": [Status.DEFERRED, Status.ACCEPTED, Status.REFUSED]})
    inner.cause = Cause.BAD_RECIPIENT
    transport = Retrying(RedirectAll(inner, "test@example.com"), delays=[60], clock=FakeClock())
    with SqliteLedger(tmp_path / "trial.ledger") as ledger:
        assert len(list(deliver_once(ledger, transport, people(2)))) == 2
        assert ledger.counts() == {LedgerState.ACCEPTED: 1, LedgerState.REFUSED: 1}


# -- Spaced ----------------------------------------------------------------------------------------------


@attrs.define
class Slow:
    """Takes ten seconds for an email, or breaks."""

    clock: FakeClock
    began: list[float] = attrs.field(factory=list[float])

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """One receipt for each email."""
        for email in emails:
            self.began.append(self.clock.monotonic())
            self.clock.advance(10)
            yield Receipt(email, [Outcome(mailbox, Status.ACCEPTED) for mailbox in email.recipients.all])

    def close(self) -> None:
        """Nothing to end."""


def test_the_pause_is_from_the_end_of_one_email_to_the_beginning_of_the_next() -> None:
    """None before the first, none after the last."""
    clock = FakeClock()
    slow = Slow(clock)
    list(Spaced(slow, Spacing(2.5, clock=clock)).deliver(people(3)))
    assert slow.began == [0, 12.5, 25]
    assert clock.slept == (2.5, 2.5)


def test_several_transports_keep_one_pause_together() -> None:
    """Staff who send by their own logins use one server."""
    clock = FakeClock()
    spacing = Spacing(5, clock=clock)
    one, other = Slow(clock), Slow(clock)
    list(Spaced(one, spacing).deliver(people(1)))
    list(Spaced(other, spacing).deliver(people(1)))
    assert (one.began, other.began) == ([0], [15])


def test_time_that_has_passed_anyway_counts() -> None:
    """The pause is what is left of it."""
    clock = FakeClock()
    spaced = Spaced(Slow(clock), Spacing(5, clock=clock))
    list(spaced.deliver(people(1)))
    clock.advance(60)
    list(spaced.deliver(people(1)))
    assert clock.slept == ()


def test_an_interrupted_pause_lets_the_others_go_on() -> None:
    """The turn is given back."""

    class Once(FakeClock):
        interrupted = False

        def sleep(self, seconds: float, /) -> None:
            if not self.interrupted:
                self.interrupted = True
                raise KeyboardInterrupt
            super().sleep(seconds)

    clock = Once()
    spaced = Spaced(Slow(clock), Spacing(5, clock=clock))
    list(spaced.deliver(people(1)))
    with pytest.raises(KeyboardInterrupt):
        list(spaced.deliver(people(1)))
    assert len(list(spaced.deliver(people(1)))) == 1

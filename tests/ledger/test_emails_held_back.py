"""A ledger may say no at the last moment, and its database may fail: no copy, and nothing in doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest

from vetmail_core import (
    Cause,
    EmailPreferences,
    LedgerError,
    Limits,
    Mailbox,
    Mailer,
    Outcome,
    Pipelining,
    Receipt,
    RedirectAll,
    Retrying,
    SmtpTransport,
    Spaced,
    Status,
    deliver_once,
)
from vetmail_core.ledger import Delivery, LedgerRun, OpensRuns, Standing, Verdict
from vetmail_core.testing import LocalSmtpServer
from vetmail_core.transports import Spacing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from vetmail_core import Email, Transport

Make = Any  # the conftest's classes and factories; a test folder is no package to import them from
MODES = (Pipelining.OFF, Pipelining.ENVELOPE, Pipelining.AUTO, Pipelining.CHUNKING)


class Run:
    """A host's run, which says no to some emails and fails at others."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def claim(self, emails: Sequence[Email], *, retry_unknown: bool) -> list[Standing]:
        """Take them all."""
        assert not retry_unknown
        for email in emails:
            self.host.fails("claim", email)
        return [Standing(Verdict.SEND)] * len(emails)

    def begin(self, email: Email) -> bool:
        """Say no to some."""
        self.host.begun.append(email.key)
        self.host.fails("begin", email)
        return email.key not in self.host.no

    def settle(self, receipt: Receipt) -> None:
        """Keep it."""
        self.host.fails("settle", receipt.email)
        self.host.settled.append(receipt.email.key)

    def close(self) -> None:
        """End."""
        self.host.closed += 1
        if "close" in self.host.broken:
            raise ConnectionError("gone at the end")


class Host:
    """A host's ledger with runs.

    Args:
        no: keys that `begin` says no to.
        broken: method -> the key at which the database is gone.
    """

    def __init__(self, no: Collection[str] = (), **broken: str) -> None:
        self.no = no
        self.broken = broken
        self.begun: list[str] = []
        self.settled: list[str] = []
        self.closed = 0

    def fails(self, where: str, email: Email) -> None:
        """Whether the database is gone by now."""
        if self.broken.get(where) == email.key:
            self.broken = dict.fromkeys(("claim", "begin", "settle"), "") | {where: email.key}
            raise ConnectionError("server closed the connection unexpectedly")

    def open_run(self) -> Run:
        """Begin."""
        if "open" in self.broken:
            raise ConnectionError("no route to the database")
        return Run(self)

    def state(self, _key: str, /) -> None:
        """Not asked: it has runs."""

    def attempting(self, _keys: object, /) -> None:
        """Not asked: it has runs."""

    def settle(self, _receipt: Receipt, /) -> None:
        """Not asked: it has runs."""


def keys(*numbers: int) -> list[str]:
    """The keys of some of the emails."""
    return [f"p{number}@example.com" for number in numbers]


def told(receipts: Sequence[Receipt]) -> list[str]:
    """Of each receipt its status, or its cause where nothing was tried."""
    outcomes = [receipt.outcomes[0] for receipt in receipts]
    return [
        outcome.cause.value
        if outcome.status is Status.NOT_ATTEMPTED and outcome.cause is not None
        else outcome.status.value
        for outcome in outcomes
    ]


def test_its_seam_has_public_names() -> None:
    """A host can say in its types what it builds."""
    host: OpensRuns = Host()
    run: LedgerRun = host.open_run()
    assert isinstance(host, OpensRuns)
    run.close()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("no", [(0,), (4,), (9,), (2, 3), tuple(range(2, 10)), tuple(range(10))])
def test_an_email_that_another_worker_has_does_not_leave(
    email: Make, mode: Pipelining, no: tuple[int, ...]
) -> None:
    """The others are what the server says of them; nothing is in doubt, no empty message is at the server."""
    host = Host(keys(*no))
    emails = [email(key) for key in keys(*range(10))]
    with (
        LocalSmtpServer() as server,
        SmtpTransport(server.mail_server, pipelining=mode, limits=Limits(chunking_window=4)) as transport,
    ):
        receipts = list(deliver_once(host, transport, emails))
        stored = sorted(address for one in server.emails for address in one.recipients)
    yes = [number for number in range(10) if number not in no]
    assert told(receipts) == ["held_elsewhere" if n in no else "accepted" for n in range(10)]
    assert stored == keys(*yes)
    assert host.begun == keys(*range(10)), "each is asked about once, in order"
    assert host.settled == keys(*yes), "what another has is not ours to write down"


@pytest.mark.parametrize("mode", MODES)
def test_an_email_to_many_is_asked_about_once_and_held_back_as_a_whole(email: Make, mode: Pipelining) -> None:
    """Whatever number of messages it is sent in."""
    many = [f"c{number}@example.com" for number in range(5)]
    host = Host(keys(0))
    emails = [email("p0@example.com", cc=many), email("p1@example.com", cc=many)]
    with (
        LocalSmtpServer() as server,
        SmtpTransport(
            server.mail_server, pipelining=mode, limits=Limits(recipients_per_message=2)
        ) as transport,
    ):
        first, second = deliver_once(host, transport, emails)
    assert {outcome.cause for outcome in first.outcomes} == {Cause.HELD_ELSEWHERE}
    assert second.ok
    assert host.begun == keys(0, 1)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda inner: RedirectAll(inner, "trial@example.com"),
        lambda inner: Retrying(inner, delays=(0,)),
        lambda inner: Spaced(inner, Spacing(0)),
        lambda inner: Retrying(RedirectAll(Spaced(inner, Spacing(0)), "trial@example.com"), delays=(0,)),
    ],
)
@pytest.mark.parametrize("mode", [None, Pipelining.AUTO])
def test_every_wrapper_passes_the_no_on(
    postbox: Make, email: Make, wrap: Make, mode: Pipelining | None
) -> None:
    """Around a transport that asks, and around one that does not."""
    host = Host(keys(1, 3))
    emails = [email(key) for key in keys(*range(4))]
    with LocalSmtpServer() as server:
        inner: Transport = postbox() if mode is None else SmtpTransport(server.mail_server, pipelining=mode)
        receipts = list(deliver_once(host, wrap(inner), emails))
        inner.close()
        reached = len(server.emails) if mode else len(inner.sent)  # type: ignore[attr-defined] # the postbox
    assert told(receipts) == ["accepted", "held_elsewhere", "accepted", "held_elsewhere"]
    assert [receipt.email for receipt in receipts] == emails
    assert reached == 2
    assert host.begun == keys(*range(4))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("where", ["claim", "begin", "settle"])
def test_a_database_that_is_gone_ends_sending_and_says_so(email: Make, mode: Pipelining, where: str) -> None:
    """No exception, no doubt: what had left is answered, the rest is not tried, and the reason is told."""
    host = Host(**{where: keys(3)[0]})
    emails = [email(key) for key in keys(*range(10))]
    with (
        LocalSmtpServer() as server,
        SmtpTransport(server.mail_server, pipelining=mode) as transport,
    ):
        receipts = list(deliver_once(host, transport, emails))
        stored = len(server.emails)
    statuses = [receipt.outcomes[0].status for receipt in receipts]
    sent = statuses.count(Status.ACCEPTED)
    assert sent == stored >= 1
    assert statuses == [Status.ACCEPTED] * sent + [Status.NOT_ATTEMPTED] * (10 - sent)
    said = [text for receipt in receipts for text in (*receipt.warnings, str(receipt.outcomes[0].reply))]
    assert any("server closed the connection unexpectedly" in text for text in said)


@pytest.mark.parametrize("mode", [Pipelining.AUTO, Pipelining.CHUNKING])
def test_a_source_that_fails_when_it_is_asked_ends_the_run(email: Make, mode: Pipelining) -> None:
    """As an iterator that fails: what had left is answered, and then comes the error."""

    class Source:
        def __init__(self) -> None:
            self.left: Iterator[Email] = iter([email(key) for key in keys(*range(5))])

        def __iter__(self) -> Source:
            return self

        def __next__(self) -> Email:
            return next(self.left)

        def announce(self) -> Any:  # noqa: ANN401 - a function
            return self.leaves

        def leaves(self, one: Email) -> bool:
            if one.key == "p2@example.com":
                raise RuntimeError("the disk is full")
            return True

    receipts: list[Receipt] = []
    with LocalSmtpServer() as server, SmtpTransport(server.mail_server, pipelining=mode) as transport:
        with pytest.raises(RuntimeError, match="the disk is full"):
            receipts.extend(transport.deliver(Source()))
        stored = len(server.emails)
    accepted = [receipt for receipt in receipts if receipt.ok]
    assert len(accepted) == stored
    assert told(receipts[:3]) == ["accepted", "accepted", "held_elsewhere"]


def test_a_run_that_cannot_be_opened_is_an_error_before_anything_is_sent(postbox: Make, email: Make) -> None:
    """The transport is not touched."""
    box = postbox()
    with pytest.raises(LedgerError, match="no route to the database"):
        list(deliver_once(Host(open="now"), box, [email("ann@example.com")]))
    assert box.calls == 0


def test_a_run_that_cannot_be_ended_takes_nothing_back(postbox: Make, email: Make) -> None:
    """All is answered by then."""
    (receipt,) = deliver_once(Host(close="now"), postbox(), [email("ann@example.com")])
    assert receipt.ok


def test_an_answer_may_be_known_before_its_turn(email: Make) -> None:
    """A transport with several connections says so: then a kill meanwhile leaves no doubt about it."""
    host = Host()
    order: list[list[str]] = []

    class OutOfOrder:
        def deliver(self, emails: Any, /) -> Any:  # noqa: ANN401 - as a transport
            leaves = emails.announce()
            taken = [next(emails), next(emails), next(emails)]
            assert all(leaves(one) for one in taken)
            receipts = [accepted(one) for one in taken]
            emails.answered(receipts[2])
            emails.answered(receipts[2])
            emails.answered(accepted(email("stranger@example.com")))
            order.append(list(host.settled))
            yield from receipts

    def accepted(one: Email) -> Receipt:
        return Receipt(one, [Outcome(mailbox, Status.ACCEPTED) for mailbox in one.recipients.all])

    receipts = list(deliver_once(host, OutOfOrder(), [email(key) for key in keys(0, 1, 2)]))
    assert told(receipts) == ["accepted"] * 3
    assert order == [keys(2)]
    assert host.settled == keys(2, 0, 1)


def test_a_report_counts_what_another_worker_has(email: Make, postbox: Make) -> None:
    """It is no success, and told apart from what was sent."""
    with Mailer(EmailPreferences(), transport=postbox()) as mailer:
        report = mailer.send_bulk([email(key) for key in keys(0, 1)], ledger=Host(keys(1)))
    assert (report.accepted, report.not_attempted, report.already_sent, report.ok) == (1, 1, 0, False)
    assert [receipt.outcomes[0].cause for receipt in report.failures] == [Cause.HELD_ELSEWHERE]


def test_an_interrupt_leaves_no_doubt_about_what_was_held_back(email: Make) -> None:
    """It is not ours."""
    host = Host(keys(0))

    class Interrupted:
        def deliver(self, emails: Any, /) -> Any:  # noqa: ANN401 - as a transport
            leaves = emails.announce()
            one = next(emails)
            assert not leaves(one)
            assert not leaves(one), "it stays with the answer"
            assert leaves(email("stranger@example.com")), "what is not ours is not ours to hold back"
            raise KeyboardInterrupt
            yield

    delivery = Delivery(Interrupted(), [email(key) for key in keys(0, 1)], ledger=host)
    with pytest.raises(KeyboardInterrupt):
        list(delivery.steps())
    assert told([step for step in delivery.unfinished if isinstance(step, Receipt)]) == [
        "held_elsewhere",
        *(["cancelled"] * (len(delivery.unfinished) - 1)),
    ]
    assert host.settled == keys(1)[: len(delivery.unfinished) - 1]


def test_a_key_that_comes_twice_in_a_run_is_not_held_by_another(postbox: Make, email: Make) -> None:
    """It is passed over as sent, while the first is still under way and after."""

    class Held(Run):
        def claim(self, emails: Sequence[Email], *, retry_unknown: bool) -> list[Standing]:
            standings = super().claim(emails, retry_unknown=retry_unknown)
            return [
                Standing(Verdict.ELSEWHERE) if one.key in self.host.settled or number else standing
                for number, (one, standing) in enumerate(zip(emails, standings, strict=True))
            ]

    class Twice(Host):
        def open_run(self) -> Run:
            return Held(self)

    one = email("ann@example.com")
    receipts = list(
        deliver_once(Twice(), postbox(ahead=2), [one, attrs.evolve(one, sender=Mailbox("b@x.com"))])
    )
    assert told(receipts) == ["accepted"]

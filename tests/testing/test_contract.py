"""The contract of a transport, run on every transport there is, and on one of a host's own."""

from __future__ import annotations

import itertools
import unittest
from contextlib import ExitStack
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, ClassVar, Self

import attrs
import pytest

from vetmail_core import (
    Cause,
    EmailSource,
    EmlTransport,
    Login,
    MailtoTransport,
    Outcome,
    Phase,
    PlainSecret,
    Receipt,
    RedirectAll,
    Reply,
    Retrying,
    SmtpTransport,
    Status,
    TlsMethod,
    TransportError,
)
from vetmail_core.testing import (
    FakeClock,
    FaultKind,
    Faults,
    LocalSmtpServer,
    Outbox,
    TransportContract,
    email,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from vetmail_core import Email, Transport


class _WithAServer(TransportContract):
    """Nothing is found out, all is required."""

    answers_faults: ClassVar[bool | None] = True
    takes_any_number: ClassVar[bool | None] = True


class TestOutbox(_WithAServer):
    """The recording transport is a transport."""

    outbox: Outbox

    def make_transport(self, faults: Faults) -> Transport:
        self.outbox = Outbox(faults=faults)
        return self.outbox

    def sent_bytes(self) -> Iterable[bytes]:
        return [record.data for record in self.outbox.records]


class TestEml(TransportContract):
    """A folder; there is no server that could refuse."""

    answers_faults: ClassVar[bool | None] = False
    takes_any_number: ClassVar[bool | None] = True

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def make_transport(self, faults: Faults) -> Transport:  # noqa: ARG002 - a folder refuses nothing
        return EmlTransport(self.folder)

    def sent_bytes(self) -> Iterable[bytes]:
        return [path.read_bytes() for path in self.folder.glob("*.eml")]


class TestMailto(TransportContract):
    """A mail program, which gets its BCC in the URI, which is no message on the wire."""

    answers_faults: ClassVar[bool | None] = False
    takes_any_number: ClassVar[bool | None] = False

    def make_transport(self, faults: Faults) -> Transport:  # noqa: ARG002 - a mail program answers nothing
        self.opened: list[str] = []
        return MailtoTransport(open_uri=self.opened.append)

    def sent_bytes(self) -> Iterable[bytes]:
        return [uri.encode().replace(b"?bcc=audit@example.org&", b"?") for uri in self.opened]


class _OnALocalServer(_WithAServer):
    @pytest.fixture(autouse=True)
    def _servers(self) -> Iterator[None]:
        with ExitStack() as self.servers:
            yield

    def smtp(self, faults: Faults) -> SmtpTransport:
        login = Login("kim", PlainSecret(self.secret))
        self.server = LocalSmtpServer(tls=TlsMethod.EXPLICIT, login=login, faults=faults)
        self.servers.enter_context(self.server)
        context = self.server.client_context
        return self.servers.enter_context(
            SmtpTransport(self.server.mail_server, ssl_context=context, clock=FakeClock())
        )

    def sent_bytes(self) -> Iterable[bytes]:
        return [received.data for received in self.server.emails]


class TestSmtp(_OnALocalServer):
    """The real thing, on a real socket."""

    def make_transport(self, faults: Faults) -> Transport:
        return self.smtp(faults)


class TestRedirectAll(_OnALocalServer):
    """Everything to one address keeps the promises; whom it was meant for is refused with the one copy."""

    def make_transport(self, faults: Faults) -> Transport:
        return RedirectAll(self.smtp(faults), "trial@example.com")


class TestRetrying(_OnALocalServer):
    """Another try for what was put off keeps the promises."""

    def make_transport(self, faults: Faults) -> Transport:
        return Retrying(self.smtp(faults), delays=[1.0], clock=FakeClock())


class HttpApiTransport:
    """What somebody else would write: a transport that posts to a provider, here a function.

    Args:
        post: takes the bytes and the envelope; returns the provider's answer for each address.
        token: the provider's key.
    """

    def __init__(self, post: ProviderStub, token: str) -> None:
        self._post = post
        self._token = token
        self._closed = False

    def __repr__(self) -> str:
        return "HttpApiTransport(token=***)"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        if self._closed:
            raise TransportError("This HttpApiTransport is closed; make a new one.")
        return (self._one(email) for email in emails)

    def _one(self, email: Email) -> Receipt:
        to = [mailbox.addr_spec for mailbox in email.recipients.all]
        answers = self._post.post(email.as_bytes(), to, token=self._token)
        outcomes = [
            Outcome(mailbox, Status.ACCEPTED, phase=Phase.DOT)
            if answer is None
            else Outcome(mailbox, *answer[:1], cause=answer[1], reply=answer[2], phase=Phase.RCPT)
            for mailbox, answer in zip(email.recipients.all, answers, strict=True)
        ]
        return Receipt(email, outcomes)

    def close(self) -> None:
        self._closed = True


Answer = tuple[Status, Cause, Reply | None]


class ProviderStub:
    """A provider that follows a script of faults."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.bodies: list[bytes] = []

    def post(self, body: bytes, to: list[str], *, token: str) -> list[Answer | None]:
        assert token
        self.bodies.append(body)
        if any(self.faults.next_at(Phase.DOT, [address]) for address in to):
            return [(Status.UNKNOWN, Cause.CONNECTION, None)] * len(to)
        return [self._answer(address) for address in to]

    def _answer(self, address: str) -> Answer | None:
        fault = self.faults.next_at(Phase.RCPT, [address])
        if fault is None:
            return None
        assert fault.kind is FaultKind.REPLY
        return (Status.REFUSED, Cause.BAD_RECIPIENT, fault.reply)


class TestAThirdPartysTransport(_WithAServer):
    """A host's own transport runs the same promises."""

    def make_transport(self, faults: Faults) -> Transport:
        self.provider = ProviderStub(faults)
        return HttpApiTransport(self.provider, token=self.secret)

    def sent_bytes(self) -> Iterable[bytes]:
        return self.provider.bodies


class Leaky(HttpApiTransport):
    """Keeps none of the promises it could break."""

    def __repr__(self) -> str:
        return f"Leaky({self._token})"

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        return iter([self._one(email) for email in itertools.islice(emails, 2)])

    def _one(self, email: Email) -> Receipt:
        bcc = ", ".join(mailbox.addr_spec for mailbox in email.recipients.bcc)
        copy = message_from_bytes(email.as_bytes(), policy=policy.default)
        copy["Bcc"] = bcc
        self._post.bodies.append(copy.as_bytes())
        return Receipt(email, [Outcome(mailbox, Status.ACCEPTED) for mailbox in email.recipients.all])


class _Bad(_WithAServer):
    def make_transport(self, faults: Faults) -> Transport:
        self.provider = ProviderStub(faults)
        return Leaky(self.provider, token=self.secret)

    def sent_bytes(self) -> Iterable[bytes]:
        return self.provider.bodies


@pytest.mark.parametrize(
    "promise",
    [
        "test_each_email_gets_one_receipt_in_order",
        "test_bcc_stays_out_of_the_bytes",
        "test_a_refusal_does_not_stop_the_rest",
        "test_a_line_lost_after_the_dot_is_in_doubt",
        "test_a_closed_transport_says_so",
        "test_the_repr_holds_no_secret",
    ],
)
def test_a_transport_that_breaks_a_promise_fails_it(promise: str) -> None:
    """The contract is not a formality."""
    with pytest.raises(AssertionError):
        getattr(_Bad(), promise)()


class Clumsy(HttpApiTransport):
    """Breaks the others."""

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        first = next(iter(emails), None)
        return iter([self._one(first or email())])

    def close(self) -> None:
        if self._closed:
            raise TransportError("closed twice")
        super().close()


class _Worse(_WithAServer):
    def make_transport(self, faults: Faults) -> Transport:
        return Clumsy(ProviderStub(faults), token=self.secret)


class _NoTransport(_WithAServer):
    def make_transport(self, faults: Faults) -> Transport:
        return ProviderStub(faults)  # type: ignore[return-value] # what the contract is to find


@pytest.mark.parametrize(
    ("contract", "promise", "error"),
    [
        (_NoTransport, "test_it_is_a_transport", AssertionError),
        (_Worse, "test_no_email_gives_no_receipt", AssertionError),
        (_Worse, "test_emails_are_pulled_as_they_are_needed", StopIteration),
        (_Worse, "test_closing_twice_is_fine", TransportError),
    ],
)
def test_a_clumsy_transport_fails_too(
    contract: type[TransportContract], promise: str, error: type[Exception]
) -> None:
    """One receipt whatever was handed over, and a second close that raises."""
    with pytest.raises(error):
        getattr(contract(), promise)()


_FAULTY = ("test_a_refusal_does_not_stop_the_rest", "test_a_line_lost_after_the_dot_is_in_doubt")
_ENDLESS = "test_emails_are_pulled_as_they_are_needed"
_BCC = "test_bcc_stays_out_of_the_bytes"


def _run(contract: type[TransportContract], promise: str) -> None:
    """Run one promise; a skip would skip this test too, and pass for one that was looked at."""
    try:
        getattr(contract(), promise)()
    except unittest.SkipTest as skipped:
        pytest.fail(f"skipped: {skipped}")


class _Answering(TestAThirdPartysTransport):
    answers_faults: ClassVar[bool | None] = False
    takes_any_number: ClassVar[bool | None] = False


class _Deaf(TestMailto):
    answers_faults: ClassVar[bool | None] = True
    takes_any_number: ClassVar[bool | None] = True

    def sent_bytes(self) -> Iterable[bytes]:
        return ()


@pytest.mark.parametrize(
    ("contract", "promise", "text"),
    [
        *((_Answering, promise, "answers_faults is False, and") for promise in _FAULTY),
        *((_Deaf, promise, "assert") for promise in _FAULTY),
        (_Answering, _ENDLESS, "takes_any_number is False, and"),
        (_Deaf, _ENDLESS, "takes_any_number is True, and"),
        (_Deaf, _BCC, "is empty"),
    ],
)
def test_a_transport_that_says_what_it_is_must_be_that(
    contract: type[TransportContract], promise: str, text: str
) -> None:
    """Either way: what it says it does, and what it says it does not; neither is a reason to skip."""
    with pytest.raises(AssertionError, match=text):
        _run(contract, promise)


class Batching(HttpApiTransport):
    """Takes all that comes, or so many, before it sends the first.

    Args:
        ahead: how many it takes at once; None for all.
        announces: whether it promises to ask.
    """

    ahead: ClassVar[int | None] = 3
    announces: ClassVar[bool] = True

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        leaves = emails.announce() if self.announces and isinstance(emails, EmailSource) else None
        pulled = iter(emails)
        while batch := list(itertools.islice(pulled, self.ahead)):
            for one in batch:
                if leaves is None or self.asks(leaves, one, batch):
                    yield self._one(one)
                else:
                    yield Receipt.for_all(one, Status.NOT_ATTEMPTED, cause=Cause.HELD_ELSEWHERE)

    def asks(self, leaves: Callable[[Email], bool], one: Email, _batch: list[Email], /) -> bool:
        """Ask about each before it leaves."""
        return leaves(one)


class Silent(Batching):
    """It takes ahead and says nothing."""

    announces: ClassVar[bool] = False


class OneByOne(Silent):
    """It says nothing, and takes one at a time."""

    ahead: ClassVar[int | None] = 1


class Collecting(Silent):
    """It wants all emails before it answers for the first."""

    ahead: ClassVar[int | None] = None


class CollectingLater(Batching):
    """It answers for one, and then wants all others."""

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        pulled = iter(emails)
        yield self._one(next(pulled))
        yield from [self._one(one) for one in pulled]


class NeverAsking(Batching):
    """It promises to ask, and does not."""

    def asks(self, _leaves: Callable[[Email], bool], _one: Email, _batch: list[Email], /) -> bool:
        return True


class AskingTwice(Batching):
    """It asks about each twice."""

    def asks(self, leaves: Callable[[Email], bool], one: Email, _batch: list[Email], /) -> bool:
        return leaves(one) and leaves(one)


class AskingAboutCopies(Batching):
    """It asks about an email that is equal to the one it took."""

    def asks(self, leaves: Callable[[Email], bool], one: Email, _batch: list[Email], /) -> bool:
        return leaves(attrs.evolve(one))


class AskingBackwards(Batching):
    """It asks about the last first."""

    def asks(self, leaves: Callable[[Email], bool], one: Email, batch: list[Email], /) -> bool:
        return leaves(batch[-1 - batch.index(one)])


class DeafToNo(Batching):
    """It asks, and sends whatever the answer is."""

    def asks(self, leaves: Callable[[Email], bool], one: Email, _batch: list[Email], /) -> bool:
        leaves(one)
        return True


class AnnouncingLate(Batching):
    """It promises to ask when it has taken one."""

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        first = next(iter(emails))
        yield from super().deliver(emails)
        yield self._one(first)


class AnnouncingTwice(Batching):
    """It promises to ask, twice."""

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        if isinstance(emails, EmailSource):
            emails.announce()
        return super().deliver(emails)


def _promises_of(transport: type[HttpApiTransport]) -> _WithAServer:
    class Contract(_WithAServer):
        def make_transport(self, faults: Faults) -> Transport:
            return transport(ProviderStub(faults), token=self.secret)

    return Contract()


_BEGINS = "test_an_email_begins_when_it_is_on_its_way"
_HELD = "test_an_email_that_is_held_back_does_not_leave"


@pytest.mark.parametrize("promise", [_BEGINS, _HELD, "test_emails_are_pulled_as_they_are_needed"])
@pytest.mark.parametrize("transport", [Batching, OneByOne])
def test_a_transport_may_take_ahead_if_it_asks_or_take_one_at_a_time_in_silence(
    transport: type[HttpApiTransport], promise: str
) -> None:
    """Both keep people out of doubt."""
    getattr(_promises_of(transport), promise)()


@pytest.mark.parametrize(
    ("transport", "promise", "text"),
    [
        (Silent, _BEGINS, "it took 3 emails before it answered for the first, and did not call announce"),
        (NeverAsking, _BEGINS, "it answered for 1 emails and had asked about 0"),
        (AskingTwice, _BEGINS, "asked twice"),
        (AskingAboutCopies, _BEGINS, "another object"),
        (AskingBackwards, _BEGINS, "in another order"),
        (AnnouncingLate, _BEGINS, "after an email was taken"),
        (AnnouncingTwice, _BEGINS, "called twice"),
        (DeafToNo, _HELD, "True, True, True"),
        (Collecting, _ENDLESS, "took 2,000 emails before it answered for two"),
        (CollectingLater, _ENDLESS, "took 2,000 emails before it answered for two"),
    ],
)
def test_a_transport_that_puts_people_in_doubt_fails(
    transport: type[HttpApiTransport], promise: str, text: str
) -> None:
    """The sentence says what a host would suffer; an endless run ends all the same."""
    with pytest.raises(AssertionError, match=text):
        getattr(_promises_of(transport), promise)()


class _Bare(TransportContract):
    def make_transport(self, faults: Faults) -> Transport:  # noqa: ARG002 - a mail program answers nothing
        return MailtoTransport(open_uri=lambda _uri: None)


def test_a_promise_that_cannot_be_held_to_is_skipped_and_says_why() -> None:
    """A subclass with make_transport alone, under unittest: nothing fails, nothing passes unlooked at."""

    class Case(_Bare, unittest.TestCase):
        pass

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Case).run(result)
    assert (result.failures, result.errors) == ([], [])
    reasons = {case.id().rpartition(".")[2]: why.split(":")[0].split(",")[0] for case, why in result.skipped}
    assert reasons == {
        **dict.fromkeys(_FAULTY, "the script was never asked"),
        _ENDLESS: "a long run is turned away",
        _BCC: "sent_bytes() is not overridden",
    }


def test_a_contract_that_says_nothing_of_its_transport_finds_out() -> None:
    """With make_transport alone, a transport that answers is held to every promise about answers."""

    class Found(TransportContract):
        def make_transport(self, faults: Faults) -> Transport:
            return Outbox(faults=faults)

    for promise in (*_FAULTY, _ENDLESS):
        _run(Found, promise)


def test_the_contract_asks_for_a_transport() -> None:
    """A subclass without make_transport is told so."""
    with pytest.raises(NotImplementedError, match=r"needs make_transport\(self, faults\)"):
        TransportContract().test_it_is_a_transport()

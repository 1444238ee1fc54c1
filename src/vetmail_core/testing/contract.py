"""What every transport must pass, to subclass in its tests.

A transport of the library, or of somebody else's, shows that it keeps the promises of `Transport`. Each
test is one promise.
"""

from __future__ import annotations

import unittest
from typing import TYPE_CHECKING, ClassVar, Final, Self

from vetmail_core.errors import TransportError
from vetmail_core.receipts.causes import REACHED, Cause, Status
from vetmail_core.testing.builders import email
from vetmail_core.testing.faults import Faults
from vetmail_core.transports.base import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vetmail_core.message import Email
    from vetmail_core.receipts import Receipt

__all__ = ["TransportContract"]

_FAR_AHEAD: Final = 2_000  # no transport of the library has as many under way


class TransportContract:
    """Subclass it, give it a transport, and pytest runs the promises; works as a mixin of ``TestCase`` too.

    ::

        class TestOurTransport(TransportContract):
            def make_transport(self, faults):
                return OurTransport(server_that_follows(faults))

    A promise that a transport cannot be held to is skipped, and says why; say True or False to have it held
    to what you know of it.

    Attributes:
        secret: put it in as the password, token or key of the transport; it must not show.
        answers_faults: whether there is a server that refuses as the script says: False for a folder or a
            mail program; None finds out.
        takes_any_number: whether a run may be endless: False for a transport that turns a long run away
            before anything is done; None finds out.
    """

    secret: ClassVar[str] = "correct-horse-battery-staple"  # noqa: S105 - made up, and looked for
    answers_faults: ClassVar[bool | None] = None
    takes_any_number: ClassVar[bool | None] = None

    def make_transport(self, faults: Faults) -> Transport:
        """Make the transport, fresh for each test.

        Args:
            faults: what its server should answer; ask ``faults.next_at``, or run a `LocalSmtpServer` with it.
        """
        raise NotImplementedError(f"{type(self).__name__} needs make_transport(self, faults)")

    def sent_bytes(self) -> Iterable[bytes]:
        """The messages that have left, as bytes, so that they can be searched for BCC; override it."""
        raise unittest.SkipTest("sent_bytes() is not overridden, so the bytes could not be searched for BCC")

    def test_it_is_a_transport(self) -> None:
        """It has deliver and close."""
        transport = self.make_transport(Faults())
        assert isinstance(transport, Transport)
        transport.close()

    def test_each_email_gets_one_receipt_in_order(self) -> None:
        """As many receipts as emails, and each holds the very email that was handed over."""
        emails = [email(f"student{number}@example.com", key=f"class/{number}") for number in range(3)]
        receipts = self._deliver(Faults(), emails)
        assert len(receipts) == len(emails)
        for receipt, one in zip(receipts, emails, strict=True):
            assert receipt.email is one

    def test_every_recipient_is_answered_for_once(self) -> None:
        """To, CC and BCC: each stands in the receipt exactly once, and was reached."""
        one = email("sam@example.com; pat@example.com", cc="kim@example.com", bcc="audit@example.org")
        (receipt,) = self._deliver(Faults(), [one])
        answered = sorted(outcome.mailbox.address_key for outcome in receipt.outcomes)
        assert answered == sorted(mailbox.address_key for mailbox in one.recipients.all)
        assert {outcome.status for outcome in receipt.outcomes} <= REACHED

    def test_no_email_gives_no_receipt(self) -> None:
        """Nothing in, nothing out, and no error."""
        assert self._deliver(Faults(), []) == []

    def test_emails_are_pulled_as_they_are_needed(self) -> None:
        """An endless run is fine, with receipts while it goes on; or it is turned away at once."""
        transport = self.make_transport(Faults())
        endless = _Endless()
        receipts = transport.deliver(endless)
        try:
            next(receipts)
        except TransportError as error:
            if self.takes_any_number is False:
                return
            if self.takes_any_number is None:
                raise unittest.SkipTest(f"a long run is turned away: {error}") from error
            raise AssertionError(f"takes_any_number is True, and a run was turned away: {error}") from error
        endless.check()
        assert self.takes_any_number is not False, "takes_any_number is False, and an endless run began"
        next(receipts)
        getattr(receipts, "close", lambda: None)()
        transport.close()
        endless.check()

    def test_an_email_begins_when_it_is_on_its_way(self) -> None:
        """Of a batch that is interrupted nobody is in doubt whose email was only taken.

        A transport that takes emails ahead calls `announce` before the first, and asks for each by the very
        email that it took, once, before its receipt. One that is silent takes one at a time.
        """
        source = _Source(_three())
        transport = self.make_transport(Faults())
        receipts = transport.deliver(source)
        next(receipts)
        taken = len(source.taken)
        assert source.announced or taken == 1, (
            f"it took {taken} emails before it answered for the first, and did not call announce(). After a "
            "kill the people of all of them are in doubt, though nothing was sent to most. Call "
            "emails.announce() before the first next(), or take one email at a time"
        )
        source.check_asked(1)
        for answered, _receipt in enumerate(receipts, start=2):
            source.check_asked(answered)
        transport.close()
        source.check_asked(len(source.taken), more=0)

    def test_an_email_that_is_held_back_does_not_leave(self) -> None:
        """Another worker has the second of three: NOT_ATTEMPTED, HELD_ELSEWHERE, and the others go out."""
        source = _Source(_three(), held_back=1)
        transport = self.make_transport(Faults())
        receipts = list(transport.deliver(source))
        transport.close()
        if not source.announced:
            return  # it takes one email at a time, and is never given one that must not leave
        assert [receipt.ok for receipt in receipts] == [True, False, True]
        assert {(outcome.status, outcome.cause) for outcome in receipts[1].outcomes} == {
            (Status.NOT_ATTEMPTED, Cause.HELD_ELSEWHERE)
        }

    def test_bcc_stays_out_of_the_bytes(self) -> None:
        """No address in BCC stands in what leaves."""
        self._deliver(Faults(), [email(bcc="audit@example.org")])
        left = tuple(self.sent_bytes())
        assert left, "sent_bytes() is empty after an email was delivered"
        for data in left:
            assert b"audit@example.org" not in data.lower(), "BCC stands in the bytes"

    def test_a_refusal_does_not_stop_the_rest(self) -> None:
        """The first recipient is refused; that is a result, and the next email goes out."""
        faults = Faults().refuse(times=1)
        first, second = self._deliver(faults, [email("old@example.com"), email("sam@example.com")])
        assert second.ok
        if self._must_have_answered(faults):
            assert [mailbox.addr_spec for mailbox in first.refused] == ["old@example.com"]

    def test_a_line_lost_after_the_dot_is_in_doubt(self) -> None:
        """Nobody knows whether it was taken: UNKNOWN, not sent again, and the next email goes out."""
        faults = Faults().drop(times=1)
        first, second = self._deliver(faults, [email("sam@example.com"), email("pat@example.com")])
        assert second.ok
        if self._must_have_answered(faults):
            assert [mailbox.addr_spec for mailbox in first.unknown] == ["sam@example.com"]

    def test_closing_twice_is_fine(self) -> None:
        """The second call does nothing."""
        transport = self.make_transport(Faults())
        transport.close()
        transport.close()

    def test_a_closed_transport_says_so(self) -> None:
        """Delivering after close is misuse: TransportError, not silence."""
        transport = self.make_transport(Faults())
        transport.close()
        try:
            receipts = list(transport.deliver([email()]))
        except TransportError:
            return
        raise AssertionError(f"expected a TransportError from a closed transport, got {receipts!r}")

    def test_the_repr_holds_no_secret(self) -> None:
        """Neither before nor after it was used."""
        transport = self.make_transport(Faults())
        assert self.secret not in repr(transport)
        list(transport.deliver([email()]))
        assert self.secret not in repr(transport)
        transport.close()

    def _must_have_answered(self, faults: Faults) -> bool:
        if self.answers_faults is None and faults.unused():
            raise unittest.SkipTest("the script was never asked, so there is nobody here who could refuse")
        assert self.answers_faults is not False or faults.unused(), (
            "answers_faults is False, and a fault was answered"
        )
        return self.answers_faults is not False

    def _deliver(self, faults: Faults, emails: list[Email]) -> list[Receipt]:
        transport = self.make_transport(faults)
        receipts = list(transport.deliver(emails))
        transport.close()
        return receipts


def _three() -> list[Email]:
    return [email(f"student{number}@example.com", key=f"class/{number}") for number in range(3)]


class _Endless:
    """Emails without an end, which end all the same when nobody answers for them."""

    def __init__(self) -> None:
        self._taken = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Email:
        self._taken += 1
        if self._taken > _FAR_AHEAD:
            raise StopIteration
        return email(f"student{self._taken}@example.com")

    def check(self) -> None:
        """Say what was taken and not answered for."""
        assert self._taken <= _FAR_AHEAD, (
            f"it took {_FAR_AHEAD:,} emails before it answered for two. A host with a long list would see "
            "nothing of its run until the memory is full. Give a receipt as soon as an email is answered"
        )


class _Source:
    """An `EmailSource` that writes down what it is asked.

    Args:
        emails: to give.
        held_back: the number of the one that must not leave, from 0; None for none.
    """

    def __init__(self, emails: list[Email], *, held_back: int | None = None) -> None:
        self._emails = iter(emails)
        self._held_back = None if held_back is None else emails[held_back]
        self.announced = False
        self.taken: list[Email] = []
        self.asked: list[Email] = []

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Email:
        self.taken.append(next(self._emails))
        return self.taken[-1]

    def announce(self) -> Callable[[Email], bool]:
        assert not self.announced, "announce() was called twice"
        assert not self.taken, "announce() was called after an email was taken; call it before the first"
        self.announced = True
        return self._leaves

    def _leaves(self, email: Email) -> bool:
        assert any(email is one for one in self.taken), "it was asked about another object than it had given"
        assert not any(email is one for one in self.asked), "it was asked twice about one email"
        self.asked.append(email)
        return email is not self._held_back

    def check_asked(self, least: int, *, more: int | None = None) -> None:
        """As many as are answered were asked about, in their order."""
        if not self.announced:
            return
        assert len(self.asked) >= least, (
            f"it answered for {least} emails and had asked about {len(self.asked)}. After announce() ask "
            "about each before its first octet leaves"
        )
        assert more is None or len(self.asked) == least + more
        in_order = all(one is two for one, two in zip(self.asked, self.taken, strict=False))
        assert in_order, "it asked about emails in another order than it took them"

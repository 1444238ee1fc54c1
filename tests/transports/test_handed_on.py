"""What a ledger is told through wrappers: which emails have begun to leave."""

from __future__ import annotations

import signal
import subprocess
import sys
from itertools import count
from typing import TYPE_CHECKING, Self

import pytest

from vetmail_core import (
    Content,
    Email,
    LedgerState,
    Outcome,
    Receipt,
    Recipients,
    RedirectAll,
    Retrying,
    SmtpTransport,
    Spaced,
    Spacing,
    SqliteLedger,
    Status,
    Transport,
    deliver_once,
)
from vetmail_core.testing import FakeClock, LocalSmtpServer
from vetmail_core.transports.handed_on import HandedOn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path


def letters(number: int) -> list[Email]:
    """So many emails, each with a key."""
    return [
        Email(
            sender="office@example.com",
            recipients=Recipients(f"p{n}@example.com"),
            content=Content("Room change", "Room 4."),
            key=f"class/{n}",
        )
        for n in range(number)
    ]


class Asking:
    """A source that wants to be told, as a ledger's is."""

    def __init__(self, emails: Iterable[Email]) -> None:
        self._emails = iter(emails)
        self.taken: list[Email] = []
        self.told: list[Email] = []

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Email:
        self.taken.append(next(self._emails))
        return self.taken[-1]

    def announce(self) -> Callable[[Email], bool]:
        """It must be promised before the first is taken."""
        assert not self.taken
        return self.leaves

    def leaves(self, email: Email) -> bool:
        """Say yes to all."""
        self.told.append(email)
        return True


class Ahead:
    """A transport that takes all it can, then sends them; refuses or puts off each address as told."""

    def __init__(self, fates: dict[str, list[Status]] | None = None) -> None:
        self.fates = {} if fates is None else fates

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """One receipt for each, in order; what is put off before its text never begins."""
        announce = getattr(emails, "announce", None)
        begins = None if announce is None else announce()
        for email in list(emails):
            [mailbox] = email.recipients.all
            fates = self.fates.get(mailbox.addr_spec, [])
            status = fates.pop(0) if fates else Status.ACCEPTED
            if begins is not None and status is Status.ACCEPTED:
                begins(email)
            yield Receipt(email, [Outcome(mailbox, status)])

    def close(self) -> None:
        """Nothing to end."""


class Plain(Ahead):
    """The same, and never says which emails begin."""

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """As above, of a plain iterator."""
        return super().deliver(email for email in emails)


def redirected(inner: Transport) -> Transport:
    """Each to one address."""
    return RedirectAll(inner, "trial@example.com")


def retried(inner: Transport) -> Transport:
    """Each deferral once more."""
    return Retrying(inner, delays=[1], clock=FakeClock())


def spaced(inner: Transport) -> Transport:
    """A pause between them."""
    return Spaced(inner, Spacing(0, clock=FakeClock()))


def nested(inner: Transport) -> Transport:
    """All of them."""
    return redirected(retried(spaced(inner)))


WRAPPERS = [redirected, retried, spaced, nested]


@pytest.mark.parametrize("wrap", WRAPPERS)
@pytest.mark.parametrize("inner", [Ahead, Plain])
def test_each_email_is_told_by_the_very_object_that_was_taken(
    wrap: Callable[[Transport], Transport], inner: Callable[[], Transport]
) -> None:
    """A ledger finds it by its identity; whether the transport inside tells or not."""
    emails = letters(4)
    source = Asking(emails)
    receipts = list(wrap(inner()).deliver(source))
    assert list(map(id, source.told)) == list(map(id, emails))
    assert [receipt.email for receipt in receipts] == emails


@pytest.mark.parametrize("wrap", [redirected, retried])
def test_taking_ahead_is_not_beginning(wrap: Callable[[Transport], Transport]) -> None:
    """All four are taken before the first leaves, and one at a time is told."""
    source = Asking(letters(4))
    for number, _receipt in zip(count(1), wrap(Ahead()).deliver(source), strict=False):
        assert len(source.taken) == 4
        assert len(source.told) == number


def test_an_email_that_was_put_off_begins_when_it_is_tried_again() -> None:
    """A recipient deferred before the text has cost nothing yet; the second try is told of its own."""
    source = Asking(letters(2))
    inner = Ahead({"p0@example.com": [Status.DEFERRED]})
    receipts = list(retried(inner).deliver(source))
    assert [receipt.attempts for receipt in receipts] == [2, 1]
    assert [email.key for email in source.told] == ["class/1", "class/0"]


def test_through_wrappers_everybody_is_put_down_once(tmp_path: Path) -> None:
    """With a real ledger and the real session."""
    with LocalSmtpServer() as server, SqliteLedger(tmp_path / "sent.ledger") as ledger:
        with SmtpTransport(server.mail_server) as transport:
            receipts = list(deliver_once(ledger, nested(transport), letters(20)))
            assert list(deliver_once(ledger, nested(transport), letters(20))) == []
        assert all(receipt.ok for receipt in receipts)
        assert ledger.counts()[LedgerState.ACCEPTED] == 20
        assert len(server.emails) == 20


PROGRAM = """
import os, signal, sys
from vetmail_core import Content, Email, MailtoTransport, Recipients, RedirectAll, Retrying
from vetmail_core import SqliteLedger, deliver_once

opened = 0


def open_or_die(uri):
    global opened
    opened += 1
    if opened == 3:
        os.kill(os.getpid(), signal.SIGKILL)


emails = [
    Email(
        sender="office@example.com",
        recipients=Recipients(f"p{n}@example.com"),
        content=Content("Room change", "Room 4."),
        key=f"class/{n}",
    )
    for n in range(5)
]
transport = MailtoTransport(open_uri=open_or_die, drafts=sys.argv[2])
with SqliteLedger(sys.argv[1]) as ledger:
    list(deliver_once(ledger, RedirectAll(Retrying(transport, delays=[1]), "trial@example.com"), emails))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no kill that cannot be caught")
def test_after_a_kill_nobody_is_in_doubt_whose_email_had_not_begun(tmp_path: Path) -> None:
    """All five are taken before the first window opens; the program dies while it opens the third."""
    path = tmp_path / "sent.ledger"
    killed = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path), str(tmp_path / "drafts")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with SqliteLedger(path) as ledger:
        assert ledger.in_doubt() == ("class/2",), "its window may be open"
        assert [ledger.state(f"class/{n}") for n in range(5)] == [
            LedgerState.HANDED_OVER,
            LedgerState.HANDED_OVER,
            LedgerState.UNKNOWN,
            None,
            None,
        ]


def test_whichever_begins_is_told_as_the_caller_s_own() -> None:
    """A window of messages begins before the first of them is answered; a stranger's email tells nothing."""
    own, sent, (stranger,) = letters(3), letters(3), letters(1)
    source = Asking(own)
    handed = HandedOn(zip(source, sent, strict=False), source.leaves)
    begins = handed.announce()
    assert list(handed) == sent
    begins(sent[2])
    begins(stranger)
    assert [id(email) for email in source.told] == [id(own[2])]

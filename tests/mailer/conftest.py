"""A real server, a class of students, and a transport that only counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest

from vetmail_core import Content, EmailPreferences, Outcome, Person, Receipt, Settings, Status
from vetmail_core.testing import LocalSmtpServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vetmail_core import Email


class Counting:
    """Accepts everything, or what the table says; keeps the last email and the number of them."""

    def __init__(self, answers: dict[str, Status] | None = None) -> None:
        self.answers = {} if answers is None else answers
        self.count = 0
        self.closed = 0
        self.last: Email | None = None

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """One receipt for each email, in order."""
        for email in emails:
            self.count += 1
            self.last = email
            yield Receipt(
                email,
                [
                    Outcome(mailbox, self.answers.get(mailbox.addr_spec, Status.ACCEPTED))
                    for mailbox in email.recipients.all
                ],
            )

    def close(self) -> None:
        """Count it."""
        self.closed += 1


@pytest.fixture
def counting() -> type[Counting]:
    """The transport's class."""
    return Counting


@pytest.fixture
def smtpd() -> Iterator[LocalSmtpServer]:
    """A real server on the loopback address."""
    with LocalSmtpServer() as server:
        yield server


@pytest.fixture
def preferences() -> EmailPreferences:
    """The built-in client, sending from the office."""
    return EmailPreferences(
        use_built_in_client=True, settings=Settings(default_from='"Training Office" <office@example.com>')
    )


@pytest.fixture
def waiting(smtpd: LocalSmtpServer) -> Callable[[int], EmailPreferences]:
    """The server's preferences with so many milliseconds between emails."""

    def make(wait_ms: int) -> EmailPreferences:
        own = smtpd.server_preferences()
        return attrs.evolve(own, mail_server=attrs.evolve(own.mail_server, wait_between_emails_ms=wait_ms))

    return make


@pytest.fixture
def students() -> list[Person]:
    """A class of ten, one without an address."""
    people = [Person(f"p{n}@example.com", key=f"C{n}", name=f"Student {n}") for n in range(10)]
    people[4] = Person(None, key="C4", name="Student 4")
    return people


@pytest.fixture
def notice() -> Content:
    """What the class is told."""
    return Content("Your class moved", "Dear ${first_name}, it is in room 4 now.")

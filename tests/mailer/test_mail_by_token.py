"""Mail by access token, from the preferences alone."""

from __future__ import annotations

from vetmail_core import (
    AuthenticationType,
    Content,
    EmailPreferences,
    EnvironmentSecret,
    Login,
    Mailer,
    MailServer,
    Person,
    Settings,
    Staff,
)
from vetmail_core.receipts import Cause
from vetmail_core.sender import resolve_login
from vetmail_core.testing import LocalSmtpServer
from vetmail_core.testing.clock import FakeClock

OAUTH2 = AuthenticationType.OAUTH2


class Source:
    """A source of the host's own, which gives each mailbox the same token and notes who asked."""

    def __init__(self) -> None:
        self.mailboxes: list[str] = []

    def __call__(self) -> str:
        return "good"

    def of(self, mailbox: str) -> Source:
        self.mailboxes.append(mailbox)
        return self


def preferences(server: LocalSmtpServer, **changes: object) -> EmailPreferences:
    """Preferences that send by token."""
    tab = {
        "host": server.host,
        "port": server.port,
        "authentication": OAUTH2,
        "username": "office@example.com",
    }
    return EmailPreferences(
        use_built_in_client=True,
        mail_server=MailServer(**{**tab, **changes}),  # type: ignore[arg-type]
        settings=Settings(default_from="office@example.com"),
    )


def test_mail_leaves_without_a_token_argument() -> None:
    """One email and a bulk run."""
    source = Source()
    with LocalSmtpServer(token="good") as server, Mailer(preferences(server, oauth=source)) as mailer:
        assert mailer.send(Content("Subject", "Text"), to="kim@example.com").ok
        plan = mailer.plan_bulk(Content("Subject", "Text"), [])
        assert mailer.send_bulk(plan).ok
    assert source.mailboxes == ["office@example.com"]


def test_each_staff_member_has_a_token_of_their_own_and_needs_no_login() -> None:
    """The mailbox is the login's where there is one, else the address."""
    kim = Staff("Kim Lee", "kim@example.com")
    sam = Staff(
        "Sam Ray", "sam@example.com", login=Login("sam.ray@example.com", EnvironmentSecret("NONE_SUCH"))
    )
    source = Source()
    with LocalSmtpServer(token="good") as server:
        own = preferences(server, oauth=source, use_staff_logins=True, username="")
        for person in (kim, sam):
            with Mailer(own, staff=person, clock=FakeClock()) as mailer:
                receipt = mailer.send(Content("Subject", "Text"), to="student@example.com")
                assert receipt.ok
                assert receipt.email.sender.addr_spec == person.address.addr_spec
    assert source.mailboxes == ["kim@example.com", "sam.ray@example.com"]
    assert resolve_login(own, kim) is None


def test_a_token_that_cannot_be_had_is_a_delivery_that_stays_open() -> None:
    """The sentence of the source is the sentence of the receipt."""

    def no_token() -> str:
        raise KeyError("x")

    with LocalSmtpServer(token="good") as server:
        own = preferences(server, oauth=no_token)
        with Mailer(own, clock=FakeClock()) as mailer:
            plan = mailer.plan_bulk(Content("Subject", "Text"), [])
            assert mailer.send_bulk(plan).ok
            report = mailer.send_bulk(mailer.plan_bulk(Content("S", "T"), [Person("kim@example.com")]))
    (failure,) = report.failures
    assert failure.outcomes[0].cause is Cause.TOKEN
    assert failure.outcomes[0].is_open

"""Who an email is from, where its replies go, and which login sends it."""

from __future__ import annotations

import attrs
import pytest

from vetmail_core.address import parse_mailbox
from vetmail_core.credentials import Login, PlainSecret
from vetmail_core.errors import AddressError, PreferencesError
from vetmail_core.people import Staff
from vetmail_core.preferences import (
    AuthenticationType,
    EmailPreferences,
    MailServer,
    Settings,
    StaffDisplayName,
)
from vetmail_core.sender import Sender, resolve_login, resolve_sender
from vetmail_core.transports import SmtpTransport, transport_for

OWN = Login("jo.own", PlainSecret("her own"))
SHARED = Login("office.login", PlainSecret("everybody's"))
JO = Staff("Jo Trainer", "jo@example.com", login=OWN)
OFFICE = '"Example College" <office@example.com>'
REPLIES = '"Front Desk" <desk@example.com>'


@attrs.frozen(kw_only=True)
class Case:
    """One row: the preferences and who sends, then what comes of it."""

    promise: str
    staff: Staff | None = None
    staff_logins: bool = False
    default_from: str = ""
    default_reply_to: str = ""
    custom_name: str | None = None
    authentication: AuthenticationType = AuthenticationType.PASSWORD
    shared: Login | None = SHARED
    mailbox: str
    reply_to: tuple[str, ...] = ()
    login: Login | None = SHARED

    def preferences(self, *, built_in: bool) -> EmailPreferences:
        """The preferences of the row."""
        server = MailServer(
            host="mail.example.com",
            authentication=self.authentication,
            use_staff_logins=self.staff_logins,
            username=self.shared.username if self.shared else "",
            password=self.shared.secret if self.shared else None,
        )
        name = StaffDisplayName.STAFF_NAME if self.custom_name is None else StaffDisplayName.CUSTOM
        settings = Settings(
            default_from=parse_mailbox(self.default_from) if self.default_from else None,
            default_reply_to=parse_mailbox(self.default_reply_to) if self.default_reply_to else None,
            staff_display_name=name,
            custom_display_name=self.custom_name or "",
        )
        return EmailPreferences(use_built_in_client=built_in, mail_server=server, settings=settings)


CASES = (
    # From
    Case(
        promise="with staff logins, mail is from the staff member's own address",
        staff=JO,
        staff_logins=True,
        default_from=OFFICE,
        mailbox='"Jo Trainer" <jo@example.com>',
        login=OWN,
    ),
    Case(
        promise="without staff logins, mail is from the default address, under the staff member's name",
        staff=JO,
        default_from=OFFICE,
        mailbox='"Jo Trainer" <office@example.com>',
        reply_to=('"Jo Trainer" <jo@example.com>',),
    ),
    Case(
        promise="without a default address, mail is from the staff member's",
        staff=JO,
        mailbox='"Jo Trainer" <jo@example.com>',
    ),
    Case(
        promise="mail by the system is from the default address, under its alias",
        default_from=OFFICE,
        mailbox=OFFICE,
    ),
    Case(
        promise="mail by the system is from the default address with staff logins too",
        staff_logins=True,
        default_from=OFFICE,
        mailbox=OFFICE,
    ),
    # the name
    Case(
        promise="a custom display name stands in for the staff member's beside their own address",
        staff=JO,
        staff_logins=True,
        custom_name="Example College Training",
        mailbox='"Example College Training" <jo@example.com>',
        login=OWN,
    ),
    Case(
        promise="a custom display name stands in for the alias of the default address when staff send",
        staff=JO,
        default_from=OFFICE,
        custom_name="Example College Training",
        mailbox='"Example College Training" <office@example.com>',
        reply_to=('"Jo Trainer" <jo@example.com>',),
    ),
    Case(
        promise="a custom display name is not for mail by the system",
        default_from=OFFICE,
        custom_name="Example College Training",
        mailbox=OFFICE,
    ),
    Case(
        promise="a staff member without a name leaves the alias as it is",
        staff=Staff("", "jo@example.com"),
        default_from=OFFICE,
        mailbox=OFFICE,
        reply_to=("jo@example.com",),
    ),
    Case(
        promise="a staff member's name goes over the one in their address",
        staff=Staff("Jo Trainer", '"J." <jo@example.com>'),
        mailbox='"Jo Trainer" <jo@example.com>',
    ),
    # Reply-To
    Case(
        promise="a default reply-to address takes the replies",
        staff=JO,
        default_from=OFFICE,
        default_reply_to=REPLIES,
        mailbox='"Jo Trainer" <office@example.com>',
        reply_to=(REPLIES,),
    ),
    Case(
        promise="a default reply-to address takes the replies to a staff member's own address too",
        staff=JO,
        staff_logins=True,
        default_reply_to=REPLIES,
        mailbox='"Jo Trainer" <jo@example.com>',
        reply_to=(REPLIES,),
        login=OWN,
    ),
    Case(
        promise="a default reply-to address takes the replies to mail by the system",
        default_from=OFFICE,
        default_reply_to=REPLIES,
        mailbox=OFFICE,
        reply_to=(REPLIES,),
    ),
    Case(
        promise="no Reply-To is needed when the default address is the staff member's, in capitals or not",
        staff=JO,
        default_from="jo@EXAMPLE.com",
        mailbox='"Jo Trainer" <jo@EXAMPLE.com>',
    ),
    # Login
    Case(
        promise="a server that asks for no login gets none",
        staff=JO,
        staff_logins=True,
        authentication=AuthenticationType.NONE,
        mailbox='"Jo Trainer" <jo@example.com>',
        login=None,
    ),
    Case(
        promise="mail by the system uses the shared login when staff have their own",
        staff_logins=True,
        default_from=OFFICE,
        mailbox=OFFICE,
        login=SHARED,
    ),
    Case(
        promise="a token needs a username and no password",
        authentication=AuthenticationType.OAUTH2,
        staff=JO,
        staff_logins=True,
        mailbox='"Jo Trainer" <jo@example.com>',
        login=OWN,
    ),
)


@pytest.mark.parametrize("built_in", [True, False], ids=["built-in client", "mail program"])
@pytest.mark.parametrize("case", CASES, ids=[case.promise for case in CASES])
def test_sender_is_resolved_by_the_table(case: Case, *, built_in: bool) -> None:
    """Each row of the table holds: From with its name, Reply-To, and login; whichever client sends."""
    sender = resolve_sender(case.preferences(built_in=built_in), case.staff)
    assert str(sender.mailbox) == case.mailbox
    assert tuple(str(one) for one in sender.reply_to) == case.reply_to
    assert sender.login == case.login


def test_a_token_needs_no_password() -> None:
    """With OAuth 2 the shared username alone is enough: a token stands in for the password."""
    preferences = EmailPreferences(
        use_built_in_client=True,
        mail_server=MailServer(authentication=AuthenticationType.OAUTH2, username="office@example.com"),
        settings=Settings(default_from=parse_mailbox(OFFICE)),
    )
    assert resolve_sender(preferences).login is None


@attrs.frozen(kw_only=True)
class Refusal:
    """One row: what is missing, the setting the problem names, and words the sentence must hold."""

    promise: str
    staff: Staff | None = None
    server: MailServer = attrs.field(factory=MailServer)
    default_from: str = OFFICE
    setting: str
    words: tuple[str, ...]


REFUSALS = (
    Refusal(
        promise="no default address and nobody who sends",
        default_from="",
        setting="settings.default_from",
        words=("Default from address", "File > Global Preferences > Email preferences > Settings"),
    ),
    Refusal(
        promise="staff logins, and the staff member has none",
        staff=Staff("Kim Lee", "kim@example.com"),
        server=MailServer(authentication=AuthenticationType.PASSWORD, use_staff_logins=True),
        setting="mail_server.use_staff_logins",
        words=("Kim Lee", "Email Username", "Password", "third page of the Staff wizard"),
    ),
    Refusal(
        promise="staff logins, and the staff member has neither login nor name",
        staff=Staff("", "kim@example.com"),
        server=MailServer(authentication=AuthenticationType.PASSWORD, use_staff_logins=True),
        setting="mail_server.use_staff_logins",
        words=("kim@example.com",),
    ),
    Refusal(
        promise="staff logins, mail by the system, and no shared login",
        server=MailServer(authentication=AuthenticationType.PASSWORD, use_staff_logins=True),
        setting="mail_server.username",
        words=(
            "no staff member sends this",
            "Email login username",
            "Email preferences > Mail server, or let a staff member send",
        ),
    ),
    Refusal(
        promise="a login is asked for, and there is none",
        server=MailServer(authentication=AuthenticationType.PASSWORD),
        setting="mail_server.username",
        words=(
            "The mail server asks for a login, and there is no shared one. Enter the Email login username",
            "and Email login password in File > Global Preferences > Email preferences > Mail server.",
        ),
    ),
    Refusal(
        promise="a password is asked for, and there is only a username",
        server=MailServer(authentication=AuthenticationType.PASSWORD, username="office"),
        setting="mail_server.password",
        words=("asks for a login", "Email login password"),
    ),
    Refusal(
        promise="a user name is asked for, and there is only a password",
        server=MailServer(authentication=AuthenticationType.PASSWORD, password=SHARED.secret),
        setting="mail_server.username",
        words=("there is no shared one", "File > Global Preferences > Email preferences > Mail server"),
    ),
    Refusal(
        promise="a token is for a user name, and there is none",
        server=MailServer(authentication=AuthenticationType.OAUTH2),
        setting="mail_server.username",
        words=(
            "there is no shared one",
            "Enter the Email login username in File > Global Preferences > Email preferences > Mail server",
        ),
    ),
)


@pytest.mark.parametrize("built_in", [True, False], ids=["built-in client", "mail program"])
@pytest.mark.parametrize("case", REFUSALS, ids=[case.promise for case in REFUSALS])
def test_what_is_missing_is_named_with_the_place_to_enter_it(case: Refusal, *, built_in: bool) -> None:
    """The error has one problem, whose setting is dotted and whose sentence says where in VETtrak to go."""
    preferences = EmailPreferences(
        use_built_in_client=built_in,
        mail_server=case.server,
        settings=Settings(default_from=parse_mailbox(case.default_from) if case.default_from else None),
    )
    with pytest.raises(PreferencesError) as caught:
        resolve_sender(preferences, case.staff)
    (problem,) = caught.value.problems
    assert problem.setting == case.setting
    for word in case.words:
        assert word in str(caught.value)


def test_a_sender_takes_texts() -> None:
    """Wherever a mailbox goes, its text goes too."""
    sender = Sender("office@example.com", reply_to="desk@example.com")
    assert sender == Sender(parse_mailbox("office@example.com"), reply_to=[parse_mailbox("desk@example.com")])
    assert sender == Sender("office@example.com", reply_to=parse_mailbox("desk@example.com"))
    assert Sender("office@example.com", reply_to=["a@example.com", "b@example.com"]).reply_to == (
        parse_mailbox("a@example.com"),
        parse_mailbox("b@example.com"),
    )


def test_a_sender_that_is_no_mailbox_is_refused() -> None:
    """A text that is not a mailbox raises at once."""
    with pytest.raises(AddressError):
        Sender("office")
    with pytest.raises(TypeError, match="got Staff"):
        Sender(Staff("Kim Lee", "kim@example.com"))  # type: ignore[arg-type]  # resolve_sender takes these


def test_a_sender_shows_no_password() -> None:
    """The repr of a sender keeps its login's secret."""
    assert "everybody's" not in repr(Sender("office@example.com", login=SHARED))


def test_a_login_is_decided_without_a_sender() -> None:
    """A connection is made for whoever writes next, so it asks for no Default from address."""
    assert resolve_login(EmailPreferences()) is None
    server = MailServer(
        host="mail.example.com",
        authentication=AuthenticationType.PASSWORD,
        username=SHARED.username,
        password=SHARED.secret,
    )
    preferences = EmailPreferences(use_built_in_client=True, mail_server=server)
    assert resolve_login(preferences) == SHARED
    transport = transport_for(preferences)
    assert isinstance(transport, SmtpTransport)
    transport.close()

"""What will go wrong with preferences: one table, row by row."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest

from vetmail_core.contexts import RecipientType
from vetmail_core.credentials import EnvironmentSecret, Login
from vetmail_core.errors import Severity
from vetmail_core.people import Staff
from vetmail_core.preferences import (
    PROVIDERS,
    AuthenticationType,
    BulkCopies,
    EmailPreferences,
    MailServer,
    Settings,
    TlsMethod,
    check_preferences,
    describe_preferences,
)

from vetmail_core.tokens import GoogleServiceAccount, MicrosoftApp

if TYPE_CHECKING:
    from vetmail_core.errors import Problem

SECRET = EnvironmentSecret("VETMAIL_PASSWORD")
NONE, PASSWORD, OAUTH2 = AuthenticationType
APP = MicrosoftApp(tenant="college.example.com", client_id="an-app", secret=EnvironmentSecret("VETMAIL_APP"))
SOUND = EmailPreferences(
    use_built_in_client=True,
    mail_server=MailServer(
        host="smtp.example.com",
        port=587,
        tls=TlsMethod.EXPLICIT,
        authentication=PASSWORD,
        username="office@example.com",
        password=SECRET,
    ),
    settings=Settings(default_from='"Training Institute" <office@example.com>'),
)
MICROSOFT = attrs.evolve(
    SOUND,
    mail_server=attrs.evolve(
        SOUND.mail_server,
        host="smtp.office365.com",
        authentication=OAUTH2,
        password=None,
        wait_between_emails_ms=2000,
        oauth=APP,
    ),
)
GMAIL = attrs.evolve(
    SOUND,
    mail_server=attrs.evolve(
        SOUND.mail_server,
        host="smtp.gmail.com",
        authentication=OAUTH2,
        password=None,
        oauth=GoogleServiceAccount(Path("key.json")),
    ),
)
STAFF_LOGINS = attrs.evolve(
    SOUND, mail_server=attrs.evolve(SOUND.mail_server, use_staff_logins=True), settings=Settings()
)
ANNE = Staff("Anne Teacher", "anne@example.com", login=Login("anne@example.com", SECRET))
BEN = Staff("Ben Teacher", "ben@example.com")
CARL = Staff("", "carl@example.com", login=Login("shared@example.com", SECRET))


def server(preferences: EmailPreferences = SOUND, **changes: object) -> EmailPreferences:
    """The preferences with another mail server tab."""
    tab = attrs.evolve(preferences.mail_server, **changes)  # type: ignore[arg-type]  # the table's values
    return attrs.evolve(preferences, mail_server=tab)


def settings(preferences: EmailPreferences = SOUND, **changes: object) -> EmailPreferences:
    """The preferences with another settings tab."""
    tab = attrs.evolve(preferences.settings, **changes)  # type: ignore[arg-type]  # the table's values
    return attrs.evolve(preferences, settings=tab)


def rules(**contexts: dict[str, RecipientType]) -> EmailPreferences:
    """The preferences with rules for contexts."""
    return attrs.evolve(SOUND, contexts=contexts)


def staff_logins_at(preferences: EmailPreferences) -> EmailPreferences:
    """The preferences with individual logins and no shared From address."""
    return settings(server(preferences, use_staff_logins=True), default_from=None)


def told(preferences: EmailPreferences, *, staff: Staff | list[Staff] | None = None) -> list[tuple[str, str]]:
    """Severity and setting of each problem."""
    return [
        (problem.severity.value, problem.setting) for problem in check_preferences(preferences, staff=staff)
    ]


@pytest.mark.parametrize(
    "preferences",
    [
        SOUND,
        MICROSOFT,
        GMAIL,
        server(
            host="localhost", port=25, tls=TlsMethod.NONE, authentication=NONE, username="", password=None
        ),
        server(host="127.0.0.1", port=2525, tls=TlsMethod.NONE),
        server(host="::1", tls=TlsMethod.NONE),
        server(host="LOCALHOST.", tls=TlsMethod.NONE),
        server(host="email-smtp.ap-southeast-2.amazonaws.com", username="AKIA"),
        server(host="smtp.sendgrid.net", username="apikey"),
        server(host="smtp-relay.gmail.com", authentication=NONE, username="", password=None),
        server(host="smtp.mailgun.org", username="postmaster@mg.example.com"),
        server(MICROSOFT, username="DOMAIN\\office"),
        rules(client={"guardian": RecipientType.CC}),
        server(STAFF_LOGINS, authentication=OAUTH2, password=None, oauth=APP),
    ],
)
def test_sound_preferences_have_no_problems(preferences: EmailPreferences) -> None:
    """Advice that is always there is read by nobody."""
    assert check_preferences(preferences) == ()


ERROR, WARNING, HINT = "error", "warning", "hint"

TABLE: list[tuple[str, EmailPreferences, list[tuple[str, str]], str]] = [
    ("no host", server(host=""), [(ERROR, "mail_server.host")], "No mail server is entered"),
    (
        "no login",
        server(username="", password=None),
        [(ERROR, "mail_server.username"), (ERROR, "mail_server.password")],
        "no user name is entered",
    ),
    ("no password", server(password=None), [(ERROR, "mail_server.password")], "no password is entered"),
    (
        "no user for a token",
        server(GMAIL, username="", password=None),
        [(ERROR, "mail_server.username")],
        "no user name is entered",
    ),
    (
        "implicit",
        server(tls=TlsMethod.IMPLICIT, port=465),
        [(WARNING, "mail_server.tls")],
        "the Trainer Portal cannot use it",
    ),
    (
        "implicit at 587",
        server(tls=TlsMethod.IMPLICIT),
        [(ERROR, "mail_server.tls"), (WARNING, "mail_server.tls")],
        "start in clear and change to TLS when asked",
    ),
    ("explicit at 465", server(port=465), [(ERROR, "mail_server.tls")], "start with TLS at once"),
    (
        "explicit at 2465",
        server(host="email-smtp.ap-southeast-2.amazonaws.com", port=2465),
        [(ERROR, "mail_server.tls")],
        "start with TLS at once",
    ),
    (
        "in clear at 465",
        server(port=465, tls=TlsMethod.NONE),
        [(ERROR, "mail_server.tls"), (ERROR, "mail_server.tls")],
        "start with TLS at once, which None does not",
    ),
    (
        "mail in clear at 465",
        server(port=465, tls=TlsMethod.NONE, authentication=NONE, username="", password=None),
        [(ERROR, "mail_server.tls")],
        "start with TLS at once, which None does not",
    ),
    ("password in clear", server(tls=TlsMethod.NONE), [(ERROR, "mail_server.tls")], "in clear"),
    (
        "password in clear in the own network",
        server(host="192.168.1.2", tls=TlsMethod.NONE),
        [(ERROR, "mail_server.tls")],
        "cross the network to 192.168.1.2 in clear",
    ),
    (
        "mail in clear",
        server(tls=TlsMethod.NONE, authentication=NONE, username="", password=None),
        [(HINT, "mail_server.tls")],
        "Mail crosses the network",
    ),
    (
        "mail in clear to a provider that takes it",
        server(
            host="smtp-relay.gmail.com",
            port=25,
            tls=TlsMethod.NONE,
            authentication=NONE,
            username="",
            password=None,
        ),
        [(HINT, "mail_server.tls")],
        "Mail crosses the network",
    ),
    (
        "mail in clear to a provider",
        server(
            host="smtp.office365.com",
            port=25,
            tls=TlsMethod.NONE,
            authentication=NONE,
            username="",
            password=None,
            wait_between_emails_ms=2000,
        ),
        [(ERROR, "mail_server.tls"), (ERROR, "mail_server.authentication")],
        "takes no mail on a connection in clear",
    ),
    (
        "port nobody answers",
        server(GMAIL, port=25),
        [(ERROR, "mail_server.port")],
        "does not answer at port 25",
    ),
    (
        "Microsoft with a password",
        server(MICROSOFT, authentication=PASSWORD, password=SECRET, oauth=None),
        [(WARNING, "mail_server.authentication")],
        "end of December 2026",
    ),
    (
        "no OAuth there",
        server(host="smtp.sendgrid.net", authentication=OAUTH2, username="apikey", password=None, oauth=APP),
        [(ERROR, "mail_server.authentication")],
        "SendGrid does not offer signing in with OAuth",
    ),
    (
        "no login at a provider",
        server(GMAIL, authentication=NONE, username="", password=None, oauth=None),
        [(ERROR, "mail_server.authentication")],
        "Gmail takes no mail without a login",
    ),
    (
        "app password",
        server(GMAIL, authentication=PASSWORD, password=SECRET, oauth=None),
        [(HINT, "mail_server.password")],
        "refuses the account's own password",
    ),
    (
        "own name at SendGrid",
        server(host="smtp.sendgrid.net"),
        [(ERROR, "mail_server.username")],
        'the word "apikey"',
    ),
    (
        "blank behind the user name",
        server(username="office@example.com "),
        [(WARNING, "mail_server.username")],
        "begins or ends with a blank",
    ),
    (
        "another address as alias",
        settings(default_from='"office@example.org" <office@example.com>'),
        [(WARNING, "settings.default_from")],
        'the name holds another address, "office@example.org"',
    ),
    (
        "login never used",
        server(authentication=NONE),
        [(HINT, "mail_server.authentication")],
        "so it is not used",
    ),
    (
        "password never used",
        server(authentication=NONE, username=""),
        [(HINT, "mail_server.authentication")],
        "so it is not used",
    ),
    (
        "user name never used",
        server(authentication=NONE, password=None),
        [(HINT, "mail_server.authentication")],
        "so it is not used",
    ),
    (
        "staff logins never used",
        server(STAFF_LOGINS, authentication=NONE),
        [(WARNING, "mail_server.use_staff_logins")],
        "so nobody logs in",
    ),
    (
        "system mail without login",
        server(STAFF_LOGINS, username=""),
        [(HINT, "mail_server.username")],
        "such as portal notifications, has no login",
    ),
    (
        "system mail without password",
        server(STAFF_LOGINS, password=None),
        [(HINT, "mail_server.username")],
        "such as portal notifications, has no login",
    ),
    (
        "too fast",
        server(MICROSOFT, wait_between_emails_ms=1999),
        [(WARNING, "mail_server.wait_between_emails_ms")],
        "takes 30 emails a minute",
    ),
    (
        "From is not the login",
        settings(MICROSOFT, default_from="other@example.com"),
        [(WARNING, "settings.default_from")],
        "other@example.com is not the login office@example.com",
    ),
    (
        "From is not the login at Gmail",
        settings(GMAIL, default_from="other@example.com"),
        [(WARNING, "settings.default_from")],
        "other@example.com is not the login office@example.com",
    ),
    (
        "From of everybody, login of one",
        settings(MICROSOFT, default_from=None),
        [(WARNING, "settings.default_from")],
        "all of it logs in as one user",
    ),
    (
        "staff logins and a From",
        server(use_staff_logins=True),
        [(WARNING, "settings.default_from")],
        "Staff send with their own logins, but a default from address is set",
    ),
    (
        "system mail without From",
        settings(default_from=None),
        [(HINT, "settings.default_from")],
        "has no address to come from",
    ),
    (
        "replies taken away",
        settings(default_reply_to="office@example.com"),
        [(HINT, "settings.default_reply_to")],
        "trainers and other staff do not see the answers",
    ),
    (
        "flood",
        settings(bulk_copies=BulkCopies.EVERY_RECIPIENT),
        [(WARNING, "settings.bulk_copies")],
        "one copy for every recipient",
    ),
    (
        "unknown context",
        rules(occurence_class={"guardian": RecipientType.CC}),
        [(HINT, "contexts.occurence_class")],
        'Did you mean "occurrence_class"?',
    ),
    (
        "strange context and role",
        rules(zzz={"qqq": RecipientType.CC}),
        [(HINT, "contexts.zzz"), (HINT, "contexts.zzz.qqq")],
        "Nothing, if your product has this",
    ),
    (
        "slip in a role",
        rules(client={"gardian": RecipientType.CC}),
        [(HINT, "contexts.client.gardian")],
        'Did you mean "guardian"?',
    ),
    (
        "nobody to write to",
        rules(client={"client": RecipientType.NONE, "guardian": RecipientType.BCC}),
        [(WARNING, "contexts.client.client")],
        'In "Client" Client is not set to To, so a mailing',
    ),
    (
        "copies alone",
        rules(occurrence_class={"client": RecipientType.BCC, "class_staff": RecipientType.TO}),
        [(WARNING, "contexts.occurrence_class.client")],
        "Set Client to To.",
    ),
    (
        "neither of two who are written to",
        rules(event={"client": RecipientType.CC, "employer": RecipientType.NONE}),
        [(WARNING, "contexts.event.client"), (WARNING, "contexts.event.employer")],
        "Set Employer to To.",
    ),
]


@pytest.mark.parametrize(
    ("preferences", "problems", "words"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_each_mistake_is_told_once_with_its_setting(
    preferences: EmailPreferences, problems: list[tuple[str, str]], words: str
) -> None:
    """One row for each thing that goes wrong: how grave, which setting, and in which words."""
    assert told(preferences) == problems
    assert any(words in f"{problem.message} {problem.advice}" for problem in check_preferences(preferences))


@pytest.mark.parametrize("preferences", [row[1] for row in TABLE], ids=[row[0] for row in TABLE])
def test_every_problem_can_be_found_on_the_screen_and_mended(preferences: EmailPreferences) -> None:
    """It names a setting that exists, is a whole sentence, and has advice; it knows no password."""
    names = {description.name for description in describe_preferences()}
    for problem in check_preferences(preferences):
        assert problem.setting in names or problem.setting.startswith("contexts.")
        assert problem.message.endswith(".")
        assert problem.advice.endswith((".", '"'))
        assert "VETMAIL_PASSWORD" not in str(problem)


def test_one_of_two_who_are_written_to_is_enough() -> None:
    """An event's mail goes to the client or to the employer; a product's own context is nobody's to judge."""
    assert told(rules(event={"client": RecipientType.NONE})) == []
    assert [name for _, name in told(rules(tour={"client": RecipientType.NONE}))] == ["contexts.tour"]


def test_the_gravest_problem_comes_first() -> None:
    """Errors, then warnings, then hints; each group in the order of the screen."""
    preferences = settings(
        server(host="", tls=TlsMethod.IMPLICIT, port=465, password=None),
        default_reply_to="a@example.com",
        bulk_copies=BulkCopies.EVERY_RECIPIENT,
    )
    assert told(preferences) == [
        (ERROR, "mail_server.host"),
        (ERROR, "mail_server.password"),
        (WARNING, "mail_server.tls"),
        (WARNING, "settings.bulk_copies"),
        (HINT, "settings.default_reply_to"),
    ]


@pytest.mark.parametrize(
    ("preferences", "staff", "problems"),
    [
        (STAFF_LOGINS, ANNE, []),
        (STAFF_LOGINS, BEN, [(ERROR, "mail_server.use_staff_logins")]),
        (STAFF_LOGINS, [ANNE, BEN, BEN], [(ERROR, "mail_server.use_staff_logins")] * 2),
        (STAFF_LOGINS, [], []),
        (SOUND, BEN, []),
        (server(STAFF_LOGINS, authentication=NONE), BEN, [(WARNING, "mail_server.use_staff_logins")]),
        (staff_logins_at(GMAIL), [ANNE, CARL], [(WARNING, "mail_server.use_staff_logins")]),
        (staff_logins_at(GMAIL), BEN, []),
        (STAFF_LOGINS, CARL, []),
    ],
)
def test_staff_who_send_need_a_login_that_fits(
    preferences: EmailPreferences, staff: Staff | list[Staff], problems: list[tuple[str, str]]
) -> None:
    """Where everybody logs in as themselves, one without a login cannot send."""
    assert told(preferences, staff=staff) == problems


def by_staff(preferences: EmailPreferences, person: Staff) -> Problem:
    """The one problem about a person."""
    (problem,) = check_preferences(preferences, staff=person)
    return problem


def test_a_person_is_named_or_else_their_address() -> None:
    """The help desk knows whose record to open."""
    assert "Ben Teacher has no e-mail login" in by_staff(STAFF_LOGINS, BEN).message
    nameless = attrs.evolve(CARL, login=None)
    assert "carl@example.com has no e-mail login" in by_staff(STAFF_LOGINS, nameless).message
    assert (
        "carl@example.com sends from carl@example.com but logs in as shared@example.com"
        in by_staff(staff_logins_at(GMAIL), CARL).message
    )
    named = attrs.evolve(CARL, name="Carl Teacher")
    assert "Carl Teacher sends from carl@example.com" in by_staff(staff_logins_at(GMAIL), named).message


@pytest.mark.parametrize("port", [25, 587, 2525, 2587, 465, 2465, 8025, 26, 588])
@pytest.mark.parametrize("tls", [TlsMethod.EXPLICIT, TlsMethod.IMPLICIT])
def test_a_method_fits_the_ports_that_are_made_for_it(port: int, tls: TlsMethod) -> None:
    """465 and 2465 speak TLS at once, 25, 587, 2525 and 2587 when asked; of other ports nobody knows."""
    fits = {
        TlsMethod.EXPLICIT: port not in {465, 2465},
        TlsMethod.IMPLICIT: port not in {25, 587, 2525, 2587},
    }
    assert ((ERROR, "mail_server.tls") in told(server(port=port, tls=tls))) is not fits[tls]


@pytest.mark.parametrize(
    ("preferences", "advice"),
    [
        (
            server(host="smtp.office365.com", tls=TlsMethod.NONE, authentication=NONE, username=""),
            "Choose Explicit and enter port 587.",
        ),
        (server(MICROSOFT, authentication=NONE, username=""), "Choose OAuth."),
        (server(GMAIL, authentication=NONE, username=""), "Choose User/Password."),
        (server(GMAIL, port=25), "Enter 587 and choose the connection method Explicit."),
        (
            settings(MICROSOFT, default_from=None),
            "Enter office@example.com as the default from address, or tick the individual logins.",
        ),
        (
            settings(server(MICROSOFT, username=""), default_from=None),
            "Enter the login as the default from address, or tick the individual logins.",
        ),
        (server(MICROSOFT, wait_between_emails_ms=0), "Enter 2000 milliseconds or more."),
    ],
)
def test_the_advice_is_what_this_provider_needs(preferences: EmailPreferences, advice: str) -> None:
    """Word for word what to choose or enter."""
    assert advice in {problem.advice for problem in check_preferences(preferences)}


def test_nothing_that_does_not_apply_is_criticised() -> None:
    """With the built-in client off only the separator matters, and neither is for every mail program."""
    off = attrs.evolve(
        server(host="", port=465, tls=TlsMethod.NONE, password=None), use_built_in_client=False
    )
    for separator, advice in (
        (";", 'Choose "," where'),
        (",", 'Choose ";" where mail is sent through Outlook'),
    ):
        (problem,) = check_preferences(settings(off, address_separator=separator))
        assert (problem.severity, problem.setting) == (Severity.HINT, "settings.address_separator")
        assert advice in problem.advice


@pytest.mark.parametrize("key", PROVIDERS)
def test_what_a_provider_recommends_has_no_errors(key: str) -> None:
    """Filling in the screen from the provider's data gives preferences that send."""
    provider = PROVIDERS[key]
    username = provider.fixed_username or "office@example.com"
    filled = server(
        host=provider.host.replace("REGION", "ap-southeast-2").replace("TENANT", "college-example-com"),
        port=provider.ports[0],
        tls=provider.tls,
        authentication=provider.authentication,
        username=username,
        wait_between_emails_ms=provider.wait_between_emails_ms,
        oauth=APP if provider.authentication is OAUTH2 else None,
    )
    found = [problem for problem in check_preferences(filled) if problem.severity is not Severity.HINT]
    # One that offers Implicit alone is used all the same, and the Trainer Portal is told of it.
    assert [problem for problem in found if provider.tls is not TlsMethod.IMPLICIT] == []
    assert Severity.ERROR not in {problem.severity for problem in found}

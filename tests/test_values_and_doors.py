"""What holds across all areas: how values behave, and what the doors say to the wrong kind of thing."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from vetmail_core import (
    PROVIDERS,
    STANDARD_CONTEXTS,
    Attachment,
    Cause,
    Content,
    Deadlines,
    Email,
    EmailPreferences,
    EmlTransport,
    EnvironmentSecret,
    Exclusion,
    LedgerError,
    Limits,
    Login,
    Mailbox,
    Mailer,
    MailServer,
    MailtoTransport,
    MessageError,
    Outcome,
    Person,
    Phase,
    Receipt,
    Recipients,
    RecipientsError,
    RecipientType,
    RedirectAll,
    Reply,
    Report,
    Retrying,
    Settings,
    Staff,
    Status,
    TransportError,
    deliver_once,
    describe_preferences,
    expand_context,
    mailto_uri,
    plan_bulk,
    resolve_sender,
)
from vetmail_core.errors import TransportValueError
from vetmail_core.testing import LocalSmtpServer, Outbox, content, email

if TYPE_CHECKING:
    from collections.abc import Callable

STUDENT = Person(
    "ann@example.com",
    key="C1",
    name="Ann Lee",
    fields={"room": "7"},
    related={"guardian": Person("mary@example.com")},
)
PREFERENCES = EmailPreferences(
    mail_server=MailServer(password=EnvironmentSecret("NAME")),
    settings=Settings(default_from='"The Office" <office@example.com>'),
    contexts={"occurrence_class": {"class_staff": RecipientType.BCC}},
)
LETTER = Email(
    sender="office@example.com",
    recipients=Recipients("ann@example.com", cc="jo@example.com"),
    content=Content("Hello", "Text", html="<p>Text</p>", attachments=[Attachment("a.pdf", b"x")]),
    key="b/C1",
    headers={"X-Test": "1"},
)
PLAN = plan_bulk(content(), [STUDENT, Person("", key="C2")], sender="office@example.com", cc="jo@example.com")
EXPANSION = expand_context("occurrence_class", {"client": STUDENT, "class_staff": Person("")}, PREFERENCES)
OUTCOMES = [
    Outcome("ann@example.com", Status.ACCEPTED, reply=Reply(250, "2.0.0", "ok"), phase=Phase.DOT),
    Outcome("jo@example.com", Status.REFUSED, cause=Cause.BAD_RECIPIENT),
]
VALUES: tuple[Any, ...] = (
    Mailbox("ann@example.com", "Ann Lee"),
    STUDENT,
    Staff("Kim Lee", "kim@example.com", login=Login("kim", EnvironmentSecret("NAME"))),
    STANDARD_CONTEXTS["occurrence_class"],
    PREFERENCES,
    *describe_preferences(),
    *PROVIDERS.values(),
    EXPANSION,
    *EXPANSION.exclusions,
    LETTER,
    LETTER.content,
    resolve_sender(PREFERENCES),
    PLAN.summary(),
    *OUTCOMES,
    Receipt(LETTER, OUTCOMES, warnings=["a word"]),
    Report(emails=1, accepted=1),
    Deadlines(),
    Limits(),
)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_is_frozen_and_travels_unharmed(value: attrs.AttrsInstance) -> None:
    """Into a set, to another process, through `copy` and `evolve`: it stays equal, and reads the same."""
    anyone: Any = value  # `evolve` is typed for one class at a time
    for travelled in (pickle.loads(pickle.dumps(value)), copy.deepcopy(value), attrs.evolve(anyone)):  # noqa: S301 - our own
        assert travelled == value
        assert hash(travelled) == hash(value)
        assert repr(travelled) == repr(value)
    first = attrs.fields(type(value))[0].name
    with pytest.raises(AttributeError):
        setattr(value, first, getattr(value, first))


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_reads_as_one_line_for_people(value: attrs.AttrsInstance) -> None:
    """No addresses in memory, no wrappers of Python's, no line breaks."""
    shown = repr(value)
    assert " at 0x" not in shown
    assert "mappingproxy" not in shown
    assert "\n" not in shown


NONE_AT_ALL: Any = None  # what a host without types may hand over
TEXT: Any = "ann@example.com"
LIST: Any = [STUDENT]
PERSON: Any = STUDENT


@pytest.mark.parametrize(
    ("door", "error", "said"),
    [
        (lambda: Outcome("ann@example.com", TEXT), RecipientsError, "a Status such as Status.ACCEPTED"),
        (lambda: Exclusion(STUDENT, TEXT), RecipientsError, "an ExclusionReason"),
        (lambda: Person("ann@example.com", related=LIST), RecipientsError, "mapping of roles to people"),
        (lambda: Person("ann@example.com", related={"guardian": NONE_AT_ALL}), RecipientsError, "NoneType"),
        (lambda: Person("ann@example.com", related={"guardian": TEXT}), RecipientsError, "got str"),
        (lambda: expand_context("client", LIST, PREFERENCES), RecipientsError, "mapping of roles to people"),
        (lambda: expand_context("client", NONE_AT_ALL, PREFERENCES), RecipientsError, "got NoneType"),
        (
            lambda: Outbox().mailer().send(content(), context="client", people=LIST),
            RecipientsError,
            "mapping of roles to people, got list",
        ),
        (
            lambda: plan_bulk(content(), LIST, sender=TEXT, context="occurrence_class", shared=LIST),
            RecipientsError,
            "mapping of roles to people",
        ),
        (lambda: Staff("Kim Lee", "kim@example.com", login=TEXT), TypeError, "needs a Login, got str"),
        (lambda: resolve_sender(PREFERENCES, TEXT), TypeError, "needs a Staff, got str"),
        (lambda: Recipients(PERSON), TypeError, r"got Person\. Take the mailbox\(\)"),
        (lambda: Mailer(TEXT), TypeError, "needs EmailPreferences, got str"),
        (lambda: Outbox().mailer().send(content(), people=LIST), RecipientsError, "mapping of roles"),
        (lambda: Outbox().mailer().send_bulk(LIST), MessageError, "needs a plan or emails, got Person"),
        (
            lambda: Outbox().mailer().send_bulk([LETTER], ledger=TEXT),
            LedgerError,
            r"got str\. Open one .* SqliteLedger\(path\)",
        ),
        (
            lambda: list(deliver_once(NONE_AT_ALL, Outbox(), [LETTER])),
            LedgerError,
            "needs a Ledger, got NoneType",
        ),
        (lambda: RedirectAll(TEXT, "me@example.com"), TransportError, "a transport, got str"),
        (lambda: Retrying(NONE_AT_ALL, delays=[1]), TransportError, "a transport, got NoneType"),
        (lambda: LocalSmtpServer(login=LIST), TypeError, "needs a Login, got list"),
        (lambda: EmlTransport(""), TransportValueError, "needs the name of a folder"),
        (lambda: mailto_uri(LETTER, separator="|"), TransportValueError, "separator"),
        (lambda: MailtoTransport(separator="|"), TransportValueError, "separator"),
        (lambda: MailtoTransport(max_windows=0), TransportValueError, "max_windows must be at least 1"),
        (lambda: MailtoTransport(max_uri_length=9_000), TransportValueError, "max_uri_length must be 1 to"),
        (lambda: Retrying(Outbox(), delays=[-1]), TransportValueError, "A delay needs a number of seconds"),
    ],
)
def test_the_wrong_kind_of_thing_is_named_where_it_came(
    door: Callable[[], object], error: type[Exception], said: str
) -> None:
    """The sentence says what was expected and what came; nobody has to read our code for it."""
    with pytest.raises(error, match=said):
        door()


def test_a_mailer_reads_as_who_sends_and_how() -> None:
    """In a debugger, and in a log; without the password of the transport."""
    assert repr(Mailer(PREFERENCES)) == "Mailer(for the system, by the preferences)"
    kim = Staff("Kim Lee", "kim@example.com")
    assert repr(Mailer(PREFERENCES, staff=kim, transport=EmlTransport("out"))) == (
        "Mailer(for Kim Lee, EmlTransport('out'))"
    )


def test_further_headers_may_be_none() -> None:
    """As for every other argument that may be left out."""
    assert Outbox().mailer().send(content(), to="ann@example.com", headers=None).ok


def test_a_staff_record_without_a_name_is_one_without_a_name() -> None:
    """None is what a table holds there; it is as good as an empty text, as for a person."""
    nameless: Any = None
    assert Staff(nameless, "kim@example.com") == Staff("", "kim@example.com")


def test_an_email_of_the_test_kit_takes_recipients_whole() -> None:
    """As the value itself does."""
    some = Recipients("ann@example.com", bcc="jo@example.com")
    assert email(recipients=some).recipients == some

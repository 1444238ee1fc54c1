"""The preferences as values: choices, defaults, and every problem at once."""

from __future__ import annotations

import copy
import itertools
import pickle
from typing import TYPE_CHECKING

import attrs
import pytest

from vetmail_core.address import Mailbox
from vetmail_core.contexts import RecipientType
from vetmail_core.credentials import EnvironmentSecret, PlainSecret
from vetmail_core.errors import PreferencesError, StalePreferencesError
from vetmail_core.preferences import (
    AuthenticationType,
    BulkCopies,
    EmailPreferences,
    MailServer,
    Settings,
    StaffDisplayName,
    TlsMethod,
)
from vetmail_core.preferences.model import SETTING_NAMES

if TYPE_CHECKING:
    import enum
    from collections.abc import Callable, Mapping


def test_the_defaults_are_those_of_the_screen() -> None:
    """Nothing leaves through a server nobody entered; port 25 is the one default VETtrak states."""
    assert attrs.asdict(EmailPreferences(), recurse=True, filter=lambda field, _value: field.eq is True) == {
        "use_built_in_client": False,
        "mail_server": {
            "host": "",
            "port": 25,
            "tls": TlsMethod.NONE,
            "authentication": AuthenticationType.NONE,
            "use_staff_logins": False,
            "username": "",
            "password": None,
            "wait_between_emails_ms": 0,
            "ehlo_name": "",
            "oauth": None,
        },
        "settings": {
            "default_from": None,
            "default_reply_to": None,
            "bulk_copies": BulkCopies.FIRST_RECIPIENT,
            "address_separator": ";",
            "staff_display_name": StaffDisplayName.STAFF_NAME,
            "custom_display_name": "",
        },
        "contexts": {},
    }


@pytest.mark.parametrize(
    ("choices", "values"),
    [
        (TlsMethod, ["none", "explicit", "implicit"]),
        (AuthenticationType, ["none", "password", "oauth2"]),
        (BulkCopies, ["first_recipient", "every_recipient"]),
        (StaffDisplayName, ["staff_name", "custom"]),
    ],
)
def test_choices_have_the_written_values(choices: type[enum.Enum], values: list[str]) -> None:
    """The values stand in preferences files."""
    assert [choice.value for choice in choices] == values


def test_a_default_from_in_vettraks_form_gives_address_and_alias() -> None:
    """What stands in VETtrak's field can be pasted."""
    settings = Settings(default_from='"Alias Name" <user@x.com>', default_reply_to="office@x.com")
    assert settings.default_from == Mailbox("user@x.com", "Alias Name")
    assert settings.default_reply_to == Mailbox("office@x.com")


@pytest.mark.parametrize("empty", ["", "  ", None])
def test_an_empty_field_is_no_address(empty: str | None) -> None:
    """A screen hands over the empty text of an empty field."""
    assert Settings(default_from=empty, default_reply_to=empty) == Settings()


BAD_VALUES: list[tuple[Callable[..., object], str, object, str]] = [
    (MailServer, "host", None, "Expected a text, found nothing"),
    (MailServer, "host", 5, "Expected a text, found the number 5"),
    (MailServer, "host", b"smtp", "found a value of type bytes"),
    (MailServer, "host", "smtp.example.com:587", r'found the text "smtp\.example\.com:587"\. Write the name'),
    (MailServer, "host", "https://smtp.example.com", "name of a mail server"),
    (MailServer, "host", " smtp.example.com", "name of a mail server"),
    (MailServer, "host", "smtp://me:hunter2@smtp.example.com", 'the text "smtp.example.com" after an "@"'),
    (MailServer, "host", "me:hunter2@smtp.example.com\n", 'com<U.000A>" after an "@"'),
    (MailServer, "host", "hunter2\ud800@x\udfff", 'the text "x<U.DFFF>" after an "@"'),
    (MailServer, "host", "me@hunter2@smtp.example.com:25", 'the text "smtp.example.com:25" after an "@"'),
    (MailServer, "host", "a" * 254, "name of a mail server"),
    (MailServer, "host", "smtp.example.com\r\nQUIT", "control character"),
    (MailServer, "port", 0, r"from 1 to 65535, found the number 0\. Enter a number in this range\."),
    (MailServer, "port", 65_536, "whole number from 1 to 65535"),
    (MailServer, "port", True, r"found true \(a yes or no\)"),
    (MailServer, "port", "25", r'found the text "25"\. Write the number alone, without quotes\.'),
    (MailServer, "port", 587.0, r"found the number 587\.0\. Write 587\."),
    (MailServer, "port", 587.5, r"found the number 587\.5\. Write a whole number\."),
    (MailServer, "port", True, r"found true \(a yes or no\)\. Write a whole number\."),
    (MailServer, "port", 25.0, "found the number 25.0"),
    (MailServer, "port", 10**400, "found a number"),
    (MailServer, "tls", "explicit", "Expected one of TlsMethod.NONE, TlsMethod.EXPLICIT"),
    (MailServer, "tls", AuthenticationType.NONE, "found AuthenticationType.NONE"),
    (MailServer, "authentication", None, "Expected one of AuthenticationType.NONE"),
    (MailServer, "use_staff_logins", 1, "Expected yes or no .* found the number 1"),
    (MailServer, "username", "me\nyou", "control character in the text .me<U.000A>you"),
    (MailServer, "username", ["me"], "found a list"),
    (MailServer, "password", "hunter2", r"bare value of type str \(not shown\)"),
    (MailServer, "wait_between_emails_ms", -1, "milliseconds from 0 to 86400000"),
    (MailServer, "wait_between_emails_ms", 0.5, "found the number 0.5"),
    (
        Settings,
        "default_from",
        "no address",
        r'Expected one e-mail address.*example\.com\. Write "Alias Name"',
    ),
    (Settings, "default_from", "a@x.com; b@x.com", "Expected one e-mail address"),
    (Settings, "default_reply_to", 5, "Expected an e-mail address, found the number 5"),
    (Settings, "default_reply_to", '"A\nB" <a@x.com>', "Expected one e-mail address"),
    (Settings, "bulk_copies", "every", 'found the text "every"'),
    (Settings, "address_separator", "|", 'Expected ";" or ",", found the text "|"'),
    (Settings, "address_separator", ["|"], 'Expected ";" or ",", found a list'),
    (Settings, "staff_display_name", {}, "found a group of settings"),
    (Settings, "custom_display_name", None, "Expected a text"),
    (Settings, "custom_display_name", "Training\nInstitute", "control character"),
    (Settings, "custom_display_name", "Training\u202eInstitute", "Expected a name to show"),
]


@pytest.mark.parametrize(("tab", "name", "value", "fault"), BAD_VALUES)
def test_a_value_that_cannot_stand_is_refused_by_name(
    tab: Callable[..., object], name: str, value: object, fault: str
) -> None:
    """The problem has the dotted name, what was expected, what came, and advice; never a password."""
    with pytest.raises(PreferencesError, match=fault) as caught:
        tab(**{name: value})
    (problem,) = caught.value.problems
    assert problem.setting == f"{'mail_server' if tab is MailServer else 'settings'}.{name}"
    assert problem.advice
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "host",
    ["", "smtp.example.com", "mail_1", "192.0.2.1", "::1", "müller.example", "a" * 63],
)
def test_a_server_is_a_name_or_an_ip_address(host: str) -> None:
    """And may be empty while the screen is being filled in."""
    assert MailServer(host=host).host == host


def test_a_long_value_is_cut_in_the_sentence() -> None:
    """A pasted page does not fill the screen."""
    with pytest.raises(PreferencesError) as caught:
        MailServer(host="x y" * 1000)
    assert len(str(caught.value)) < 400


def test_all_problems_of_a_tab_come_at_once() -> None:
    """Nobody repairs one field to hear of the next."""
    with pytest.raises(PreferencesError, match="10 settings are not valid") as caught:
        MailServer(
            host="a b",
            port=0,
            tls="x",  # type: ignore[arg-type]  # the slips under test
            authentication="x",  # type: ignore[arg-type]
            use_staff_logins="x",  # type: ignore[arg-type]
            username="\n",
            password="x",  # type: ignore[arg-type]
            wait_between_emails_ms=-1,
            ehlo_name="a b",
            oauth="x",  # type: ignore[arg-type]
        )
    assert [problem.setting for problem in caught.value.problems] == list(SETTING_NAMES[1:11])
    with pytest.raises(PreferencesError) as caught:
        Settings(
            default_from="x y",
            default_reply_to="x y",
            bulk_copies="x",  # type: ignore[arg-type]
            address_separator="",
            staff_display_name="x",  # type: ignore[arg-type]
            custom_display_name="\n",
        )
    assert [problem.setting for problem in caught.value.problems] == [
        name for name in SETTING_NAMES if name.startswith("settings.")
    ]


def test_a_display_name_of_ones_own_must_be_given() -> None:
    """Staff mail would otherwise come from nobody."""
    with pytest.raises(PreferencesError, match=r"Expected a name.*found none") as caught:
        Settings(staff_display_name=StaffDisplayName.CUSTOM, custom_display_name=" ")
    assert [problem.setting for problem in caught.value.problems] == ["settings.custom_display_name"]
    custom = Settings(staff_display_name=StaffDisplayName.CUSTOM, custom_display_name="Training Institute")
    assert custom.custom_display_name == "Training Institute"


@pytest.mark.parametrize(
    ("values", "setting"),
    [
        ({"use_built_in_client": "yes"}, "use_built_in_client"),
        ({"mail_server": {}}, "mail_server"),
        ({"settings": None}, "settings"),
        ({"contexts": []}, "contexts"),
        ({"revision": 5}, "revision"),
        ({"unknown": 5}, "unknown"),
        ({"unknown": {"": 5}}, "unknown"),
        ({"contexts": {"client": "cc"}}, "contexts.client"),
        ({"contexts": {"client": {"guardian": "cc"}}}, "contexts.client.guardian"),
        ({"contexts": {"account": {"client": ["cc"]}}}, "contexts.account.client"),
        ({"contexts": {"": {}}}, "contexts"),
        ({"contexts": {7: {}}}, "contexts"),
        ({"contexts": {"client": {"a\nb": RecipientType.CC}}}, "contexts.client"),
    ],
)
def test_preferences_name_what_is_wrong_between_the_tabs(values: Mapping[str, object], setting: str) -> None:
    """A tab of the wrong kind, or a rule that is none."""
    with pytest.raises(PreferencesError) as caught:
        EmailPreferences(**values)  # type: ignore[arg-type]  # the slips under test
    assert [problem.setting for problem in caught.value.problems] == [setting]


@pytest.mark.parametrize("context", ["account", "portal_notification"])
@pytest.mark.parametrize(
    ("role", "kind", "allowed"),
    [
        ("guardian", RecipientType.CC, False),
        ("guardian", RecipientType.BCC, False),
        ("guardian", RecipientType.TO, False),
        ("client", RecipientType.CC, False),
        ("guardian", RecipientType.NONE, True),
        ("client", RecipientType.TO, True),
        ("client", RecipientType.NONE, True),
    ],
)
def test_private_mail_is_never_copied(context: str, role: str, kind: RecipientType, *, allowed: bool) -> None:
    """Passwords and personal results go to the person they are for."""
    rules = {context: {role: kind}}
    if allowed:
        assert EmailPreferences(contexts=rules).contexts == rules
        return
    with pytest.raises(PreferencesError, match="goes to one person only") as caught:
        EmailPreferences(contexts=rules)
    assert [problem.setting for problem in caught.value.problems] == [f"contexts.{context}.{role}"]


def test_rules_are_read_only_and_a_copy() -> None:
    """Nobody changes preferences behind their back."""
    rules = {"client": {"guardian": RecipientType.CC}}
    preferences = EmailPreferences(contexts=rules)
    rules["client"]["guardian"] = RecipientType.BCC
    assert preferences.contexts["client"]["guardian"] is RecipientType.CC
    with pytest.raises(TypeError):
        preferences.contexts["client"] = {}  # type: ignore[index]
    with pytest.raises(TypeError):
        preferences.contexts["client"]["guardian"] = RecipientType.BCC  # type: ignore[index]
    with pytest.raises(TypeError):
        preferences.recipient_types("client")["guardian"] = RecipientType.BCC  # type: ignore[index]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        preferences.use_built_in_client = True  # type: ignore[misc]


def test_where_a_value_came_from_is_outside_equality_and_repr_and_is_kept() -> None:
    """Two equal settings are equal wherever they were loaded; a change does not forget the file."""
    loaded = EmailPreferences(revision="abc", unknown={"": {"theme": "dark"}})
    assert loaded == EmailPreferences()
    assert hash(loaded) == hash(EmailPreferences())
    assert repr(loaded) == repr(EmailPreferences())
    changed = attrs.evolve(loaded, use_built_in_client=True)
    assert (changed.revision, changed.unknown) == ("abc", {"": {"theme": "dark"}})


PREFERENCES = EmailPreferences(
    use_built_in_client=True,
    mail_server=MailServer(host="smtp.example.com", password=EnvironmentSecret("NAME")),
    settings=Settings(default_from='"Institute" <office@example.com>'),
    contexts={"client": {"guardian": RecipientType.CC}},
    revision="abc",
    unknown={"": {"theme": "dark"}},
)


def test_preferences_survive_a_trip_to_another_process() -> None:
    """A worker gets all of it, where it came from included."""
    arrived = pickle.loads(pickle.dumps(PREFERENCES))  # noqa: S301 - our own bytes
    for one in (arrived, copy.deepcopy(PREFERENCES), copy.copy(PREFERENCES)):
        assert one == PREFERENCES
        assert hash(one) == hash(PREFERENCES)
        assert (one.revision, one.unknown) == (PREFERENCES.revision, PREFERENCES.unknown)


@pytest.mark.parametrize("kind", [PreferencesError, StalePreferencesError])
def test_an_error_survives_the_trip_back(kind: type[PreferencesError]) -> None:
    """A worker's problems reach whoever asked, each of them."""
    with pytest.raises(PreferencesError) as caught:
        MailServer(port=0, host="a b")
    error = kind.of(caught.value.problems, opening="The file cannot be used.")
    arrived = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(arrived) is kind
    assert (str(arrived), arrived.problems) == (str(error), error.problems)


def test_preferences_with_a_plain_password_are_not_pickled() -> None:
    """The password would travel with them unasked."""
    server = MailServer(password=PlainSecret("hunter2"))
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(EmailPreferences(mail_server=server))


def test_preferences_show_no_password() -> None:
    """In a log line, a traceback or a test's failure."""
    shown = repr(EmailPreferences(mail_server=MailServer(password=PlainSecret("hunter2"))))
    assert "hunter2" not in shown
    assert "********" in shown
    assert "hunter2" not in repr(attrs.asdict(MailServer(password=PlainSecret("hunter2"))))


def test_different_preferences_differ() -> None:
    """Each part counts."""
    variants = [
        EmailPreferences(),
        EmailPreferences(use_built_in_client=True),
        EmailPreferences(mail_server=MailServer(port=26)),
        EmailPreferences(settings=Settings(address_separator=",")),
        EmailPreferences(contexts={"client": {"guardian": RecipientType.CC}}),
    ]
    assert all(one != other for one, other in itertools.combinations(variants, 2))

"""Preferences as plain data and back: strict, complete, and careful with what is not known."""

from __future__ import annotations

import copy
import json
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest
from hypothesis import given
from hypothesis import settings as run_with
from hypothesis import strategies as st

from vetmail_core.address import Mailbox
from vetmail_core.contexts import RecipientType
from vetmail_core.credentials import EnvironmentSecret, KeyringSecret, PlainSecret
from vetmail_core.errors import PreferencesError
from vetmail_core.preferences import (
    AuthenticationType,
    BulkCopies,
    EmailPreferences,
    MailServer,
    Settings,
    StaffDisplayName,
    TlsMethod,
    preferences_from_dict,
    preferences_to_dict,
)
from vetmail_core.preferences.codec import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vetmail_core.credentials import Secret

SCHEMAS = Path(__file__).parent / "schemas"
FIRST = EmailPreferences(
    use_built_in_client=True,
    mail_server=MailServer(
        host="smtp.office365.com",
        port=587,
        tls=TlsMethod.EXPLICIT,
        authentication=AuthenticationType.PASSWORD,
        use_staff_logins=True,
        username="office@example.com",
        password=KeyringSecret("vetmail", "office@example.com"),
        wait_between_emails_ms=2000,
    ),
    settings=Settings(
        default_from=Mailbox("office@example.com", "Zoë's Training Institute"),
        default_reply_to="replies@example.com",
        bulk_copies=BulkCopies.EVERY_RECIPIENT,
        address_separator=",",
        staff_display_name=StaffDisplayName.CUSTOM,
        custom_display_name="Training Institute",
    ),
    contexts={
        "occurrence_class": {"class_staff": RecipientType.BCC, "guardian": RecipientType.CC},
        "client": {"client": RecipientType.TO, "guardian": RecipientType.NONE},
        "excursion": {"driver": RecipientType.CC},
    },
)
"""What schemas/1.json says. A released file is never edited, and neither is what it means."""


def of_schema(number: int) -> dict[str, object]:
    """The released file of a schema."""
    document = json.loads((SCHEMAS / f"{number}.json").read_text("utf-8"))
    assert isinstance(document, dict)
    return document


def document(**changes: object) -> dict[str, object]:
    """A whole document with changes in its first level."""
    return {**of_schema(SCHEMA), **changes}


def group(data: Mapping[str, object], name: str) -> dict[str, object]:
    """A group of settings in a document."""
    inner = data[name]
    assert isinstance(inner, dict)
    return inner


def problems_of(data: Mapping[str, object]) -> dict[str, str]:
    """Setting -> message of each problem in a document."""
    with pytest.raises(PreferencesError) as caught:
        preferences_from_dict(data)
    assert all(problem.advice for problem in caught.value.problems)
    found = {problem.setting: problem.message for problem in caught.value.problems}
    assert len(found) == len(caught.value.problems)
    return found


def test_every_released_schema_is_kept_and_still_loads() -> None:
    """Whoever updates keeps their preferences."""
    assert [file.stem for file in sorted(SCHEMAS.iterdir())] == [str(number + 1) for number in range(SCHEMA)]
    assert preferences_from_dict(of_schema(1)) == FIRST


def test_what_is_written_is_the_schemas_shape() -> None:
    """To the letter, so the other product reads it."""
    assert preferences_to_dict(FIRST) == of_schema(SCHEMA)


def test_the_ehlo_name_is_written_where_there_is_one() -> None:
    """A product that knows the first shape alone reads a file without one to the letter."""
    named = EmailPreferences(mail_server=MailServer(ehlo_name="mail.example.com"))
    written = preferences_to_dict(named)
    assert written["mail_server"] == preferences_to_dict(EmailPreferences())["mail_server"] | {  # type: ignore[operator]  # a group
        "ehlo_name": "mail.example.com"
    }
    assert preferences_from_dict(written) == named


def test_a_missing_setting_has_its_default() -> None:
    """A file written by hand may be short."""
    assert preferences_from_dict({"schema": 1}) == EmailPreferences()
    assert preferences_from_dict(
        {"schema": 1, "mail_server": {"host": "smtp.example.com"}}
    ) == EmailPreferences(mail_server=MailServer(host="smtp.example.com"))


@run_with(deadline=None)
@given(data=st.data())
def test_reading_what_was_written_gives_the_same_preferences(
    any_preferences: st.SearchStrategy[EmailPreferences], data: st.DataObject
) -> None:
    """Through JSON too, which knows fewer types than Python."""
    preferences = data.draw(any_preferences)
    written = preferences_to_dict(preferences, include_secrets=True)
    assert preferences_from_dict(json.loads(json.dumps(written))) == preferences


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_STRANGE_KEYS = st.dictionaries(st.text(max_size=8).map(lambda key: f"x{key}"), _JSON, max_size=3)


@run_with(deadline=None)
@given(top=_STRANGE_KEYS, server=_STRANGE_KEYS, settings=_STRANGE_KEYS, port=st.integers(1, 65_535))
def test_what_is_not_known_here_is_written_back_untouched(
    top: dict[str, object], server: dict[str, object], settings: dict[str, object], port: int
) -> None:
    """A newer product's settings survive an older product's save."""
    written = preferences_to_dict(FIRST)
    whole = {**written, **top, "mail_server": group(written, "mail_server") | server}
    whole["settings"] = group(written, "settings") | settings
    before = copy.deepcopy(whole)
    loaded = preferences_from_dict(whole)
    assert loaded == FIRST
    assert preferences_to_dict(loaded) == before
    changed = preferences_to_dict(attrs.evolve(loaded, mail_server=MailServer(port=port)))
    assert group(changed, "mail_server") == group(
        preferences_to_dict(EmailPreferences()), "mail_server"
    ) | server | {"port": port}
    assert {**changed, "mail_server": None} == {**before, "mail_server": None}
    assert whole == before


def test_what_is_known_is_written_from_the_value() -> None:
    """Also where a host put a key of the same name among the unknown ones."""
    unknown: dict[str, dict[str, object]] = {
        "": {"schema": 9, "theme": "dark"},
        "mail_server": {"port": 99},
        "settings": {"x": 1},
    }
    written = preferences_to_dict(EmailPreferences(unknown=unknown))
    assert (written["schema"], written["theme"]) == (SCHEMA, "dark")
    assert group(written, "mail_server")["port"] == 25
    assert group(written, "settings")["x"] == 1


def test_unknown_contexts_and_roles_are_kept() -> None:
    """The list of contexts is the product's and grows."""
    contexts = {"excursion": {"driver": "bcc", "guardian": "none"}, "client": {"mentor": "cc"}}
    assert preferences_to_dict(preferences_from_dict(document(contexts=contexts)))["contexts"] == contexts


def test_what_is_kept_belongs_to_nobody_else() -> None:
    """Changing the data afterwards, or the written dict, changes no preferences."""
    data = document(theme={"colours": ["red"]})
    loaded = preferences_from_dict(data)
    data["theme"]["colours"].append("blue")  # type: ignore[index]
    written = preferences_to_dict(loaded)
    written["theme"]["colours"].append("green")  # type: ignore[index]
    assert preferences_to_dict(loaded)["theme"] == {"colours": ["red"]}


WRONG: list[tuple[str, str, object, str]] = [
    ("", "use_built_in_client", 1, "Expected yes or no (true or false), found the number 1."),
    ("", "use_built_in_client", "true", 'found the text "true"'),
    ("", "use_built_in_client", None, "found nothing (null)"),
    ("", "mail_server", None, "Expected a group of settings, found nothing (null)."),
    ("", "mail_server", [], "found a list"),
    ("", "settings", "x", 'found the text "x"'),
    ("", "contexts", [], "Expected rules for contexts, found a list."),
    ("", "contexts", None, "found nothing (null)"),
    ("mail_server", "host", 5, "Expected a text, found the number 5."),
    ("mail_server", "host", None, "found nothing (null)"),
    ("mail_server", "port", True, "Expected a whole number from 1 to 65535, found true (a yes or no)."),
    ("mail_server", "port", "587", 'found the text "587"'),
    ("mail_server", "port", 587.0, "found the number 587.0"),
    ("mail_server", "port", 0, "found the number 0"),
    (
        "mail_server",
        "tls",
        "starttls",
        'Expected one of "none", "explicit", "implicit", found the text "starttls".',
    ),
    ("mail_server", "tls", "Explicit", 'found the text "Explicit"'),
    ("mail_server", "tls", None, "found nothing (null)"),
    (
        "mail_server",
        "authentication",
        ["password"],
        'Expected one of "none", "password", "oauth2", found a list.',
    ),
    ("mail_server", "use_staff_logins", 0, "Expected yes or no"),
    ("mail_server", "username", {}, "Expected a text, found a group of settings."),
    ("mail_server", "wait_between_emails_ms", -1, "from 0 to 86400000, found the number -1."),
    ("settings", "default_from", "x y", 'Expected one e-mail address, found the text "x y"'),
    (
        "settings",
        "default_from",
        {"address": "a@x.com"},
        "Expected an e-mail address, found a group of settings.",
    ),
    ("settings", "default_reply_to", False, "Expected an e-mail address, found false (a yes or no)."),
    ("settings", "bulk_copies", "all", 'Expected one of "first_recipient", "every_recipient"'),
    ("settings", "address_separator", "", 'Expected ";" or ","'),
    ("settings", "staff_display_name", "own", 'Expected one of "staff_name", "custom"'),
    ("settings", "custom_display_name", "", "Expected a name"),
    ("settings", "custom_display_name", 5, "Expected a text, found the number 5."),
    ("contexts", "client", "cc", 'Expected rules for roles, found the text "cc".'),
    (
        "contexts",
        "client",
        {"guardian": "copy"},
        'Expected one of "to", "cc", "bcc", "none", found the text "copy".',
    ),
    ("contexts", "client", {"guardian": True}, "found true (a yes or no)"),
    ("contexts", "account", {"guardian": "cc"}, '"Account and Password" mail carries passwords'),
    ("contexts", "account", {"guardian": "bcc"}, "goes to one person only"),
]


@pytest.mark.parametrize(("group", "key", "value", "message"), WRONG)
def test_a_value_of_another_kind_is_refused_with_its_path(
    group: str, key: str, value: object, message: str
) -> None:
    """However close it is: what was expected and what came stand in the sentence."""
    data = document()
    place = data[group] if group else data
    assert isinstance(place, dict)
    place[key] = value
    path = f"{group}.{key}" if group else key
    if group == "contexts" and isinstance(value, dict):
        path = f"{path}.guardian"
    found = problems_of(data)
    assert list(found) == [path]
    assert message in found[path]


def test_all_problems_of_a_document_come_at_once() -> None:
    """Each once, in the order of the screen, in one error whose text holds them all."""
    data = {
        "schema": 0,
        "use_built_in_client": "on",
        "mail_server": {"host": 5, "port": True, "tls": "ssl", "password": "hunter2"},
        "settings": {"default_from": "nobody", "staff_display_name": "custom", "custom_display_name": 7},
        "contexts": {"x": 5, "client": {"guardian": "copy", "mentor": "all"}, "y": 5},
    }
    with pytest.raises(PreferencesError, match="settings are not valid") as caught:
        preferences_from_dict(data)
    settings = [problem.setting for problem in caught.value.problems]
    assert settings == [
        "schema",
        "use_built_in_client",
        "mail_server.host",
        "mail_server.port",
        "mail_server.tls",
        "mail_server.password",
        "settings.default_from",
        "settings.custom_display_name",
        "contexts.client.guardian",
        "contexts.client.mentor",
        "contexts.x",
        "contexts.y",
    ]
    assert all(setting in str(caught.value) for setting in settings)


@pytest.mark.parametrize("schema", [None, True, 0, -1, "1", 1.0, [1]])
def test_a_document_without_a_schema_number_is_not_taken_for_preferences(schema: object) -> None:
    """A list of people loaded by mistake must not pass as preferences in which everything is default."""
    assert "Expected 1, the number of the shape, found" in problems_of(document(schema=schema))["schema"]
    assert list(problems_of({"people": []})) == ["schema"]


def test_a_newer_schema_is_refused_clearly_and_alone() -> None:
    """In a newer shape the same names may mean something else, so nothing else is judged."""
    found = problems_of(document(schema=2, mail_server=5))
    assert list(found) == ["schema"]
    assert "A newer version wrote these preferences: their shape is the number 2" in found["schema"]


@pytest.mark.parametrize("data", [[], None, "x", 5])
def test_what_is_no_document_at_all_is_an_error(data: Mapping[str, object]) -> None:
    """JSON can hold a list where the preferences should be."""
    assert "Expected e-mail preferences" in problems_of(data)["preferences"]


@pytest.mark.parametrize(
    ("secret", "written"),
    [
        (None, None),
        (EnvironmentSecret("NAME"), {"environment": "NAME"}),
        (KeyringSecret("vetmail", "u"), {"keyring": {"service": "vetmail", "username": "u"}}),
    ],
)
def test_the_place_of_a_secret_is_written_without_asking(secret: Secret | None, written: object) -> None:
    """A place is no secret."""
    preferences = EmailPreferences(mail_server=MailServer(password=secret))
    data = preferences_to_dict(preferences)
    assert data["mail_server"]["password"] == written  # type: ignore[index]
    assert preferences_from_dict(data) == preferences


def test_a_plain_password_is_written_only_when_asked_for() -> None:
    """Not asked for it is an error, neither a leak nor a loss."""
    preferences = EmailPreferences(mail_server=MailServer(password=PlainSecret("hunter2")))
    with pytest.raises(PreferencesError, match="include_secrets=True") as caught:
        preferences_to_dict(preferences)
    assert [problem.setting for problem in caught.value.problems] == ["mail_server.password"]
    assert "hunter2" not in str(caught.value)
    data = preferences_to_dict(preferences, include_secrets=True)
    assert data["mail_server"]["password"] == {"plain": "hunter2"}  # type: ignore[index]
    assert preferences_from_dict(data) == preferences


@attrs.frozen
class Vault:
    """A host's own secret."""

    def reveal(self) -> str:
        """The secret."""
        return "hunter2"


@pytest.mark.parametrize("include_secrets", [True, False])
def test_a_hosts_own_kind_of_secret_has_no_written_form(*, include_secrets: bool) -> None:
    """It is used as it is, and saving it is an error rather than a loss."""
    preferences = EmailPreferences(mail_server=MailServer(password=Vault()))
    with pytest.raises(PreferencesError, match="of the kind Vault has no written form"):
        preferences_to_dict(preferences, include_secrets=include_secrets)


@pytest.mark.parametrize(
    "written",
    [
        "hunter2",
        ["hunter2"],
        7,
        {},
        {"hunter2": "x"},
        {"plain": ["hunter2"]},
        {"plain": "hunter2\n"},
        {"plain": "hunter2", "environment": "NAME"},
        {"plain": ""},
        {"environment": "hunter2\n"},
        {"environment": 5},
        {"keyring": "hunter2"},
        {"keyring": 5},
        {"keyring": ["service", "username"]},
        {"keyring": {"service": "vetmail"}},
        {"keyring": {"service": "vetmail", "username": "u", "password": "hunter2"}},
        {"keyring": {"service": "vetmail", "username": 5}},
        {"keyring": {"service": "", "username": "u"}},
    ],
)
def test_a_password_in_a_wrong_shape_is_refused_and_never_shown(written: object) -> None:
    """The likeliest slip is the password itself, in the place of its place."""
    data = document(mail_server={"password": written})
    found = problems_of(data)
    assert list(found) == ["mail_server.password"]
    assert "hunter2" not in found["mail_server.password"]


def test_a_traceback_with_local_variables_shows_no_password() -> None:
    """Error reporters print the variables of each frame of ours; the caller's own are the caller's."""

    def call() -> None:
        preferences_from_dict(document(mail_server={"port": 0, "password": {"plain": "2retnuh"[::-1]}}))

    with pytest.raises(PreferencesError) as caught:
        call()
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "mail_server.port" in shown
    assert "hunter2" not in shown

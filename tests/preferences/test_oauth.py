"""Where access tokens come from, in the preferences: written, read, checked and shown on a screen."""

from __future__ import annotations

import json
import os
import stat
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetmail_core.credentials import EnvironmentSecret, KeyringSecret, PlainSecret
from vetmail_core.errors import PreferencesError
from vetmail_core.people import Staff
from vetmail_core.preferences import (
    AuthenticationType,
    EmailPreferences,
    MailServer,
    Settings,
    TlsMethod,
    check_preferences,
    form_values,
    load_preferences,
    preferences_from_dict,
    preferences_from_form,
    preferences_to_dict,
    save_preferences,
)
from vetmail_core.tokens import FileTokens, GoogleServiceAccount, KeyringTokens, MicrosoftApp, MicrosoftSignIn

if TYPE_CHECKING:
    from collections.abc import Mapping

TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
OAUTH = "mail_server.oauth"
SECRETS = st.sampled_from(
    [EnvironmentSecret("VETMAIL_APP"), KeyringSecret("vetmail", "app"), PlainSecret("Abc~not-to-be-shown")]
)
TENANTS = st.sampled_from([TENANT, "college.example.com"])
MAILBOXES = st.sampled_from(["", "office@example.com"])
AUTHORITIES = st.sampled_from(["https://login.microsoftonline.com", "https://login.example.com:8443/x"])
SOURCES = (
    st.builds(
        MicrosoftApp, tenant=TENANTS, client_id=st.just(CLIENT), secret=st.none() | SECRETS,
        certificate=st.sampled_from([None, Path("keys/app.pem"), Path("C:\\keys\\app.pfx")]), authority=AUTHORITIES,
    )
    | st.builds(
        MicrosoftSignIn, tenant=TENANTS | st.just("organizations"), client_id=st.just(CLIENT), mailbox=MAILBOXES,
        cache=st.sampled_from([FileTokens(), FileTokens(Path("sign-ins.json")), KeyringTokens("vetmail")]),
        authority=AUTHORITIES,
    )
    | st.builds(GoogleServiceAccount, st.just(Path("key.json")) | SECRETS, mailbox=MAILBOXES)
)  # fmt: skip


def data(oauth: object) -> dict[str, object]:
    """Preferences as a file has them."""
    return {"schema": 1, "mail_server": {"oauth": oauth}}


def app(**changes: object) -> dict[str, object]:
    """An application's settings as a file has them."""
    return {"tenant": TENANT, "client_id": CLIENT, "secret": {"environment": "VETMAIL_APP"}, **changes}


@given(SOURCES)
def test_every_source_is_read_as_it_was_written(source: MicrosoftApp) -> None:
    """Through JSON, and no default is written; the file is private where it holds a secret."""
    preferences = EmailPreferences(mail_server=MailServer(oauth=source))
    written = preferences_to_dict(preferences, include_secrets=True)
    assert preferences_from_dict(json.loads(json.dumps(written))) == preferences
    (group,) = written["mail_server"]["oauth"].values()  # type: ignore[index]
    assert "https://login.microsoftonline.com" not in group.values()
    assert not {None, ""} & {value for value in group.values() if not isinstance(value, dict)}
    assert "not-to-be-shown" not in repr(preferences)


def test_without_a_source_nothing_is_written() -> None:
    """A file of an older version stays as it is."""
    assert "oauth" not in preferences_to_dict(EmailPreferences())["mail_server"]  # type: ignore[operator]
    assert preferences_from_dict(data(None)).mail_server.oauth is None


def test_keys_that_are_not_known_are_kept_with_their_source() -> None:
    """And go when another kind takes its place."""
    held = data({"microsoft_app": app(later=[1, {"x": None}])})
    preferences = preferences_from_dict(held)
    assert preferences_to_dict(preferences)["mail_server"]["oauth"] == held["mail_server"]["oauth"]  # type: ignore[index]
    other = attrs.evolve(preferences, mail_server=MailServer(oauth=GoogleServiceAccount(Path("key.json"))))
    assert preferences_to_dict(other)["mail_server"]["oauth"] == {  # type: ignore[index]
        "google_service_account": {"key": {"file": "key.json"}}
    }


@pytest.mark.parametrize("secret", ["client", "key"])
def test_a_plain_secret_is_written_when_asked_for_and_then_privately(tmp_path: Path, secret: str) -> None:
    """Its path is named when it is not asked for."""
    plain = PlainSecret("Abc~not-to-be-shown")
    source: MicrosoftApp | GoogleServiceAccount = GoogleServiceAccount(plain)
    setting = f"{OAUTH}.google_service_account.key"
    if secret == "client":
        source, setting = (
            MicrosoftApp(tenant=TENANT, client_id=CLIENT, secret=plain),
            f"{OAUTH}.microsoft_app.secret",
        )
    preferences = EmailPreferences(mail_server=MailServer(oauth=source))
    with pytest.raises(PreferencesError) as caught:
        preferences_to_dict(preferences)
    assert [problem.setting for problem in caught.value.problems] == [setting]
    file = tmp_path / "preferences.json"
    save_preferences(preferences, file, include_secrets=True)
    assert load_preferences(file) == preferences
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_has_no_written_form_is_named() -> None:
    """A host's own source, cache or secret."""

    class Own:
        def __call__(self) -> str:
            return "token"

        def reveal(self) -> str:
            return "secret"

    class OwnCache(FileTokens):
        pass

    for source, setting in (
        (Own(), OAUTH),
        (MicrosoftApp(tenant=TENANT, client_id=CLIENT, secret=Own()), f"{OAUTH}.microsoft_app.secret"),
    ):
        preferences = EmailPreferences(mail_server=MailServer(oauth=source))
        assert "Own" in repr(preferences)
        with pytest.raises(PreferencesError) as caught:
            preferences_to_dict(preferences)
        assert [problem.setting for problem in caught.value.problems] == [setting]

    class Database:
        def read(self, entry: str) -> None:
            del entry

        def write(self, entry: str, text: str | None) -> None:
            del entry, text

        def hold(self, entry: str) -> None:
            del entry

    cache = Database()
    source = MicrosoftSignIn(tenant=TENANT, client_id=CLIENT, cache=cache)  # type: ignore[arg-type]
    with pytest.raises(PreferencesError, match="place for sign-ins of the kind Database has no written form"):
        preferences_to_dict(EmailPreferences(mail_server=MailServer(oauth=source)))
    del OwnCache


BAD: list[tuple[object, list[str]]] = [
    ({"microsoft_app": {}, "microsoft_sign_in": {}}, [""]),
    ({"microsoft": {"tenant": TENANT}}, [""]),
    ({"google_sign_in": {}}, [""]),
    ({}, [""]),
    ([], [""]),
    (True, [""]),
    ("microsoft_app", [""]),
    ({"microsoft_app": None}, [""]),
    ({"microsoft_app": {}}, [".microsoft_app.tenant", ".microsoft_app.client_id"]),
    ({"microsoft_app": app(tenant="")}, [".microsoft_app.tenant"]),
    ({"microsoft_app": app(tenant=" x")}, [".microsoft_app.tenant"]),
    ({"microsoft_app": app(tenant="a/b")}, [".microsoft_app.tenant"]),
    ({"microsoft_app": app(tenant="common")}, [".microsoft_app.tenant"]),
    (
        {"microsoft_app": app(tenant=5, client_id="my app")},
        [".microsoft_app.tenant", ".microsoft_app.client_id"],
    ),
    ({"microsoft_app": app(secret="Abc~not-to-be-shown")}, [".microsoft_app.secret"]),
    ({"microsoft_app": app(secret={"secret": "Abc~not-to-be-shown"})}, [".microsoft_app.secret"]),
    ({"microsoft_app": app(authority="http://login.example.com")}, [".microsoft_app.authority"]),
    (
        {"microsoft_app": app(authority="https://u:not-to-be-shown@login.example.com")},
        [".microsoft_app.authority"],
    ),
    ({"microsoft_app": app(authority="https://login.example.com/?a=b")}, [".microsoft_app.authority"]),
    ({"microsoft_app": app(authority="https://login.example.com/#a")}, [".microsoft_app.authority"]),
    ({"microsoft_app": app(authority="https://login.example.com:x")}, [".microsoft_app.authority"]),
    ({"microsoft_app": app(authority="https://")}, [".microsoft_app.authority"]),
    ({"microsoft_app": app(authority=5)}, [".microsoft_app.authority"]),
    ({"microsoft_app": app(certificate=5)}, [".microsoft_app.certificate"]),
    ({"microsoft_app": app(certificate="")}, [".microsoft_app.certificate"]),
    ({"google_service_account": {}}, [".google_service_account.key"]),
    ({"google_service_account": {"key": {"file": "a", "environment": "B"}}}, [".google_service_account.key"]),
    ({"google_service_account": {"key": {"file": ""}}}, [".google_service_account.key"]),
    ({"google_service_account": {"key": "not-to-be-shown"}}, [".google_service_account.key"]),
    (
        {"google_service_account": {"key": {"file": "a"}, "mailbox": "office"}},
        [".google_service_account.mailbox"],
    ),
    ({"google_service_account": {"key": {"file": "a"}, "mailbox": 5}}, [".google_service_account.mailbox"]),
    (
        {"microsoft_sign_in": {"tenant": TENANT, "client_id": CLIENT, "cache": "a"}},
        [".microsoft_sign_in.cache"],
    ),
    (
        {"microsoft_sign_in": {"tenant": TENANT, "client_id": CLIENT, "cache": {"keyring": {"service": 5}}}},
        [".microsoft_sign_in.cache"],
    ),
    (
        {"microsoft_sign_in": {"tenant": TENANT, "client_id": CLIENT, "cache": {"keyring": {}}}},
        [".microsoft_sign_in.cache"],
    ),
]


@pytest.mark.parametrize(("oauth", "settings"), BAD)
def test_each_mistake_in_a_file_has_its_path_and_shows_no_secret(oauth: object, settings: list[str]) -> None:
    """All at once; not even a traceback with local variables shows what may be one."""
    held = [data(oauth)]
    with pytest.raises(PreferencesError) as caught:
        preferences_from_dict(held.pop())
    assert [problem.setting for problem in caught.value.problems] == [f"{OAUTH}{end}" for end in settings]
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [
        frame
        for frame in frames.stack
        if "vetmail_core" in frame.filename and "/tests/" not in frame.filename
    ]
    assert "not-to-be-shown" not in str(caught.value)
    assert "not-to-be-shown" not in str([frame.locals for frame in ours])


def test_a_value_of_another_type_is_refused_where_it_is_made() -> None:
    """With its setting, and without its text."""
    for make, setting in (
        (lambda: MailServer(oauth="not-to-be-shown"), OAUTH),  # type: ignore[arg-type]
        (
            lambda: MicrosoftApp(tenant=TENANT, client_id=CLIENT, secret="not-to-be-shown"),
            f"{OAUTH}.microsoft_app.secret",
        ),  # type: ignore[arg-type]  # noqa: E501
        (lambda: GoogleServiceAccount("not-to-be-shown"), f"{OAUTH}.google_service_account.key"),  # type: ignore[arg-type]
        (
            lambda: MicrosoftSignIn(tenant=TENANT, client_id=CLIENT, cache=5),
            f"{OAUTH}.microsoft_sign_in.cache",
        ),  # type: ignore[arg-type]
    ):
        with pytest.raises(PreferencesError) as caught:
            make()
        assert [problem.setting for problem in caught.value.problems] == [setting]
        assert "not-to-be-shown" not in str(caught.value)
        assert caught.value.__context__ is None


# -- checks --------------------------------------------------------------------------------------------

SOUND = EmailPreferences(
    use_built_in_client=True,
    mail_server=MailServer(
        host="smtp.office365.com", port=587, tls=TlsMethod.EXPLICIT, authentication=AuthenticationType.OAUTH2,
        username="office@example.com", wait_between_emails_ms=2000,
        oauth=MicrosoftApp(tenant=TENANT, client_id=CLIENT, secret=EnvironmentSecret("VETMAIL_APP")),
    ),
    settings=Settings(default_from="office@example.com"),
)  # fmt: skip
KEY = GoogleServiceAccount(Path("key.json"))
PERSON = MicrosoftSignIn(tenant=TENANT, client_id=CLIENT)
KIM = Staff("Kim Lee", "kim@example.com")


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"oauth": None}, [("ERROR", OAUTH)]),
        ({"oauth": lambda: "token"}, []),
        (
            {"oauth": MicrosoftApp(tenant=TENANT, client_id=CLIENT)},
            [("ERROR", f"{OAUTH}.microsoft_app.secret")],
        ),
        (
            {"oauth": MicrosoftApp(tenant=TENANT, client_id=TENANT, certificate="a.pem")},
            [("WARNING", f"{OAUTH}.microsoft_app.client_id")],
        ),
        ({"oauth": KEY}, [("ERROR", OAUTH)]),
        ({"oauth": KEY, "host": "smtp.gmail.com"}, []),
        ({"host": "smtp.gmail.com"}, [("ERROR", OAUTH)]),
        ({"oauth": KEY, "host": "smtp.example.com"}, []),
        ({"username": ""}, [("ERROR", "mail_server.username")]),
        ({"username": "", "oauth": attrs.evolve(PERSON, mailbox="office@example.com")}, []),
        (
            {"oauth": attrs.evolve(PERSON, mailbox="boss@example.com")},
            [("WARNING", f"{OAUTH}.microsoft_sign_in.mailbox")],
        ),
        ({"oauth": attrs.evolve(PERSON, mailbox="Office@example.com")}, []),
        ({"password": EnvironmentSecret("OLD")}, [("HINT", "mail_server.password")]),
        (
            {"authentication": AuthenticationType.PASSWORD, "password": EnvironmentSecret("OLD")},
            [("WARNING", "mail_server.authentication"), ("HINT", OAUTH)],
        ),
    ],
)
def test_what_does_not_fit_is_found_before_anything_is_sent(
    changes: Mapping[str, object], found: list[tuple[str, str]]
) -> None:
    """Nothing is read, revealed or asked."""
    tab = attrs.evolve(SOUND.mail_server, **changes)  # type: ignore[arg-type]
    problems = check_preferences(attrs.evolve(SOUND, mail_server=tab))
    assert [(problem.severity.name, problem.setting) for problem in problems] == found


def test_staff_who_send_by_token_need_no_login_of_their_own() -> None:
    """But the token must not be somebody else's."""
    staff = attrs.evolve(
        SOUND, settings=Settings(),
        mail_server=attrs.evolve(SOUND.mail_server, use_staff_logins=True, username="", oauth=PERSON),
    )  # fmt: skip
    found = check_preferences(staff, staff=KIM)
    assert [(problem.severity.name, problem.setting) for problem in found] == [
        ("HINT", "mail_server.username")
    ]
    fixed = attrs.evolve(
        staff,
        mail_server=attrs.evolve(staff.mail_server, oauth=attrs.evolve(PERSON, mailbox="a@example.com")),
    )
    found = check_preferences(fixed, staff=KIM)
    assert ("ERROR", f"{OAUTH}.microsoft_sign_in.mailbox") in [
        (problem.severity.name, problem.setting) for problem in found
    ]


# -- a screen ------------------------------------------------------------------------------------------


def posted(preferences: EmailPreferences, **changes: str) -> EmailPreferences:
    """The form as it was shown, with some controls changed."""
    names = {f"{OAUTH}{name}": text for name, text in changes.items()}
    return preferences_from_form({**form_values(preferences), **names}, current=preferences)


@given(SOURCES)
def test_a_screen_that_comes_back_as_it_went_changes_no_source(source: MicrosoftApp) -> None:
    """Secrets are not shown, and kept."""
    preferences = EmailPreferences(mail_server=MailServer(oauth=source))
    values = form_values(preferences)
    assert "not-to-be-shown" not in str(values)
    assert preferences_from_form(values, current=preferences) == preferences


def test_a_source_is_chosen_filled_in_changed_and_taken_away() -> None:
    """The fields of the other kinds do not count."""
    form = {
        "": "microsoft_app", ".microsoft_app.tenant": " college.example.com ", ".microsoft_app.client_id": CLIENT,
        ".microsoft_app.secret": "Abc~secret", ".google_service_account.mailbox": "not an address",
    }  # fmt: skip
    made = posted(EmailPreferences(), **form)
    assert made.mail_server.oauth == MicrosoftApp(
        tenant="college.example.com", client_id=CLIENT, secret=PlainSecret("Abc~secret")
    )
    changed = posted(made, **{".microsoft_app.certificate": "app.pem", ".microsoft_app.secret.remove": "on"})
    assert changed.mail_server.oauth == MicrosoftApp(
        tenant="college.example.com", client_id=CLIENT, certificate="app.pem"
    )
    signed = posted(
        changed,
        **{
            "": "microsoft_sign_in", ".microsoft_sign_in.tenant": TENANT, ".microsoft_sign_in.client_id": CLIENT,
            ".microsoft_sign_in.cache": "keyring:vetmail", ".microsoft_sign_in.authority": "",
        },
    )  # fmt: skip
    assert signed.mail_server.oauth == attrs.evolve(PERSON, cache=KeyringTokens("vetmail"))
    in_file = posted(signed, **{".microsoft_sign_in.cache": "a.json"})
    assert in_file.mail_server.oauth == attrs.evolve(PERSON, cache=FileTokens(Path("a.json")))
    account = {"": "google_service_account", ".google_service_account.key": " key.json "}
    assert posted(signed, **account).mail_server.oauth == KEY
    account[".google_service_account.key"] = '{"type": "service_account"}'
    assert posted(signed, **account).mail_server.oauth == GoogleServiceAccount(
        PlainSecret('{"type": "service_account"}')
    )
    assert posted(signed, **{"": ""}).mail_server.oauth is None


def test_each_mistake_on_a_screen_is_named_by_its_control() -> None:
    """All at once."""
    with pytest.raises(PreferencesError) as caught:
        posted(EmailPreferences(), **{"": "microsoft_app", ".microsoft_app.tenant": "a/b"})
    assert [problem.setting for problem in caught.value.problems] == [
        f"{OAUTH}.microsoft_app.tenant",
        f"{OAUTH}.microsoft_app.client_id",
    ]


def test_only_the_fields_of_the_chosen_source_apply() -> None:
    """A screen greys out the others."""
    applies = SOUND.applicable_settings()
    assert {name for name in applies if name.startswith(OAUTH)} == {
        OAUTH, *(f"{OAUTH}.microsoft_app.{name}" for name in "tenant client_id secret certificate authority".split())
    }  # fmt: skip
    off = attrs.evolve(
        SOUND, mail_server=attrs.evolve(SOUND.mail_server, authentication=AuthenticationType.NONE)
    )
    assert not [name for name in off.applicable_settings() if name.startswith(OAUTH)]

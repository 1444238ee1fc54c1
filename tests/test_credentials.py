"""Secrets: where they live, and the many ways in which they do not come out."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import logging
import pickle
import pprint
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import keyring
import keyring.backends.fail
import pytest
from keyrings.alt.file import PlaintextKeyring

from vetmail_core.credentials import EnvironmentSecret, KeyringSecret, Login, PlainSecret, Secret
from vetmail_core.errors import PreferencesError
from vetmail_core.preferences import MailServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


WORD = "correct horse"
PLAIN = PlainSecret(WORD)


@pytest.fixture
def password_store(tmp_path: Path) -> Iterator[PlaintextKeyring]:
    """A real password store: keyrings.alt's, in a file of this test."""
    before = keyring.get_keyring()
    store = PlaintextKeyring()
    store.file_path = str(tmp_path / "keyring.cfg")
    keyring.set_keyring(store)
    yield store
    keyring.set_keyring(before)


@pytest.mark.parametrize("secret", [PLAIN, EnvironmentSecret("X"), KeyringSecret("s", "u")])
def test_each_kind_is_a_secret(secret: object) -> None:
    """Whatever takes a secret takes each of them."""
    assert isinstance(secret, Secret)


def test_a_plain_secret_reveals_its_text_when_asked() -> None:
    """The one door out."""
    assert PLAIN.reveal() == WORD


WAYS_TO_SHOW: dict[str, Callable[[object], str]] = {
    "repr": repr,
    "str": str,
    "format": lambda secret: f"{secret} {secret!r} {secret!s} {secret!a}",
    "percent": lambda secret: "%s %r" % (secret, secret),  # noqa: UP031 - one of the ways
    "pprint": pprint.pformat,
    "json": lambda secret: json.dumps([secret], default=str),
    "asdict": lambda secret: repr(attrs.asdict(Login("u", secret)) if isinstance(secret, Secret) else ""),
    "dir": lambda secret: repr([dir(secret), getattr(secret, "__dict__", {})]),
}


@pytest.mark.parametrize("way", WAYS_TO_SHOW)
def test_no_way_of_printing_shows_the_text(way: str) -> None:
    """A secret in a log line or on a screen stays a row of asterisks."""
    assert WORD not in WAYS_TO_SHOW[way](PLAIN)
    assert WORD not in WAYS_TO_SHOW[way](Login("u", PLAIN))


def test_a_log_line_shows_asterisks(caplog: pytest.LogCaptureFixture) -> None:
    """Logging formats late and by itself; it gets nothing."""
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("host").debug("login %s with %r", Login("u", PLAIN), PLAIN)
    assert "********" in caplog.text
    assert WORD not in caplog.text


def test_a_format_width_applies_to_the_mask() -> None:
    """Padding works and shows nothing."""
    assert f"{PLAIN:>10}" == "  ********"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_plain_secret_is_not_pickled(protocol: int) -> None:
    """A pickle in a queue would show it to whoever reads the queue."""
    with pytest.raises(TypeError, match="EnvironmentSecret or KeyringSecret") as caught:
        pickle.dumps(Login("u", PLAIN), protocol)
    assert WORD not in str(caught.value)
    with pytest.raises(TypeError):
        PLAIN.__getstate__()


@pytest.mark.parametrize("secret", [EnvironmentSecret("X"), KeyringSecret("s", "u")])
def test_a_secret_that_is_only_a_place_can_be_pickled(secret: object) -> None:
    """A worker process finds the password where it lives."""
    assert pickle.loads(pickle.dumps(secret)) == secret  # noqa: S301 - our own bytes


def test_a_copy_of_a_plain_secret_is_itself() -> None:
    """Copying preferences works, and makes no second place where the text stands."""
    assert copy.copy(PLAIN) is PLAIN
    assert copy.deepcopy(Login("u", PLAIN)).secret is PLAIN


def test_plain_secrets_are_equal_when_their_texts_are() -> None:
    """So loaded preferences equal saved ones."""
    assert PlainSecret("a") == PlainSecret("a")
    assert hash(PlainSecret("a")) == hash(PlainSecret("a"))
    assert PlainSecret("a") != PlainSecret("b")
    assert PlainSecret("pässwort") != PlainSecret("passwort")
    assert PlainSecret("a") != "a"


def test_a_plain_secret_cannot_be_changed() -> None:
    """A value stays what it was made as."""
    with pytest.raises(AttributeError, match="never changed"):
        PLAIN._text = "x"
    with pytest.raises(AttributeError, match="never changed"):
        del PLAIN._text
    assert PLAIN.reveal() == WORD


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is empty"),
        ("hunter2\n", r"control character \(U\+000A\)"),
        ("\x00hunter2", r"control character \(U\+0000\)"),
        ("hunter2\u2028", r"control character \(U\+2028\)"),
        ("hunter2\ud800", r"control character \(U\+D800\)"),
        (b"hunter2", "of type bytes"),
        (None, "of type NoneType"),
    ],
)
def test_a_slip_of_copy_and_paste_is_named_and_not_shown(text: str, fault: str) -> None:
    """The sentence says what is wrong with the password, never what it is."""
    with pytest.raises(PreferencesError, match=fault) as caught:
        PlainSecret(text)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.problems[0].setting == "mail_server.password"
    assert caught.value.problems[0].advice


def test_a_traceback_with_local_variables_shows_no_password() -> None:
    """Error reporters print the variables of each frame; ours hold no secret by then."""
    try:
        PlainSecret("\n2retnuh"[::-1])
    except PreferencesError as error:
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    out = io.StringIO()
    shown.print(file=out)
    assert "PreferencesError" in out.getvalue()
    assert "hunter2" not in out.getvalue()


def test_an_environment_secret_is_read_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rotated password counts without a restart of whoever made the value."""
    secret = EnvironmentSecret("VETMAIL_TEST_PASSWORD")
    monkeypatch.setenv("VETMAIL_TEST_PASSWORD", "first")
    assert secret.reveal() == "first"
    monkeypatch.setenv("VETMAIL_TEST_PASSWORD", "second")
    assert secret.reveal() == "second"
    assert "second" not in repr(secret)


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The help desk reads which variable is missing, and what to do."""
    monkeypatch.delenv("VETMAIL_TEST_PASSWORD", raising=False)
    with pytest.raises(PreferencesError, match=r"VETMAIL_TEST_PASSWORD is not set\. Set it for the program"):
        EnvironmentSecret("VETMAIL_TEST_PASSWORD").reveal()


@pytest.mark.parametrize(("value", "fault"), [("", "is empty"), ("hunter2\r", "control character")])
def test_a_variable_with_an_unusable_value_is_named(
    value: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its value is not shown."""
    monkeypatch.setenv("VETMAIL_TEST_PASSWORD", value)
    with pytest.raises(PreferencesError, match=fault) as caught:
        EnvironmentSecret("VETMAIL_TEST_PASSWORD").reveal()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "A=B", "A\nB", 7])
def test_a_name_that_no_variable_can_have_is_refused(name: str) -> None:
    """Whoever pastes the password in place of the name hears it at once."""
    with pytest.raises(PreferencesError, match="name of an environment variable"):
        EnvironmentSecret(name)


def test_a_keyring_secret_comes_from_the_password_store(password_store: PlaintextKeyring) -> None:
    """What `keyring set` entered is what the server gets."""
    password_store.set_password("vetmail", "mail@example.com", WORD)
    secret = KeyringSecret("vetmail", "mail@example.com")
    assert secret.reveal() == WORD
    assert WORD not in repr(secret)


def test_a_missing_entry_says_how_to_make_it(password_store: PlaintextKeyring) -> None:
    """The command is in the sentence."""
    assert password_store.get_password("vetmail", "mail@example.com") is None
    with pytest.raises(PreferencesError, match=r'keyring set "vetmail" "mail@example\.com"'):
        KeyringSecret("vetmail", "mail@example.com").reveal()


def test_an_entry_with_an_unusable_value_is_named(password_store: PlaintextKeyring) -> None:
    """A pasted line end is found here too, and the value is not shown."""
    password_store.set_password("vetmail", "mail@example.com", "hunter2\n")
    with pytest.raises(PreferencesError, match=r'entry "vetmail" for mail@example.com .* control') as caught:
        KeyringSecret("vetmail", "mail@example.com").reveal()
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "hunter2" not in shown


def test_a_computer_without_a_password_store_says_so() -> None:
    """The own answer of keyring on a server without one, as an error of ours."""
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())  # type: ignore[no-untyped-call]
    try:
        with pytest.raises(PreferencesError, match=r"did not answer \(NoKeyringError") as caught:
            KeyringSecret("vetmail", "mail@example.com").reveal()
    finally:
        keyring.set_keyring(before)
    assert caught.value.__cause__ is not None


def test_a_broken_password_store_says_so(password_store: PlaintextKeyring) -> None:
    """Stores are plug-ins and fail in their own ways; this one with an error of its file's reader."""
    Path(password_store.file_path).write_text("hunter2", encoding="utf-8")
    with pytest.raises(PreferencesError, match=r"did not answer \(MissingSectionHeaderError\)") as caught:
        KeyringSecret("vetmail", "mail@example.com").reveal()
    assert "hunter2" not in str(caught.value)


def test_without_the_extra_the_sentence_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is only needed by those who use it."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(PreferencesError, match=r'pip install "vetmail_core\[keyring\]"'):
        KeyringSecret("vetmail", "mail@example.com").reveal()


@pytest.mark.parametrize(("service", "username"), [("", "u"), ("s", ""), ("s\n", "u"), ("s", 7)])
def test_an_entry_needs_a_service_and_a_user_name(service: str, username: str) -> None:
    """Half a place is no place."""
    with pytest.raises(PreferencesError, match="password store's entry"):
        KeyringSecret(service, username)


def test_a_login_pairs_a_user_name_with_a_secret() -> None:
    """By position, as everybody writes it."""
    login = Login("mail@example.com", PLAIN)
    assert login.username == "mail@example.com"
    assert login.secret.reveal() == WORD


@pytest.mark.parametrize("username", ["", "a\r\nb", None])
def test_a_login_needs_a_user_name(username: str) -> None:
    """A line break in it would reach the server as a command."""
    with pytest.raises(PreferencesError, match="user name of a login") as caught:
        Login(username, PLAIN)
    assert caught.value.problems[0].setting == "mail_server.username"


def test_a_login_refuses_a_bare_password() -> None:
    """It would be printed sooner or later; the sentence shows how to wrap it, and not the password."""
    bare: object = "hunter2"
    with pytest.raises(PreferencesError, match=r'is a bare str\. Wrap it.*PlainSecret\("\.\.\."\)') as caught:
        Login("mail@example.com", bare)  # type: ignore[arg-type]  # the slip under test
    assert "hunter2" not in str(caught.value)


def _login(bare: object) -> object:
    return Login("mail@example.com", bare)  # type: ignore[arg-type]  # the slip under test


def _server(bare: object) -> object:
    return MailServer(host="smtp.example.com", password=bare)  # type: ignore[arg-type]  # the slip under test


@pytest.mark.parametrize("bare", [WORD, WORD.encode(), [WORD]])
@pytest.mark.parametrize("make", [_login, _server])
def test_no_traceback_shows_a_bare_password(make: Callable[[object], object], bare: object) -> None:
    """Crash reporters print the local variables of each function; what was passed is gone by then."""
    with pytest.raises(PreferencesError) as caught:
        make(bare)
    assert type(bare).__name__ in str(caught.value)
    assert caught.value.__traceback__ is not None
    ours = caught.value.__traceback__.tb_next  # this test and its maker know the word
    assert ours is not None
    told = traceback.TracebackException(type(caught.value), caught.value, ours.tb_next, capture_locals=True)
    assert WORD not in "".join(told.format())


def test_a_login_without_a_secret_says_so() -> None:
    """None is no password either."""
    with pytest.raises(PreferencesError, match="is a bare NoneType"):
        Login("mail@example.com", None)  # type: ignore[arg-type]  # the slip under test


@dataclasses.dataclass(frozen=True)
class Vault:
    """A host's own secret, written without a thought of its repr."""

    text: str

    def reveal(self) -> str:
        """The secret."""
        return self.text


def test_a_secret_of_the_hosts_is_shown_by_its_kind_alone() -> None:
    """Login and preferences keep it out of sight, whatever its own repr says."""
    assert repr(Login("u", Vault(WORD))) == "Login(username='u', secret=<Vault>)"
    assert "password=<Vault>" in repr(MailServer(password=Vault(WORD)))
    assert "password=EnvironmentSecret(name='NAME')" in repr(MailServer(password=EnvironmentSecret("NAME")))
    assert "password=None" in repr(MailServer())

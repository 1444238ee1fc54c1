"""init, set and show: the whole preferences from a shell."""

from __future__ import annotations

import contextlib
import getpass
import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from vetmail_core import EnvironmentSecret, PlainSecret, load_preferences
from vetmail_core.preferences import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.cli.conftest import Said

BEFORE = {
    "schema": 1,
    "use_built_in_client": True,
    "mail_server": {"host": "mail.example.com", "port": 25, "tls": "none", "later": [1]},
    "settings": {"default_from": "Office <office@example.com>"},
    "contexts": {"client": {"employer": "cc"}},
    "of_a_later_version": True,
}


@pytest.fixture
def preferences(folder: Path) -> Path:
    """A preferences file with settings of a later version in it."""
    path = folder / "P.json"
    path.write_text(json.dumps(BEFORE), encoding="utf-8")
    return path


def _lines(text: str) -> list[str]:
    return text.splitlines()


def test_a_provider_fills_in_the_mail_server(vetmail: Callable[..., Said], folder: Path) -> None:
    """One word instead of five settings, and the file says so; what is still open is told."""
    said = vetmail(
        "init", "--preferences", "new.json", "--provider", "gmail", "settings.default_from=a@example.com"
    )
    assert said.status == 0, said.err
    server = json.loads((folder / "new.json").read_text(encoding="utf-8"))["mail_server"]
    assert (server["host"], server["port"], server["tls"]) == ("smtp.gmail.com", 587, "explicit")
    assert server["wait_between_emails_ms"] == PROVIDERS["gmail"].wait_between_emails_ms
    assert _lines(said.out)[0] == "written: new.json"
    assert "mail_server.username" in said.out
    assert _lines(said.out)[-1] == "next: vetmail set NAME=VALUE --preferences new.json"


def test_a_host_alone_switches_the_client_on(vetmail: Callable[..., Said], folder: Path) -> None:
    """Whoever names a server wants to send through it; what comes next is a test email."""
    words = ("mail_server.host=a.example.com", "mail_server.tls=none", "settings.default_from=a@example.com")
    said = vetmail("init", "--preferences", "new.json", *words)
    assert said.status == 0, said.err
    assert load_preferences(folder / "new.json").use_built_in_client
    assert "next: vetmail test --to ADDRESS --preferences new.json" in said.out
    vetmail("init", "--preferences", "off.json", "settings.address_separator=,")
    assert not load_preferences(folder / "off.json").use_built_in_client


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "nothing is named and there is no terminal to ask on"),
        (("--provider", "gmial"), "did you mean gmail?"),
        (("--provider", "sendmail-of-ours"), "leave it out for another server"),
        (("--provider", "amazon_ses"), "REGION"),
        (("--provider", "gmail", "mail_server.host=smtp.example.com"), "is not a server of Gmail"),
        (("mail_server.prot=25",), 'Did you mean "mail_server.port"?'),
    ],
)
def test_what_cannot_become_a_file_is_one_line_and_no_file(
    vetmail: Callable[..., Said], folder: Path, words: Sequence[str], sentence: str
) -> None:
    """Nothing is half made."""
    said = vetmail("init", "--preferences", "new.json", *words)
    assert said.status == 2
    assert len(_lines(said.err)) == 1
    assert sentence in said.err
    assert not (folder / "new.json").exists()


def test_a_file_that_is_there_is_replaced_by_choice_alone(
    vetmail: Callable[..., Said], preferences: Path
) -> None:
    """The preferences of a whole organisation are in it."""
    words = ("init", "--preferences", "P.json", "mail_server.host=b.example.com", "mail_server.port=2525")
    refused = vetmail(*words)
    assert (refused.status, json.loads(preferences.read_text(encoding="utf-8"))) == (2, BEFORE)
    assert "--overwrite" in refused.err
    assert vetmail(*words, "--overwrite").status == 0
    assert load_preferences(preferences).mail_server.port == 2525


def test_set_changes_what_is_named_and_keeps_the_rest(
    vetmail: Callable[..., Said], preferences: Path
) -> None:
    """Settings that only a later version knows, too."""
    said = vetmail("set", "--preferences", "P.json", "mail_server.port=587", "mail_server.tls=explicit")
    assert said.status == 0, said.err
    assert _lines(said.out) == ["mail_server.port: 25 -> 587", "mail_server.tls: none -> explicit"]
    written = json.loads(preferences.read_text(encoding="utf-8"))
    assert written["mail_server"]["later"] == [1]
    assert written["of_a_later_version"] is True
    before = preferences.read_bytes()
    assert vetmail("set", "--preferences", "P.json", "mail_server.port=587").out == "no change\n"
    assert preferences.read_bytes() == before


def test_an_empty_text_takes_a_rule_away(vetmail: Callable[..., Said], preferences: Path) -> None:
    """The default holds again, and the change is told even where it is the same."""
    said = vetmail("set", "--preferences", "P.json", "contexts.occurrence_class.class_staff=none")
    assert said.out == "contexts.occurrence_class.class_staff: cc -> none\n"
    assert json.loads(preferences.read_text(encoding="utf-8"))["contexts"]["occurrence_class"] == {
        "class_staff": "none"
    }
    vetmail("set", "--preferences", "P.json", "contexts.occurrence_class.class_staff=")
    gone = vetmail("set", "--preferences", "P.json", "contexts.client.employer=", "settings.default_from=")
    assert gone.status == 0, gone.err
    assert "settings.default_from: " in gone.out
    assert json.loads(preferences.read_text(encoding="utf-8"))["contexts"] == {}


def test_a_rule_that_is_the_default_is_taken_away_in_words(
    vetmail: Callable[..., Said], preferences: Path
) -> None:
    """Nothing changes now, and it would with a later default."""
    preferences.write_text(json.dumps({**BEFORE, "contexts": {"client": {"client": "to"}}}), encoding="utf-8")
    said = vetmail("set", "--preferences", "P.json", "contexts.client.client=")
    assert said.out == "contexts.client.client: the rule is taken away\n"


@pytest.mark.parametrize(
    ("words", "sentences"),
    [
        (("mail_server.prot=587",), ['"mail_server.port"']),
        (("prot=587",), ["prot: There is no such setting."]),
        (("mail_server.pasword.environment=X",), ['"mail_server.password.environment"']),
        (("port=1", "settings.address_separator=|"), ["port: ", "settings.address_separator: "]),
        (("mail_server.port=0", "settings.address_separator=|"), ["mail_server.port", "separator"]),
        (("mail_server.port",), ["mail_server.port=VALUE"]),
        (("mail_server.port=1", "mail_server.port=2"), ["named twice"]),
        (("revision=1",), ["revision"]),
        (("mail_server.password=secret1",), ["mail_server.password=-"]),
        (("mail_server.password.environment=a=b",), ["mail_server.password.environment"]),
        (("mail_server.password.keyring=vetmail",), ["SERVICE/USER"]),
        (("contexts.account.guardian=cc",), ["private"]),
    ],
)
def test_every_mistake_has_its_line_and_nothing_changes(
    vetmail: Callable[..., Said], preferences: Path, words: Sequence[str], sentences: Sequence[str]
) -> None:
    """One bad word among ten good ones leaves the file as it is, and a secret is not said again."""
    before = preferences.read_bytes()
    said = vetmail("set", "--preferences", "P.json", "mail_server.wait_between_emails_ms=2000", *words)
    assert (said.status, said.out) == (2, "")
    assert len(_lines(said.err)) == len(sentences)
    assert all(sentence in line for sentence, line in zip(sentences, _lines(said.err), strict=True))
    assert "secret1" not in said.err
    assert preferences.read_bytes() == before


@pytest.mark.parametrize("command", [("set", "mail_server.port=25"), ("show",)])
def test_without_a_file_the_way_to_one_is_told(
    vetmail: Callable[..., Said], folder: Path, command: Sequence[str]
) -> None:
    """And no lock is left beside what is not there."""
    before = sorted(folder.iterdir())
    said = vetmail(command[0], "--preferences", "none.json", *command[1:])
    assert said.status == 2
    assert "vetmail init" in said.err
    assert sorted(folder.iterdir()) == before


def test_a_secret_is_stored_moved_and_removed_and_never_shown(
    vetmail: Callable[..., Said], preferences: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Only where it is can be read, in text and in JSON."""

    def change(word: str, line: str = "") -> str:
        (tmp_path / "answers").write_text(line, encoding="utf-8")
        with (tmp_path / "answers").open(encoding="utf-8") as answers:
            monkeypatch.setattr(sys, "stdin", answers)
            said = vetmail("set", "--preferences", "P.json", word)
        return said.out + said.err

    password = "mail_server.password"
    assert change(f"{password}=-", "hush hush \n") == f"{password}: (empty) -> (stored)\n"
    kept = load_preferences(preferences).mail_server.password
    assert isinstance(kept, PlainSecret)
    assert kept.reveal() == "hush hush "
    assert change("mail_server.port=26") == "mail_server.port: 25 -> 26\n"
    assert load_preferences(preferences).mail_server.password == kept
    assert change(f"{password}=-", "other\n") == f"{password}: (stored) -> (another one, stored)\n"
    assert "No secret was entered" in change(f"{password}=-", "")
    shown = vetmail("show", "--preferences", "P.json", password)
    assert shown.out == "(stored)\n"
    written = vetmail("show", "--preferences", "P.json", "--json")
    assert json.loads(written.out)["mail_server"]["password"] is None
    assert "not shown" in written.err
    assert "other" not in written.out
    assert (
        change(f"{password}.environment=MAIL_PASSWORD")
        == f"{password}: (stored) -> (environment MAIL_PASSWORD)\n"
    )
    assert load_preferences(preferences).mail_server.password == EnvironmentSecret("MAIL_PASSWORD")
    assert change(f"{password}.keyring=vetmail/office@example.com").endswith(
        "(keyring vetmail/office@example.com)\n"
    )
    assert change(f"{password}=").endswith(" -> (empty)\n")
    assert load_preferences(preferences).mail_server.password is None


def test_the_secret_of_a_source_of_tokens_has_the_same_words(
    vetmail: Callable[..., Said], preferences: Path
) -> None:
    """It is named together with the source that it belongs to."""
    app = "mail_server.oauth.microsoft_app"
    words = (
        "mail_server.authentication=oauth2",
        "mail_server.oauth=microsoft_app",
        f"{app}.tenant=example.com",
    )
    said = vetmail(
        "set",
        "--preferences",
        "P.json",
        *words,
        f"{app}.client_id=1234",
        f"{app}.secret.environment=APP_SECRET",
    )
    assert said.status == 0, said.err
    assert f"{app}.secret: (empty) -> (environment APP_SECRET)" in said.out
    assert vetmail("show", "--preferences", "P.json", f"{app}.secret").out == "(environment APP_SECRET)\n"
    written = json.loads(preferences.read_text(encoding="utf-8"))
    assert written["mail_server"]["oauth"]["microsoft_app"]["secret"] == {"environment": "APP_SECRET"}


@pytest.mark.usefixtures("preferences")
def test_show_prints_every_setting_or_the_values_that_are_named(vetmail: Callable[..., Said]) -> None:
    """For people a table; for a script a line each and no word more; for a program the file's own form."""
    said = vetmail("show", "--preferences", "P.json", "mail_server.port", "mail_server.username")
    assert (said.status, said.out) == (0, "25\n\n")
    table = vetmail("show", "--preferences", "P.json").out
    assert "Email port" in table
    assert "contexts.client.employer" in table
    assert "no effect now" in table
    written = json.loads(vetmail("show", "--preferences", "P.json", "--json").out)
    assert written["of_a_later_version"] is True
    both = vetmail("show", "--preferences", "P.json", "mail_server.prt", "revision")
    assert (both.status, len(_lines(both.err))) == (2, 2)
    assert vetmail("show", "--preferences", "P.json", "--json", "mail_server.port").status == 2


def test_two_who_set_at_once_lose_nothing(preferences: Path) -> None:
    """Each reads and writes under the lock of the file."""
    contexts = ("client", "enrolment", "contract", "invoice")
    names = [f"contexts.{context}.client=bcc" for context in contexts] + [
        f"{name}=on" if name.startswith("use") else f"{name}=1{n}"
        for n, name in enumerate(
            ("mail_server.port", "mail_server.wait_between_emails_ms", "mail_server.username")
        )
    ]
    words = [sys.executable, "-m", "vetmail_core", "set", "--preferences", str(preferences)]
    running = [subprocess.Popen([*words, name], stdout=subprocess.DEVNULL) for name in names]
    assert [process.wait() for process in running] == [0] * len(names)
    found = load_preferences(preferences)
    assert all(found.contexts[context]["client"].value == "bcc" for context in contexts)
    assert (found.mail_server.port, found.mail_server.wait_between_emails_ms) == (10, 11)
    assert found.mail_server.username == "12"


def _on_a_terminal(words: Sequence[str], answers: Sequence[str], folder: Path) -> tuple[int, str]:
    """Run a command on a pseudo-terminal of its own and answer what it asks, a line each."""
    import pty  # noqa: PLC0415 - Windows has no such module, and collects this file all the same

    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execv(sys.executable, [sys.executable, "-m", "vetmail_core", *words])  # noqa: S606 - a terminal of its own
    seen = b""
    waiting = list(answers)
    with contextlib.suppress(OSError):  # how a terminal says on Linux that nobody is left
        while piece := os.read(terminal, 4096):
            seen += piece
            if waiting and seen.rstrip(b" ").endswith(b":") and seen.endswith(b" "):
                os.write(terminal, waiting.pop(0).encode())
    os.close(terminal)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status, seen.decode("utf-8", "replace")


_HOSTS = {
    "amazon_ses": "email-smtp.ap-southeast-2.amazonaws.com",
    "microsoft365_direct": "example-com.mail.protection.outlook.com",
}


@pytest.mark.wire
@pytest.mark.parametrize("key", PROVIDERS)
def test_a_dialogue_ends_with_settings_that_send(folder: Path, key: str) -> None:
    """For each provider, whoever answers what is asked has a file without an error."""
    provider = PROVIDERS[key]
    answers = [f"{key}\n"]
    if key in _HOSTS:
        answers += ["\n", "smtp.elsewhere.example.com\n", f"{_HOSTS[key]}\n"]
    match provider.authentication.value:
        case "password":
            answers += [] if provider.fixed_username else ["office@example.com\n"]
            answers += ["\n", "MAIL_PASSWORD\n"]
        case "oauth2":
            answers += [
                "magic\n",
                "microsoft_app\n",
                "example.com\n",
                "1234\n",
                "\n",
                "\n",
                "\n",
                "APP_SECRET\n",
            ]
    answers += ["office@@example.com\n", "Office <office@example.com>\n"]
    status, seen = _on_a_terminal(["init", "--preferences", "new.json"], answers, folder)
    assert status == 0, seen
    made = load_preferences(folder / "new.json")
    assert made.use_built_in_client
    assert made.mail_server.host == _HOSTS.get(key, provider.host)
    assert str(made.settings.default_from) == '"Office" <office@example.com>'
    assert "office@@example.com" in seen
    if provider.authentication.value == "password":
        assert made.mail_server.password == EnvironmentSecret("MAIL_PASSWORD")


@pytest.mark.wire
def test_a_server_of_ones_own_is_asked_for_its_port_and_login(folder: Path) -> None:
    """A wrong answer is asked for again, and a password is never on the screen."""
    answers = ["nonsense\n", "\n", "mail.example.com\n", "x\n", "2525\n", "\n", "password\n", "kim\n"]
    answers += ["hush hush\n", "office@example.com\n"]
    status, seen = _on_a_terminal(["init", "--preferences", "new.json"], answers, folder)
    assert status == 0, seen
    server = load_preferences(folder / "new.json").mail_server
    assert (server.host, server.port, server.username) == ("mail.example.com", 2525, "kim")
    assert isinstance(server.password, PlainSecret)
    assert server.password.reveal() == "hush hush"
    assert "hush" not in seen


@pytest.mark.wire
@pytest.mark.parametrize("last", ["\x04", "\x03"])
def test_a_dialogue_that_is_left_writes_nothing(folder: Path, last: str) -> None:
    """Ctrl-D and Ctrl-C: status 2, one line and no file."""
    status, seen = _on_a_terminal(["init", "--preferences", "new.json"], ["gmail\n", last], folder)
    assert status == 2, seen
    assert "Traceback" not in seen
    assert not (folder / "new.json").exists()


class _Answers(io.StringIO):
    """A terminal on which somebody types."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def asked(vetmail: Callable[..., Said], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """Run init with what somebody types, and with secrets typed without being shown."""

    def run(lines: Sequence[str], *words: str, secrets: Sequence[str] = ()) -> Said:
        hidden = iter(secrets)
        monkeypatch.setattr(sys, "stdin", _Answers("".join(f"{line}\n" for line in lines)))
        monkeypatch.setattr(getpass, "getpass", lambda _: next(hidden))
        return vetmail("init", "--preferences", "new.json", *words)

    return run


FROM = "office@example.com"


def test_what_is_named_is_not_asked(asked: Callable[..., Said], folder: Path) -> None:
    """The questions are those that are left."""
    said = asked(
        ["kim", "MAIL_PASSWORD", "x@@y", FROM],
        "mail_server.host=a.example.com",
        "mail_server.port=587",
        "mail_server.tls=explicit",
        "mail_server.authentication=password",
        secrets=[""],
    )
    assert said.status == 0, said.err
    server = load_preferences(folder / "new.json").mail_server
    assert (server.username, server.password) == ("kim", EnvironmentSecret("MAIL_PASSWORD"))
    assert "x@@y" in said.out
    assert asked([], "settings.address_separator=,", "mail_server.host=", "--overwrite").status == 0
    logins = asked(
        ["25"],
        "mail_server.host=a.example.com",
        "mail_server.use_staff_logins=on",
        "mail_server.tls=none",
        "mail_server.authentication=password",
        "--overwrite",
    )
    assert logins.status == 0, logins.err


def test_a_server_of_ones_own_and_a_secret_that_is_wrong_at_first(
    asked: Callable[..., Said], folder: Path
) -> None:
    """Each wrong answer is asked for again; a variable can be left for later."""
    said = asked(
        ["nonsense", "", "", "a.example.com", "x", "", "", "password", "kim", "", FROM],
        secrets=["a\x00b", ""],
    )
    assert said.status == 0, said.err
    made = load_preferences(folder / "new.json").mail_server
    assert (made.host, made.password) == ("a.example.com", None)


def test_a_region_is_asked_for_and_checked(asked: Callable[..., Said], folder: Path) -> None:
    """The host of a provider with a server for each customer."""
    lines = ["amazon_ses", "", "mail.elsewhere.example", _HOSTS["amazon_ses"], "key-id", FROM]
    said = asked(lines, secrets=["hush hush"])
    assert said.status == 0, said.err
    assert load_preferences(folder / "new.json").mail_server.host == _HOSTS["amazon_ses"]


@pytest.mark.parametrize(
    ("lines", "secrets"),
    [
        (["magic", "microsoft_app", "example.com", "1234", "", "", "APP", FROM], [""]),
        (
            [
                "microsoft_sign_in",
                "",
                "",
                "",
                "",
                "",
                "microsoft_sign_in",
                "example.com",
                "1234",
                "",
                "",
                "",
                FROM,
            ],
            [],
        ),
        (["", FROM], []),
    ],
)
def test_a_source_of_tokens_is_asked_for_with_its_fields(
    asked: Callable[..., Said], lines: Sequence[str], secrets: Sequence[str]
) -> None:
    """What makes no source together is asked for anew; it can be left for later."""
    said = asked(lines, "--provider", "microsoft365", secrets=secrets)
    assert said.status == 0, said.err + said.out


def test_answers_that_end_early_write_nothing(asked: Callable[..., Said], folder: Path) -> None:
    """Status 2 and one line."""
    said = asked(["gmail"])
    assert (said.status, len(_lines(said.err))) == (2, 1)
    assert not (folder / "new.json").exists()

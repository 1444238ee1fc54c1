"""send and preview: the main job from a shell."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from email import message_from_bytes, policy
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vetmail_core import Login, PlainSecret, TlsMethod
from vetmail_core.testing import LocalSmtpServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from email.message import EmailMessage

    from tests.cli.conftest import Said

KIM = '"Kim Lee" <kim.lee@example.com>'
README = Path(__file__).parents[2] / "README.md"


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def test_the_readme_command_mails_ten_students_and_copies_the_trainer_once(folder: Path) -> None:
    """Word for word, in a process of its own: ten files, one with the trainer, a table, status 0."""
    line = next(
        line for line in README.read_text(encoding="utf-8").splitlines() if "vetmail_core send" in line
    )
    command = line.partition("&& ")[2].replace("python ", f"{sys.executable} ", 1).replace("examples/", "")
    said = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    messages = [
        message_from_bytes(path.read_bytes(), policy=policy.default)
        for path in sorted((folder / "outbox").glob("*.eml"))
    ]
    assert len(messages) == 10
    assert [message["Cc"] for message in messages].count(None) == 9
    assert "kim.lee@example.com" in messages[0]["Cc"]
    assert all(message["From"] == "Riverside Training <office@example.com>" for message in messages)
    assert "Hello Ada," in _body(messages[0], "plain")
    assert "Hello Finn," in _body(messages[1], "html")
    assert messages[0]["Subject"] == "Reminder: Certificate III in Commercial Cookery starts Monday 9:00 am"
    assert "10/10" in said.stderr
    assert "Zoë Müller <zoe.mueller@example.com>" in said.stdout
    assert "copies: kim.lee@example.com gets 1 copy" in said.stdout


def test_every_recipient_gives_the_trainer_ten_copies(
    reminder: Callable[..., Said], change_preferences: Callable[..., None]
) -> None:
    """The other choice of the Settings tab."""
    change_preferences(settings={"bulk_copies": "every_recipient"})
    said = reminder("send", "--cc", KIM, "--bcc", "audit@example.com")
    assert said.status == 0, said.err
    assert "copies: kim.lee@example.com gets 10 copies" in said.out
    for path in said.files:
        raw = path.read_bytes()
        assert b"audit@example.com" not in raw
        assert "kim.lee@example.com" in message_from_bytes(raw, policy=policy.default)["Cc"]
        assert json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["bcc"] == [
            "audit@example.com"
        ]


def test_a_context_copies_the_class_staff(reminder: Callable[..., Said]) -> None:
    """The role's people are given with --role, and go out for the first recipient only."""
    said = reminder("send", "--context", "occurrence_class", "--role", f"class_staff={KIM}")
    assert said.status == 0, said.err
    assert "copies: kim.lee@example.com gets 1 copy" in said.out


def test_preview_shows_the_same_plan_and_writes_nothing(reminder: Callable[..., Said], folder: Path) -> None:
    """What goes to whom, which copies, the first email in full; no folder appears."""
    before = sorted(folder.iterdir())
    said = reminder("preview", "--cc", KIM, "--html", "class-reminder.html")
    assert said.status == 0, said.err
    assert said.out.count("would go") == 10
    assert "10 e-mails, 0 people left out; nothing was written" in said.out
    assert "Subject: Reminder: Certificate III" in said.out
    assert sorted(folder.iterdir()) == before


PEOPLE_WITH_GAPS = (
    "key,name,address,class,starts,room\n"
    "C1,Ada Lovell,ada@example.com,Cookery,Monday,1\n"
    "C2,Sam Hollis,,Cookery,Monday,1\n"
    "C3,Jo Typo,jo@@example,Cookery,Monday,1\n"
    "C1,Ada Lovell,ada@example.com,Cookery,Monday,1\n"
)


@pytest.mark.parametrize("command", ["send", "preview"])
def test_who_is_left_out_is_listed_with_the_reason_and_the_status_is_1(
    reminder: Callable[..., Said], folder: Path, command: str
) -> None:
    """The one good row goes; the others are on stderr."""
    (folder / "gaps.csv").write_text(PEOPLE_WITH_GAPS, encoding="utf-8")
    said = reminder(command, "--people", "gaps.csv")
    assert said.status == 1
    assert "left out: C2 Sam Hollis: no address" in said.err
    assert "left out: C3 Jo Typo: bad address" in said.err
    assert "left out: C1 Ada Lovell: duplicate person" in said.err
    assert len(said.files) == (1 if command == "send" else 0)


def _damage(folder: Path, name: str, content: str | None) -> None:
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content, encoding="utf-8")


@pytest.mark.parametrize("command", ["send", "preview"])
@pytest.mark.parametrize(
    ("name", "content", "words", "sentence"),
    [
        ("email-preferences.json", None, (), "email-preferences.json"),
        ("email-preferences.json", '{"schema": 1,\n "use', (), "line 2"),
        ("email-preferences.json", '{"schema": 1, "mail_server": {"port": true}}', (), "mail_server.port"),
        ("class-of-ten.csv", None, (), "class-of-ten.csv: cannot be read"),
        ("class-of-ten.csv", "key,email\nC1,a@example.com\n", (), 'rename the column "email" to "address"'),
        ("class-of-ten.csv", "key,address\n", (), "expected at least one person"),
        (
            "class-of-ten.csv",
            "key,address,class,starts,room\nC1,,x,y,z\n",
            (),
            "nobody to write to: everybody is left out (1 no address)",
        ),
        ("class-of-ten.csv", "key,name,address,class,starts\nC1,A,a@example.com,x,y\n", (), "room"),
        ("class-reminder.txt", None, (), "class-reminder.txt: cannot be read"),
        ("class-reminder.txt", "Hello ${nickname}", (), "nickname"),
        ("class-reminder.txt", "x", ("--cc", "kim@@example"), "kim@@example"),
        ("class-reminder.txt", "x", ("--attach", "nobody.pdf"), "nobody.pdf: cannot be attached"),
        (
            "class-reminder.txt",
            "x",
            ("--role", "class_staff=kim@example.com"),
            "expected ROLE=MAILBOXES beside a --context",
        ),
        (
            "class-reminder.txt",
            "x",
            ("--context", "occurrence_class", "--role", "kim@example.com"),
            "expected ROLE=MAILBOXES",
        ),
        ("class-reminder.txt", "x", ("--shout",), "unrecognized arguments: --shout; see vetmail"),
        ("class-reminder.txt", "x", ("--staff", "Kim"), "Kim"),
    ],
)
def test_bad_input_is_one_line_status_2_and_nothing_written(
    reminder: Callable[..., Said],
    folder: Path,
    command: str,
    name: str,
    content: str | None,
    words: tuple[str, ...],
    sentence: str,
) -> None:
    """A missing or damaged file, a wrong column, an unknown field, nobody to write to."""
    _damage(folder, name, content)
    said = reminder(command, *words)
    assert said.status == 2
    (line,) = said.err.splitlines() if command == "send" else said.err.splitlines()[-1:]
    assert sentence in line
    assert not said.outbox.exists()


def test_a_mistake_in_the_last_row_stops_before_the_first_email(
    reminder: Callable[..., Said], folder: Path
) -> None:
    """A line break in a value for the subject is found before anything is written."""
    with (folder / "class-of-ten.csv").open("a", encoding="utf-8") as file:
        file.write('C1011,Last Row,last@example.com,"Cookery\nBcc: x@example.com",Monday,1\n')
    said = reminder("send")
    assert said.status == 2
    assert not said.outbox.exists()


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
def test_a_text_that_is_not_utf_8_is_named(
    reminder: Callable[..., Said], folder: Path, encoding: str
) -> None:
    """Windows programs still write other encodings."""
    (folder / "class-reminder.txt").write_bytes("Zoë".encode(encoding))
    said = reminder("send")
    assert said.status == 2
    assert "class-reminder.txt: expected text in UTF-8" in said.err


@pytest.fixture
def live_server(
    change_preferences: Callable[..., None], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> Iterator[LocalSmtpServer]:
    """A server with STARTTLS and AUTH that the preferences name and whose certificate is trusted."""
    login = Login("office@example.com", PlainSecret("quiet-otter"))
    with LocalSmtpServer(tls=TlsMethod.EXPLICIT, login=login) as server:
        trusted = map(ssl.DER_cert_to_PEM_cert, server.client_context.get_ca_certs(binary_form=True))
        (folder / "authority.pem").write_text("".join(trusted), encoding="ascii")
        monkeypatch.setenv("SSL_CERT_FILE", str(folder / "authority.pem"))
        monkeypatch.setenv("VETMAIL_PASSWORD", "quiet-otter")
        change_preferences(mail_server={"host": server.host, "port": server.port})
        yield server


def test_live_goes_over_the_wire_with_starttls_and_auth(
    reminder: Callable[..., Said], live_server: LocalSmtpServer
) -> None:
    """Ten emails for ten students, the trainer's copy with the first, the BCC in the envelope alone."""
    said = reminder("send", "--live", "--cc", KIM, "--bcc", "audit@example.com")
    assert said.status == 0, said.err
    received = live_server.emails
    assert [len(email.recipients) for email in received] == [3] + [1] * 9
    assert "audit@example.com" in received[0].recipients
    assert not any(b"audit@example.com" in email.data for email in received)
    assert {"STARTTLS", "AUTH"} <= set(live_server.verbs)
    assert "quiet-otter" not in said.out + said.err


def test_live_refusals_are_listed_with_status_1(
    reminder: Callable[..., Said], live_server: LocalSmtpServer
) -> None:
    """Nine go, one is refused and named with the server's words and what to do."""
    live_server.faults.refuse("mei.tanaka@example.com")
    said = reminder("send", "--live")
    assert said.status == 1
    assert "not sent: Mei Tanaka <mei.tanaka@example.com>: mei.tanaka@example.com refused (550" in said.err
    assert len(live_server.emails) == 9


def test_a_ledger_and_a_batch_make_a_second_start_harmless(
    reminder: Callable[..., Said], live_server: LocalSmtpServer
) -> None:
    """Everybody is listed as sent already; nothing goes out; the status is 0."""
    words = ("--live", "--batch", "reminder-1", "--ledger", "sent.sqlite")
    assert reminder("send", *words).status == 0
    again = reminder("send", *words)
    assert again.status == 0, again.err
    assert again.err.count("already sent") == 10
    assert len(live_server.emails) == 10


def test_a_refused_login_is_status_2_without_the_password(
    reminder: Callable[..., Said], live_server: LocalSmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line that names the setting; nobody was written to."""
    monkeypatch.setenv("VETMAIL_PASSWORD", "wrong-otter")
    said = reminder("send", "--live")
    assert said.status == 2
    assert "nothing was sent (at AUTH)" in said.err.splitlines()[-1]
    assert "otter" not in said.out + said.err
    assert live_server.emails == ()


def test_a_server_that_cannot_be_trusted_is_status_2(
    reminder: Callable[..., Said], live_server: LocalSmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line with the phase, the reason and what to do."""
    monkeypatch.delenv("SSL_CERT_FILE")
    said = reminder("send", "--live")
    assert said.status == 2
    assert "nothing was sent (at TLS)" in said.err.splitlines()[-1]
    assert live_server.emails == ()

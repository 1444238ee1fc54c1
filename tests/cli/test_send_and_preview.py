"""send and preview: the main job from a shell."""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
from email import message_from_bytes, policy
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pytest
from tests.transports.smtp.scripted import Act, Server

import vetmail_core
from vetmail_core import (
    Action,
    Bounce,
    Cause,
    LedgerState,
    Notice,
    SqliteLedger,
    SystemClock,
    deliver_once,
)
from vetmail_core.cli.signals import ended_politely
from vetmail_core.testing import LocalSmtpServer, Outbox, email

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
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
    assert said.stderr == ""
    assert "\n10/10 " in said.stdout
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
    said = reminder("preview", "--cc", KIM, "--html", "class-reminder.html", "--attach", "class-reminder.txt")
    assert said.status == 0, said.err
    assert said.out.count("would go") == 10
    assert (
        "10 emails; left out: 0; nothing was written\ncopies: kim.lee@example.com gets 1 copy\n" in said.out
    )
    assert 'To: "Ada Lovell" <ada.lovell@example.com>\nCc: "Kim Lee" <kim.lee@example.com>' in said.out
    assert '\n\nthe first e-mail in full:\n\nFrom: "Riverside Training" <' in said.out
    assert "\nReply-To: " not in said.out
    assert "\nSubject: Reminder: Certificate III" in said.out
    assert "\nAttached: class-reminder.txt\n\nHello Ada,\n" in said.out
    assert sorted(folder.iterdir()) == before


def test_a_preview_says_that_the_ledger_will_pass_people_over(
    reminder: Callable[..., Said], folder: Path
) -> None:
    """The preview shows the whole plan; whoever reads it must not wait for mail that will not go."""
    one = "key,name,address,class,starts,room\nC1,Ada,ada@example.com,Cookery,Monday,1\n"
    (folder / "one.csv").write_text(one, encoding="utf-8")
    words = ("--people", "one.csv", "--batch", "reminder-1", "--ledger", "sent.ledger")
    sentence = "send will pass over whoever sent.ledger has as sent already"
    assert sentence not in reminder("preview", *words).out
    reminder("send", *words)
    assert f"\n1 email; left out: 0; nothing was written\n{sentence}\n" in reminder("preview", *words).out


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
    counted = "left out (3 people)" if command == "send" else "\n1 email; left out: 3; nothing was written\n"
    assert counted in said.out


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
        ("class-of-ten.csv", "key,Parent Email\nC1,a@example.com\n", (), '--column address="Parent Email"'),
        ("class-of-ten.csv", "key,address\n", (), "expected at least one person"),
        (
            "class-of-ten.csv",
            "key,address,class,starts,room\nC1,,x,y,z\n",
            (),
            "nobody to write to: everybody is left out (1 no address)",
        ),
        ("class-of-ten.csv", "key,name,address,class,starts\nC1,A,a@example.com,x,y\n", (), "room"),
        ("class-reminder.txt", None, (), "class-reminder.txt: cannot be read: No such file or directory"),
        ("class-reminder.txt", "Hello ${nickname}", (), "nickname"),
        ("class-reminder.txt", "x", ("--cc", "kim@@example"), "kim@@example"),
        (
            "class-reminder.txt",
            "x",
            ("--attach", "nobody.pdf"),
            "nobody.pdf: cannot be attached: No such file",
        ),
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
        ("class-reminder.txt", "x", ("--staff", KIM, "--staff-username", "kim"), "a login needs all three"),
        (
            "class-reminder.txt",
            "x",
            ("--staff-username", "kim", "--staff-password-environment", "KIM"),
            "a login needs all three",
        ),
        ("class-reminder.txt", "x", ("--context", "ocurrence_class"), "expected one of account, attendance"),
        (
            "class-reminder.txt",
            "x",
            ("--context", "occurrence_class", "--role", "trainer=kim@example.com"),
            "the preferences know no such role in occurrence_class; they write to client, class_staff",
        ),
        (
            "class-reminder.txt",
            "x",
            ("--context", "occurrence_class", "--role", "guardian=kim@example.com"),
            "the preferences copy nobody of that role in occurrence_class",
        ),
        ("class-reminder.txt", "x", ("--ledger", "sent.ledger"), "expected --batch ID beside it"),
        (
            "email-preferences.json",
            '{"schema": 1, "use_built_in_client": true}',
            ("--live",),
            "there is no mail server to send through",
        ),
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
    before = sorted(path.name for path in folder.iterdir())
    said = reminder(command, *words)
    assert said.status == 2
    (line,) = said.err.splitlines()
    assert sentence in line
    assert sorted(path.name for path in folder.iterdir()) == before
    if command == "send":
        assert said.out == ""


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
    assert all(email.message["Date"] and email.message["Message-ID"] for email in received)
    assert {"STARTTLS", "AUTH"} <= set(live_server.verbs)
    assert said.out.endswith("\n10 emails to 12 recipients: 12 accepted\n")
    assert "quiet-otter" not in said.out + said.err


def test_live_refusals_are_listed_with_status_1(
    reminder: Callable[..., Said], live_server: LocalSmtpServer
) -> None:
    """Nine go, one is refused and named with the server's words and what to do."""
    live_server.faults.refuse("mei.tanaka@example.com")
    live_server.faults.refuse("kim.lee@example.com")
    said = reminder("send", "--live", "--cc", KIM)
    assert said.status == 1
    head, copy, line = said.err.splitlines()
    assert head == f"not sent: refused, bad recipient (2 recipients): {Cause.BAD_RECIPIENT.advice}"
    assert copy.startswith("  Ada Lovell <ada.lovell@example.com>: kim.lee@example.com (550")
    assert "accepted; kim.lee@example.com refused (550)\n" in said.out
    assert line.startswith("  Mei Tanaka <mei.tanaka@example.com> (550 5.1.1 ")
    assert "mei.tanaka@example.com refused (550)\n" in said.out
    assert len(live_server.emails) == 9


def test_a_run_that_the_server_stops_has_a_row_for_everybody(
    reminder: Callable[..., Said], live_server: LocalSmtpServer
) -> None:
    """Two went, one was refused because of us, and the others show as not attempted."""
    live_server.faults.refuse("mei.tanaka@example.com", 550, "5.7.708")
    said = reminder("send", "--live")
    assert said.status == 1
    last = said.out.partition("\n\n")[0].splitlines()[-1]
    assert last.startswith("10/10 ")
    assert last.endswith("elif.yilmaz@example.com not attempted (550)")
    assert "(7 recipients)" in said.err
    assert "elif.yilmaz@example.com" in said.err
    assert len(live_server.emails) == 2


def test_whoever_is_in_doubt_is_listed_with_status_1(
    reminder: Callable[..., Said], live_server: LocalSmtpServer
) -> None:
    """The line broke behind the last dot: neither sent nor not sent, and nobody said anything."""
    live_server.faults.drop(address="mei.tanaka@example.com")
    said = reminder("send", "--live")
    assert said.status == 1
    assert "mei.tanaka@example.com unknown\n" in said.out
    (line,) = said.err.splitlines()
    assert line.startswith(
        "in doubt: Mei Tanaka <mei.tanaka@example.com>: mei.tanaka@example.com unknown: The connection broke"
    )
    assert "may have arrived" in line
    assert len(live_server.emails) == 10


def test_whoever_s_mail_came_back_is_left_out_by_the_ledger(
    folder: Path, reminder: Callable[..., Said]
) -> None:
    """Preview and send show who and why; once somebody lifts it, the email goes."""
    title = "key,address,first_name,class,starts,room"
    rows = (title, "C1,ann@example.com,Ann,A,9,7", "C2,bob@example.com,Bob,A,9,7")
    (folder / "two.csv").write_text("\n".join(rows), encoding="utf-8")
    words = ("--people", "two.csv", "--ledger", "sent.ledger", "--batch", "second")
    said = Notice("bob@example.com", Action.FAILED, "5.1.1", "550 5.1.1 no such user", Cause.BAD_RECIPIENT)
    with SqliteLedger(folder / "sent.ledger") as ledger:
        list(deliver_once(ledger, Outbox(), [email("bob@example.com", key="first/C2")]))
        assert ledger.take_bounce(Bounce(envelope_id="first/C2", message_id="", notices=(said,)))
    sentence = "left out: C2 Bob: suppressed: mail to bob@example.com came back on "
    shown = reminder("preview", *words)
    assert sentence in shown.err
    assert "550 5.1.1 no such user. Correct the address" in shown.err
    sent = reminder("send", *words)
    assert (shown.status, sent.status) == (1, 1)
    assert sentence in sent.err
    with SqliteLedger(folder / "sent.ledger") as ledger:
        assert ledger.state("second/C1") is LedgerState.HANDED_OVER
        assert ledger.state("second/C2") is None
        assert ledger.lift("bob@example.com")
    reminder("send", *words)
    with SqliteLedger(folder / "sent.ledger") as ledger:
        assert ledger.state("second/C2") is LedgerState.HANDED_OVER


def test_a_ledger_and_a_batch_make_a_second_start_harmless(
    reminder: Callable[..., Said], live_server: LocalSmtpServer, folder: Path
) -> None:
    """Everybody is listed as sent already; nothing goes out; the status is 0. Who came late gets theirs."""
    words = ("--live", "--batch", "reminder-1", "--ledger", "sent.sqlite")
    assert reminder("send", *words).status == 0
    again = reminder("send", *words, "--cc", KIM)
    assert again.status == 0, again.err
    assert "copies:" not in again.out
    with (folder / "class-of-ten.csv").open("a", encoding="utf-8") as file:
        file.write("C1011,Late Comer,late@example.com,Cookery,Monday,1\n")
    late = reminder("send", *words)
    assert "\n11/11 " in late.out
    assert "C1011" not in late.err
    assert again.err.splitlines()[0] == "left out: already sent (10 people)"
    assert len(again.err.splitlines()) == 11
    assert len(live_server.emails) == 11


def test_a_refused_login_is_status_2_without_the_password(
    reminder: Callable[..., Said], live_server: LocalSmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line that names the setting; nobody was written to."""
    monkeypatch.setenv("VETMAIL_PASSWORD", "wrong-otter")
    said = reminder("send", "--live")
    assert said.status == 2
    (line,) = said.err.splitlines()
    assert "nothing was sent (at AUTH): " in line
    assert line.endswith(Cause.AUTHENTICATION.advice)
    assert said.out == ""
    assert "otter" not in said.out + said.err
    assert live_server.emails == ()


def test_a_server_that_cannot_be_trusted_is_status_2(
    reminder: Callable[..., Said], live_server: LocalSmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line with the phase, the reason and what to do."""
    monkeypatch.delenv("SSL_CERT_FILE")
    said = reminder("send", "--live")
    assert said.status == 2
    (line,) = said.err.splitlines()
    assert "nothing was sent (at TLS): " in line
    assert line.endswith(Cause.TLS.advice)
    assert live_server.emails == ()


@pytest.mark.parametrize("place", ["class-of-ten.csv", "/proc/outbox"])
def test_an_outbox_that_cannot_be_written_is_status_2(reminder: Callable[..., Said], place: str) -> None:
    """One line with the folder and what to do, and no row of a table that went nowhere."""
    said = reminder("send", "--outbox", place)
    assert said.status == 2
    (line,) = said.err.splitlines()
    assert f"nothing was sent (at HAND_OVER). The e-mail could not be written into the folder {place}" in line
    assert line.count("could not be written") == 1
    assert said.out == ""


def test_a_preview_of_nobody_shows_who_and_why(reminder: Callable[..., Said], folder: Path) -> None:
    """The people are the plan, on stdout; the reason is the one line on stderr."""
    (folder / "gaps.csv").write_text("\n".join(PEOPLE_WITH_GAPS.splitlines()[i] for i in (0, 2)), "utf-8")
    said = reminder("preview", "--people", "gaps.csv")
    assert said.status == 2
    (line,) = said.err.splitlines()
    assert line.startswith("vetmail preview: nobody to write to: everybody is left out (1 no address)")
    assert "left out: C2 Sam Hollis: no address" in said.out


def test_a_preview_takes_the_way_that_send_would_take(
    reminder: Callable[..., Said], change_preferences: Callable[..., None], folder: Path
) -> None:
    """With the built-in client off, the mail program knows who sends; into a folder nobody does."""
    change_preferences(use_built_in_client=False, settings={"default_from": None})
    people = folder / "class-of-ten.csv"
    people.write_text("".join(people.read_text("utf-8").splitlines(keepends=True)[:6]), "utf-8")
    assert reminder("preview", "--live").status == 0
    said = reminder("preview")
    assert said.status == 2
    assert "settings.default_from" in said.err


def test_control_characters_of_a_text_do_not_reach_the_terminal(
    reminder: Callable[..., Said], folder: Path
) -> None:
    """Somebody pasted them; the preview shows them instead."""
    (folder / "class-reminder.txt").write_text("Hello\x1b[2J\n\tthere", encoding="utf-8")
    said = reminder("preview")
    assert "HelloU+001B[2J\n        there\n" in said.out


class _Watched(io.StringIO):
    """A terminal whose reader presses Ctrl-C when they see a text."""

    def isatty(self) -> bool:
        return True

    def __init__(self, seen: str) -> None:
        super().__init__()
        self._seen = seen

    def write(self, text: str, /) -> int:
        written = super().write(text)
        if self._seen in text:
            signal.raise_signal(signal.SIGINT)
        return written


def test_whoever_waits_for_a_server_is_told_why(
    reminder: Callable[..., Said], change_preferences: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again for minutes; on a terminal the line that moves says so."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    change_preferences(mail_server={"host": "127.0.0.1", "port": port})
    monkeypatch.setenv("VETMAIL_PASSWORD", "quiet-otter")
    err = _Watched("next try in")
    monkeypatch.setattr(sys, "stderr", err)
    said = reminder("send", "--live")
    assert said.status == 2
    assert f"onnection refused by 127.0.0.1 port {port}; next try in 1 s" in err.getvalue()
    assert (
        err.getvalue().splitlines()[-1].endswith(f"vetmail send: nothing was sent. {Cause.CANCELLED.advice}")
    )


def test_the_wait_between_emails_is_kept_without_a_word(
    reminder: Callable[..., Said],
    live_server: LocalSmtpServer,
    change_preferences: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is what the preferences say, and no trouble; the line on a terminal shows how far the run is."""
    change_preferences(mail_server={"wait_between_emails_ms": 20})
    err = _Watched("never")
    monkeypatch.setattr(sys, "stderr", err)
    begun = SystemClock().monotonic()
    said = reminder("send", "--live")
    assert SystemClock().monotonic() - begun > 9 * 0.02
    assert said.status == 0
    assert len(live_server.emails) == 10
    assert err.getvalue().startswith(f"\r[{'.' * 24}] 0/10\x1b[K\r\x1b[K\r[##{'.' * 22}] 1/10")
    assert "next try" not in err.getvalue()
    assert err.getvalue().endswith("10/10\x1b[K\r\x1b[K")


@pytest.mark.parametrize("people", [10, 10_020])
def test_an_interrupt_between_two_emails_lists_everybody_else(
    reminder: Callable[..., Said],
    folder: Path,
    live_server: LocalSmtpServer,
    change_preferences: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    people: int,
) -> None:
    """Status 1, no traceback, the connection ended with QUIT; of a great many the last are only counted."""
    change_preferences(mail_server={"wait_between_emails_ms": 600_000})
    rows = (f"C{number},p{number}@example.com\n" for number in range(people))
    (folder / "people.csv").write_text("key,address\n" + "".join(rows), encoding="utf-8")
    (folder / "text.txt").write_text("It is tomorrow.", encoding="utf-8")
    out = _Watched("p0@example.com")
    monkeypatch.setattr(sys, "stdout", out)
    said = reminder("send", "--live", "--people", "people.csv", "--text", "text.txt", "--subject", "Reminder")
    assert said.status == 1
    first, *others = said.err.splitlines()
    assert first == "interrupted; nobody further was written to"
    assert others[0].startswith(f"not sent: not attempted, cancelled ({people - 1} recipients): The run was")
    assert others[1] == "  p1@example.com"
    assert others[-1].startswith("  p9@example.com" if people == 10 else "  and 9999 more; -v lists them")
    assert len(others) == min(people, 22)
    assert f"1 accepted, {people - 1} not tried" in out.getvalue()
    assert live_server.verbs[-1] == "QUIT"


def _interrupted(folder: Path, text: str, begun: Callable[[], AbstractContextManager[object]]) -> str:
    """Start the command in a process of its own, and press Ctrl-C once it has begun; its words on stderr."""
    command = [sys.executable, "-m", "vetmail_core", "send", "--live", "--subject", "Reminder"]
    command += ["--preferences", "email-preferences.json", "--people", "class-of-ten.csv", "--text", text]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    ) as process:
        try:
            with begun():
                out, err = _ended_by_interrupt(process)
        finally:
            process.kill()  # does nothing to a process that has ended
    assert (process.returncode, out) == (2, "")
    return err


def _ended_by_interrupt(process: subprocess.Popen[str]) -> tuple[str, str]:
    return _ended_by(process, signal.SIGINT)


def _ended_by(process: subprocess.Popen[str], number: int) -> tuple[str, str]:
    """Press Ctrl-C, and again where it fell into the moment before a call that waits.

    Python notes a signal and acts on it between two instructions, or when a waiting call ends early because
    of it. One that comes after the last instruction and before the wait (3 in 1,000 here) is noted and not
    acted on before the next; a person presses again.
    """
    for _ in range(11):
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=10)
    raise AssertionError("the command does not end when it is interrupted")


def _writing_to(pipe: Path) -> BinaryIO:
    """Open a pipe once the command reads it; one that never does is no reason to wait for ever."""
    patience = threading.Event()
    for _ in range(600):
        with contextlib.suppress(OSError):
            return os.fdopen(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK), "wb")
        patience.wait(0.1)
    raise AssertionError("the command never opened the pipe")


def test_an_interrupt_before_the_first_email_is_status_2(
    folder: Path, change_preferences: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that says nothing; whoever will not wait for it is told that nothing was sent."""
    monkeypatch.setenv("VETMAIL_PASSWORD", "quiet-otter")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)  # a command that ends before it connects is no reason to wait for ever
        change_preferences(mail_server={"host": "127.0.0.1", "port": silent.getsockname()[1]})
        said = _interrupted(folder, "class-reminder.txt", lambda: silent.accept()[0])
    assert said == f"vetmail send: nothing was sent. {Cause.CANCELLED.advice}\n"


def test_an_interrupt_of_the_planning_is_status_2(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that never ends, as a pipe may be."""
    monkeypatch.setenv("VETMAIL_PASSWORD", "quiet-otter")
    os.mkfifo(folder / "endless")
    said = _interrupted(folder, "endless", lambda: _writing_to(folder / "endless"))
    assert said == "vetmail send: interrupted before anything was sent\n"


def test_an_interrupt_of_the_line_that_says_0_is_status_2(
    reminder: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything is planned, and nothing has begun."""
    err = _Watched("0/10")
    monkeypatch.setattr(sys, "stderr", err)
    said = reminder("send")
    assert (said.status, said.out, said.files) == (2, "", [])
    assert err.getvalue().endswith("vetmail send: interrupted before anything was sent\n")


class _ImpatientServer(Server):
    """Says nothing to the goodbye; whoever waits for it presses Ctrl-C once more."""

    def next_act(self, step: str) -> Act | str | None:
        if step != "QUIT":
            return super().next_act(step)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return Act("stall")


@pytest.mark.parametrize("pressed_before", [True, False], ids=["in the middle", "at the end"])
def test_an_interrupt_of_the_goodbye_does_not_hide_what_was_sent(
    reminder: Callable[..., Said],
    change_preferences: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    *,
    pressed_before: bool,
) -> None:
    """Status 1 or 0 with the report, as far as it is known; "nothing was sent" would mail them twice."""
    with _ImpatientServer() as server:
        plain = {"host": "127.0.0.1", "port": server.port, "tls": "none", "authentication": "none"}
        change_preferences(mail_server={**plain, "wait_between_emails_ms": 600_000 if pressed_before else 0})
        out = _Watched("ada.lovell@" if pressed_before else "never")
        monkeypatch.setattr(sys, "stdout", out)
        said = reminder("send", "--live")
        assert len(server.received) == (1 if pressed_before else 10)
    if pressed_before:
        assert said.status == 1
        assert said.err.splitlines()[0] == "interrupted; nobody further was written to"
        assert ": 1 accepted" in out.getvalue()
    else:
        assert (said.status, said.err) == (0, "")
        assert "10 emails to 10 recipients: 10 accepted" in out.getvalue()


def test_an_interrupt_of_the_report_is_said_and_the_status_stays(
    reminder: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All had gone; what the terminal shows is cut short, and says so."""
    monkeypatch.setattr(sys, "stdout", _Watched("10 handed over"))
    said = reminder("send")
    assert (said.status, len(said.files)) == (0, 10)
    assert said.err == "interrupted after the run; what stands above is not all of its report\n"


def test_an_interrupt_of_a_run_that_passes_everybody_over_is_status_1(
    reminder: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An earlier run has sent to all: nobody is left to list, and nothing was tried."""
    words = ("send", "--batch", "reminder-1", "--ledger", "sent.ledger")
    assert reminder(*words).status == 0
    err = _Watched("5/10")
    monkeypatch.setattr(sys, "stderr", err)
    said = reminder(*words)
    assert said.status == 1
    assert "interrupted; nobody further was written to\n" in err.getvalue()
    assert "left out: already sent (10 people)\n" in err.getvalue()


def test_an_interrupt_of_a_preview_is_status_2(
    reminder: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, as everything that ends a command."""
    monkeypatch.setattr(sys, "stdout", _Watched("5/10"))
    said = reminder("preview")
    assert (said.status, said.err) == (2, "vetmail preview: interrupted before anything was sent\n")


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_service_without_a_terminal_sends_all_the_same(
    reminder: Callable[..., Said], monkeypatch: pytest.MonkeyPatch, stream: str
) -> None:
    """Python gives it None in the place of a closed stream; the status tells what became of it."""
    monkeypatch.setattr(sys, stream, None)
    assert len(reminder("send").files) == 10
    monkeypatch.setattr(sys, stream, None)
    assert reminder("preview").status == 0
    monkeypatch.setattr(sys, stream, None)
    assert reminder("send", "--people", "nobody.csv").status == 2


def test_a_staff_member_sends_with_their_own_login(
    reminder: Callable[..., Said], live_server: LocalSmtpServer, change_preferences: Callable[..., None]
) -> None:
    """From their own address; the password comes by the environment."""
    change_preferences(mail_server={"use_staff_logins": True, "username": "", "password": None})
    login = ("--staff-username", "office@example.com", "--staff-password-environment", "VETMAIL_PASSWORD")
    said = reminder("send", "--live", "--staff", KIM, *login)
    assert said.status == 0, said.err
    assert {email.message["From"] for email in live_server.emails} == {"Kim Lee <kim.lee@example.com>"}


def test_a_staff_member_may_use_the_shared_login(reminder: Callable[..., Said]) -> None:
    """Their name, the organisation's address, and answers to them; nobody needs to type a name."""
    for staff, name, reply_to in (
        (KIM, "Kim Lee", "Kim Lee <kim.lee@example.com>"),
        ("kim.lee@example.com", "kim.lee", '"kim.lee" <kim.lee@example.com>'),
    ):
        said = reminder("send", "--staff", staff, "--outbox", name)
        assert said.status == 0, said.err
        first = min(Path(name).glob("*.eml"))
        message = message_from_bytes(first.read_bytes(), policy=policy.default)
        assert message["From"].addresses[0].display_name == name
        assert (message["From"].addresses[0].addr_spec, message["Reply-To"]) == (
            "office@example.com",
            reply_to,
        )


def test_an_access_token_comes_by_the_environment(
    reminder: Callable[..., Said], change_preferences: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For OAuth 2; never typed, never shown."""
    with LocalSmtpServer(token="quiet-otter") as server:
        change_preferences(
            mail_server={
                "host": server.host,
                "port": server.port,
                "tls": "none",
                "authentication": "oauth2",
                "password": None,
            }
        )
        monkeypatch.setenv("TOKEN", "quiet-otter")
        said = reminder("send", "--live", "--token-environment", "TOKEN")
        assert said.status == 0, said.err
        assert len(server.emails) == 10
    assert "otter" not in said.out + said.err


def test_the_module_and_the_program_are_the_same(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``python -m vetmail_core`` and ``vetmail``; the version is for a help desk."""
    monkeypatch.setattr(sys, "argv", ["vetmail", "--version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(Path(vetmail_core.__file__).with_name("__main__.py")), run_name="__main__")
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"vetmail {vetmail_core.__version__}\n"


@pytest.mark.parametrize("command", ["send", "preview"])
@pytest.mark.parametrize("option", ["--outbox", "--ledger", "--html", "--attach", "--preferences"])
def test_a_file_without_a_name_is_a_mistake(command: str, option: str, reminder: Callable[..., Said]) -> None:
    """A variable that a script forgot to set must not send into the folder where it stands."""
    said = reminder(command, "--batch", "B", option, "")
    assert said.status == 2
    assert said.err.startswith(f"vetmail {command}: argument {option}: expected the name of a file or folder")
    assert said.err.count("\n") == 1
    assert not said.outbox.exists()


@pytest.mark.parametrize("command", ["send", "preview"])
def test_a_folder_and_live_at_once_are_a_mistake(command: str, reminder: Callable[..., Said]) -> None:
    """One of the two is a slip, and nobody can tell which."""
    said = reminder(command, "--outbox", "outbox", "--live")
    assert said.status == 2
    assert "argument --live: not allowed with argument --outbox" in said.err


@pytest.mark.parametrize("command", ["send", "preview", "check", "paths"])
def test_every_command_says_what_it_takes(command: str, vetmail: Callable[..., Said]) -> None:
    """Also where the standard library's parser has trouble with options that exclude each other."""
    said = vetmail(command, "--help")
    assert said.status == 0
    assert said.out.startswith(f"usage: vetmail {command}")


@pytest.mark.parametrize("name", [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)])
def test_a_system_that_ends_the_program_gets_a_report(
    folder: Path, live_server: LocalSmtpServer, change_preferences: Callable[..., None], name: str
) -> None:
    """Status 1, everybody accounted for and nobody in doubt, as after a Ctrl-C."""
    change_preferences(mail_server={"wait_between_emails_ms": 600_000})
    command = [sys.executable, "-m", "vetmail_core", "send", "--live", "--subject", "Reminder"]
    command += ["--preferences", "email-preferences.json", "--people", "class-of-ten.csv"]
    command += ["--text", "class-reminder.txt", "--batch", "reminder", "--ledger", "sent.ledger"]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    ) as process:
        try:
            for _ in range(600):
                if live_server.emails:
                    break
                threading.Event().wait(0.1)
            out, err = _ended_by(process, getattr(signal, name))
        finally:
            process.kill()
    assert process.returncode == 1
    assert err.startswith("interrupted; nobody further was written to")
    assert "1 accepted, 9 not tried" in out
    assert live_server.verbs[-1] == "QUIT"
    with SqliteLedger(folder / "sent.ledger") as ledger:
        assert ledger.in_doubt() == ()
        assert list(ledger.counts().values()) == [1]


def test_a_signal_that_was_ignored_stays_ignored_and_the_second_ends_at_once() -> None:
    """As under nohup; and nobody presses twice for nothing."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hangups = [signal.SIGHUP] if hasattr(signal, "SIGHUP") else []
    try:
        with ended_politely():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
            signal.raise_signal(signal.SIGTERM)
            for number in hangups:
                with pytest.raises(KeyboardInterrupt):
                    signal.raise_signal(number)
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with ended_politely(), pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        with ended_politely():
            with contextlib.suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGTERM)
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


def test_signals_are_the_main_threads_matter() -> None:
    """Elsewhere the command runs all the same."""
    seen: list[object] = []

    def work() -> None:
        with ended_politely():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]

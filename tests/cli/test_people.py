"""What the command line says about people: warnings, columns, those left out, single people."""

from __future__ import annotations

import csv
import io
import re
from email import message_from_bytes, policy
from html import unescape
from typing import TYPE_CHECKING

import pytest

from vetmail_core.people_file import read_people

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Said

CLASS = "class,starts,room"
REST = "Cookery,Monday,1"


@pytest.fixture
def mail(reminder: Callable[..., Said], folder: Path) -> Callable[..., Said]:
    """Write a people file and run a command with it."""

    def run(command: str, people: str, *words: str) -> Said:
        (folder / "people.csv").write_text(people, encoding="utf-8")
        return reminder(command, "--people", "people.csv", *words)

    return run


def _people(*rows: str, titles: str = "key,name,address") -> str:
    return "".join(f"{row}\n" for row in (f"{titles},{CLASS}", *(f"{row},{REST}" for row in rows)))


ZOE, BO, BAD = "1,Zoe Bar,zoe@example.com", "2,Bo Lee,bo@example.com", "3,Ann Ng,n/a"


@pytest.mark.parametrize("command", ["send", "preview"])
def test_warnings_are_told_before_the_first_email_and_change_no_status(
    mail: Callable[..., Said], command: str
) -> None:
    """Of the file, of empty fields, of people; one line each on stderr."""
    people = "Class list,,,,,\n" + _people(
        "1,Zoe,zoe@gmial.com", "2,,bo@example.com (old)", titles="key,name,E-mail"
    )
    said = mail(command, people)
    assert said.status == 0
    lines = said.err.splitlines()
    assert all(line.startswith("warning: ") for line in lines)
    for words in ("Class list", 'address from "E-mail"', "gmail.com", '"(old)"'):
        assert sum(words in line for line in lines) == 1


def test_an_empty_field_is_told_with_the_first_names(mail: Callable[..., Said], folder: Path) -> None:
    """Whoever is behind the number can be looked up."""
    (folder / "class-reminder.txt").write_text("Dear ${name}", encoding="utf-8")
    rows = [f"{n},,p{n}@example.com" for n in range(10, 18)]
    said = mail("preview", _people(ZOE, *rows))
    assert "warning: name is empty for 8 people: 10, 11, 12, 13, 14 and 3 more" in said.err
    said = mail("preview", _people(ZOE, rows[0]))
    assert "warning: name is empty for 1 person: 10\n" in said.err


def test_of_many_warnings_twenty_are_shown_and_all_with_v(mail: Callable[..., Said]) -> None:
    """The rest is counted."""
    people = _people(*(f"{n},P,p{n}@gmial.com" for n in range(30)))
    lines = mail("preview", people).err.splitlines()
    assert len(lines) == 21
    assert lines[-1] == "warning: and 10 more; -v lists them"
    assert len(mail("preview", people, "-v").err.splitlines()) == 30


def test_shared_addresses_are_told_in_one_line(mail: Callable[..., Said]) -> None:
    """Families share addresses, so it is no complaint."""
    said = mail("preview", _people(*(f"{n},P,p{n % 4}@example.com" for n in range(9))))
    assert "4 addresses get more than one email: p0@example.com (3), p1@example.com (2)" in said.out
    assert "and 1 more" in said.out
    assert said.err == ""
    assert (
        "1 address gets more than one email: a@example.com (2)\n"
        in mail("preview", _people("1,A,a@example.com", "2,B,A@example.com")).out
    )


def test_columns_are_named_on_the_command_line(mail: Callable[..., Said]) -> None:
    """For the address of another column, and a charset that is known."""
    people = _people("1,Zoe,mum@example.com", titles="Nr,Wer,Parent Email")
    said = mail(
        "send", people, "--column", "address=Parent Email", "--column", "name=Wer", "--encoding", "utf-8"
    )
    assert said.status == 0
    assert len(said.files) == 1
    for wrong in ("address", "=x", "address= "):
        said = mail("preview", people, "--column", wrong)
        assert said.status == 2
        assert f"--column {wrong}: expected FIELD=" in said.err


def test_several_mistakes_of_a_file_are_told_together(mail: Callable[..., Said]) -> None:
    """In a line each, and nothing is written."""
    said = mail("send", _people("1,Bar, Zoe,z@example.com", "2,Lee, Bo,b@example.com"))
    assert said.status == 2
    assert [bool(re.search(words, said.err)) for words in ("2 mistakes", "row 2: ", "row 3: ")] == [True] * 3
    assert not said.outbox.exists()


def _rows(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"))))


@pytest.mark.parametrize("command", ["send", "preview"])
def test_those_left_out_are_written_as_a_file_that_can_be_given_back(
    mail: Callable[..., Said], folder: Path, command: str
) -> None:
    """Titles and cells as they were, then why; read again, it gives the same people with the same keys."""
    people = _people(ZOE, BAD, '4,"Lee, Mo",', "1,Zoe Again,again@example.com")
    assert mail(command, people, "--left-out", "lo.csv").status == 1
    titles, *rows = _rows(folder / "lo.csv")
    assert titles == ["key", "name", "address", *CLASS.split(","), "left out", "why"]
    assert [row[1] for row in rows] == ["Ann Ng", "Lee, Mo", "Zoe Again"]
    assert [row[-2] for row in rows] == ["bad address", "no address", "duplicate person"]
    left = [p for p in read_people(folder / "people.csv").people if p.name in {row[1] for row in rows}]
    assert list(read_people(folder / "lo.csv").people) == left
    (folder / "again.csv").write_bytes((folder / "lo.csv").read_bytes())
    mail("preview", (folder / "again.csv").read_text(encoding="utf-8-sig"), "--left-out", "lo2.csv")
    assert [row[:3] for row in _rows(folder / "lo2.csv")] == [row[:3] for row in (titles, *rows[:2])]


def test_when_nobody_is_left_out_the_file_has_titles_alone(mail: Callable[..., Said], folder: Path) -> None:
    """And columns of the list that are called as ours stay."""
    people = f"key,name,address,why,,{CLASS}\n{ZOE},x,,{REST}\n"
    assert mail("preview", people, "--left-out", "lo.csv").status == 0
    assert _rows(folder / "lo.csv") == [
        ["key", "name", "address", "why", *CLASS.split(","), "left out", "why 2"]
    ]
    said = mail("preview", people, "--left-out", "no/lo.csv")
    assert (said.status, "--left-out no/lo.csv: cannot be written" in said.err) == (2, True)


def _first(said: Said) -> str:
    return message_from_bytes(said.files[0].read_bytes(), policy=policy.default).as_string()


def test_a_test_copy_goes_to_oneself_alone(mail: Callable[..., Said]) -> None:
    """The first person's email, or the one of a key; no copy to anybody."""
    people = _people(ZOE, BO)
    said = mail("send", people, "--to-myself", "Me <me@example.com>", "--cc", "kim@example.com")
    assert said.status == 0
    assert "nobody else was written to" in said.out
    text = _first(said)
    assert "To: Me <me@example.com>" in text
    assert "Zoe" in text
    assert "kim@example.com" not in text
    assert len(said.files) == 1


def test_a_test_copy_of_chosen_people(mail: Callable[..., Said]) -> None:
    """In the order of their keys as typed; an unknown key or one left out is told."""
    people = _people(ZOE, BO, BAD)
    said = mail("send", people, "--to-myself", "me@example.com", "--person", "2", "--person", "1")
    assert said.status == 0
    assert len(said.files) == 2
    for key, words in (("9", "found nobody"), ("3", "is left out: Ann Ng has an e-mail address that")):
        said = mail("send", people, "--to-myself", "me@example.com", "--person", key)
        assert said.status == 2
        assert f"--person {key}: " in said.err
        assert words in said.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--to-myself", "me"), "--to-myself me: character 1"),
        (("--to-myself", "me@example.com", "--ledger", "l", "--batch", "B"), "leave --ledger out"),
    ],
)
def test_a_test_copy_that_cannot_be_is_status_2(
    mail: Callable[..., Said], words: tuple[str, ...], sentence: str
) -> None:
    """Nothing is written."""
    said = mail("send", _people(ZOE), *words)
    assert said.status == 2
    assert sentence in said.err
    assert not said.outbox.exists()


@pytest.mark.parametrize(
    ("command", "words", "sentence"),
    [
        ("send", ("--person", "1"), "expected --to-myself beside it"),
        ("preview", ("--person", "1"), "expected --html-preview beside it"),
        ("send", ("--left-out", "people.csv"), "--left-out people.csv: is read as well"),
        ("preview", ("--left-out", "./people.csv"), "is read as well"),
        ("preview", ("--html-preview", "class-reminder.txt"), "--html-preview class-reminder.txt: is read"),
    ],
)
def test_an_option_that_would_do_nothing_or_harm_is_refused(
    mail: Callable[..., Said], folder: Path, command: str, words: tuple[str, ...], sentence: str
) -> None:
    """The list is still there afterwards."""
    said = mail(command, _people(ZOE, BAD), *words)
    assert said.status == 2
    assert sentence in said.err
    assert (folder / "people.csv").read_text(encoding="utf-8") == _people(ZOE, BAD)


def test_a_page_shows_the_emails_as_they_are_read(mail: Callable[..., Said], folder: Path) -> None:
    """Self-contained, without a script, every value escaped; the left out and the warnings are on it."""
    (folder / "h.html").write_text("<p>Dear ${name}</p><script>x</script>", encoding="utf-8")
    people = _people("1,<b>Zoe</b>,zoe@gmial.com", "2,Bo\x01,bo@example.com", BAD)
    said = mail("preview", people, "--html", "h.html", "--html-preview", "p.html", "--attach", "h.html")
    assert said.status == 1
    assert "nothing was sent" in said.out
    page = (folder / "p.html").read_text(encoding="utf-8")
    assert page.count("<article>") == 2
    assert page.count('<iframe sandbox="" ') == 2
    assert "<script" not in page
    assert "<b>Zoe" not in page
    assert "<h1>2 emails, 1 left out</h1>" in page
    for words in ("Content-Security-Policy", "gmail.com", "Ann Ng", "h.html", "U+0001"):
        assert words in page
    frame = re.search(r'srcdoc="([^"]*)"', page)
    assert frame is not None
    assert unescape(frame[1]).startswith("<p>Dear &lt;b&gt;Zoe&lt;/b&gt;</p>")


def test_a_page_shows_chosen_people_or_the_first_twenty(mail: Callable[..., Said], folder: Path) -> None:
    """A file that cannot be written, or a key that nobody has, is told."""
    people = _people(*(f"{n},P,p{n}@example.com" for n in range(25)))
    mail("preview", people, "--html-preview", "p.html")
    page = (folder / "p.html").read_text(encoding="utf-8")
    assert page.count("<article>") == 20
    assert "Left out" not in page
    mail("preview", people, "--html-preview", "p.html", "--person", "24")
    page = (folder / "p.html").read_text(encoding="utf-8")
    assert page.count("<article>") == 1
    assert "p24@example.com" in page
    said = mail("preview", people, "--html-preview", "p.html", "--person", "x")
    assert (said.status, "--person x" in said.err) == (2, True)
    said = mail("preview", people, "--html-preview", "no/p.html")
    assert (said.status, "--html-preview no/p.html: cannot be written" in said.err) == (2, True)


def test_a_preview_without_files_writes_none(mail: Callable[..., Said], folder: Path) -> None:
    """It writes only what its options name."""
    mail("preview", _people(ZOE))
    before = sorted(folder.iterdir())
    mail("preview", _people(ZOE))
    assert sorted(folder.iterdir()) == before


def test_people_under_new_keys_stop_the_second_run(mail: Callable[..., Said]) -> None:
    """In one line, in the preview as well, unless it is meant."""
    words = ("--batch", "B", "--ledger", "sent.ledger")
    assert mail("send", _people("00123,Zoe,zoe@example.com"), *words).status == 0
    for command in ("preview", "send"):
        said = mail(command, _people("123,Zoe,zoe@example.com"), *words)
        assert said.status == 2
        assert len(said.err.splitlines()) == 1
        assert "--new-keys" in said.err
    said = mail("send", _people("123,Zoe,zoe@example.com"), *words, "--new-keys")
    assert (said.status, len(said.files)) == (0, 2)


def test_a_file_with_a_password_that_others_can_read_is_told(
    vetmail: Callable[..., Said], change_preferences: Callable[..., None], folder: Path
) -> None:
    """With what to do; once it is done nothing is left to say."""
    change_preferences(
        mail_server={
            "authentication": "password",
            "username": "u@example.com",
            "password": {"plain": "x y z"},
        }
    )
    path = folder / "email-preferences.json"

    def check() -> Said:
        return vetmail("check", "--preferences", path.name)

    path.chmod(0o644)
    assert f"chmod 600 {path.name}" in check().out
    path.chmod(0o600)
    assert "chmod" not in check().out
    assert "x y z" not in check().out

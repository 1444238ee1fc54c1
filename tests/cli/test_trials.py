"""Trying a mailing out before the real thing, and keeping what came of it."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
from email import message_from_bytes, policy
from typing import TYPE_CHECKING

import pytest

from vetmail_core import ExclusionReason, Person, Report, SqliteLedger
from vetmail_core.cli.kinds import complain
from vetmail_core.recipients import Exclusion

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from email.message import EmailMessage
    from pathlib import Path

    from tests.cli.conftest import Said


def _messages(said: Said) -> list[EmailMessage]:
    return [message_from_bytes(path.read_bytes(), policy=policy.default) for path in said.files]


def _nothing_was_done(said: Said, folder: Path, before: Sequence[Path]) -> None:
    assert said.status == 2
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert sorted(folder.iterdir()) == before


def test_the_first_emails_go_and_nobody_else_is_tried(reminder: Callable[..., Said], folder: Path) -> None:
    """With a ledger the next run sends the rest, and those who have it are not written to again."""
    words = ("--batch", "spring", "--ledger", "L")
    said = reminder("send", "--first", "2", *words)
    assert (said.status, len(said.files)) == (0, 2), said.err
    assert "\n2/2 " in said.out
    assert "2 of 10 emails; the others were not tried" in said.out
    assert said.err == ""
    with SqliteLedger(folder / "L") as ledger:
        assert sum(ledger.counts().values()) == 2
    rest = reminder("send", *words)
    assert (rest.status, len(rest.files)) == (0, 10)
    assert "left out: already sent (2 people)" in rest.err
    preview = reminder("preview", "--first", "3")
    assert "3 of 10 emails; left out: 0; nothing was written" in preview.out
    assert preview.out.count("would go") == 3
    assert "99" not in reminder("send", "--first", "99").out


def test_whoever_is_left_out_among_the_first_counts(reminder: Callable[..., Said], folder: Path) -> None:
    """The status is that of what was walked, and nothing else."""
    rows = "C1,Ann,ann@example.com\nC2,Bob,\nC3,Cy,cy@example.com\nC4,Di,\n"
    (folder / "people.csv").write_text("key,name,address\n" + rows, encoding="utf-8")
    (folder / "short.txt").write_text("Hello.", encoding="utf-8")
    words = ("--people", "people.csv", "--text", "short.txt", "--subject", "Hello")
    one = reminder("send", *words, "--first", "1")
    assert (one.status, one.err) == (0, "")
    two = reminder("send", *words, "--first", "2")
    assert two.status == 1
    assert "C2" in two.err
    assert "C4" not in two.err


def test_a_field_that_the_first_people_lack_is_no_mistake_of_the_plan(
    reminder: Callable[..., Said], folder: Path
) -> None:
    """Somebody further down has it."""
    rows = "C1,Ann,ann@example.com,\nC2,Bob,bob@example.com,4\n"
    (folder / "people.csv").write_text("key,name,address,room\n" + rows, encoding="utf-8")
    (folder / "short.txt").write_text("Room ${room}.", encoding="utf-8")
    words = ("--people", "people.csv", "--text", "short.txt", "--subject", "Hello")
    assert reminder("send", *words, "--first", "1").status == 0


def test_a_redirected_run_reaches_one_address_and_says_whom_it_was_meant_for(
    reminder: Callable[..., Said],
) -> None:
    """Together with --first and with copies; nobody of the class gets anything."""
    said = reminder("send", "--redirect", "me@example.com", "--first", "2", "--cc", "audit@example.com")
    assert said.status == 0, said.err
    assert "all of it went to me@example.com alone" in said.out
    found = _messages(said)
    assert [message["To"] for message in found] == ["me@example.com"] * 2
    assert [message["Cc"] for message in found] == [None, None]
    assert found[0]["Subject"].startswith("[for ada.lovell@example.com")
    preview = reminder("preview", "--redirect", "me@example.com")
    assert "all of them would go to me@example.com alone" in preview.out
    mine = reminder("send", "--redirect", "me@example.com", "--to-myself", "kim@example.com")
    assert mine.status == 0
    assert _messages(mine)[-1]["To"] == "me@example.com"


def test_headers_and_the_way_out_are_in_every_email(reminder: Callable[..., Said]) -> None:
    """With merge fields, as in the library."""
    link = "https://rto.example/u?a=${address}"
    said = reminder(
        "send", "--header", "X-Course: ${class}", "--header", "Precedence: bulk", "--unsubscribe", link
    )
    assert said.status == 0, said.err
    first = _messages(said)[0]
    assert first["X-Course"] == "Certificate III in Commercial Cookery"
    assert first["Precedence"] == "bulk"
    assert first["List-Unsubscribe"] == "<https://rto.example/u?a=ada.lovell%40example.com>"
    assert first["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_marketing_without_a_way_out_is_said(reminder: Callable[..., Said]) -> None:
    """Before anybody complains that they cannot leave."""
    assert "unsubscribe" in reminder("preview", "--marketing").err
    assert (
        "unsubscribe"
        not in reminder("preview", "--marketing", "--unsubscribe", "mailto:leave@example.com").err
    )


@pytest.mark.parametrize("command", ["send", "preview"])
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--first", "0"), "expected a whole number from 1"),
        (("--first", "two"), "expected a whole number from 1"),
        (("--redirect", "me@example.com", "--ledger", "L", "--batch", "b"), "leave --ledger out"),
        (("--redirect", "me@@example.com"), "--redirect me@@example.com"),
        (("--report", "r.xls"), ".json, .csv, .txt"),
        (("--report", "report"), ".json, .csv, .txt"),
        (("--report", "nowhere/r.csv"), "cannot be written: No such file"),
        (("--report", "folder.csv"), "is a folder"),
        (("--header", "Subject: x"), "Subject"),
        (("--header", "X-Course"), "NAME: VALUE"),
        (("--header", "X-A: 1", "--header", "x-a: 2"), "twice"),
        (("--unsubscribe", "http://rto.example/u"), "http"),
        (
            ("--header", "List-Unsubscribe: <https://a.example>", "--unsubscribe", "https://b.example"),
            "Unsubscribe",
        ),
    ],
)
def test_a_mistake_in_an_option_stops_before_anything(
    reminder: Callable[..., Said], folder: Path, command: str, words: Sequence[str], sentence: str
) -> None:
    """One line, status 2, and no file is made."""
    (folder / "folder.csv").mkdir()
    before = sorted(folder.iterdir())
    said = reminder(command, *words)
    _nothing_was_done(said, folder, before)
    assert sentence in said.err


@pytest.mark.parametrize("name", ["r.json", "R.CSV", "r.txt"])
def test_the_report_is_kept_in_the_form_of_its_name(
    reminder: Callable[..., Said], folder: Path, name: str
) -> None:
    """Whole, over an older one, and nothing beside it."""
    (folder / name).write_text("older", encoding="utf-8")
    rows = "C1,Ann,ann@example.com\nC2,Bob,\n"
    (folder / "people.csv").write_text("key,name,address\n" + rows, encoding="utf-8")
    (folder / "short.txt").write_text("Hello.", encoding="utf-8")
    words = ("--people", "people.csv", "--text", "short.txt", "--subject", "Hello", "--report", name)
    said = reminder("send", *words)
    assert said.status == 1
    assert f"the report is in {name}" in said.out
    text = (folder / name).read_text(encoding="utf-8")
    match name:
        case "r.json":
            assert json.loads(text)["counts"]["handed_over"] == 1
        case "R.CSV":
            assert [row["name"] for row in csv.DictReader(text.splitlines())] == ["Bob"]
        case _:
            assert text.startswith("1 email to 1 recipient: ")
    assert not list(folder.glob(".*.new"))
    preview = reminder("preview", *words[:-1], "other.csv")
    assert preview.status == 1
    assert not (folder / "other.csv").exists()


def test_a_report_that_can_no_longer_be_written_is_told(
    reminder: Callable[..., Said], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder has gone while the emails left."""
    (folder / "reports").mkdir()

    class Terminal(io.StringIO):
        def write(self, text: str, /) -> int:
            shutil.rmtree(folder / "reports", ignore_errors=True)
            return super().write(text)

    monkeypatch.setattr(sys, "stdout", Terminal())
    said = reminder("send", "--report", "reports/r.csv")
    assert "--report reports/r.csv: cannot be written" in said.err
    assert said.status == 1
    assert len(said.files) == 10


def _many(folder: Path, count: int, *, without: int = 0) -> tuple[str, ...]:
    rows = [f"C{n},Person {n},p{n}@example.com\n" for n in range(count)]
    rows += [f"D{n},Nobody {n},\n" for n in range(without)]
    (folder / "people.csv").write_text("key,name,address\n" + "".join(rows), encoding="utf-8")
    (folder / "short.txt").write_text("Hello.", encoding="utf-8")
    return ("--people", "people.csv", "--text", "short.txt", "--subject", "Hello")


def test_a_kind_of_complaint_is_one_head_line_and_twenty_people(
    reminder: Callable[..., Said], folder: Path
) -> None:
    """Whoever resumes a run of hundreds reads a screen, not a roll; -v has everybody."""
    words = _many(folder, 120, without=30)
    resumed = (*words, "--batch", "b", "--ledger", "L")
    assert reminder("send", *resumed).status == 1
    again = reminder("send", *resumed)
    assert again.status == 1
    heads = [line for line in again.err.splitlines() if not line.startswith(" ")]
    assert heads == ["left out: already sent (120 people)", "left out: no address (30 people)"]
    assert len(again.err.splitlines()) == 2 * 22
    assert "  and 100 more; -v lists them" in again.err
    every = reminder("send", *resumed, "-v")
    assert len(every.err.splitlines()) == 2 + 150
    preview = reminder("preview", *words)
    assert len(preview.err.splitlines()) == 22
    nobody = reminder("preview", *_many(folder, 0, without=30))
    assert nobody.status == 2
    assert "left out: no address (30 people)" in nobody.out


def test_people_whose_names_nobody_kept_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """A report lists 10,000 of those who were sent to already, and counts the others."""
    sent = Exclusion(Person("ann@example.com", key="C1"), ExclusionReason.ALREADY_SENT, "It was accepted.")
    report = Report(exclusions=[sent, sent], already_sent=12_000)
    complain(report, everything=False)
    assert capsys.readouterr().err.splitlines()[0] == "left out: already sent (12000 people)"

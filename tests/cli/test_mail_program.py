"""The command line with the built-in client off: a class by the mail program on the desk."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from tests.transports.mailto.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Said

TEN = 10


@pytest.fixture
def desk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desktop with a screen and Thunderbird."""
    for name in ("WAYLAND_DISPLAY", "SNAP", "FLATPAK_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISPLAY", ":9")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setattr("sys.platform", "linux")
    desk = Desk(folder)
    monkeypatch.setenv("PATH", str(desk.programs))
    return desk


@pytest.fixture
def notice(
    vetmail: Callable[..., Said],
    folder: Path,
    desk: Desk,  # noqa: ARG001 - its programs are found
    change_preferences: Callable[..., None],
) -> Callable[..., Said]:
    """A command about a text without merge fields, to the class of ten: ``notice("send", "--live")``."""
    change_preferences(use_built_in_client=False)
    (folder / "notice.txt").write_text("The class is in room 7 now.", encoding="utf-8")

    def run(command: str, *words: str, people: str = "class-of-ten.csv") -> Said:
        given = ["--preferences", "email-preferences.json", "--people", people]
        return vetmail(command, *given, "--subject", "Room 7", "--text", "notice.txt", *words)

    return run


def eleven(folder: Path) -> str:
    """A class of one more than windows may open."""
    rows = (folder / "class-of-ten.csv").read_text(
        "utf-8"
    ) + "C1011,Kim Eleven,kim.eleven@example.com,x,y,z\n"
    (folder / "eleven.csv").write_text(rows, encoding="utf-8")
    return "eleven.csv"


def test_a_class_of_ten_is_ten_windows(reminder: Callable[..., Said], notice: object, desk: Desk) -> None:
    """Each personal; nobody is left out."""
    assert notice is not None
    said = reminder("send", "--live")
    assert (said.status, said.err) == (0, "")
    assert len(desk.opened) == TEN
    assert desk.opened[0].startswith("mailto:ada.lovell@example.com?subject=Reminder")


def test_a_class_is_one_window(notice: Callable[..., Said], desk: Desk) -> None:
    """Everybody once, in BCC; the family that shares an address once."""
    said = notice("send", "--live", "--one-email")
    assert (said.status, said.err) == (0, "")
    [uri] = desk.opened
    hidden = re.search(r"[?]bcc=([^&]*)", uri)
    assert hidden is not None
    assert len(hidden[1].split(";")) == TEN - 1
    assert uri.startswith("mailto:?bcc=ada.lovell@example.com;")
    assert "copies:" not in said.out


def test_a_preview_shows_the_one_email(notice: Callable[..., Said], desk: Desk) -> None:
    """The same as would be sent, and nothing is opened."""
    said = notice("preview", "--live", "--one-email")
    assert said.status == 0
    assert "1/1" in said.out
    assert "1 email; left out: 0" in said.out
    assert "Bcc: " in said.out
    assert "copies:" not in said.out
    assert desk.opened == []


def test_one_email_goes_into_a_folder_too(
    notice: Callable[..., Said], change_preferences: Callable[..., None]
) -> None:
    """It is not for mail programs alone."""
    change_preferences(use_built_in_client=True)
    said = notice("send", "--one-email")
    assert said.status == 0
    assert len(said.files) == 1


@pytest.mark.parametrize("command", ["send", "preview"])
def test_one_email_says_whom_it_leaves_out(notice: Callable[..., Said], folder: Path, command: str) -> None:
    """As a plan does."""
    rows = (folder / "class-of-ten.csv").read_text("utf-8") + "C1011,Kim Eleven,,x,y,z\n"
    (folder / "gap.csv").write_text(rows, encoding="utf-8")
    said = notice(command, "--live", "--one-email", people="gap.csv")
    assert said.status == 1
    assert said.err.startswith("left out: C1011 Kim Eleven: no address: ")


@pytest.mark.parametrize("command", ["send", "preview"])
def test_one_email_refuses_merge_fields(
    reminder: Callable[..., Said], notice: object, desk: Desk, command: str
) -> None:
    """Ten people would be greeted by one name."""
    assert notice is not None
    said = reminder(command, "--live", "--one-email")
    assert said.status == 2
    assert 'the field "class" of the texts differs from person to person' in said.err
    assert "leave out --one-email" in said.err
    assert said.err.count("\n") == 1
    assert desk.opened == []


@pytest.mark.parametrize("command", ["send", "preview"])
def test_one_email_refuses_a_private_context(notice: Callable[..., Said], desk: Desk, command: str) -> None:
    """It carries passwords or personal results."""
    said = notice(command, "--live", "--one-email", "--context", "account")
    assert said.status == 2
    assert "private context is for one person; leave out --one-email" in said.err
    assert desk.opened == []


@pytest.mark.parametrize("command", ["send", "preview"])
def test_one_email_to_nobody_is_nothing_tried(
    notice: Callable[..., Said], folder: Path, command: str
) -> None:
    """With the reason, as without the option."""
    (folder / "gap.csv").write_text("key,name,address\nC1,Kim,\n", encoding="utf-8")
    said = notice(command, "--live", "--one-email", people="gap.csv")
    assert said.status == 2
    assert "nobody to write to: everybody is left out (1 no address)" in said.err


@pytest.mark.parametrize("command", ["send", "preview"])
def test_more_people_than_windows_is_nothing_tried(
    notice: Callable[..., Said], folder: Path, desk: Desk, command: str
) -> None:
    """The preview says what the send says; the way out is one that a shell has."""
    said = notice(command, "--live", people=eleven(folder))
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith(f"vetmail {command}: More than 10 emails were to open a window each")
    for way_out in ("--max-windows N", "--one-email", "built-in VETtrak email client"):
        assert way_out in said.err
    assert "as_one_email" not in said.err
    assert desk.opened == []


@pytest.mark.parametrize("options", [("--max-windows", "11"), ("--one-email",)], ids=str)
def test_the_advice_can_be_followed(
    notice: Callable[..., Said], folder: Path, desk: Desk, options: tuple[str, ...]
) -> None:
    """Each of the two ways out is one."""
    people = eleven(folder)
    assert notice("preview", "--live", *options, people=people).status == 0
    assert notice("send", "--live", *options, people=people).status == 0
    assert len(desk.opened) == (TEN + 1 if "11" in options else 1)


def test_fewer_windows_may_be_asked_for(notice: Callable[..., Said], desk: Desk) -> None:
    """On a slow machine."""
    said = notice("send", "--live", "--max-windows", "9")
    assert said.status == 2
    assert "More than 9 emails" in said.err
    assert desk.opened == []


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5", "", "²"])
def test_a_number_of_windows_is_a_number(notice: Callable[..., Said], number: str) -> None:
    """One line, before a file is opened."""
    said = notice("send", "--live", f"--max-windows={number}")
    assert said.status == 2
    assert "argument --max-windows: expected a number of 1 or more" in said.err


@pytest.mark.parametrize("command", ["send", "preview"])
@pytest.mark.parametrize(
    ("built_in", "options"), [(True, ("--live",)), (False, ())], ids=["built-in", "folder"]
)
def test_windows_where_none_opens_are_a_mistake(
    notice: Callable[..., Said],
    change_preferences: Callable[..., None],
    command: str,
    options: tuple[str, ...],
    *,
    built_in: bool,
) -> None:
    """An option is never passed over in silence."""
    change_preferences(use_built_in_client=built_in)
    said = notice(command, *options, "--max-windows", "3")
    assert said.status == 2
    assert "--max-windows 3: needs --live and the built-in client off" in said.err


def test_a_preview_of_a_run_that_goes_on_leaves_the_windows_to_the_ledger(
    notice: Callable[..., Said], folder: Path
) -> None:
    """Only the ledger knows how many of the eleven are left to open."""
    people = eleven(folder)
    remembered = ("--batch", "B", "--ledger", "sent.ledger")
    assert notice("preview", "--live", *remembered, people=people).status == 2
    (folder / "sent.ledger").touch()
    assert notice("preview", "--live", *remembered, people=people).status == 0


@pytest.mark.parametrize("options", [(), ("--one-email",)], ids=["each", "one email"])
def test_a_ledger_says_how_to_open_a_window_again(
    notice: Callable[..., Said], desk: Desk, options: tuple[str, ...]
) -> None:
    """Somebody closed it without sending; the ledger cannot know."""
    remembered = ("--live", "--batch", "B", "--ledger", "sent.ledger", *options)
    assert notice("send", *remembered).status == 0
    windows = len(desk.opened)
    said = notice("send", *remembered)
    assert said.status == 0
    assert "was handed over to a mail program" in said.err
    assert "To open it again, send it without the ledger or under another batch name." in said.err
    assert len(desk.opened) == windows
    assert ("everybody in the one e-mail" in said.err) == bool(options)
    assert notice("send", "--live", "--batch", "B again", "--ledger", "sent.ledger", *options).status == 0
    assert len(desk.opened) == 2 * windows


def test_without_a_screen_the_way_out_is_one_of_the_shell(
    notice: Callable[..., Said], desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a server."""
    monkeypatch.delenv("DISPLAY")
    said = notice("send", "--live")
    assert said.status == 2
    assert "needs a screen, and this process has none" in said.err
    assert "leave out --live" in said.err
    assert "ImapDrafts" not in said.err
    assert said.err.count("\n") == 1
    assert (desk.asked, desk.opened) == ([], [])


def test_an_email_that_the_program_cannot_open_is_nothing_tried(
    notice: Callable[..., Said], folder: Path, desk: Desk
) -> None:
    """The reason is the one line."""
    desk.has("claws-mail.desktop")
    (folder / "plan.pdf").write_bytes(b"%PDF")
    said = notice("send", "--live", "--attach", "plan.pdf")
    assert said.status == 2
    assert "it has attachments, and Claws Mail" in said.err
    assert desk.opened == []

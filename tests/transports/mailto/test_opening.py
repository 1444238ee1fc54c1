"""Opening a link or a file: real programs, found where a desktop has them."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from vetmail_core import TransportError
from vetmail_core.transports.mailto.opening import LinuxOpener, MacOpener, WindowsOpener, opener_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LINK = "mailto:sam@example.com;pat@example.com?subject=A%20b&body=%24%28id%29"
FILE = "file:///home/office/vetmail-draft-1.eml"
IN_TIME = 60.0  # seconds for a program that ends at once; a busy machine may take some


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Puts a program onto the path that no other program is on; it writes its arguments to a file."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def make(name: str, then: str) -> Path:
        seen = tmp_path / f"{name}.seen"
        path = folder / name
        path.write_text(
            f'#!/bin/sh\nfor one in "$@"; do echo "$one" >> {seen}; done\n{then}\n', encoding="utf-8"
        )
        path.chmod(0o755)
        return seen

    return make


@pytest.mark.parametrize(
    ("platform", "opener"),
    [
        ("win32", WindowsOpener),
        ("darwin", MacOpener),
        ("linux", LinuxOpener),
        ("freebsd14", LinuxOpener),
    ],
)
def test_each_platform_has_its_own_door(platform: str, opener: type) -> None:
    """Named as Python names platforms."""
    assert isinstance(opener_for(platform), opener)


@pytest.mark.parametrize("uri", [LINK, FILE], ids=["link", "file"])
def test_on_linux_the_program_gets_one_argument(program: Callable[[str, str], Path], uri: str) -> None:
    """As it is; no shell reads it."""
    opened = program("xdg-open", "exit 0")
    LinuxOpener(patience=IN_TIME)(uri)
    assert opened.read_text(encoding="utf-8").splitlines() == [uri]


def test_on_linux_a_program_that_fails_is_an_error(program: Callable[[str, str], Path]) -> None:
    """With its exit code."""
    program("xdg-open", "exit 4")
    with pytest.raises(TransportError, match="xdg-open ended with 4"):
        LinuxOpener(patience=IN_TIME)(LINK)


@pytest.fixture
def slow(tmp_path: Path, program: Callable[[str, str], Path]) -> Iterator[Path]:
    """A mail program that runs until it is closed; the file holds its process, session and input."""
    told = tmp_path / "slow.told"
    # Its lines: the process, then field 6 of its state, the session (proc(5)), then whatever is typed to it.
    program(
        "xdg-open",
        f"read -r p n s pp g session rest < /proc/$$/stat; echo $$ >> {told}; echo $session >> {told}\n"
        f"/bin/cat >> {told}\nexec /bin/sleep 60",
    )
    yield told
    os.kill(int(_told(told)[0]), signal.SIGKILL)


def _told(file: Path) -> list[str]:
    """What the program told, once it has told all: it may have been slow to start."""
    give_up = time.monotonic() + IN_TIME
    while True:
        words = file.read_text(encoding="utf-8").split() if file.exists() else []
        if len(words) >= 2:
            return words
        assert time.monotonic() < give_up, f"the program told {words}"
        time.sleep(0.01)


def test_on_linux_a_program_that_keeps_running_is_up(slow: Path) -> None:
    """It has no input of ours and a session of its own, so it outlives us; we do not wait for it."""
    started = time.monotonic()
    LinuxOpener(patience=0.3)(LINK)
    assert time.monotonic() - started < 30
    process, session = _told(slow)
    assert session == process
    os.kill(int(process), 0)


def test_on_macos_the_systems_own_open_is_used(program: Callable[[str, str], Path], tmp_path: Path) -> None:
    """By its full path, with one argument."""
    assert MacOpener().program == "/usr/bin/open"
    opened = program("open", "exit 0")
    MacOpener(program=str(tmp_path / "bin" / "open"), patience=IN_TIME)(LINK)
    assert opened.read_text(encoding="utf-8").splitlines() == [LINK]


def test_on_macos_a_failure_is_an_error(program: Callable[[str, str], Path], tmp_path: Path) -> None:
    """`open` ends with 1 when no program is set."""
    program("open", "exit 1")
    with pytest.raises(TransportError, match=r"open ended with 1.*Default email reader"):
        MacOpener(program=str(tmp_path / "bin" / "open"), patience=IN_TIME)(LINK)


def test_a_program_that_cannot_be_started_is_an_error(tmp_path: Path) -> None:
    """A damaged system is told apart from a missing mail program."""
    with pytest.raises(TransportError, match="could not be started: No such file or directory"):
        MacOpener(program=str(tmp_path / "open"))(LINK)


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        (LINK, LINK),
        ("file:///home/office/draft%20%C3%A9%2520.eml", r"\home\office\draft é%20.eml"),
        ("file:///C:/Users/Zo%C3%AB/a%23b.eml", r"C:\Users\Zoë\a#b.eml"),
        ("file://localhost/C:/Users/Kim/a.eml", r"C:\Users\Kim\a.eml"),
        ("file://fileserver/home/kim/drafts/x.eml", r"\\fileserver\home\kim\drafts\x.eml"),
        ("file://f%C3%BCr.example/home%24/x%20y.eml", r"\\für.example\home$\x y.eml"),
        ("file:////fileserver/home/x.eml", r"\\fileserver\home\x.eml"),
    ],
)
def test_on_windows_a_link_goes_as_it_is_and_a_file_by_its_path(uri: str, target: str) -> None:
    """Not every program that Windows starts reads a file URI."""
    opened: list[str] = []
    WindowsOpener(startfile=opened.append)(uri)
    assert opened == [target]


def test_on_windows_without_a_mail_program_the_setting_is_named() -> None:
    """Windows' error 1155."""

    def nothing_associated(_uri: str) -> None:
        raise OSError(1155, "No application is associated with the specified file for this operation")

    with pytest.raises(TransportError, match=r"no program for mailto links: No application.*Default apps"):
        WindowsOpener(startfile=nothing_associated)(LINK)


def test_windows_way_needs_windows() -> None:
    """Asked for elsewhere, it says so."""
    with pytest.raises(TransportError, match="this is not Windows"):
        WindowsOpener(startfile=None)(LINK)

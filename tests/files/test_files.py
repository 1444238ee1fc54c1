"""Files are opened, looked at, and used by what was opened."""

from __future__ import annotations

import errno
import os
import socket
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vetmail_core import _files
from vetmail_core._files import (
    checked_name,
    new_file,
    open_regular,
    read_whole,
    remove_regular,
    replacement,
    take_over,
    write_new,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def _folder(path: Path) -> None:
    path.mkdir()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def _link_to_nothing(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def _link_to_a_file(path: Path) -> None:
    path.with_name("elsewhere").write_bytes(b"of others")
    path.symlink_to(path.with_name("elsewhere"))


IN_THE_WAY = {
    "a folder": _folder,
    "a pipe": _pipe,
    "a socket": _socket,
    "a link to nothing": _link_to_nothing,
    "a link to a file": _link_to_a_file,
}
NO_FILE = {name: make for name, make in IN_THE_WAY.items() if name != "a link to a file"}


@pytest.mark.parametrize("make", IN_THE_WAY.values(), ids=IN_THE_WAY)
def test_what_is_no_file_is_not_opened(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """Neither to read nor to lock; at once, and what a link leads to stays unmade."""
    make(tmp_path / "x")
    before = sorted(tmp_path.iterdir())
    for flags in (os.O_RDONLY, os.O_RDWR | os.O_CREAT):
        with pytest.raises(OSError):  # noqa: PT011 - the system has its own word for each
            open_regular(tmp_path / "x", flags)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("make", NO_FILE.values(), ids=NO_FILE)
def test_what_is_no_file_is_not_read(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A pipe that nobody writes into would be waited for until the end of days."""
    make(tmp_path / "x")
    for pipes in (False, True):
        with pytest.raises(OSError):  # noqa: PT011 - the system has its own word for each
            read_whole(tmp_path / "x", pipes=pipes)


def test_a_device_is_not_read() -> None:
    """It may have no end."""
    with pytest.raises(OSError, match="it is a device"):
        read_whole(Path("/dev/zero"), pipes=True)


def test_a_link_is_followed_where_a_file_is_read(tmp_path: Path) -> None:
    """An administrator may keep it elsewhere; a lock or mark is never elsewhere."""
    _link_to_a_file(tmp_path / "x")
    assert read_whole(tmp_path / "x") == b"of others"
    os.close(open_regular(tmp_path / "x", links=True))


def test_a_file_has_a_bound(tmp_path: Path) -> None:
    """What is read whole is held in memory."""
    (tmp_path / "x").write_bytes(b"x" * 2048)
    assert len(read_whole(tmp_path / "x", at_most=2048)) == 2048
    with pytest.raises(OSError, match="it is larger than 1 KiB"):
        read_whole(tmp_path / "x", at_most=1024)


def test_a_pipe_with_a_writer_is_read_to_its_end(tmp_path: Path) -> None:
    """As a shell makes one for the output of a command; whether it has written already or not."""
    path = tmp_path / "x"
    os.mkfifo(path)
    keeps = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # what is written stays until it is read

    quick = os.open(path, os.O_WRONLY)
    os.write(quick, b"at once")
    os.close(quick)
    assert read_whole(path, pipes=True) == b"at once"

    slow = os.open(path, os.O_WRONLY)

    def write() -> None:
        os.write(slow, b"later")
        os.close(slow)

    timer = threading.Timer(0.1, write)
    timer.start()
    assert read_whole(path, pipes=True) == b"later"
    timer.join()
    os.close(keeps)


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b"], ids=["NUL", "half a pair"])
def test_a_name_that_no_file_can_have_is_an_error_of_the_system(name: str) -> None:
    """And none of Python's other classes, which nobody expects of a file."""
    with pytest.raises(OSError, match=r"its name holds U\+0000 or half of a surrogate") as caught:
        checked_name(name)
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize("make", IN_THE_WAY.values(), ids=IN_THE_WAY)
def test_what_is_made_is_made_new(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """Whatever stands at the name stays, and so does what it leads to."""
    make(tmp_path / "x")
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "x", b"ours")
    assert not (tmp_path / "nowhere").exists()
    assert (tmp_path / "x").is_symlink() or (tmp_path / "x").exists()


def test_a_new_file_is_its_owners_alone_and_whole_or_not_there(tmp_path: Path) -> None:
    """A write that fails leaves nothing."""
    write_new(tmp_path / "x", b"ours")
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o600
    with pytest.raises(ZeroDivisionError), new_file(tmp_path / "y"):
        _ = 1 / 0
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_replaced_file_keeps_its_mode(tmp_path: Path) -> None:
    """Who could read it still can."""
    path = tmp_path / "x"
    path.write_bytes(b"old")
    path.chmod(0o640)
    (tmp_path / "x.new").write_bytes(b"of a crash")
    with replacement(path, beside=tmp_path / "x.new", mode=0o600) as out:
        out.write(b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_that_is_taken_meanwhile_leaves_nothing_beside_it(tmp_path: Path) -> None:
    """A folder in the place of the file cannot be renamed over."""
    path = tmp_path / "x"
    with pytest.raises(OSError), replacement(path, beside=tmp_path / "x.new", mode=0o600):  # noqa: PT011 - as above
        path.mkdir()
    assert list(tmp_path.iterdir()) == [path]


def test_the_owner_and_mode_are_set_on_the_open_file(tmp_path: Path) -> None:
    """A link that takes the name meanwhile gives nothing away: what it leads to keeps owner and mode."""
    old, fresh, precious = tmp_path / "old", tmp_path / "fresh", tmp_path / "precious"
    old.write_bytes(b"")
    old.chmod(0o666)
    precious.write_bytes(b"of root")
    precious.chmod(0o600)
    with new_file(fresh) as out:
        fresh.unlink()
        fresh.symlink_to(precious)
        take_over(out.fileno(), old.stat())
        out.write(b"ours")
    assert stat.S_IMODE(precious.stat().st_mode) == 0o600
    assert precious.read_bytes() == b"of root"


@pytest.mark.parametrize("make", IN_THE_WAY.values(), ids=IN_THE_WAY)
def test_only_a_file_is_taken_away(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """Whatever else bears the name belongs to somebody."""
    make(tmp_path / "x")
    remove_regular(tmp_path / "x")
    assert os.path.lexists(tmp_path / "x")
    write_new(tmp_path / "y", b"")
    remove_regular(tmp_path / "y")
    remove_regular(tmp_path / "never")
    assert not (tmp_path / "y").exists()


def test_nobody_changes_an_owner_or_a_mode_by_name() -> None:
    """A name can lead elsewhere between two calls; the source holds no such call."""
    source = Path(_files.__file__).parent
    calls = ("os.chown(", "os.lchown(", "os.chmod(", ".chmod(", "shutil.chown(")
    found = [
        str(path) for path in source.rglob("*.py") if any(call in path.read_text("utf-8") for call in calls)
    ]
    assert found == []

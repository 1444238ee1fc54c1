"""Files: opened first, looked at then, and used by what was opened.

Every file that this library makes, reads, locks or replaces goes through here. A link that somebody put in
the way is not followed, and a pipe or device is not waited for.

A name can lead to something else a moment later; an open file cannot. So owners, modes and kinds are those of
the descriptor, what is made is made new, and what replaces a file is renamed over it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path
    from typing import BinaryIO

__all__ = [
    "MOST_OCTETS",
    "NEW",
    "checked_name",
    "new_file",
    "open_regular",
    "read_whole",
    "regular",
    "remove_regular",
    "replacement",
    "sync_folder",
    "take_over",
    "write_new",
]

MOST_OCTETS: Final = 16 * 1024 * 1024
"""Of a file that is read whole."""

_STEP: Final = 1024 * 1024
_PRIVATE: Final = 0o600
_BINARY: Final[int] = getattr(os, "O_BINARY", 0)  # Windows would change line ends
_NO_WAIT: Final[int] = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | _BINARY
_NO_LINK: Final[int] = getattr(os, "O_NOFOLLOW", 0)
NEW: Final = os.O_CREAT | os.O_EXCL
"""What is made is made new, and nothing at its name is taken for it."""


def checked_name(path: str | os.PathLike[str]) -> Path:
    """A path that a system can be asked for.

    Raises:
        OSError: it holds U+0000 or half of a surrogate pair, for which Python has errors of other classes.
    """
    name = os.fspath(path)
    try:
        encoded = os.fsencode(name)
    except UnicodeEncodeError:
        encoded = b"\0"
    if b"\0" in encoded:
        raise OSError(
            errno.EINVAL, "its name holds U+0000 or half of a surrogate pair, which no file can have"
        )
    from pathlib import Path  # noqa: PLC0415 - only where a file is opened

    return Path(path)


def open_regular(path: Path, flags: int = os.O_RDONLY, *, mode: int = _PRIVATE, links: bool = False) -> int:
    """Open a file without waiting.

    Args:
        path: its name.
        flags: what it is opened for; ``os.O_CREAT`` makes it where it is missing.
        mode: of a file that is made.
        links: a link may lead to it.

    Returns:
        The descriptor of a regular file.

    Raises:
        OSError: it cannot be opened; it is a folder, a pipe or a device; or it is a link and may be none.
    """
    descriptor = os.open(checked_name(path), flags | _NO_WAIT | (0 if links else _NO_LINK), mode)
    try:
        _refuse_what_is_no_file(os.fstat(descriptor))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _refuse_what_is_no_file(found: os.stat_result) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is a device, a pipe or a socket and no file")


def read_whole(path: Path, *, at_most: int = MOST_OCTETS, pipes: bool = False) -> bytes:
    """Read a file, or what a link leads to, from its beginning to its end.

    Args:
        path: its name.
        at_most: octets that it may have.
        pipes: a pipe with somebody who writes into it will do, as a shell's ``<(command)`` is one.

    Raises:
        OSError: it cannot be read, is not a file, or is larger.
    """
    descriptor = os.open(checked_name(path), os.O_RDONLY | _NO_WAIT)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        data = more = b""
        if pipes and stat.S_ISFIFO(found.st_mode):
            data = _first_of_a_pipe(descriptor)
        else:
            _refuse_what_is_no_file(found)
            data = file.read(min(found.st_size, at_most))
        # It may grow, or have no size: a pipe, or what the system tells as a file.
        while len(data) <= at_most and (more := file.read(min(_STEP, at_most + 1 - len(data)))):
            data += more
    if len(data) > at_most:
        del data, more  # a traceback that shows locals must not show what is in the file
        raise OSError(errno.EFBIG, f"it is larger than {at_most // 1024:,} KiB")
    return data


def _first_of_a_pipe(descriptor: int) -> bytes:
    """Tell a pipe that is written into from one that nobody holds, which would be waited for in vain."""
    data = b""
    try:
        data = os.read(descriptor, 1)
        if not data:
            raise OSError(errno.EINVAL, "it is a pipe into which nobody writes")
    except BlockingIOError:
        pass  # there is a writer, which has nothing to say yet
    os.set_blocking(descriptor, True)
    return data


@contextlib.contextmanager
def new_file(path: Path, *, mode: int = _PRIVATE) -> Generator[BinaryIO]:
    """Make a file for a block to write, which is on the disk when the block ends; all of it or nothing.

    Args:
        path: its name, at which there is nothing.
        mode: who may read it, less the umask.

    Raises:
        FileExistsError: there is something, a link that leads nowhere included.
        OSError: it cannot be made or written; it is gone again.
    """
    descriptor = open_regular(path, os.O_WRONLY | NEW, mode=mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def write_new(path: Path, data: bytes, *, mode: int = _PRIVATE) -> None:
    """Make a file of these octets; see `new_file`."""
    with new_file(path, mode=mode) as file:
        file.write(data)


def take_over(descriptor: int, old: os.stat_result, *, keep_mode: bool = True) -> None:
    """Give an open file the owner and mode of the one that it replaces, so that who could read it still can.

    Args:
        descriptor: of the new file.
        old: what is known of the old one.
        keep_mode: the mode too.
    """
    if sys.platform != "win32":  # pragma: no branch - Windows has no such owners, and modes of two kinds only
        # Not every writer may give files away, and an owner from outside a container has no number inside it.
        with contextlib.suppress(OSError):
            os.fchown(descriptor, old.st_uid, old.st_gid)
        if keep_mode:
            os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


@contextlib.contextmanager
def replacement(path: Path, *, beside: Path, mode: int, keep_mode: bool = True) -> Generator[BinaryIO]:
    """Write what takes the place of a file, or of nothing, in one step when the block ends.

    Args:
        path: the file; not a link, which would be replaced itself.
        beside: the name under which it is written first; what a crash left there goes away.
        mode: of a file that is new, less the umask.
        keep_mode: a file that is there keeps its mode.

    Raises:
        OSError: it cannot be written, or what is there is no file; that stands as it was.
    """
    old = regular(path)
    beside.unlink(missing_ok=True)
    with new_file(beside, mode=mode) as out:
        if old is not None:
            take_over(out.fileno(), old, keep_mode=keep_mode)
        yield out
    try:
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def regular(path: Path) -> os.stat_result | None:
    """What is known of a file; None where there is nothing.

    Raises:
        OSError: it cannot be looked at, or is no regular file.
    """
    try:
        found = checked_name(path).lstat()
    except FileNotFoundError:
        return None
    _refuse_what_is_no_file(found)
    return found


def sync_folder(folder: Path) -> None:
    """Force a new name onto the disk too, where the system can.

    The file is in place by now, so a folder that may not be read, or a network drive that forces nothing onto
    a disk, is no failure: should the power fail, the old file is found, or the new one.
    """
    if sys.platform != "win32":  # pragma: no branch - Windows opens no folders
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def remove_regular(path: Path) -> None:
    """Take a file away; a link, a folder or a pipe stays, and so does a file that cannot be taken away."""
    with contextlib.suppress(OSError):
        if regular(path) is not None:
            path.unlink()

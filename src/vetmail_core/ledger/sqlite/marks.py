"""How far a run got, in a form that outlives its process.

What it is for: telling, after a program was killed, which of the emails it had put down as "about to be
sent" it had really begun, and which of those were answered. What it refuses: to be believed after the
machine itself went down. Its law: a mark is made before the thing it marks can happen.

A commit to disk costs as much as several emails, so a run puts down a group at a time. By itself that
would leave the whole group in doubt after a kill. So each run also holds a small file mapped into memory,
one byte for each email of the group. A process that dies leaves the mapped page with the operating
system, which writes it out; only the machine's own death loses it. The file names the boot it was written
under for that reason: under another boot its marks are void, and the whole group is in doubt.

The run holds a lock on the file for as long as it lives. The operating system lets go of the lock when the
process ends, however it ends. Whoever can take the lock knows that the run is dead.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import mmap
import os
import re
import secrets
import stat
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Self

from vetmail_core._file_lock import try_lock
from vetmail_core.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SLOTS", "DeadRun", "Mark", "RunMarks", "boot_identity", "forget_all", "stray_runs"]

SLOTS: Final = 4096
_NAME_BYTES: Final = 8
_HEADER: Final = 4096
_LOCKED_BYTE: Final = _HEADER + SLOTS  # Windows locks a byte that nobody reads
_SIZE: Final = _LOCKED_BYTE + 1
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_BINARY: Final[int] = getattr(os, "O_BINARY", 0)  # Windows
_SAME_BOOT_SECONDS: Final = 5.0


class Mark(enum.IntEnum):
    """How far one email got."""

    CLAIMED = 0
    BEGUN = 1
    ACCEPTED = 2
    HANDED_OVER = 3
    NOBODY = 4


def boot_identity(path: Path = _BOOT_ID) -> str:
    """What tells this run of the machine from an earlier one.

    Args:
        path: where Linux tells; elsewhere the moment of the boot is worked out from the two clocks.
    """
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        clock = SystemClock()
        return f"@{clock.now().timestamp() - clock.monotonic():.1f}"


def _same_boot(one: str, other: str) -> bool:
    if one.startswith("@") and other.startswith("@"):
        return abs(float(one[1:]) - float(other[1:])) < _SAME_BOOT_SECONDS
    return one == other


def _fill(descriptor: int) -> None:
    """Write every byte, so that a full disk shows now and not as a crash at a mark."""
    header = f"{boot_identity()}\n{os.getpid()}\n".encode("ascii")
    if os.write(descriptor, header.ljust(_SIZE, b"\0")) != _SIZE:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _mode_of(ledger: Path) -> int:
    """The permissions of a ledger: who may resume its runs must be able to read their marks."""
    try:
        return stat.S_IMODE(ledger.stat().st_mode)
    except FileNotFoundError:
        return 0o600


def _path(ledger: Path, run: str) -> Path:
    return ledger.with_name(f"{ledger.name}-run-{run}")


class RunMarks:
    """The marks of a run that is going on.

    Args:
        ledger: the ledger's file; the marks stand beside it.

    Raises:
        OSError: the file cannot be made.
    """

    def __init__(self, ledger: Path) -> None:
        while True:
            self.run = secrets.token_hex(_NAME_BYTES)
            self._path = _path(ledger, self.run)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, _mode_of(ledger))
            try:
                _fill(descriptor)
                # Somebody clearing up may have taken the file away before it was locked.
                if try_lock(descriptor, byte=_LOCKED_BYTE) and self._path.exists():
                    self._map = mmap.mmap(descriptor, _SIZE)
                    break
            except BaseException:
                os.close(descriptor)
                self._path.unlink(missing_ok=True)
                raise
            os.close(descriptor)
        # A program that drops its ledger without closing it lets go of the lock too, and its run is dead.
        self._let_go = weakref.finalize(self, os.close, descriptor)
        _HELD.add(self)

    def forget(self) -> None:
        """In a child of a fork: let go of the copy of the lock, or the run would outlive its process."""
        self._map.close()  # it holds the lock as well
        self._let_go()

    def set(self, slot: int, mark: Mark) -> None:
        """Mark one email. Costs no system call."""
        self._map[_HEADER + slot] = mark

    def get(self, slot: int) -> Mark:
        """How far one email got."""
        return Mark(self._map[_HEADER + slot])

    def close(self, *, keep: bool) -> None:
        """Let go.

        Args:
            keep: leave the file for a later run, because the ledger could not be written.
        """
        self._map.close()
        if not keep:
            with contextlib.suppress(OSError):
                self._path.unlink()
        self._let_go()


_HELD: Final[weakref.WeakSet[RunMarks]] = weakref.WeakSet()


def forget_all() -> None:
    """In a child of a fork: let go of every run."""
    for marks in _HELD:
        marks.forget()


def _where_nothing_forks(*, after_in_child: Callable[[], None]) -> None:
    """Windows."""


getattr(os, "register_at_fork", _where_nothing_forks)(after_in_child=forget_all)


class DeadRun:
    """The marks of a run that is no more; a context manager that holds its lock meanwhile.

    Args:
        ledger: the ledger's file.
        run: the run's name.

    Attributes:
        name: the run's name.
        alive: the run is going on after all; nothing else may be asked.
    """

    def __init__(self, ledger: Path, run: str) -> None:
        self.name = run
        self._path = _path(ledger, run)
        self._file: BinaryIO | None = None
        self._marks: bytes | None = None
        self.alive = False
        try:
            self._file = self._path.open("rb")
        except FileNotFoundError:
            return
        self.alive = not try_lock(self._file.fileno(), byte=_LOCKED_BYTE)
        if not self.alive:
            content = self._file.read(_LOCKED_BYTE)
            boot = content.partition(b"\n")[0].decode("ascii", "replace")
            if len(content) == _LOCKED_BYTE and _same_boot(boot, boot_identity()):
                self._marks = content[_HEADER:]

    def mark(self, slot: int | None) -> Mark:
        """How far the email in a slot got; BEGUN, the careful answer, when that cannot be told."""
        if self._marks is None or slot is None:
            return Mark.BEGUN
        return Mark(self._marks[slot])

    def forget(self) -> None:
        """Take the file away; what it told is in the ledger."""
        with contextlib.suppress(OSError):
            self._path.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._file is not None:
            self._file.close()


def stray_runs(ledger: Path) -> tuple[str, ...]:
    """The runs whose marks stand beside a ledger; another ledger, named after this one, is no run."""
    marks = re.compile(re.escape(f"{ledger.name}-run-") + f"([0-9a-f]{{{2 * _NAME_BYTES}}})")
    found = (marks.fullmatch(entry.name) for entry in ledger.parent.iterdir())
    return tuple(name[1] for name in found if name is not None)

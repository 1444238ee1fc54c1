"""How far a run got, in a form that outlives its process.

After a program was killed, the marks tell which of the emails that it had written down as "about to be
sent" it had really begun, and which were answered. A mark is made before the thing it marks can happen.
After a restart of the machine marks are not believed.

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
from typing import Final, Self

import attrs

from vetmail_core._file_lock import try_lock
from vetmail_core._files import NEW, open_regular, remove_regular
from vetmail_core._process import when_forked
from vetmail_core.clock import SystemClock

__all__ = ["SLOTS", "DeadRun", "Ending", "Mark", "RunMarks", "boot_identity", "forget_all", "stray_runs"]

SLOTS: Final = 4096
_NAME_BYTES: Final = 8
_HEADER: Final = 4096
_LOCKED_BYTE: Final = _HEADER + SLOTS  # Windows locks a byte that nobody reads
_SIZE: Final = _LOCKED_BYTE + 1
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_NO_FILE: Final = frozenset({errno.EISDIR, errno.EINVAL, errno.ELOOP, errno.ENXIO})
_SAME_BOOT_SECONDS: Final = 5.0


class Mark(enum.IntEnum):
    """How far one email got."""

    CLAIMED = 0
    BEGUN = 1
    ACCEPTED = 2
    HANDED_OVER = 3
    NOBODY = 4


def _read_mark(octet: int) -> Mark:
    """What an octet says; BEGUN, the careful answer, where it is no mark."""
    try:
        return Mark(octet)
    except ValueError:
        return Mark.BEGUN


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
    try:
        if one.startswith("@") and other.startswith("@"):
            return abs(float(one[1:]) - float(other[1:])) < _SAME_BOOT_SECONDS
    except ValueError:
        return False  # whatever the file holds, we did not write it
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


@attrs.define(eq=False)
class Ending:
    """Whether somebody began to end a run or a ledger; from then on it counts as dead in this process.

    An interrupt can cut the end short at any line. So this is said in the first, by one assignment.

    Attributes:
        lock: held by whoever ends it.
        begun: it is going on, is over, or was cut short.
    """

    lock: contextlib.AbstractContextManager[object] = attrs.field(factory=contextlib.nullcontext[None])
    begun: bool = False


class RunMarks:
    """The marks of a run that is going on.

    Args:
        ledger: the ledger's file; the marks stand beside it.
        of_ledger: which its runs share.

    Attributes:
        run: the run's name.
        ending: the run's own.

    Raises:
        OSError: the file cannot be made.
    """

    def __init__(self, ledger: Path, of_ledger: Ending | None = None) -> None:
        while True:
            self.run = secrets.token_hex(_NAME_BYTES)
            self._path = _path(ledger, self.run)
            descriptor = open_regular(self._path, os.O_RDWR | NEW, mode=_mode_of(ledger))
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
        self._of_ledger = Ending() if of_ledger is None else of_ledger
        self.ending: Final = Ending(self._of_ledger.lock)
        _HELD.add(self)

    def forget(self) -> None:
        """Let go of the lock; in a child of a fork of its copy, or the run would outlive its process."""
        self._map.close()  # it holds the lock as well
        self._let_go()

    def set(self, slot: int, mark: Mark) -> None:
        """Mark one email, while the run counts as alive. Costs no system call."""
        if not self._map.closed:
            self._map[_HEADER + slot] = mark

    def get(self, slot: int) -> Mark:
        """How far one email got."""
        return _read_mark(self._map[_HEADER + slot])

    @property
    def held(self) -> bool:
        """Whether the run counts as alive."""
        return self._let_go.alive

    def let_go_if_cut(self, path: Path) -> None:
        """Let go of these marks if somebody began to end their run, and nobody is ending it any more."""
        if self._path == path and self.held and (self.ending.begun or self._of_ledger.begun):
            with self.ending.lock:
                self.forget()

    def close(self, *, keep: bool) -> None:
        """Let go. What an interrupt leaves of it is done by another call.

        Args:
            keep: leave the file for a later run, because the ledger could not be written.
        """
        self.forget()
        if not keep:
            remove_regular(self._path)


_HELD: Final[weakref.WeakSet[RunMarks]] = weakref.WeakSet()


def forget_all() -> None:
    """In a child of a fork: let go of every run."""
    for marks in _HELD:
        marks.forget()


when_forked(forget_all)


def _read_marks(descriptor: int) -> bytes:
    os.lseek(descriptor, 0, os.SEEK_SET)  # Windows locks where the file stands
    with os.fdopen(descriptor, "rb", closefd=False) as file:
        return file.read(_LOCKED_BYTE)


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
        self._descriptor: int | None = None
        self._marks: bytes | None = None
        self.alive = False
        for marks in tuple(_HELD):
            marks.let_go_if_cut(self._path)
        try:
            self._descriptor = open_regular(self._path)
        except OSError as error:
            if isinstance(error, FileNotFoundError) or error.errno in _NO_FILE:
                return
            raise
        self.alive = not try_lock(self._descriptor, byte=_LOCKED_BYTE)
        if not self.alive:
            content = _read_marks(self._descriptor)
            boot = content.partition(b"\n")[0].decode("ascii", "replace")
            if len(content) == _LOCKED_BYTE and _same_boot(boot, boot_identity()):
                self._marks = content[_HEADER:]

    def mark(self, slot: int | None) -> Mark:
        """How far the email in a slot got; BEGUN, the careful answer, when that cannot be told."""
        if self._marks is None or slot is None or not 0 <= slot < SLOTS:
            return Mark.BEGUN
        return _read_mark(self._marks[slot])

    def forget(self) -> None:
        """Take the file away; what it told is in the ledger."""
        remove_regular(self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)


def stray_runs(ledger: Path) -> tuple[str, ...]:
    """The runs whose marks stand beside a ledger; another ledger, named after this one, is no run."""
    marks = re.compile(re.escape(f"{ledger.name}-run-") + f"([0-9a-f]{{{2 * _NAME_BYTES}}})")
    with os.scandir(ledger.parent) as entries:
        found = [marks.fullmatch(entry.name) for entry in entries if entry.is_file(follow_symlinks=False)]
    return tuple(name[1] for name in found if name is not None)

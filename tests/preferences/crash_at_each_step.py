"""Not a test but the program that one runs: save, and die before each call to the system in turn.

Usage: ``crash_at_each_step.py FOLDER``. Each attempt is a process of its own that ends at once, without any
clean-up, as if the power had failed. Prints one JSON list with an entry for each attempt.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from vetmail_core.preferences import MailServer, load_preferences, save_preferences

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

SYSTEM = {"posix", "fcntl", "_io"}


def die_at(step: int) -> Callable[[FrameType, str, object], None]:
    """Make a profile function that ends the process just before a call to the system, the step-th one."""
    left = step

    def profile(_frame: FrameType, event: str, function: object) -> None:
        nonlocal left
        if event != "c_call":
            return
        owner = getattr(function, "__self__", None)
        module = getattr(function, "__module__", None) or type(owner).__module__
        if module in SYSTEM:
            left -= 1
            if left < 0:
                os.write(1, f"{getattr(function, '__name__', '?')} ".encode())
                os._exit(9)

    return profile


def attempt(file: Path, prepare: Callable[[], object]) -> int:
    """Save in a process of its own.

    Returns:
        How it ended: 0 when it saved.
    """
    loaded = load_preferences(file)
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    changed = attrs.evolve(loaded, mail_server=MailServer(host="new.example.com", username="x" * 5000))
    prepare()
    save_preferences(changed, file)
    os._exit(0)


def result(file: Path, before: bytes, status: int) -> dict[str, object]:
    """What a reader and a later writer find after the attempt."""
    host = load_preferences(file).mail_server.host
    untouched = file.read_bytes() == before
    later = attrs.evolve(load_preferences(file), mail_server=MailServer(host="later.example.com"))
    save_preferences(later, file)
    return {
        "status": status,
        "host": host,
        "untouched": untouched,
        "later": load_preferences(file).mail_server.host,
        "files": sorted(entry.name for entry in file.parent.iterdir()),
    }


def main(folder: Path) -> list[dict[str, object]]:
    """Crash before each call until an attempt gets through, then in the middle of the writing itself."""
    file = folder / "preferences.json"
    file.write_text('{"schema": 1, "mail_server": {"host": "old.example.com"}}', encoding="utf-8")
    before = file.read_bytes()
    results: list[dict[str, object]] = []
    while not results or results[-1]["status"]:
        step = len(results)
        file.write_bytes(before)
        results.append(result(file, before, attempt(file, lambda: sys.setprofile(die_at(step)))))  # noqa: B023 - run at once
    for size in (0, 1, 4096):

        def cut(size: int = size) -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

        file.write_bytes(before)
        results.append(result(file, before, attempt(file, cut)))
    return results


if __name__ == "__main__":
    found = main(Path(sys.argv[1]))
    print("\n" + json.dumps(found))  # noqa: T201 - a program

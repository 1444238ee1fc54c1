"""What somebody needs who has just cloned the project: tests that can be collected on each system."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parent.parent
# Windows has none of these. Only the tests are kept from them: the library knows which system it is on.
HIDE = """
import builtins, sys, pytest

LACKED = {"fcntl", "grp", "pty", "pwd", "resource", "termios"}
real = builtins.__import__

def without(name, globals=None, locals=None, fromlist=(), level=0):
    asked_by = str((globals or {}).get("__file__", ""))
    if name.partition(".")[0] in LACKED and asked_by.startswith(sys.argv[1]):
        raise ModuleNotFoundError(f"{asked_by} needs {name}, which Windows lacks")
    return real(name, globals, locals, fromlist, level)

builtins.__import__ = without
sys.exit(pytest.main(["--collect-only", "-q", "-m", "not wire", "-p", "no:cacheprovider", *sys.argv[2:]]))
"""


def collected(*places: Path) -> subprocess.CompletedProcess[str]:
    """What pytest says when it collects the quick tests and the modules that Windows lacks are hidden."""
    command = [sys.executable, "-c", HIDE, str(TOP / "tests"), *map(str, places)]
    return subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)


def test_the_quick_tests_can_be_collected_on_windows() -> None:
    """Nobody has to own the right computer to try a change."""
    said = collected(TOP / "tests")
    assert said.returncode == 0, said.stdout[-2000:]


def test_a_test_module_that_windows_cannot_import_is_found(tmp_path: Path) -> None:
    """The check above can fail."""
    module = tmp_path / "test_posix_only.py"
    module.write_text("import fcntl\n\n\ndef test_nothing() -> None:\n    pass\n", encoding="utf-8")
    command = [sys.executable, "-c", HIDE, str(tmp_path), str(module)]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert said.returncode != 0
    assert "Windows lacks" in said.stdout

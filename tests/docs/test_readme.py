"""The README shows what really comes out, and points to proofs that exist."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parent.parent.parent
README = (TOP / "README.md").read_text(encoding="utf-8")


def test_the_table_shown_is_what_the_command_prints(tmp_path: Path) -> None:
    """Whoever runs the first command sees the README's table, to the letter."""
    shutil.copytree(TOP / "examples", tmp_path / "examples")
    (line,) = [line for line in README.splitlines() if "vetmail_core send" in line]
    command = line.partition("&& ")[2].replace("python ", f"{sys.executable} ", 1)
    said = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, encoding="utf-8", check=True
    )
    (shown,) = re.findall(r"^```text\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert said.stdout == shown


def test_every_test_that_is_named_as_a_proof_exists() -> None:
    """A proof that was renamed is a promise only."""
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", README)
    assert named
    missing = [
        (file, test) for file, test in named if f"def {test}(" not in (TOP / file).read_text(encoding="utf-8")
    ]
    assert missing == []

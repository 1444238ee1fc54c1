"""The README shows what really comes out, and points to proofs that exist."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

TOP = Path(__file__).parent.parent.parent
MEASURED = json.loads((TOP / "docs/_static/benchmarks/raw.json").read_text(encoding="utf-8"))["sections"]
README = (TOP / "README.md").read_text(encoding="utf-8")


def test_the_table_shown_is_what_the_command_prints(tmp_path: Path) -> None:
    """Whoever runs the first command sees the README's table, to the letter."""
    shutil.copytree(TOP / "examples", tmp_path / "examples")
    (line,) = [line for line in README.splitlines() if "vetmail_core send" in line]
    command = line.partition("&& ")[2].replace("python ", f"{sys.executable} ", 1)
    # Into a pipe, where lines are as long as they are; whoever runs the tests may have set a width.
    env = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    said = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, encoding="utf-8", check=True, env=env
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


def claimed(pattern: str) -> float:
    """The figure that the README gives; there is exactly one such sentence."""
    (figure,) = re.findall(pattern, README)
    return float(figure)


def test_no_figure_says_more_than_was_measured() -> None:
    """Each figure of the README is rounded down from the raw ones of the benchmarks."""
    sent = MEASURED["smtp"]["cells"]["50 ms, 1 recipients"]
    ours, chunking = sent["vetmail_core AUTO"], sent["vetmail_core CHUNKING, window 8"]
    assert claimed(r"it sends (\d\.\d) times as many") <= sent["smtplib"]["seconds"] / ours["seconds"]
    assert (
        claimed(r"and (\d+) times as many with CHUNKING") <= sent["smtplib"]["seconds"] / chunking["seconds"]
    )
    for kind in ("plain_seconds", "both_seconds", "file_seconds"):
        took = MEASURED["messages"][kind]
        assert claimed(r"in a (\d+)th of the time") <= took["EmailMessage"] / took["vetmail_core"]
    lost = max(cell["share"] for cell in MEASURED["ledger"].values())
    assert claimed(r"costs less than (\d+) % of the throughput") / 100 > lost


def test_the_address_cases_are_answered_as_the_readme_says() -> None:
    """All of them here, and no more than that share by each other parser."""
    share = {
        parser: sum(right for right, _all in kinds.values())
        / sum(number for _right, number in kinds.values())
        for parser, kinds in MEASURED["addresses"]["right"].items()
    }
    assert share.pop("vetmail_core") == 1
    assert len(share) == 5
    assert max(share.values()) <= claimed(r"answer (\d+) % at most") / 100


def test_the_home_of_the_docs_shows_what_its_example_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ten lines, and their result to the letter."""
    home = (TOP / "docs" / "index.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```$", home, re.MULTILINE | re.DOTALL)
    (shown,) = re.findall(r"^```text\n(.*?)^```$", home, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "index.md", "exec"), {})  # noqa: S102 - our own page
    assert capsys.readouterr().out == shown


def test_the_home_of_the_docs_takes_its_first_command_from_the_readme() -> None:
    """Both ends of the piece are there, so it cannot be empty."""
    home = (TOP / "docs" / "index.md").read_text(encoding="utf-8")
    (start,) = re.findall(r'^:start-after: "(.*)"$', home, re.MULTILINE)
    (end,) = re.findall(r'^:end-before: "(.*)"$', home, re.MULTILINE)
    piece = README.split(start)[1].split(end)[0]
    assert "vetmail_core send" in piece
    assert "11 handed over" in piece

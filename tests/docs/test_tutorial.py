"""The tutorial, followed to the letter."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

TUTORIAL = Path(__file__).parent.parent.parent / "docs" / "tutorial.md"


def test_what_the_tutorial_shows_is_what_it_prints(tmp_path: Path) -> None:
    """Somebody who types it in sees the same lines."""
    page = TUTORIAL.read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    shown = "".join(re.findall(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    file = tmp_path / "tutorial.py"
    file.write_text(code, encoding="utf-8")
    said = subprocess.run(
        [sys.executable, file], cwd=tmp_path, capture_output=True, encoding="utf-8", check=True
    )
    assert said.stdout == shown

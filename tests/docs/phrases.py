"""Phrases that no page, error or docstring of the project may use, with what to write instead.

``nox -s prose`` reads src, docs and the pages at the top, and fails for each phrase that has no exception.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

TOP = Path(__file__).parent.parent.parent
READ = ("src/**/*.py", "docs/**/*.md", "docs/*.py", "*.md", "examples/**/*.md")

# (what is never right, what to write instead)
PHRASES = (
    (r"here came", "`Mailer() needs EmailPreferences, got dict.`"),
    (r"\bbut [A-Za-z_{}.()]+ came\b", "`needs X, got Y`"),
    (r"\bcannot stand\b|\bcan't stand\b", "is not valid"),
    (r"(?<![Tt]here )\b(?:is|are|was|were) none\b", "is not a ..., are not ..."),
    (
        r"(?<![Tt]here )\bis no (?:text|number|address|Message-ID|folder|file|list|mapping|ledger|date)\b",
        "is not a ...",
    ),
    (r"\bbehind the @", "after the @"),
    (r"\ba blank (?:stands|before|after|may)\b", "a space"),
    (r"\bWhat it refuses:", "say it in a plain sentence, or leave it out"),
    (r"\bIts law:", "say it in a plain sentence, or leave it out"),
    (r"\bsays no time zone\b", "has no time zone"),
    (r"\bfor good(?= *[.,;:)])", "permanently"),
    (r"\blets go by\b|\blet go by\b", "skips"),
    (r"\bstands there\b", "is there"),
)

# (file, a piece of the line): why the phrase is right there. Ten at most.
EXCEPTIONS: tuple[tuple[str, str, str], ...] = ()


def found() -> list[tuple[str, int, str, str]]:
    """Each use: file, line, the words, what to write instead."""
    uses = []
    for path in sorted({path for pattern in READ for path in TOP.glob(pattern)}):
        name = path.relative_to(TOP).as_posix()
        if "_build" in path.parts or name == "CHANGELOG.md":
            continue
        text = path.read_text(encoding="utf-8")
        for phrase, instead in PHRASES:
            # A phrase may be broken over two lines of prose, with a comment sign or quotes between.
            pattern = phrase.replace(" ", r"(?:\s|[\"'#f]){1,40}?") if "[" not in phrase else phrase
            for use in re.finditer(pattern, text):
                number = text.count("\n", 0, use.start()) + 1
                line = text.splitlines()[number - 1]
                if not any(name == file and piece in line for file, piece, _why in EXCEPTIONS):
                    uses.append((name, number, use[0], instead))
    return uses


def main() -> int:
    """Print each use; the status is 1 when there is one, or when the exceptions are too many."""
    uses = found()
    for name, number, words, instead in uses:
        print(f"{name}:{number}: {' '.join(words.split())!r}; write: {instead}")
    print(f"{len(uses)} phrases to rewrite, {len(EXCEPTIONS)} exceptions")
    return 1 if uses or len(EXCEPTIONS) > 10 else 0


if __name__ == "__main__":
    sys.exit(main())

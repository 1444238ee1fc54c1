"""What a check of the settings found, as lines."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from vetmail_core.cli.layout import tell
from vetmail_core.errors import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vetmail_core.errors import Problem

__all__ = ["say_findings"]


def say_findings(problems: Sequence[Problem]) -> int:
    """Print each finding with what to do.

    Returns:
        How many of them are errors.
    """
    for problem in problems:
        tell(
            f"{problem.severity.name:<8}{problem.setting}: {problem.message}", out=sys.stdout, indent=" " * 8
        )
        tell(f"        -> {problem.advice}", out=sys.stdout, indent=" " * 3)
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    findings = "1 finding" if len(problems) == 1 else f"{len(problems)} findings"
    tell(f"{findings}, {errors} of them errors" if problems else "no findings", out=sys.stdout)
    return errors

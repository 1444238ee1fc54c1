"""A preview that can be looked at: one self-contained page, for a browser without network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vetmail_core.cli.planning import NothingTriedError
from vetmail_core.message.page import article, left_out_table, page, safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from vetmail_core.bulk import PlanSummary
    from vetmail_core.message import Email
    from vetmail_core.recipients import Exclusion

__all__ = ["preview_page", "write_page"]


def write_page(path: Path, text: str) -> None:
    """Write the page.

    Raises:
        NothingTriedError: it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise NothingTriedError(
            f"--html-preview {path}: cannot be written: {error.strerror or error}"
        ) from error


def preview_page(
    emails: Iterable[Email],
    left_out: Sequence[Exclusion],
    *,
    summary: PlanSummary,
    warnings: Sequence[str],
) -> str:
    """Make the page.

    Args:
        emails: those to show.
        left_out: who gets none.
        summary: of the whole plan.
        warnings: what somebody should look at.
    """
    parts = [f"<h1>{_count(summary.emails, 'email')}, {len(left_out)} left out</h1>\n"]
    if warnings:
        lines = "".join(f"<li>{safe(one)}</li>\n" for one in warnings)
        parts.append(f"<section><h2>Look at first</h2>\n<ul>\n{lines}</ul></section>\n")
    if left_out:
        parts.append(left_out_table(left_out))
    return page("Preview", [*parts, *map(article, emails)])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun if number == 1 else noun + 's'}"

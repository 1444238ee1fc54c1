"""Those who were left out, as a file that can be mended and given back as ``--people``.

Read again, the file gives the same people with the same keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vetmail_core.cli.planning import NothingTriedError
from vetmail_core.people_file.titles import LEFT_OUT_TITLES
from vetmail_core.recipients import Exclusion

if TYPE_CHECKING:
    from pathlib import Path

    from vetmail_core.bulk import BulkPlan
    from vetmail_core.people_file import PeopleFile

__all__ = ["write_left_out"]


def write_left_out(path: Path, people: PeopleFile, plan: BulkPlan) -> None:
    """Write the file: the titles and cells as they were, then why.

    Args:
        path: replaced when it is there.
        people: the plan's file.
        plan: of these people.

    Raises:
        NothingTriedError: it cannot be written.
    """
    import csv  # noqa: PLC0415 - only where it is asked for

    titles = people.titles
    if titles[-len(LEFT_OUT_TITLES) :] == LEFT_OUT_TITLES:
        titles = titles[: -len(LEFT_OUT_TITLES)]
    kept = [n for n, title in enumerate(titles) if title]
    own = [title if title not in titles else f"{title} 2" for title in LEFT_OUT_TITLES]
    try:
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*(titles[n] for n in kept), *own])
            for (cells, _), step in zip(people.walk(), plan.steps(), strict=True):
                if isinstance(step, Exclusion):
                    reason = step.reason.value.replace("_", " ")
                    writer.writerow([*(cells[n] for n in kept), reason, " ".join(step.detail.split())])
    except OSError as error:
        raise NothingTriedError(f"--left-out {path}: cannot be written: {error.strerror or error}") from error

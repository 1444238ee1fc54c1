"""What the benchmark sections share: fair timing of rivals, and the shapes a section hands back.

Its law: a figure is a ratio against a peer measured in the same run, the rivals taken in turn.
"""

from __future__ import annotations

import gc
import statistics
import time
from typing import TYPE_CHECKING, Literal

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@attrs.frozen(kw_only=True)
class Table:
    """A table of the report: column titles, and rows of cells already formatted."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@attrs.frozen(kw_only=True)
class Chart:
    """A chart: ``bars`` (categories on x), ``ranking`` (categories down the page) or ``lines``."""

    name: str  # the stem of its file names
    title: str
    kind: Literal["bars", "ranking", "lines"]
    x_label: str
    y_label: str
    x: Sequence[str] | Sequence[float]
    series: Mapping[str, Sequence[float]]
    log_x: bool = False
    log_y: bool = False
    least_y: float | None = None  # lines: the y axis goes from 0 to this at least


@attrs.frozen(kw_only=True)
class Section:
    """What one benchmark file hands back from ``run(*, quick: bool)``."""

    name: str
    title: str
    prose: str = ""
    tables: Sequence[Table] = ()
    charts: Sequence[Chart] = ()
    raw: Mapping[str, object] = attrs.field(factory=dict)


def seconds_each(
    rivals: Mapping[str, Callable[[], object]], *, rounds: int = 5, warmup: int = 1
) -> dict[str, float]:
    """Time rivals in turn, A B C A B C, and give each one's median.

    Args:
        rivals: name -> a call that does the whole piece of work once.
        rounds: counted turns.
        warmup: turns not counted.

    Returns:
        Name -> median seconds of one call.
    """
    seen: dict[str, list[float]] = {name: [] for name in rivals}
    for turn in range(warmup + rounds):
        for name, work in rivals.items():
            gc.collect()
            start = time.perf_counter()
            work()
            taken = time.perf_counter() - start
            if turn >= warmup:
                seen[name].append(taken)
    return {name: statistics.median(taken) for name, taken in seen.items()}

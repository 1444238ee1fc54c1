"""Charts as SVG, one for the docs' light theme and one for the dark.

Its law: the background is the page's, and text is text, so that it can be searched and read aloud.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.harness import Chart
    from matplotlib.axes import Axes

__all__ = ["THEMES", "Theme", "draw"]


@attrs.frozen(kw_only=True)
class Theme:
    """Colours that can be told apart, by the colour-blind too, on the page's background.

    Attributes:
        name: "light" or "dark", as the docs' theme calls them.
        ink: text and axes.
        faint: the grid.
        colours: of the series.
    """

    name: str
    ink: str
    faint: str
    colours: tuple[str, ...]


THEMES: Final = (
    Theme(
        name="light",
        ink="#1f2328",
        faint="#d0d4da",
        colours=("#0b6bcb", "#d9730d", "#2f8f5b", "#8b5fbf", "#c23b5a", "#6b7280"),
    ),
    Theme(
        name="dark",
        ink="#d4d8de",
        faint="#3d434c",
        colours=("#5aa9f5", "#f2a65a", "#63c18d", "#b79ae6", "#f07f98", "#a3abb8"),
    ),
)
_STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "vetmail_core",
    "font.size": 10,
    "font.family": "sans-serif",
}
_BAR: Final = 0.26  # the height of one bar, in places of the axis


def _short(value: float) -> str:
    """A figure in at most three digits, without powers of ten."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"


def _plain_ticks(value: float, _place: int | None = None) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def _bars(axes: Axes, chart: Chart, theme: Theme) -> None:
    width = 0.8 / len(chart.series)
    for place, (name, values) in enumerate(chart.series.items()):
        at = [i + (place - (len(chart.series) - 1) / 2) * width for i in range(len(chart.x))]
        bars = axes.bar(at, list(values), width, label=name, color=theme.colours[place])
        axes.bar_label(bars, [_short(value) for value in values], fontsize=8, color=theme.ink)
    axes.set_xticks(range(len(chart.x)), [str(x) for x in chart.x])
    axes.margins(y=0.1)


def _ranking(axes: Axes, chart: Chart, theme: Theme) -> None:
    count = len(chart.series)
    for place, (name, values) in enumerate(chart.series.items()):
        at = [i + (place - (count - 1) / 2) * _BAR for i in range(len(chart.x))]
        bars = axes.barh(at, list(values), _BAR * 0.9, label=name, color=theme.colours[place])
        labels = [_short(value) if value == value else "" for value in values]  # noqa: PLR0124 - not a number
        axes.bar_label(bars, labels, fontsize=8, color=theme.ink, padding=3)
    axes.set_yticks(range(len(chart.x)), [str(x) for x in chart.x])
    axes.invert_yaxis()
    if chart.log_x:  # half of the smallest figure: its bar is seen, and none stands on nothing
        smallest = min(value for values in chart.series.values() for value in values if value == value)  # noqa: PLR0124 - as above
        axes.set_xlim(left=smallest / 2)
    axes.grid(axis="x", color=theme.faint, linewidth=0.6)
    axes.margins(x=0.08, y=0.02)


def _lines(axes: Axes, chart: Chart, theme: Theme) -> None:
    marks: Sequence[str] = ("o", "s", "^", "D", "v", "P")
    for place, (name, values) in enumerate(chart.series.items()):
        axes.plot(
            [float(x) for x in chart.x],
            list(values),
            marker=marks[place],
            label=name,
            color=theme.colours[place],
        )
    axes.grid(color=theme.faint, linewidth=0.6)
    if chart.least_y is not None:
        axes.set_ylim(0, max(chart.least_y, 1.1 * max(max(values) for values in chart.series.values())))


def _figure(chart: Chart, theme: Theme) -> Figure:
    tall = 0.24 * len(chart.x) * len(chart.series) + 1.2 if chart.kind == "ranking" else 4.0
    figure = Figure(figsize=(8, tall), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.subplots()
    axes.patch.set_alpha(0)
    axes.set_axisbelow(True)
    if chart.log_x:
        axes.set_xscale("log")
    if chart.log_y:
        axes.set_yscale("log")
    {"bars": _bars, "ranking": _ranking, "lines": _lines}[chart.kind](axes, chart, theme)
    if chart.log_x:
        axes.xaxis.set_major_formatter(FuncFormatter(_plain_ticks))
        axes.xaxis.set_minor_formatter(NullFormatter())
    if chart.log_y:
        axes.yaxis.set_major_formatter(FuncFormatter(_plain_ticks))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_title(chart.title, color=theme.ink, fontsize=11, loc="left")
    axes.set_xlabel(chart.x_label, color=theme.ink)
    axes.set_ylabel(chart.y_label, color=theme.ink)
    axes.tick_params(which="both", colors=theme.ink)
    for name, spine in axes.spines.items():
        spine.set_visible(name in {"left", "bottom"})
        spine.set_color(theme.faint)
    if len(chart.series) > 1:
        axes.legend(fontsize=9, frameon=False, labelcolor=theme.ink)
    return figure


def draw(chart: Chart, folder: Path) -> None:
    """Write ``NAME-light.svg`` and ``NAME-dark.svg``."""
    with mpl.rc_context(_STYLE):
        for theme in THEMES:
            path = folder / f"{chart.name}-{theme.name}.svg"
            _figure(chart, theme).savefig(path, metadata={"Date": None})
            # Blanks at the ends of lines are of no use to anybody.
            lines = path.read_text(encoding="utf-8").splitlines()
            path.write_text("".join(f"{line.rstrip()}\n" for line in lines), encoding="utf-8")

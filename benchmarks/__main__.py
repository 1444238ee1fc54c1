"""Run the benchmark and write its report: ``python -m benchmarks [--quick] [--only NAME ...]``.

Writes docs/benchmarks.md, the charts beside it in docs/benchmarks/ and the raw figures as JSON. Its law:
every ratio compares peers measured in this run, on this machine, and the report names both.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import sys
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.harness import Chart, Section, Table

SECTIONS = ("addresses", "planning", "messages", "smtp", "importing", "testkit")
DOCS = Path(__file__).parent.parent / "docs"
PEERS = (
    "vetmail_core",
    "attrs",
    "cattrs",
    "email-validator",
    "django",
    "aiosmtplib",
    "aiosmtpd",
    "redmail",
    "yagmail",
    "flanker",
    "pytest",
)


def _table(table: Table) -> str:
    lines = [
        f"**{table.title}**",
        "",
        "| " + " | ".join(table.columns) + " |",
        "|" + "|".join(" --- " for _ in table.columns) + "|",
        *("| " + " | ".join(cells) + " |" for cells in table.rows),
    ]
    return "\n".join([*lines, "", table.note] if table.note else lines)


def _draw(chart: Chart, folder: Path) -> None:
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    if chart.kind == "bars":
        width = 0.8 / len(chart.series)
        for place, (name, values) in enumerate(chart.series.items()):
            at = [i + (place - (len(chart.series) - 1) / 2) * width for i in range(len(chart.x))]
            bars = axes.bar(at, list(values), width, label=name)
            axes.bar_label(bars, fmt="%.3g", fontsize=7)
        axes.set_xticks(range(len(chart.x)), [str(x) for x in chart.x])
    else:
        for name, values in chart.series.items():
            axes.plot([float(x) for x in chart.x], list(values), marker="o", label=name)
        axes.grid(alpha=0.3)
    if chart.log_x:
        axes.set_xscale("log")
    if chart.log_y:
        axes.set_yscale("log")
    axes.set(title=chart.title, xlabel=chart.x_label, ylabel=chart.y_label)
    if len(chart.series) > 1:
        axes.legend(fontsize=8)
    figure.savefig(folder / f"{chart.name}.svg", metadata={"Date": None})


def _section(section: Section) -> str:
    parts = [f"## {section.title}", section.prose, *map(_table, section.tables)]
    parts += [f"![{chart.title}](benchmarks/{chart.name}.svg)" for chart in section.charts]
    return "\n\n".join(part for part in parts if part)


def _machine() -> str:
    known = Path("/proc/cpuinfo")
    lines = known.read_text(encoding="utf-8").splitlines() if known.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    model = next(iter(models), platform.processor() or platform.machine())
    return f"{model}, {platform.system()} {platform.release()}"


def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for name in PEERS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sections and write the report."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="Ratios against peers in the same run.")
    parser.add_argument("--quick", action="store_true", help="small sizes, two minutes; writes no report")
    parser.add_argument(
        "--only", nargs="*", choices=SECTIONS, default=SECTIONS, help="some of them; writes no report"
    )
    options = parser.parse_args(arguments)
    sections: list[Section] = []
    for name in options.only:
        print(f"... {name}", file=sys.stderr, flush=True)
        start = time.perf_counter()
        sections.append(importlib.import_module(f"benchmarks.{name}").run(quick=options.quick))
        print(f"... {name}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    body = "\n\n".join(map(_section, sections))
    versions = _versions()
    today = datetime.now(UTC).date().isoformat()
    report = (
        "# Benchmarks\n\n"
        f"Measured on {today} on one machine ({_machine()}), in one run of `nox -s bench`. "
        "Absolute figures say little on another machine; the ratios say how the libraries compare.\n\n"
        + ", ".join(f"{name} {version}" for name, version in versions.items())
        + ".\n\n"
        + body
        + "\n\nThe raw figures are in {download}`benchmarks/raw.json <benchmarks/raw.json>`.\n"
    )
    print(body)
    if options.quick or set(options.only) != set(SECTIONS):
        return 0
    folder = DOCS / "benchmarks"
    folder.mkdir(exist_ok=True)
    for section in sections:
        for chart in section.charts:
            _draw(chart, folder)
    raw = {
        "date": today,
        "machine": _machine(),
        "versions": versions,
        "sections": {s.name: dict(s.raw) for s in sections},
    }
    (folder / "raw.json").write_text(json.dumps(raw, indent=1, default=str) + "\n", encoding="utf-8")
    (DOCS / "benchmarks.md").write_text(report, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

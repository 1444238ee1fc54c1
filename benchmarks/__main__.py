"""Run the benchmark and write its report.

usage: python -m benchmarks [--quick] [--only NAME ...] [--output DIR]

A full run writes docs/benchmarks.md, the charts and the raw figures; a quick one, or one of some sections
only, writes nothing unless it is told where. Its law: every ratio compares peers measured in this run, on
this machine, and the report names both.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.charts import THEMES, draw
from benchmarks.node import nodemailer_version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.harness import Chart, Section, Table

SECTIONS: Final = (
    "importing",
    "addresses",
    "people_files",
    "planning",
    "messages",
    "ledger",
    "smtp",
    "signing_in",
    "drafts",
    "testkit",
)
DOCS: Final = Path(__file__).parent.parent / "docs"
CHARTS: Final = "_static/benchmarks"
PEERS: Final = (
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


def _picture(chart: Chart) -> str:
    return "\n\n".join(
        f"```{{image}} {CHARTS}/{chart.name}-{theme.name}.svg\n"
        f":alt: {chart.title}\n:class: only-{theme.name}\n```"
        for theme in THEMES
    )


def _section(section: Section) -> str:
    pictures = map(_picture, section.charts)
    parts = [f"## {section.title}", section.prose, *pictures, *map(_table, section.tables)]
    return "\n\n".join(part for part in parts if part)


def _machine() -> str:
    known = Path("/proc/cpuinfo")
    lines = known.read_text(encoding="utf-8").splitlines() if known.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    model = next(iter(models), platform.processor() or platform.machine())
    cores = os.cpu_count() or 1
    return f"{model}, {cores} core{'s' * (cores > 1)}, {platform.system()}"


def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for name in PEERS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    nodemailer = nodemailer_version()
    return found | ({"nodemailer": nodemailer} if nodemailer else {})


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description="Ratios against peers in the same run.")
    parser.add_argument("--quick", action="store_true", help="small sizes, two minutes; rough figures")
    parser.add_argument("--only", nargs="*", choices=SECTIONS, default=SECTIONS, help="some of them")
    parser.add_argument(
        "--output",
        type=Path,
        help="where benchmarks.md and its charts go; docs/ for a full run, else nowhere",
    )
    options = parser.parse_args(arguments)
    if options.output is None and not options.quick and set(options.only) == set(SECTIONS):
        options.output = DOCS
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sections and write the report."""
    options = _options(arguments)
    sections: list[Section] = []
    begun = time.perf_counter()
    for name in (name for name in SECTIONS if name in options.only):
        print(f"... {name}", file=sys.stderr, flush=True)
        start = time.perf_counter()
        sections.append(importlib.import_module(f"benchmarks.{name}").run(quick=options.quick))
        print(f"... {name}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    minutes = (time.perf_counter() - begun) / 60
    body = "\n\n".join(map(_section, sections))
    print(body)
    if options.output is None:
        return 0
    versions = _versions()
    today = datetime.now(UTC).date().isoformat()
    command = "nox -s bench -- --quick" if options.quick else "nox -s bench"
    report = (
        "# Benchmarks\n\n"
        f"One run of `{command}` on {today}: {minutes:.1f} minutes on one machine ({_machine()}). "
        "Absolute figures say little about another machine; the ratios, of rivals measured in turn in the "
        "same run, say how they compare.\n\n"
        f"{', '.join(f'{name} {version}' for name, version in versions.items())}. "
        f"The raw figures: {{download}}`raw.json <{CHARTS}/raw.json>`.\n\n"
        f"{body}\n"
    )
    folder = options.output / CHARTS
    folder.mkdir(parents=True, exist_ok=True)
    for section in sections:
        for chart in section.charts:
            draw(chart, folder)
    raw = {
        "date": today,
        "command": command,
        "machine": _machine(),
        "versions": versions,
        "sections": {s.name: dict(s.raw) for s in sections},
    }
    (folder / "raw.json").write_text(json.dumps(raw, indent=1, default=str) + "\n", encoding="utf-8")
    (options.output / "benchmarks.md").write_text(report, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What the test kit costs: a pytest run that does not use it, and an email through the outbox."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.harness import Section, Table, seconds_each

_EMAILS = 200


# What other plugins do at the start and end of a run would drown what is measured.
_ALONE = [f"-pno:{name}" for name in ("cacheprovider", "hypothesispytest", "xdist", "randomly", "sybil")]


def _cpu_seconds_of_pytest(folder: str, *options: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "pytest", "-q", *_ALONE, *options, folder]
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _whole_runs(rounds: int) -> tuple[float, float]:
    """Median CPU seconds of a run without the plugin and of one with it, measured in turn."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_nothing.py").write_text("def test_nothing():\n    pass\n", encoding="utf-8")
        Path(folder, "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        pairs = [
            (_cpu_seconds_of_pytest(folder, "-pno:vetmail_core"), _cpu_seconds_of_pytest(folder))
            for _ in range(rounds)
        ]
    without, with_it = zip(*pairs, strict=True)
    return median(without), median(with_it)


def _through_the_outbox() -> None:
    from vetmail_core.testing import Outbox, email  # noqa: PLC0415 - timed with what it loads the first time

    outbox = Outbox()
    assert (
        sum(receipt.ok for receipt in outbox.deliver(email(f"s{n}@example.com") for n in range(_EMAILS)))
        == _EMAILS
    )


def _import_seconds(times: int) -> float:
    """Median seconds of the plugin's import in new interpreters that have loaded pytest."""
    code = (
        "import pytest, time; start = time.perf_counter();"
        "import vetmail_core.testing.pytest_plugin; print(time.perf_counter() - start)"
    )
    command = [sys.executable, "-I", "-c", code]
    taken = [
        float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for _ in range(times)
    ]
    return sorted(taken)[times // 2]


def run(*, quick: bool) -> Section:
    """Time whole pytest runs with and without the plugin, and an email through the outbox."""
    without, with_it = _whole_runs(7 if quick else 25)
    _through_the_outbox()
    outbox = seconds_each({"outbox": _through_the_outbox}, rounds=3 if quick else 10)["outbox"]
    rows = [
        ("pytest without the plugin", f"{1000 * without:.0f} ms"),
        ("pytest with the plugin", f"{1000 * with_it:.0f} ms"),
    ]
    alone = _import_seconds(5 if quick else 25)
    rows.append(("importing the plugin, pytest being loaded", f"{1000 * alone:.1f} ms"))
    rows.append(("one email through the outbox", f"{1e6 * outbox / _EMAILS:.0f} µs"))
    return Section(
        name="testkit",
        title="The test kit",
        prose=(
            f"Importing the plugin takes {1000 * alone:.1f} ms; whole runs that do not use it differ by"
            f" {1000 * (with_it - without):.1f} ms of CPU time (target: below 15 ms)."
        ),
        tables=[
            Table(
                title="A whole pytest run of one empty test, CPU time", columns=("what", "median"), rows=rows
            )
        ],
        raw={
            "whole_cpu_seconds": {"without": without, "with": with_it},
            "outbox_seconds_each": outbox / _EMAILS,
        },
    )


if __name__ == "__main__":
    print(run(quick="--quick" in sys.argv))

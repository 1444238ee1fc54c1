"""What the test kit costs: a pytest run that does not use it, and an email through the outbox."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.harness import Section, Table, seconds_each

_EMAILS = 200


def _pytest(folder: str, *options: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, folder]
    subprocess.run(command, check=True, capture_output=True)


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
    """Time whole pytest runs with and without the plugin, in turn."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_nothing.py").write_text("def test_nothing():\n    pass\n", encoding="utf-8")
        Path(folder, "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        whole = seconds_each(
            {
                "pytest without the plugin": partial(_pytest, folder, "-p", "no:vetmail_core"),
                "pytest with the plugin": partial(_pytest, folder),
            },
            rounds=5 if quick else 25,
        )
    _through_the_outbox()
    outbox = seconds_each({"outbox": _through_the_outbox}, rounds=3 if quick else 10)["outbox"]
    without, with_it = whole.values()
    rows = [(name, f"{1000 * seconds:.0f} ms") for name, seconds in whole.items()]
    alone = _import_seconds(5 if quick else 25)
    rows.append(("importing the plugin, pytest being loaded", f"{1000 * alone:.1f} ms"))
    rows.append(("one email through the outbox", f"{1e6 * outbox / _EMAILS:.0f} µs"))
    return Section(
        name="testkit",
        title="The test kit",
        prose=(
            f"Importing the plugin takes {1000 * alone:.1f} ms; whole runs that do not use it differ by"
            f" {1000 * (with_it - without):.1f} ms (target: below 15 ms)."
        ),
        tables=[Table(title="A whole pytest run of one empty test", columns=("what", "median"), rows=rows)],
        raw={"whole_seconds": whole, "outbox_seconds_each": outbox / _EMAILS},
    )


if __name__ == "__main__":
    print(run(quick="--quick" in sys.argv))

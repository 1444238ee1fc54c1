"""What ``import vetmail_core`` costs, beside ``import attrs``: whole interpreters, taken in turn."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import partial

from benchmarks.harness import Section, Table, seconds_each

_HEAVY = (
    "smtplib",
    "socket",
    "ssl",
    "cattrs",
    "email_validator",
    "sqlite3",
    "email.message",
    "csv",
    "openpyxl",
)


def _start(code: str) -> None:
    subprocess.run([sys.executable, "-I", "-c", code], check=True)


def _inside(module: str, *, times: int) -> float:
    """Median seconds of the import statement alone, in new interpreters."""
    code = f"import time; s = time.perf_counter(); import {module}; print(time.perf_counter() - s)"
    taken = [
        float(
            subprocess.run(
                [sys.executable, "-I", "-c", code], check=True, capture_output=True, text=True
            ).stdout
        )
        for _ in range(times)
    ]
    return sorted(taken)[times // 2]


def run(*, quick: bool) -> Section:
    """Time the imports and look for heavy modules behind them."""
    rounds = 5 if quick else 25
    whole = seconds_each(
        {
            "import nothing": partial(_start, "pass"),
            "import attrs": partial(_start, "import attrs"),
            "import vetmail_core": partial(_start, "import vetmail_core"),
        },
        rounds=rounds,
    )
    attrs_alone = _inside("attrs", times=rounds)
    ours_alone = _inside("vetmail_core", times=rounds)
    probe = f"import sys, vetmail_core; print([m for m in {_HEAVY!r} if m in sys.modules])"
    pulled = subprocess.run(
        [sys.executable, "-I", "-c", probe], check=True, capture_output=True, text=True
    ).stdout
    heavy = ", ".join(ast.literal_eval(pulled)) or "none"
    rows = [(name, f"{1000 * seconds:.1f} ms") for name, seconds in whole.items()]
    return Section(
        name="importing",
        title="Import",
        prose=(
            f"The import statement alone takes {ours_alone / attrs_alone:.2f} x that of `import attrs` "
            f"(target: at most 1.5); heavy modules pulled in: {heavy}."
        ),
        tables=[
            Table(
                title="A whole interpreter that starts, imports and ends",
                columns=("what", "median"),
                rows=rows,
            )
        ],
        raw={
            "whole_seconds": whole,
            "attrs_seconds": attrs_alone,
            "vetmail_core_seconds": ours_alone,
            "heavy": pulled.strip(),
        },
    )


if __name__ == "__main__":
    print(run(quick="--quick" in sys.argv))

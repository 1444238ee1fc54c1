"""What reading a people file costs, beside ``csv.DictReader`` with a person made of each row.

Run it alone with ``python benchmarks/people_files.py [--quick]``.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import tracemalloc
from functools import partial
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.harness import Section, Table, seconds_each

from vetmail_core import Person
from vetmail_core.people_file import read_people


def _write(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("key,name,address,room\n")
        file.writelines(f"C{n:07},Ann Lee,student{n}@example.com,Kitchen {n % 9}\n" for n in range(rows))


def _by_hand(path: Path) -> int:
    with path.open(encoding="utf-8", newline="") as file:
        people = (
            Person(row["address"], key=row["key"], name=row["name"], fields={"room": row["room"]})
            for row in csv.DictReader(file)
        )
        return sum(1 for _ in people)


def _ours(path: Path) -> int:
    return sum(1 for _ in read_people(path).people)


def _peak(path: Path) -> int:
    tracemalloc.start()
    _ours(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def run(*, quick: bool) -> Section:
    """Read the same rows both ways."""
    count = 5_000 if quick else 100_000
    with tempfile.TemporaryDirectory() as folder:
        path, short = Path(folder) / "people.csv", Path(folder) / "short.csv"
        _write(path, count)
        _write(short, count // 10)
        taken = seconds_each(
            {"csv.DictReader and Person": partial(_by_hand, path), "read_people": partial(_ours, path)},
            rounds=3 if quick else 5,
        )
        peaks = {"tenth": _peak(short), "whole": _peak(path)}
    ratio = taken["read_people"] / taken["csv.DictReader and Person"]
    return Section(
        name="people_files",
        title="People files",
        prose=(
            f"Looking a CSV file of {count:,} people over for its mistakes and making its people takes "
            f"{ratio:.2f} x a bare `csv.DictReader` with a `Person` of each row (target: at most 3.0). Ten "
            f"times the people take {peaks['whole'] / peaks['tenth']:.2f} x the memory."
        ),
        tables=[
            Table(
                title=f"Reading {count:,} people",
                columns=("what", "median"),
                rows=[(name, f"{1000 * seconds:.0f} ms") for name, seconds in taken.items()],
            )
        ],
        raw={"seconds": taken, "peak_octets": peaks},
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    print(run(quick=parser.parse_args().quick))

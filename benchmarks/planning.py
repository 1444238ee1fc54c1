"""What planning a bulk send costs: in time against building its people, in memory against their number.

Run it alone with ``python benchmarks/planning.py [--quick]``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.harness import Chart, Section, Table, seconds_each

from vetmail_core import BulkCopies, Content, EmailPreferences, Person, RecipientType, plan_bulk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vetmail_core import BulkPlan

PLAIN = Content("Class on Monday", "The class on Monday is in room 4.\n" * 10)
MERGED = Content(
    "${course}: class on Monday",
    "Dear ${first_name},\n\n" + "The class on Monday is in room 4.\n" * 10 + "\nSent to ${address}\n",
    html="<p>Dear ${first_name},</p>" + "<p>The class on Monday is in room 4.</p>" * 10 + "<p>${course}</p>",
)
CONTEXT = EmailPreferences(contexts={"occurrence_class": {"guardian": RecipientType.CC}})


def students(count: int | None = None) -> Iterator[Person]:
    """Students as a host builds them from its records: an address as text, a key, a name, two fields."""
    numbers = itertools.count() if count is None else range(count)
    for number in numbers:
        yield Person(
            f"student{number}@example.com",
            key=f"C{number:07}",
            name="Lee, Ann",
            fields={"course": "Barista Basics", "room": 4},
        )


def families(count: int) -> Iterator[Person]:
    """As `students`, each with a guardian."""
    for number in range(count):
        yield Person(
            f"student{number}@example.com",
            key=f"C{number:07}",
            name="Lee, Ann",
            fields={"course": "Barista Basics", "room": 4},
            related={"guardian": (Person(f"guardian{number}@example.com", name="Lee, Mary"),)},
        )


def walk(plan: Iterable[object]) -> None:
    """Make every email of a plan, and keep none."""
    for _ in plan:
        pass


PLANS: dict[str, Callable[[list[Person]], BulkPlan]] = {
    "same text for all": lambda people: plan_bulk(PLAIN, people, sender="office@example.com"),
    "merged text and HTML": lambda people: plan_bulk(MERGED, people, sender="office@example.com"),
    "merged, with keys": lambda people: plan_bulk(
        MERGED, people, sender="office@example.com", batch="2026-T1 classes"
    ),
    "merged, with keys, two copies on every email": lambda people: plan_bulk(
        MERGED,
        people,
        sender="office@example.com",
        cc=["jo@example.com"],
        bcc=["log@example.com"],
        copies=BulkCopies.EVERY_RECIPIENT,
        batch="2026-T1 classes",
    ),
}


def _make_and_walk(make: Callable[[list[Person]], BulkPlan], people: list[Person]) -> None:
    walk(make(people))


def _ratios(count: int, rounds: int) -> tuple[Table, dict[str, float]]:
    people = list(students(count))
    with_guardians = list(families(count))
    rivals: dict[str, Callable[[], object]] = {
        "build": lambda: [None for _ in students(count)],
        **{name: partial(_make_and_walk, make, people) for name, make in PLANS.items()},
        "build families": lambda: [None for _ in families(count)],
        "merged, with keys, a guardian copied on each": lambda: walk(
            plan_bulk(
                MERGED,
                with_guardians,
                sender="office@example.com",
                context="occurrence_class",
                preferences=CONTEXT,
                batch="2026-T1 classes",
            )
        ),
    }
    taken = {name: 1e6 * each / count for name, each in seconds_each(rivals, rounds=rounds).items()}
    rows = []
    ratios = {}
    for name, micro in taken.items():
        if name.startswith("build"):
            continue
        built = taken["build families" if "guardian" in name else "build"]
        ratios[name] = micro / built
        rows.append([name, f"{built:.1f} µs", f"{micro:.1f} µs", f"{micro / built:.2f} x"])
    table = Table(
        title="Time for each person",
        columns=["plan", "building the person", "planning their email", "planning / building"],
        rows=rows,
        note=f"{count:,} people, median of {rounds} turns, one process. Building reads the address as text.",
    )
    return table, ratios


_ALONE = """
import json, sys
sys.path.insert(0, sys.argv[1])
from benchmarks.planning import alone
print(json.dumps(alone(int(sys.argv[2]), sys.argv[3])))
"""


def alone(count: int, how: str) -> dict[str, float]:
    """Walk a plan over a generator, or hold all its emails; in a process of its own.

    Args:
        count: people.
        how: "stream" or "list".

    Returns:
        Seconds, and the growth of the process's largest resident size in MB.
    """

    def plan(count: int) -> BulkPlan:
        return plan_bulk(
            MERGED, students(count), sender="office@example.com", cc="jo@example.com", batch="2026-T1 classes"
        )

    walk(plan(100))  # what is loaded and compiled once
    before = _largest_mb()
    start = time.perf_counter()
    if how == "stream":
        walk(plan(count))
    else:
        list(plan(count))
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "mb": _largest_mb() - before}


def _largest_mb() -> float:
    """The largest resident size this process has had; Linux says it of the program alone.

    ``getrusage`` would not do: its figure begins at the size of the process that started this one.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kilobytes) / 1024


def _measured(count: int, how: str) -> dict[str, float]:
    ran = subprocess.run(
        [sys.executable, "-c", _ALONE, str(Path(__file__).parent.parent), str(count), how],
        capture_output=True,
        text=True,
        check=True,
    )
    figures: dict[str, float] = json.loads(ran.stdout)
    return figures


def run(*, quick: bool) -> Section:
    """Measure the ratio, then time and memory from a thousand to a million people."""
    ratio_table, ratios = _ratios(2_000 if quick else 5_000, 5 if quick else 15)
    counts = [1_000, 3_000, 10_000] if quick else [1_000, 10_000, 100_000, 300_000, 1_000_000]
    largest_list = 10_000 if quick else 100_000
    streams = [_measured(count, "stream") for count in counts]
    lists = [_measured(count, "list") for count in counts if count <= largest_list]
    rows = [
        [
            f"{count:,}",
            f"{stream['seconds']:.2f} s",
            f"{1e6 * stream['seconds'] / count:.1f} µs",
            f"{stream['mb']:.1f} MB",
            f"{lists[place]['mb']:.1f} MB" if place < len(lists) else "not tried",
        ]
        for place, (count, stream) in enumerate(zip(counts, streams, strict=True))
    ]
    last = streams[-1]
    return Section(
        name="planning",
        title="Planning a bulk send",
        prose=(
            "A plan is walked person by person. What it keeps of each is a digest of 8 bytes, to know who "
            f"comes twice. For {counts[-1]:,} people that came to {last['mb']:.1f} MB more than for "
            f"a hundred, in {last['seconds']:.1f} s, building the people included. The worst plan below took "
            f"{max(ratios.values()):.2f} times as long as building its people."
        ),
        tables=(
            ratio_table,
            Table(
                title="Time and memory from a generator of people",
                columns=[
                    "people",
                    "time, people included",
                    "for each",
                    "memory of a walk",
                    "a list of the emails",
                ],
                rows=rows,
                note="Each figure from its own process; memory is the growth of its largest resident size.",
            ),
        ),
        charts=(
            Chart(
                name="planning-memory",
                title="Memory of planning (MB)",
                kind="lines",
                x_label="people",
                y_label="MB",
                x=[float(count) for count in counts],
                series={
                    "a walk of the plan": [stream["mb"] for stream in streams],
                    "digests alone (8 bytes each)": [8 * count / 2**20 for count in counts],
                },
                log_x=True,
                least_y=1.0,
            ),
            Chart(
                name="planning-time",
                title="Time of planning, people included (s)",
                kind="lines",
                x_label="people",
                y_label="seconds",
                x=[float(count) for count in counts],
                series={"a walk of the plan": [stream["seconds"] for stream in streams]},
                log_x=True,
                log_y=True,
            ),
        ),
        raw={"ratios": ratios, "counts": counts, "streams": streams, "lists": lists},
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    section = run(quick=parser.parse_args().quick)
    print(section.title, section.prose, sep="\n")
    for table in section.tables:
        print(f"\n{table.title}")
        for cells in (table.columns, *table.rows):
            print("  ".join(f"{cell:>28}" for cell in cells))
        print(table.note)

"""Sending by SMTP: one connection, 0 to 50 ms away, against the libraries and programs that do the same.

Each mailer runs in a process of its own against a server of its own process that throws mail away, in turn.
Run it alone with ``python -m benchmarks --only smtp``.
"""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.harness import Chart, Section, Table
from benchmarks.node import nodemailer_folder, nodemailer_version
from benchmarks.smtp_rivals import (
    RIVALS,
    SENDER,
    SENDER_NAME,
    SUBJECT,
    TEXT,
    WARM_UP,
    WIDE_WINDOW,
    copies_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Figures = dict[str, float]  # of one mailer: emails, seconds and cpu_seconds for each, mb
    Cell = tuple[int, int]  # round trip in ms, copies

ROOT: Final = Path(__file__).parent.parent
ROUND_TRIPS: Final = (0, 10, 50)
COPIES: Final = (0, 19)
BASE: Final = "smtplib"
SMTP_SOURCE: Final = "smtp-source"
ONE_CONNECTION: Final = "nodemailer"
FIVE_CONNECTIONS: Final = "nodemailer, 5 connections"
AUTO: Final = "vetmail_core AUTO"
CHUNKING: Final = f"vetmail_core CHUNKING, window {WIDE_WINDOW}"
NARROW: Final = "vetmail_core CHUNKING, window 8"
FLAT: Final = (f"{AUTO}, planned", AUTO, CHUNKING)
# What the chart shows: the ways of this library side by side, and every rival.
SHOWN: Final = (BASE, "Django", "aiosmtplib", "Red Mail", "yagmail", ONE_CONNECTION, SMTP_SOURCE)
SHOWN_OURS: Final = (AUTO, NARROW, CHUNKING)
HURRIED: Final = (BASE, ONE_CONNECTION, SMTP_SOURCE, *SHOWN_OURS)
SHORT: Final = {
    AUTO: "ours: AUTO",
    NARROW: "ours: CHUNKING, window 8",
    CHUNKING: f"ours: CHUNKING, window {WIDE_WINDOW}",
}


@contextlib.contextmanager
def sink(round_trip_ms: int) -> Iterator[int]:
    """A server in a process of its own; gives its port."""
    command = [sys.executable, str(Path(__file__).with_name("smtp_sink.py")), str(round_trip_ms)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.terminate()


def python_rival(name: str, port: int, copies: int, seconds: float, least: int) -> Figures:
    """Run one of the mailers in Python."""
    arguments = map(str, (name, port, copies, seconds, least))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.smtp_rivals", *arguments],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    figures: Figures = json.loads(done.stdout)
    return figures


def _nodemailer(connections: int, port: int, copies: int, seconds: float, least: int) -> Figures:
    job = {
        "port": port, "connections": connections, "copies": copies_of(copies), "seconds": seconds,
        "least": least, "warm_up": WARM_UP * connections, "subject": SUBJECT, "text": TEXT,
        "sender": SENDER, "sender_name": SENDER_NAME,
    }  # fmt: skip
    done = subprocess.run(
        ["node", "-e", Path(__file__).with_name("smtp_nodemailer.js").read_text(encoding="utf-8")],
        cwd=nodemailer_folder(),
        input=json.dumps(job),
        check=True,
        capture_output=True,
        text=True,
    )
    figures: Figures = json.loads(done.stdout)
    return figures


def _smtp_source() -> str | None:
    """Postfix's program; Debian puts it where only the administrator's path looks."""
    return shutil.which(SMTP_SOURCE) or shutil.which(SMTP_SOURCE, path="/usr/sbin:/usr/local/sbin")


def _source_seconds(program: str, port: int, copies: int, messages: int) -> float:
    start = time.perf_counter()
    subprocess.run(
        [program, "-d", "-s", "1", "-m", str(messages), "-r", str(copies + 1), "-l", str(len(TEXT)),
         "-f", SENDER, "-t", "student@example.com", f"inet:127.0.0.1:{port}"],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return time.perf_counter() - start


def _smtp_source_figures(port: int, cell: Cell, seconds: float, least: int) -> Figures:
    """smtp-source counts and does not time; so many as its round trips allow, less what one alone takes."""
    program = _smtp_source()
    assert program is not None
    round_trip, copies = cell
    messages = max(least, int(seconds / (0.0002 + round_trip / 1000 * (copies + 4)))) + 1
    alone = min(_source_seconds(program, port, copies, 1) for _ in range(3 if not round_trip else 1))
    taken = _source_seconds(program, port, copies, messages)
    return {"emails": messages - 1, "seconds": (taken - alone) / (messages - 1)}


def _mailers() -> list[str]:
    present = list(RIVALS)
    if nodemailer_folder() is not None:
        present += [ONE_CONNECTION, FIVE_CONNECTIONS]
    if _smtp_source() is not None:
        present.append(SMTP_SOURCE)
    return present


def _once(name: str, cell: Cell, port: int, *, seconds: float, least: int) -> Figures:
    copies = cell[1]
    match name:
        case "nodemailer":
            return _nodemailer(1, port, copies, seconds, least)
        case "nodemailer, 5 connections":
            return _nodemailer(5, port, copies, seconds, 5 * least)
        case "smtp-source":
            return _smtp_source_figures(port, cell, seconds, least)
        case _:
            return python_rival(name, port, copies, seconds, least)


def _median(turns: Sequence[Figures]) -> Figures:
    return {key: statistics.median(turn[key] for turn in turns) for key in turns[0]}


def _measure(cell: Cell, names: Sequence[str], *, seconds: float, rounds: int) -> dict[str, Figures]:
    """All mailers in turn, A B C A B C, and each one's median."""
    turns: dict[str, list[Figures]] = {name: [] for name in names}
    with sink(cell[0]) as port:
        for _ in range(rounds):
            for name in names:
                turns[name].append(_once(name, cell, port, seconds=seconds, least=2))
    return {name: _median(seen) for name, seen in turns.items()}


def _rate(seconds: float) -> str:
    return f"{1 / seconds:,.0f}" if seconds < 0.05 else f"{1 / seconds:.1f}"


def _ratio(cell: dict[str, Figures], name: str, against: str = BASE) -> float:
    """How many times as fast; not a number where one of them was not measured."""
    return cell[against]["seconds"] / cell[name]["seconds"] if name in cell else math.nan


def _speed_table(copies: int, cells: dict[Cell, dict[str, Figures]], names: Sequence[str]) -> Table:
    columns = ["emails a second, and times smtplib"]
    columns += [f"{round_trip} ms" for round_trip in ROUND_TRIPS]
    rows = []
    for name in names:
        row = [name]
        for round_trip in ROUND_TRIPS:
            cell = cells[round_trip, copies]
            measured = name in cell
            row.append(f"{_rate(cell[name]['seconds'])} ({_ratio(cell, name):.3g} x)" if measured else "-")
        rows.append(row)
    who = "one recipient" if copies == 0 else f"{copies + 1} recipients: one in To, {copies} in Cc"
    return Table(title=f"To {who}, by round trip", columns=columns, rows=rows)


def _cost_table(cell: dict[str, Figures], names: Sequence[str]) -> Table:
    rows = [
        (name, f"{1e6 * cell[name]['cpu_seconds']:,.0f} µs", f"{cell[name]['mb']:.0f} MB")
        for name in names
        if "cpu_seconds" in cell.get(name, {})
    ]
    return Table(
        title="Processor time for each email, and the largest size of the process: one recipient, 0 ms",
        columns=("mailer", "processor time", "largest resident size"),
        rows=rows,
        note="The whole process, with its interpreter and everything it loads.",
    )


def _targets(cells: dict[Cell, dict[str, Figures]], names: Sequence[str]) -> tuple[Table, dict[str, object]]:
    wanted = [
        (AUTO, BASE, 0, 8.0), (AUTO, BASE, 50, 3.5), (CHUNKING, BASE, 0, 15.0), (CHUNKING, BASE, 50, 30.0),
    ]  # fmt: skip
    if SMTP_SOURCE in names:
        wanted += [(CHUNKING, SMTP_SOURCE, 10, 1.0), (CHUNKING, SMTP_SOURCE, 50, 1.0)]
    rows = []
    raw: dict[str, object] = {}
    for name, against, round_trip, least in wanted:
        measured = _ratio(cells[round_trip, 0], name, against)
        raw[f"{name} / {against} at {round_trip} ms"] = {"target": least, "measured": measured}
        rows.append(
            (
                f"{name} against {against}",
                f"{round_trip} ms",
                f"{least:g} x",
                f"{measured:.1f} x",
                "met" if measured >= least else "missed",
            )
        )
    table = Table(
        title="What was to be reached, on one connection, to one recipient",
        columns=("what", "round trip", "at least", "measured", ""),
        rows=rows,
    )
    return table, raw


def _flat(counts: Sequence[int]) -> dict[str, list[Figures]]:
    with sink(0) as port:
        return {name: [python_rival(name, port, 0, 0, count) for count in counts] for name in FLAT}


def _flat_table(counts: Sequence[int], flat: dict[str, list[Figures]]) -> Table:
    rows = [
        (f"{count:,}", *(f"{figures[place]['grown_mb']:.1f} MB" for figures in flat.values()))
        for place, count in enumerate(counts)
    ]
    return Table(
        title="Growth of the process's largest size over a run, beyond its first two emails",
        columns=("emails", *flat),
        rows=rows,
        note="A plan keeps eight octets for each person, to know who comes twice; nothing else grows.",
    )


def _chart(copies: int, cells: dict[Cell, dict[str, Figures]], names: Sequence[str]) -> Chart:
    shown = [name for name in (*SHOWN, *SHOWN_OURS) if name in names]
    who = "1 recipient" if copies == 0 else f"{copies + 1} recipients"
    return Chart(
        name=f"smtp-{copies + 1}",
        title=f"Times as fast as smtplib with EmailMessage, one connection, {who}",
        kind="ranking",
        x_label="times smtplib (log scale)",
        y_label="",
        x=[SHORT.get(name, name) for name in shown],
        series={
            f"{round_trip} ms": [_ratio(cells[round_trip, copies], name) for name in shown]
            for round_trip in ROUND_TRIPS
        },
        log_x=True,
    )


def run(*, quick: bool) -> Section:
    """Measure every mailer at every distance, then memory against the number of emails."""
    names = _mailers()
    cells: dict[Cell, dict[str, Figures]] = {}
    for copies in COPIES:
        for round_trip, rounds in zip(ROUND_TRIPS, (1, 1, 1) if quick else (3, 1, 1), strict=True):
            # In a hurry: who else waits for every answer needs as long as smtplib does from afar.
            some = names if not quick or not (round_trip or copies) else [n for n in names if n in HURRIED]
            seconds = (0.3 if quick else 1.2) + round_trip * (0.004 if quick else 0.03)
            cells[round_trip, copies] = _measure((round_trip, copies), some, seconds=seconds, rounds=rounds)
    counts = [1_000, 3_000, 10_000] if quick else [1_000, 10_000, 30_000, 100_000]
    flat = _flat(counts)
    targets, reached = _targets(cells, names)
    near, far = cells[0, 0], cells[50, 0]
    wide = f"`Limits(chunking_window={WIDE_WINDOW})`"
    prose = (
        f"A personalised email of {len(TEXT):,} octets of text: values merged, message built, sent, answer "
        "heard. Every mailer is a process of its own with one connection (but for the one row that says "
        "five) that it keeps open; the limits of messages for each connection are raised. The server is "
        "another process on the same machine that throws the mail away; it holds back what arrives for one "
        "round trip, and knows neither slow starts nor lost packets. Nothing is encrypted. "
        "AUTO, the way mail is sent unless told otherwise, is "
        f"{_ratio(near, AUTO):.1f} times as fast as smtplib with EmailMessage without a distance and "
        f"{_ratio(far, AUTO):.1f} times at 50 ms; CHUNKING with {wide} {_ratio(near, CHUNKING):.0f} and "
        f"{_ratio(far, CHUNKING):.0f} times, with its window of 8 that nobody has to set "
        f"{_ratio(near, NARROW):.0f} and {_ratio(far, NARROW):.0f} times."
    )
    version = nodemailer_version()
    absent = [name for name in (ONE_CONNECTION, SMTP_SOURCE) if name not in names]
    notes = [
        "smtp-source (Postfix) sends one ready text without merging and building anything."
        if SMTP_SOURCE in names
        else "",
        f"nodemailer {version}." if version else "",
        f"Not installed, so left out: {', '.join(absent)}." if absent else "",
        "“Planned” is the same with `plan_bulk` in front: people, copies, nobody twice.",
    ]
    speeds = [_speed_table(copies, cells, names) for copies in COPIES]
    return Section(
        name="smtp",
        title="Sending by SMTP",
        prose=f"{prose}\n\n{' '.join(filter(None, notes))}",
        tables=(targets, *speeds, _cost_table(near, names), _flat_table(counts, flat)),
        charts=(
            *(_chart(copies, cells, names) for copies in COPIES),
            Chart(
                name="smtp-memory",
                title="Largest size of the process against the emails of a run (MB)",
                kind="lines",
                x_label="emails (log scale)",
                y_label="MB",
                x=[float(count) for count in counts],
                series={name: [one["mb"] for one in figures] for name, figures in flat.items()},
                log_x=True,
                least_y=50.0,
            ),
        ),
        raw={
            "targets": reached,
            "cells": {f"{trip} ms, {copies + 1} recipients": cell for (trip, copies), cell in cells.items()},
            "flat": {"emails": counts, **flat},
        },
    )

"""Reading and writing addresses, against five other parsers: right answers, speed, what hostile text costs.

Every parser answers a case in its strictest mode; an answer is right when it gives the same names and
addresses, or refuses what must be refused. Speed counts validated mailboxes.
"""

from __future__ import annotations

import argparse
import inspect
import json
import logging
import random
import statistics
import subprocess
import sys
import time
from email import policy
from email.headerregistry import Address
from email.utils import formataddr, getaddresses
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.address_cases import CASES, Case
from benchmarks.harness import Chart, Section, Table, seconds_each
from benchmarks.node import nodemailer_folder, nodemailer_version
from email_validator import EmailNotValidError, validate_email

from vetmail_core.address import AddressError, Mailbox, parse_mailbox, parse_mailbox_list

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Answer = Sequence[tuple[str, str]] | None
    Reader = Callable[[str, str], Answer]

OURS: Final = "vetmail_core"
STANDARD: Final = "getaddresses"
REGISTRY: Final = "headerregistry"
VALIDATOR: Final = "email-validator"
NODE: Final = "nodemailer"
KINDS: Final = tuple(dict.fromkeys(case.kind for case in CASES))
CHUNK: Final = 100
SHAPES: Final = ('"', "(", ",", "<", "a ", "g:", "a@b,", "\\", "[")
STRICT: Final = {"strict": True} if "strict" in inspect.signature(getaddresses).parameters else {}


# The parsers


def ours(text: str, separator: str) -> Answer:
    """This library, strictly."""
    try:
        found = parse_mailbox_list(text, separator=separator) if separator else (parse_mailbox(text),)
    except AddressError:
        return None
    return [(mailbox.display_name, mailbox.addr_spec) for mailbox in found]


def standard(text: str, separator: str) -> Answer:
    """``email.utils.getaddresses``, strict where it can be; it knows no other separator than the comma."""
    found = getaddresses([text], **STRICT)
    if ("", "") in found or (not separator and len(found) != 1):
        return None
    return found


def registry(text: str, separator: str) -> Answer:
    """The standard library's newer parser; what it calls a defect counts as refused."""
    try:
        header: Any = policy.default.header_factory("To", text)
    except (ValueError, IndexError, AttributeError, TypeError):  # its known crashes
        return None
    if header.defects or (not separator and len(header.addresses) != 1):
        return None
    return [(address.display_name, address.addr_spec) for address in header.addresses]


def validator(text: str, separator: str) -> Answer:
    """email-validator with display names; it reads no lists."""
    if separator:
        return [("", "")]
    try:
        found = validate_email(
            text,
            allow_display_name=True,
            allow_quoted_local=True,
            allow_domain_literal=True,
            strict=True,
            test_environment=True,
            globally_deliverable=False,
            check_deliverability=False,
        )
    except EmailNotValidError:
        return None
    return [(found.display_name or "", found.normalized)]


def flanker() -> Reader | None:
    """The parser of flanker, where it is installed."""
    logging.getLogger("flanker").setLevel(logging.CRITICAL)
    try:
        address: Any = import_module("flanker.addresslib.address")
    except ImportError:
        return None

    def read(text: str, separator: str) -> Answer:
        if separator:
            found, left = address.parse_list(text, as_tuple=True)
            return None if left else [(one.display_name or "", one.address) for one in found]
        one = address.parse(text)
        return None if one is None else [(one.display_name or "", one.address)]

    return read


NODE_SCRIPT: Final = """
const parse = require('nodemailer/lib/addressparser');
const job = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const flat = text => parse(text, {flatten: true}).map(found => [found.name || '', found.address || '']);
const timed = texts => {
  const start = process.hrtime.bigint();
  for (const text of texts) parse(text);
  return Number(process.hrtime.bigint() - start) / 1e9;
};
const best = text => Math.min(timed([text]), timed([text]), timed([text]));
const seconds = texts => {
  const seen = [];
  for (let turn = 0; turn < job.rounds + 2; turn++) seen.push(timed(texts));
  return seen.slice(2);
};
console.log(JSON.stringify({
  answers: job.cases.map(flat), one: seconds(job.one), list: seconds(job.list),
  short: job.short.map(best), long: job.long.map(best),
}));
"""


def node_job(job: dict[str, object]) -> dict[str, Any] | None:
    """What nodemailer's addressparser answers and takes; None where it is not to be had."""
    folder = nodemailer_folder()
    if folder is None:
        return None
    done = subprocess.run(
        ["node", "-e", NODE_SCRIPT],
        cwd=folder,
        input=json.dumps(job),
        capture_output=True,
        text=True,
        check=True,
    )
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers


# Right answers


def _comparable(found: Answer) -> Answer:
    """The same answer in one spelling: A-labels in small letters, quotes only where they must be."""
    if found is None:
        return None
    spelt = []
    for name, address in found:
        try:
            spelt.append((name, Mailbox(address).address_key))
        except AddressError:
            spelt.append((name, address))
    return spelt


def _right(case: Case, found: Answer) -> bool:
    return _comparable(case.answer) == _comparable(found)


def shares(
    readers: dict[str, Reader], node: Sequence[Answer] | None
) -> dict[str, dict[str, tuple[int, int]]]:
    """Parser -> kind of case -> right answers and cases; the last kind is "all"."""
    counted: dict[str, dict[str, tuple[int, int]]] = {}
    given = {name: [read(case.text, case.separator) for case in CASES] for name, read in readers.items()}
    if node is not None:
        given[NODE] = list(node)
    for name, answers in given.items():
        right = [_right(case, found) for case, found in zip(CASES, answers, strict=True)]
        rows = {
            kind: [good for case, good in zip(CASES, right, strict=True) if case.kind == kind]
            for kind in KINDS
        }
        counted[name] = {kind: (sum(row), len(row)) for kind, row in (rows | {"all": right}).items()}
    return counted


def _node_answer(case: Case, found: list[list[str]]) -> Answer:
    """Nothing is refused by nodemailer: no @, or not one mailbox where one is read, counts as refused."""
    if (
        any("@" not in address for _, address in found)
        or not found
        or (not case.separator and len(found) != 1)
    ):
        return None
    return [(name, address) for name, address in found]


# Speed


def realistic(count: int) -> list[str]:
    """Mailboxes as they stand in records: 45 % bare, 35 % named, 15 % "Last, First", 5 % beyond ASCII."""
    chance = random.Random(11)  # noqa: S311 - the same mailboxes in every run
    first = ("Anna", "Ben", "Chloe", "Daniel", "Mary-Jane", "Sean", "Grace", "Jack")
    last = ("Smith", "Berg", "Nguyen", "Williams", "O'Neill", "Papadopoulos", "Lee")
    beyond = ("Zoë Müller", "José García", "Łukasz Nowak", "Nguyễn Văn An", "王小明", "Анна Петрова")
    domains = ("example.com", "school.example.edu.au", "tafe.example.org", "mail.example.net")
    found = []
    for number in range(count):
        given, family = chance.choice(first), chance.choice(last)
        address = f"{given}.{family}{number}@{chance.choice(domains)}".lower().replace("'", "")
        match number % 20:
            case 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8:
                found.append(address)
            case 9 | 10 | 11 | 12 | 13 | 14 | 15:
                found.append(f"{given} {family} <{address}>")
            case 16 | 17 | 18:
                found.append(f'"{family}, {given}" <{address}>')
            case _:
                found.append(f"{chance.choice(beyond)} <{address}>")
    chance.shuffle(found)
    return found


def _all(read: Reader, texts: Sequence[str], separator: str) -> Callable[[], object]:
    def work() -> None:
        for text in texts:
            read(text, separator)

    return work


def _headers(boxes: Sequence[str]) -> dict[str, Callable[[], object]]:
    """Writing each mailbox as a header has it."""
    mailboxes = [parse_mailbox(text) for text in boxes]
    addresses = [Address(m.display_name, addr_spec=m.addr_spec) for m in mailboxes]
    pairs = [(m.display_name, m.addr_spec) for m in mailboxes]

    def of_registry() -> None:
        for address in addresses:
            policy.SMTP.header_factory("To", address).fold(policy=policy.SMTP)

    return {
        OURS: lambda: [mailbox.header() for mailbox in mailboxes],
        "formataddr": lambda: [formataddr(pair) for pair in pairs],
        REGISTRY: of_registry,
    }


def _cost(read: Reader, text: str) -> float | None:
    """Seconds of the fastest of three readings, or of one that took long; None when it runs out of stack."""
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        try:
            read(text, ",")
        except RecursionError:
            return None
        taken.append(time.perf_counter() - start)
        if taken[-1] > 1:
            break
    return min(taken)


def _hostile(shape: str, size: int) -> str:
    return (shape * size)[:size]


def growth(readers: dict[str, Reader], size: int) -> dict[str, dict[str, tuple[float, float] | None]]:
    """Parser -> shape -> milliseconds for a size, and times as long as for half of it; None for a crash."""
    found: dict[str, dict[str, tuple[float, float] | None]] = {}
    for name, read in readers.items():
        found[name] = {}
        for shape in SHAPES:
            short, long = (_cost(read, _hostile(shape, octets)) for octets in (size // 2, size))
            found[name][shape] = (long * 1e3, long / short) if short and long else None
    return found


# The section


def _share(row: tuple[int, int]) -> str:
    return f"{100 * row[0] / row[1]:.0f} %"


def _cell(grown: tuple[float, float] | None) -> str:
    return "stack overflow" if grown is None else f"{grown[0]:,.1f} ms, {grown[1]:.1f} x"


def run(*, quick: bool) -> Section:
    """Measure everything; ``quick`` with fewer mailboxes and turns."""
    count, rounds = (1_000, 3) if quick else (10_000, 5)
    size = 4_000 if quick else 20_000
    readers: dict[str, Reader] = {OURS: ours, STANDARD: standard, REGISTRY: registry, VALIDATOR: validator}
    from_flanker = flanker()
    if from_flanker is not None:
        readers["flanker"] = from_flanker
    boxes = realistic(count)
    lists = [", ".join(boxes[at : at + CHUNK]) for at in range(0, count, CHUNK)]
    node = node_job(
        {
            "cases": [case.text for case in CASES], "one": boxes, "list": lists, "rounds": rounds,
            "short": [_hostile(shape, size // 2) for shape in SHAPES],
            "long": [_hostile(shape, size) for shape in SHAPES],
        }
    )  # fmt: skip
    answers = None
    if node is not None:
        answers = [_node_answer(case, found) for case, found in zip(CASES, node["answers"], strict=True)]
    right = shares(readers, answers)

    slow_rounds = 1 if quick else 3
    one = seconds_each({name: _all(read, boxes, "") for name, read in readers.items()}, rounds=slow_rounds)
    in_lists = seconds_each(
        {name: _all(read, lists, ",") for name, read in readers.items() if name != VALIDATOR},
        rounds=slow_rounds,
    )
    written = seconds_each(_headers(boxes), rounds=slow_rounds)
    grown = growth({name: readers[name] for name in (OURS, STANDARD, REGISTRY)}, size)
    if node is not None:
        one[NODE] = statistics.median(node["one"])
        in_lists[NODE] = statistics.median(node["list"])
        grown[NODE] = {
            shape: (long * 1e3, long / short)
            for shape, short, long in zip(SHAPES, node["short"], node["long"], strict=True)
        }

    def speed(name: str) -> Sequence[str]:
        cells = [name]
        for seconds in (one, in_lists):
            taken = seconds.get(name)
            cells += (
                ["reads none", ""]
                if taken is None
                else [f"{count / taken:,.0f}", f"{seconds[STANDARD] / taken:.2f}"]
            )
        return cells

    note = f"The {len(CASES)} cases stand in benchmarks/address_cases.py. getaddresses " + (
        "is strict." if STRICT else "of this Python has no strict mode."
    )
    note += " email-validator reads no lists, and they count against it."
    if node is not None:
        note += f" nodemailer {nodemailer_version()} refuses nothing: an answer without an @ is taken for it."
    return Section(
        name="addresses",
        title="Reading and writing addresses",
        prose=(
            f"{_share(right[OURS]['all'])} of {len(CASES)} settled cases are answered rightly. "
            f"{count:,} realistic mailboxes (45 % bare, 35 % named, 15 % with a comma in quotes, 5 % beyond "
            f"ASCII), each validated, are read {one[STANDARD] / one[OURS]:.1f} times as fast as by "
            f"email.utils.getaddresses one at a time, and {in_lists[STANDARD] / in_lists[OURS]:.1f} times as "
            f"fast in lists of {CHUNK}."
        ),
        tables=(
            Table(
                title="Cases answered rightly",
                columns=("parser", *KINDS, "all"),
                rows=[(name, *map(_share, kinds.values())) for name, kinds in right.items()],
                note=note,
            ),
            Table(
                title="Mailboxes a second",
                columns=("parser", "one at a time", f"x {STANDARD}", f"lists of {CHUNK}", f"x {STANDARD}"),
                rows=[speed(name) for name in one],
                note="Only vetmail_core, email-validator and flanker validate what they read.",
            ),
            Table(
                title=f"Hostile text of {size // 1000} kB: milliseconds, and times as long as for half of it",
                columns=("parser", *(f"`{shape}`" for shape in SHAPES)),
                rows=[(name, *(_cell(shapes[shape]) for shape in SHAPES)) for name, shapes in grown.items()],
            ),
            Table(
                title="Headers written a second",
                columns=("writer", "mailboxes a second", "x formataddr"),
                rows=[
                    (name, f"{count / taken:,.0f}", f"{written['formataddr'] / taken:.2f}")
                    for name, taken in written.items()
                ],
            ),
        ),
        charts=(
            Chart(
                name="addresses-right",
                title="Address cases answered rightly",
                kind="ranking",
                x_label="per cent",
                y_label="",
                x=tuple(right),
                series={"right": [100 * kinds["all"][0] / kinds["all"][1] for kinds in right.values()]},
            ),
        ),
        raw={
            "right": {name: {k: list(v) for k, v in kinds.items()} for name, kinds in right.items()},
            "one_seconds": one,
            "list_seconds": in_lists,
            "header_seconds": written,
            "hostile": grown,
            "mailboxes": count,
        },
    )


def main() -> None:
    """Print the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--wrong", action="store_true", help="only the cases that ours answers wrongly")
    options = parser.parse_args()
    if options.wrong:
        for case in CASES:
            found = ours(case.text, case.separator)
            if not _right(case, found):
                print(f"{case.kind}: {case.text!r} -> {found}, not {case.answer}")
        return
    section = run(quick=options.quick)
    print(f"## {section.title}\n\n{section.prose}")
    for table in section.tables:
        print(f"\n### {table.title}\n")
        for row in (table.columns, ["---"] * len(table.columns), *table.rows):
            print("| " + " | ".join(row) + " |")
        if table.note:
            print(f"\n{table.note}")


if __name__ == "__main__":
    main()

"""A campaign: a mailing, workers, and kills; what is stored at the server is held against the report.

python -m tests.integration.fleet --engine work --ledger sqlite --emails 20000 --kills 60
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
from tests.integration.brokers import RabbitMq, Redis
from tests.integration.databases import Postgres

from vetmail_core import Content, Person, SqliteLedger, plan_bulk, save_preferences
from vetmail_core.ledger import PostgresLedger
from vetmail_core.mailings import Mailings
from vetmail_core.testing import LocalSmtpServer

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Result", "campaign"]

_APP: Final = textwrap.dedent(
    """
    import os
    import celery
    from vetmail_core import load_preferences, transport_for
    from vetmail_core.celery import slice_tasks
    from vetmail_core.cli.working import ledger_of

    app = celery.Celery("fleet", broker=os.environ["BROKER"])
    app.conf.worker_prefetch_multiplier = 2
    app.conf.broker_connection_retry_on_startup = True
    app.conf.broker_transport_options = (
        {"visibility_timeout": 5} if os.environ["BROKER"].startswith("redis") else {}
    )
    mail = slice_tasks(
        app,
        ledger=lambda: ledger_of(os.environ["LEDGER"]),
        transport=lambda: transport_for(load_preferences("p.json")),
        seconds=5,
    )
    app.conf.beat_schedule = {"mail": {"task": mail.sweep.name, "schedule": 1.0}}
    """
)


@attrs.frozen(kw_only=True)
class Result:
    """What a campaign came to.

    Attributes:
        emails: of the mailing.
        twice: recipients who have it more than once.
        forgotten: recipients who neither have it nor are in doubt.
        unknown: recipients in doubt.
        wrong: stored but neither accepted nor in doubt, or accepted and not stored.
        kills: workers and pool children that were killed.
    """

    emails: int
    twice: int
    forgotten: int
    unknown: int
    wrong: int
    kills: int


def campaign(
    folder: Path,
    *,
    engine: str,
    ledger: str,
    emails: int,
    kills: int,
    workers: int = 3,
    pause_ms: int = 10,
    seed: int = 1,
) -> Result:
    """Write a mailing down, let workers send it, and kill them meanwhile.

    Args:
        folder: where everything of it is.
        engine: "work", "redis" or "rabbitmq".
        ledger: "sqlite" or "postgres".
        emails: how many.
        kills: how many.
        workers: at once.
        pause_ms: of each worker between emails, so that a kill finds it sending.
        seed: of whom is killed when.
    """
    chance = random.Random(seed)  # noqa: S311 - which worker is killed
    with ExitStack() as stack:
        server = stack.enter_context(LocalSmtpServer())
        preferences = server.server_preferences()
        slow = attrs.evolve(preferences.mail_server, wait_between_emails_ms=pause_ms)
        save_preferences(attrs.evolve(preferences, mail_server=slow), folder / "p.json", include_secrets=True)
        environment = {**os.environ, "LEDGER": str(folder / "sent.ledger")}
        if ledger == "postgres":
            database = stack.enter_context(Postgres())
            environment["LEDGER"] = database.uri
        if engine != "work":
            broker: Redis | RabbitMq = Redis() if engine == "redis" else RabbitMq()
            environment["BROKER"] = stack.enter_context(broker).url
            (folder / "fleet_app.py").write_text(_APP, encoding="utf-8")
        opened: PostgresLedger | SqliteLedger
        if ledger == "postgres":
            opened = PostgresLedger(database.uri, lease_seconds=3)
        else:
            opened = SqliteLedger(folder / "sent.ledger")
        stack.enter_context(opened)
        if isinstance(opened, PostgresLedger):
            opened.create_tables()
        mailings = Mailings(opened)
        people = [Person(f"s{n}@students.example", key=f"C{n}") for n in range(emails)]
        mailings.enqueue(
            plan_bulk(Content("Results", "x" * 500), people, sender="office@college.example", batch="b"),
            slice_emails=50,
        )
        running = [_start(engine, folder, environment, number) for number in range(workers)]
        stack.callback(_kill_all, running)
        done = 0
        end = time.monotonic() + 60 + emails / 20
        while mailings.open_emails():
            assert time.monotonic() < end, f"{mailings.progress('b')} after {done} kills"
            time.sleep(chance.uniform(0.1, 0.4))
            with opened.tables.writing() as statements:  # nobody here waits a minute for a slice
                statements.rows("UPDATE @slices SET woken=woken-100, factor=1")
            # In the middle of sending, not in the middle of starting.
            if done < kills and len(server.emails) > (done + 1) * emails / (kills + 2):
                victim = chance.randrange(workers)
                _kill(running[victim])
                done += 1
                running[victim] = _start(engine, folder, environment, victim)
        report = mailings.report("b")
        stored = Counter(address for one in server.emails for address in one.recipients)
        unknown = {
            outcome.mailbox.addr_spec
            for receipt in report.failures
            for outcome in receipt.outcomes
            if outcome.mailbox in receipt.unknown
        }
        wanted = {f"s{n}@students.example" for n in range(emails)}
        accepted = wanted - {receipt.email.recipients.to[0].addr_spec for receipt in report.failures}
        return Result(
            emails=emails,
            twice=sum(number > 1 for number in stored.values()),
            forgotten=len(wanted - stored.keys() - unknown),
            unknown=len(unknown),
            wrong=len(accepted - stored.keys()) + len(stored.keys() - accepted - unknown),
            kills=done,
        )


def _start(engine: str, folder: Path, environment: dict[str, str], number: int) -> subprocess.Popen[bytes]:
    if engine == "work":
        words = ["-m", "vetmail_core", "work", "--ledger", environment["LEDGER"], "--preferences", "p.json"]
    else:
        words = ["-m", "celery", "-A", "fleet_app", "worker", "-c", "2", "-l", "ERROR", "-n", f"w{number}@h"]
        words += ["-B", "-s", f"beat{number}"] if number == 0 else []
    with (folder / f"log{number}").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _kill(worker: subprocess.Popen[bytes]) -> None:
    """Kill a worker with its pool children."""
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()


def _kill_all(workers: list[subprocess.Popen[bytes]]) -> None:
    for worker in workers:
        _kill(worker)


def _campaigns(words: list[str] | None) -> Iterator[tuple[str, Result]]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", default="work", choices=["work", "redis", "rabbitmq"])
    parser.add_argument("--ledger", default="postgres", choices=["sqlite", "postgres"])
    parser.add_argument("--emails", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--workers", type=int, default=4)
    chosen = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        yield (
            f"{chosen.engine} on {chosen.ledger}",
            campaign(
                Path(folder),
                engine=chosen.engine,
                ledger=chosen.ledger,
                emails=chosen.emails,
                kills=chosen.kills,
                workers=chosen.workers,
            ),
        )


if __name__ == "__main__":
    for name, result in _campaigns(None):
        print(name, result)  # noqa: T201 - that is what it is for
        sys.exit(bool(result.twice or result.forgotten or result.wrong or result.unknown > result.kills))

"""Runs that are cut short in every way, started again until they are done, and the sums afterwards.

The law that each of these ends with: every person has exactly one email, or is reported in doubt (and then
has one or none); nobody has two, nobody is missing.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from vetmail_core import (
    Content,
    Email,
    EmailPreferences,
    Mailbox,
    Mailer,
    MailServer,
    Recipients,
    Report,
    SmtpTransport,
    SqliteLedger,
)
from vetmail_core.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
_OCTETS = len("p0@example.com\n")  # of a line in the server's file, at least
_AHEAD = 4  # emails, at most, that the program may send beyond its moment, however late the kill comes


@attrs.frozen(kw_only=True)
class Sums:
    """How it stands when all is done."""

    people: int
    received: Counter[str]
    in_doubt: frozenset[str]

    def check(self) -> None:
        """The law."""
        everyone = {f"p{number}@example.com" for number in range(self.people)}
        assert set(self.received) <= everyone, "a stranger got mail"
        assert max(self.received.values()) == 1, f"twice: {self.received.most_common(3)}"
        missing = everyone - set(self.received)
        assert missing <= self.in_doubt, f"forgotten: {sorted(missing - self.in_doubt)[:5]}"


class Server:
    """The mail server's process, which can be killed and comes back on the same port."""

    def __init__(self, folder: Path) -> None:
        self.record = folder / "received"
        self._limit = folder / "limit"
        self.hold(None)
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def hold(self, octets: int | None) -> None:
        """Answer nobody's email any more once the file is so long; None answers everybody."""
        file = os.open(self._limit, os.O_WRONLY | os.O_CREAT, 0o600)  # never truncated: the server reads it
        os.write(file, (2**63 if octets is None else octets).to_bytes(8))
        os.close(file)

    def start(self) -> None:
        """Listen."""
        self._process = subprocess.Popen(
            [sys.executable, HERE / "server_to_kill.py", str(self.port), self.record, self._limit],
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def kill(self) -> None:
        """As the power cut does."""
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def received(self) -> Counter[str]:
        """How many emails each address got."""
        return Counter(self.record.read_text("ascii").split()) if self.record.exists() else Counter()

    def count(self) -> int:
        """Emails so far; cheap."""
        return self.record.stat().st_size if self.record.exists() else 0


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """A server for as long as it is needed."""
    server = Server(folder)
    try:
        yield server
    finally:
        server.kill()


def emails(people: int) -> Iterator[Email]:
    """As `program_to_kill.py` makes them."""
    sender = Mailbox("office@example.com")
    for number in range(people):
        yield Email(
            sender=sender,
            recipients=Recipients(Mailbox(f"p{number}@example.com")),
            content=Content("Your class moved", "It is in room 4 now."),
            key=f"class/{number}",
        )


def program(
    server: Server, ledger: Path, people: int, mode: str, *, blocks: int | None = None, heard: bool = True
) -> subprocess.Popen[bytes]:
    """Start the program; with `blocks`, no file of its may grow beyond so many KiB.

    Unheard, its report goes nowhere, so that it never waits for somebody to read it.
    """
    command = [
        sys.executable,
        str(HERE / "program_to_kill.py"),
        str(server.port),
        str(ledger),
        str(people),
        mode,
    ]
    if blocks is not None:
        command = ["bash", "-c", f'ulimit -f {blocks}; exec "$@"', "bash", *command]
    if heard:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with ledger.with_name("errors").open("ab") as errors:
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)


def finish(running: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Wait for the program's report."""
    out, err = running.communicate(timeout=600)
    assert running.returncode == 0, err.decode()
    report: dict[str, Any] = json.loads(out.partition(b"\n")[2])
    return report


def sums(server: Server, ledger: Path, people: int) -> Sums:
    """Count up."""
    with SqliteLedger(ledger) as opened:
        in_doubt = frozenset(f"p{key.partition('/')[2]}@example.com" for key in opened.in_doubt())
        counts = opened.counts()
    assert sum(counts.values()) == people, counts
    return Sums(people=people, received=server.received(), in_doubt=in_doubt)


def killed(folder: Path, *, kills: int, people: int, mode: str = "AUTO", seed: int = 1) -> list[int]:
    """Kill the program at random moments, then let it end.

    Returns:
        How many more were in doubt after each kill.
    """
    ledger = folder / "ledger"
    moments = random.Random(seed)  # noqa: S311 - moments, no secrets
    grew: list[int] = []
    with serving(folder) as server:
        known = 0
        for number in range(kills):
            before = server.count()
            # A random number of emails, which leaves some for the last kill, then a random moment.
            share = (people * _OCTETS - before) // (kills - number)
            some = before + moments.randrange(1, max(2, share))
            server.hold(some + moments.randint(1, _AHEAD) * _OCTETS)
            running = program(server, ledger, people, mode, heard=False)
            while server.count() < some and running.poll() is None:
                pass
            time.sleep(moments.random() * 0.0005)
            assert running.poll() is None, (
                f"before kill {number} the program ended by itself with status {running.returncode}, at"
                f" {server.count()} octets: {(folder / 'errors').read_text()[-2000:]}"
            )
            running.kill()
            running.wait()
            with SqliteLedger(ledger) as opened:
                doubts = len(opened.in_doubt())
            grew.append(doubts - known)
            known = doubts
        server.hold(None)
        report = finish(program(server, ledger, people, mode))
        assert report["counts"]["unknown"] == known, "everybody in doubt is reported"
        sums(server, ledger, people).check()
    return grew


def _run(port: int, ledger: Path, people: int) -> Report:
    transport = SmtpTransport(MailServer(host="127.0.0.1", port=port), clock=FakeClock())
    with SqliteLedger(ledger) as opened, Mailer(EmailPreferences(), transport=transport) as mailer:
        return mailer.send_bulk(emails(people), ledger=opened)


def _until_done(run: Callable[[], Report]) -> Report:
    for _ in range(500):
        report = run()
        if not report.not_attempted and not report.deferred:
            return report
    raise AssertionError("never done")


def server_killed(folder: Path, *, kills: int, people: int, seed: int = 2) -> Report:
    """Kill the server at random moments and start it again, while the program is run until it is done."""
    ledger = folder / "ledger"
    moments = random.Random(seed)  # noqa: S311 - moments, no secrets
    over = threading.Event()
    with serving(folder) as server:

        def kill() -> None:
            for _ in range(kills):
                before = server.count()
                while server.count() == before and not over.is_set():
                    time.sleep(0.0002)
                time.sleep(moments.random() * 0.01)
                server.kill()
                server.start()

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            report = _until_done(lambda: _run(server.port, ledger, people))
        finally:
            over.set()
            killer.join()
        sums(server, ledger, people).check()
    return report


class Wire(threading.Thread):
    """A network between program and server that is cut after so many octets, each way at once."""

    def __init__(self, port: int, cuts: list[int]) -> None:
        super().__init__(daemon=True)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._server = port
        self._cuts = cuts

    def run(self) -> None:
        """One connection after the other."""
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._server))
                left = [self._cuts.pop() if self._cuts else sys.maxsize]
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(source, target, left), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, left: list[int]) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data[: max(0, left[0])])
                left[0] -= len(data)
                if left[0] <= 0:
                    break
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def stop(self) -> None:
        """No more connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.join()


def network_cut(folder: Path, *, cuts: int, people: int, seed: int = 3) -> Report:
    """Cut the network after so many octets, anywhere in the dialogue, and run until it is done."""
    ledger = folder / "ledger"
    places = random.Random(seed)  # noqa: S311 - moments, no secrets
    with serving(folder) as server:
        wire = Wire(server.port, [places.randrange(1, 20_000) for _ in range(cuts)])
        wire.start()
        report = _until_done(lambda: _run(wire.port, ledger, people))
        wire.stop()
        sums(server, ledger, people).check()
    return report


def disk_full(folder: Path, *, people: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Let the disk be full in the middle of a run, then make room and run again.

    Returns:
        The two reports.
    """
    ledger = folder / "ledger"
    with serving(folder) as server:
        SqliteLedger(ledger).close()
        first = finish(program(server, ledger, people, "AUTO", blocks=100))
        second = finish(program(server, ledger, people, "AUTO"))
        sums(server, ledger, people).check()
    return first, second


def started_twice(folder: Path, *, programs: int, people: int) -> list[dict[str, Any]]:
    """Start the same batch several times at once.

    Returns:
        The reports.
    """
    ledger = folder / "ledger"
    with serving(folder) as server:
        running = [program(server, ledger, people, "AUTO") for _ in range(programs)]
        reports = [finish(one) for one in running]
        end = sums(server, ledger, people)
        end.check()
        assert len(end.received) == people
        assert not end.in_doubt
    return reports

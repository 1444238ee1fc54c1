"""A private PostgreSQL, on a port of its own; as root it runs as another user."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Postgres"]

PROGRAMS: Final = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1:]


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Postgres:
    """A cluster in a folder that is gone afterwards.

    Args:
        settings: lines for postgresql.conf.
    """

    def __init__(self, *settings: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="vetmail-pg-"))
        self._data = self._folder / "data"
        self.port = free_port()
        self._as_other = {"user": "postgres"} if os.geteuid() == 0 else {}
        if self._as_other:
            os.chown(self._folder, pwd.getpwnam("postgres").pw_uid, -1)
        self._run("initdb", "-D", str(self._data), "-U", "owner", "--auth=trust", "--no-sync", "-E", "UTF8")
        lines = (
            "listen_addresses = '127.0.0.1'",
            f"port = {self.port}",
            f"unix_socket_directories = '{self._folder}'",
            "max_connections = 60",
            *settings,
        )
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        self.start()

    @property
    def conninfo(self) -> str:
        """Where it is."""
        return f"host=127.0.0.1 port={self.port} user=owner dbname=postgres"

    @property
    def uri(self) -> str:
        """The same as a URI."""
        return f"postgresql://owner@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._run("pg_ctl", "-D", str(self._data), "-l", str(self._folder / "log"), "-w", "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop it; "immediate" is a crash."""
        self._run("pg_ctl", "-D", str(self._data), "-m", mode, "-w", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        (programs,) = PROGRAMS
        for _ in range(3):  # a port may be taken between the asking and the start
            done = subprocess.run(
                [str(programs / program), *arguments],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                check=False,
                **self._as_other,  # type: ignore[call-overload] # the user, where there is one
            )
            if done.returncode == 0:
                return
            time.sleep(0.5)
        raise AssertionError(
            f"{program} failed: {(self._folder / 'log').read_text(errors='replace')[-2000:]}"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop("immediate")
        shutil.rmtree(self._folder, ignore_errors=True)


def schemas() -> Iterator[str]:
    """Names that need quoting as much as can be, one for each test."""
    number = 0
    while True:
        number += 1
        yield f'Kurs "{number}" of the %s ä'

"""Private brokers on loopback: Redis and RabbitMQ, each in a folder that is gone afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.integration.databases import free_port

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["RabbitMq", "Redis"]


class _Broker:
    """A server in a folder, run as another user where this is root."""

    user: str

    @property
    def url(self) -> str:
        """For Celery."""
        raise NotImplementedError

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="vetmail-broker-"))
        self.port = free_port()
        root = os.geteuid() == 0
        if root:
            shutil.chown(self.folder, self.user)
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                self.words(),
                cwd=self.folder,
                env={**os.environ, **self.environment()},
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=self.user if root else None,
            )

    def words(self) -> Sequence[str]:
        """What is run."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """What it is told."""
        return {"HOME": str(self.folder)}

    def wait(self, seconds: float = 60) -> None:
        """Wait until it listens."""
        end = time.monotonic() + seconds
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                if time.monotonic() > end:
                    raise AssertionError((self.folder / "log").read_text(errors="replace")[-2000:]) from None
                time.sleep(0.1)
            else:
                return

    def __enter__(self) -> Self:
        self.wait()
        return self

    def __exit__(self, *_error: object) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Redis(_Broker):
    """Debian's Redis."""

    user = "redis"

    @property
    def url(self) -> str:
        """For Celery."""
        return f"redis://127.0.0.1:{self.port}/0"

    def words(self) -> Sequence[str]:
        """One process, nothing on the disk."""
        return ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]


class RabbitMq(_Broker):
    """Debian's RabbitMQ, with a port mapper of its own."""

    user = "rabbitmq"

    @property
    def url(self) -> str:
        """For Celery."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def words(self) -> Sequence[str]:
        """The broker itself, not the system's service."""
        return ["/usr/lib/rabbitmq/bin/rabbitmq-server"]

    def environment(self) -> dict[str, str]:
        """Everything of it in the folder, everything on loopback."""
        self._mapper = free_port()
        return {
            "HOME": str(self.folder),
            "RABBITMQ_NODENAME": f"vetmail{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "ERL_EPMD_PORT": str(self._mapper),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "logs"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "none"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "none-env"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
        }

    def __exit__(self, *error: object) -> None:
        """End the port mapper too, a daemon of its own; it stays until it has seen its node go."""
        super().__exit__(*error)
        words = ["epmd", "-port", str(self._mapper), "-kill"]
        end = time.monotonic() + 10
        while b"Killed" not in subprocess.run(words, capture_output=True, check=False).stdout:
            assert time.monotonic() < end, "the port mapper of RabbitMQ did not end"
            time.sleep(0.1)

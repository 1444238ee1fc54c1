"""Celery lends processes: the tasks, without a broker."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

import pytest
from tests.mailings.promises import Box, plan

from vetmail_core import RecipientsError, SqliteLedger
from vetmail_core.celery import SliceTasks, slice_tasks
from vetmail_core.mailings import Mailings

celery: Any = pytest.importorskip("celery", reason="Celery is an extra")

if TYPE_CHECKING:
    from pathlib import Path


class Host:
    """A host with an app that runs its tasks at once."""

    def __init__(self, path: Path, *, eager: bool = True) -> None:
        self.path = path
        self.box = Box()
        self.ledgers: list[SqliteLedger] = []
        self.app = celery.Celery("host", broker="redis://127.0.0.1:1/0", set_as_current=False)
        self.app.conf.update(task_always_eager=eager, task_eager_propagates=True)
        self.tasks: SliceTasks = slice_tasks(self.app, ledger=self.ledger, transport=lambda: self.box)

    def ledger(self) -> SqliteLedger:
        """Open the ledger."""
        self.ledgers.append(SqliteLedger(self.path))
        return self.ledgers[-1]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host."""
    return Host(tmp_path / "sent.ledger")


def test_a_mailing_is_written_down_and_then_queued(host: Host) -> None:
    """A task's message is a number; what was opened is kept between tasks."""
    mailing = host.tasks.enqueue(plan(23), slice_emails=10)
    assert len(mailing.slices) == 3
    assert len(host.box.sent) == 23
    assert len(host.ledgers) == 1
    host.tasks.deliver.delay(mailing.slices[0])
    assert len(host.box.sent) == 23


def test_the_tasks_are_acknowledged_late_and_limited_in_time(host: Host) -> None:
    """A worker that dies gives its task back; the soft limit is above a slice's seconds."""
    task: Any = host.tasks.deliver
    assert (task.acks_late, task.reject_on_worker_lost, task.ignore_result) == (True, True, True)
    assert (task.soft_time_limit, task.time_limit) == (90, 120)


def test_the_sweep_finds_what_the_broker_lost(
    host: Host, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """A broker that is down when a mailing is queued is a warning."""
    down = Host(tmp_path / "sent.ledger", eager=False)
    down.app.conf.update(broker_connection_timeout=0.1, broker_transport_options={"max_retries": 0})
    with caplog.at_level(logging.WARNING):
        down.tasks.enqueue(plan(3))
    assert "the sweep will queue them" in caplog.text
    host.tasks.sweep()
    assert len(host.box.sent) == 3


def test_what_happens_to_mail_fails_no_task(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """Nor does a ledger that is gone: the sweep comes again."""
    with caplog.at_level(logging.WARNING):
        host.tasks.deliver(99)
        assert "slice 99 is not at its end" in caplog.text
        host.ledgers[0].close()
        host.tasks.sweep()
    assert "could not be swept" in caplog.text


def test_a_process_that_was_forked_opens_its_own(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its parent had opened is its parent's."""
    host.tasks.enqueue(plan(1))
    owner = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: owner + 1)
    host.tasks.sweep()
    assert len(host.ledgers) == 2


def test_misuse_is_an_error_and_nothing_is_queued(host: Host) -> None:
    """Private mail, say."""
    with pytest.raises(RecipientsError):
        host.tasks.enqueue(plan(context="account"))
    with SqliteLedger(host.path) as ledger:
        assert Mailings(ledger).open_slices() == ()

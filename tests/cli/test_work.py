"""``work``: mailings sent with no engine, by one worker or several."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from vetmail_core import Content, Person, SqliteLedger, plan_bulk, save_preferences
from vetmail_core.__main__ import main
from vetmail_core.cli.working import ledger_of
from vetmail_core.errors import LedgerError
from vetmail_core.mailings import Mailings
from vetmail_core.testing import LocalSmtpServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalSmtpServer]:
    """A server, and preferences that lead to it."""
    monkeypatch.chdir(tmp_path)
    with LocalSmtpServer() as server:
        save_preferences(server.server_preferences(), tmp_path / "p.json", include_secrets=True)
        yield server


def enqueue(number: int, *, slice_emails: int = 10) -> None:
    """Write a mailing down in the file."""
    people = [Person(f"s{n}@students.example", key=f"C{n}") for n in range(number)]
    with SqliteLedger("sent.ledger") as ledger:
        made = plan_bulk(Content("Results", "Text"), people, sender="office@college.example", batch="b")
        Mailings(ledger).enqueue(made, slice_emails=slice_emails)


WORK = ["work", "--ledger", "sent.ledger", "--preferences", "p.json"]


def test_it_sends_what_was_written_down_and_ends(
    server: LocalSmtpServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second call has nothing to do."""
    enqueue(25)
    assert main([*WORK, "--until-done"]) == 0
    assert len(server.emails) == 25
    assert capsys.readouterr().err == "25 accepted; 0 open\n"
    assert main([*WORK, "--until-done"]) == 0
    assert len(server.emails) == 25
    assert capsys.readouterr().err == "nothing sent yet; 0 open\n"


def test_somebody_who_was_refused_is_in_its_status(server: LocalSmtpServer) -> None:
    """As everywhere: 1 says that some did not go."""
    server.faults.refuse("s1@students.example")
    enqueue(3)
    assert main([*WORK, "--until-done"]) == 1


def test_a_terminal_sees_it_move(
    server: LocalSmtpServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line, written anew after each slice."""
    enqueue(20)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert main([*WORK, "--until-done"]) == 0
    assert capsys.readouterr().err == "\r10 accepted; 10 open\r20 accepted; 0 open\r20 accepted; 0 open\n"
    assert len(server.emails) == 20


def test_elsewhere_it_says_a_line_a_minute(
    server: LocalSmtpServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log of a night stays short."""
    enqueue(20)
    monkeypatch.setattr("vetmail_core.cli.working._TOLD_SECONDS", 0.0)
    assert main([*WORK, "--until-done"]) == 0
    told = ["10 accepted; 10 open", "20 accepted; 0 open", "20 accepted; 0 open"]
    assert capsys.readouterr().err.splitlines() == told
    assert len(server.emails) == 20


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="Windows has no SIGTERM to catch")
def test_a_sigterm_ends_it_with_nothing_in_doubt(server: LocalSmtpServer) -> None:
    """Status 0, while it waits for new mailings; what comes meanwhile is sent."""
    before = signal.getsignal(signal.SIGTERM)
    enqueue(5)

    def end() -> None:
        while len(server.emails) < 5:
            threading.Event().wait(0.05)
        threading.Event().wait(0.6)
        os.kill(os.getpid(), signal.SIGTERM)

    killer = threading.Thread(target=end)
    killer.start()
    assert main(WORK) == 0
    killer.join()
    assert signal.getsignal(signal.SIGTERM) is before
    with SqliteLedger("sent.ledger") as ledger:
        assert ledger.in_doubt() == ()


def test_a_worker_opens_no_mail_program(
    server: LocalSmtpServer, change: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody sits in front of it."""
    del server, change
    assert main([*WORK, "--until-done"]) == 2
    assert "a worker cannot open somebody's mail program" in capsys.readouterr().err


@pytest.fixture
def change(server: LocalSmtpServer, tmp_path: Path) -> None:
    """Turn the built-in client off."""
    del server
    from vetmail_core import EmailPreferences  # noqa: PLC0415 - used here alone

    save_preferences(EmailPreferences(), tmp_path / "p.json", overwrite=True)


def test_a_database_is_named_by_its_uri() -> None:
    """Anything else is a file; a database that is not there is an error without its password."""
    pytest.importorskip("psycopg")
    with pytest.raises(LedgerError, match="cannot be opened") as caught:
        ledger_of("postgresql://owner:correct-horse@127.0.0.1:1/mail")
    assert "correct-horse" not in str(caught.value)

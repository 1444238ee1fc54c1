"""One transport, one thread at a time."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from vetmail_core import EmlTransport, MailtoTransport, TransportError
from vetmail_core.transports.one_thread import OneThread

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vetmail_core import Email, Transport


def to_mail_program(folder: Path) -> MailtoTransport:
    """A transport to a mail program that opens whatever it is given."""
    opened: list[str] = []
    return MailtoTransport(drafts=folder, open_uri=opened.append)


@pytest.mark.parametrize("make", [EmlTransport, to_mail_program])
def test_a_transport_delivers_in_one_thread_at_a_time(
    make: Callable[[Path], Transport], tmp_path: Path, make_email: Callable[..., Email]
) -> None:
    """While a run is under way another thread is refused, and the run goes on."""
    transport = make(tmp_path)
    run = iter(transport.deliver([make_email(), make_email()]))
    assert next(run).ok
    refused: list[TransportError] = []

    def other() -> None:
        try:
            list(transport.deliver([make_email()]))
        except TransportError as error:
            refused.append(error)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert len(refused) == 1
    assert next(run).ok
    assert list(run) == []


def test_a_second_thread_is_refused_and_the_first_goes_on() -> None:
    """Two runs never disturb each other in silence; the error says what to do."""
    turn = OneThread("EmlTransport")
    refused: list[str] = []

    def other() -> None:
        try:
            with turn:
                refused.append("let in")
        except TransportError as error:
            refused.append(str(error))

    with turn:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(refused) == 1
    assert "This EmlTransport is delivering in another thread" in refused[0]
    assert "Make a transport for each thread" in refused[0]


def test_one_thread_may_hold_it_twice_and_another_may_follow() -> None:
    """A run inside a run is one thread's own affair; when all have ended, any thread may begin."""
    turn = OneThread("EmlTransport")
    let_in: list[bool] = []
    with turn, turn:
        pass

    def other() -> None:
        with turn:
            let_in.append(True)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert let_in == [True]


def test_a_run_that_fails_lets_go() -> None:
    """An error inside a run does not lock the transport."""
    turn = OneThread("EmlTransport")
    with pytest.raises(ZeroDivisionError), turn:
        raise ZeroDivisionError
    with turn:
        pass


def test_a_forked_process_does_not_wait_for_the_threads_it_left_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What another thread of the parent held, nobody holds in the child."""
    turn = OneThread("EmlTransport")
    thread = threading.Thread(target=turn.__enter__)
    thread.start()
    thread.join()
    with pytest.raises(TransportError, match="delivering in another thread"), turn:
        pass
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with turn:
        pass
    turn.__exit__()
    with turn:
        pass

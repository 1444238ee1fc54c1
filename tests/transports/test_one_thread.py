"""One transport, one thread at a time."""

from __future__ import annotations

import threading

import pytest

from vetmail_core import TransportError
from vetmail_core.transports.one_thread import OneThread


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

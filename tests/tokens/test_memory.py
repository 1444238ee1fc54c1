"""A token is fetched once and replaced in time."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from vetmail_core.clock import SystemClock
from vetmail_core.errors import TokenError
from vetmail_core.testing.clock import FakeClock
from vetmail_core.tokens.hidden import HiddenText
from vetmail_core.tokens.memory import Memory
from vetmail_core.tokens.source import Token


class Fetches:
    """Gives "token-1", "token-2" and so on, and counts."""

    def __init__(self, seconds: float = 3_600.0) -> None:
        self.count = 0
        self.seconds = seconds
        self.failure: TokenError | None = None

    def __call__(self) -> Token | TokenError:
        self.count += 1
        return self.failure or Token(HiddenText(f"token-{self.count}"), self.seconds)


@pytest.mark.parametrize(
    ("life", "good", "over"), [(3_600.0, 3_299.0, 3_301.0), (1.0, 0.4, 0.6), (600.0, 299.0, 301.0)]
)
def test_a_token_is_used_until_five_minutes_or_half_its_life_before_its_end(
    life: float, good: float, over: float
) -> None:
    """So it does not run out on its way to the mail server."""
    clock, fetch = FakeClock(), Fetches(life)
    memory = Memory(clock)
    assert memory.token("a", fetch) == "token-1"
    clock.advance(good)
    assert memory.token("a", fetch) == "token-1"
    assert memory.seconds_left("a") > 0
    clock.advance(over - good)
    assert memory.seconds_left("a") == 0
    assert memory.token("a", fetch) == "token-2"


def test_twenty_threads_cause_one_request() -> None:
    """They wait for the one that asks."""
    memory, fetch, start = Memory(), Fetches(), threading.Barrier(20)

    def work(_number: int) -> list[str]:
        start.wait(10)
        return [memory.token("a", fetch) for _ in range(10)]

    with ThreadPoolExecutor(20) as pool:
        tokens = {token for tokens in pool.map(work, range(20)) for token in tokens}
    assert (fetch.count, tokens) == (1, {"token-1"})


def test_twenty_threads_whose_token_is_refused_cause_one_more_request() -> None:
    """The first to ask again fetches; for the others there is nothing left to drop."""
    memory, fetch, had = Memory(), Fetches(), threading.Barrier(20)

    def work(_number: int) -> str:
        memory.token("a", fetch)
        had.wait(10)
        memory.refused("a")
        return memory.token("a", fetch)

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(work, range(20))) == {"token-2"}
    assert fetch.count == 2


def test_a_thread_that_was_given_none_drops_what_there_is() -> None:
    """Whoever says that a token was refused without having asked for one means the one that is held."""
    memory, fetch = Memory(), Fetches()
    thread = threading.Thread(target=memory.token, args=("a", fetch))
    thread.start()
    thread.join()
    memory.refused("a")
    assert memory.token("a", fetch) == "token-2"


def test_threads_that_wait_for_a_fetch_share_its_failure() -> None:
    """Twenty threads do not ask a silent endpoint one after the other, each for twenty seconds."""
    memory, begun, go_on = Memory(), threading.Event(), threading.Event()
    count: list[int] = []

    def fetch() -> TokenError:
        count.append(1)
        begun.set()
        go_on.wait(10)
        return TokenError("no", transient=True, retry_after=3.0)

    def work(_number: int) -> TokenError:
        with pytest.raises(TokenError) as caught:
            memory.token("a", fetch)
        return caught.value

    with ThreadPoolExecutor(5) as pool:
        futures = [pool.submit(work, 0)]
        begun.wait(10)
        futures += [pool.submit(work, number) for number in range(1, 5)]
        clock = SystemClock()
        while memory.waiting("a") < 4:
            clock.sleep(0.001)
        go_on.set()
        errors = [future.result(10) for future in futures]
    assert len(count) == 1
    assert len(set(map(id, errors))) == 5
    assert {(str(error), error.transient, error.retry_after) for error in errors} == {("no", True, 3.0)}


def test_a_failure_is_not_remembered() -> None:
    """The next call asks again: the secret may have been mended."""
    memory, fetch = Memory(), Fetches()
    fetch.failure = TokenError("no")
    for _ in range(2):
        with pytest.raises(TokenError, match="^no$"):
            memory.token("a", fetch)
    fetch.failure = None
    assert memory.token("a", fetch) == "token-3"


def test_sources_that_differ_have_tokens_of_their_own_and_the_oldest_is_forgotten() -> None:
    """The memory is bounded."""
    memory, fetch = Memory(most=2), Fetches()
    assert [memory.token(name, fetch) for name in "aba"] == ["token-1", "token-2", "token-1"]
    memory.token("c", fetch)  # b was not asked for the longest
    assert [memory.token(name, fetch) for name in "ab"] == ["token-1", "token-4"]


def test_a_token_that_is_forgotten_is_fetched_again() -> None:
    """As after somebody has signed in anew."""
    memory, fetch = Memory(), Fetches()
    memory.token("a", fetch)
    memory.forget("a")
    assert memory.token("a", fetch) == "token-2"


def test_a_child_of_a_fork_does_not_wait_for_a_lock_of_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are forked while other threads fetch; a child is told from its parent by its process ID."""
    memory, fetch = Memory(), Fetches()
    memory.token("a", fetch)
    with memory._lock, memory._slots["a"].lock:
        monkeypatch.setattr(os, "getpid", lambda: -1)
        assert memory.token("a", fetch) == "token-2"

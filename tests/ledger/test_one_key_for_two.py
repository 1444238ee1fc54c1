"""One key for two different emails of a run is a mistake that is told, and nobody is forgotten for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from vetmail_core import Cause, Email, Ledger, Receipt, SqliteLedger, Status
from vetmail_core.ledger import AlreadySent, Delivery, LedgerState
from vetmail_core.ledger.keys import KeysOfARun

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

Make = Any  # the conftest's classes and factories; a test folder is no package to import them from


class Table:
    """A host's own table."""

    def __init__(self) -> None:
        self.rows: dict[str, LedgerState] = {}

    def state(self, key: str, /) -> LedgerState | None:
        """What is known."""
        return self.rows.get(key)

    def attempting(self, keys: Iterable[str], /) -> Collection[str] | None:
        """All of them."""
        return list(keys)

    def settle(self, receipt: Receipt, /) -> None:
        """Write down."""
        if not receipt.not_attempted:
            self.rows[receipt.email.key] = LedgerState(receipt.outcomes[0].status.value)


@pytest.fixture(params=["sqlite", "a host's own"])
def ledger(request: pytest.FixtureRequest, path: Path) -> Iterator[Ledger]:
    """Either kind."""
    if request.param == "sqlite":
        with SqliteLedger(path) as sqlite:
            yield sqlite
    else:
        yield Table()


def _run(postbox: Make, emails: Iterable[Email], ledger: Ledger) -> list[Receipt | AlreadySent]:
    return list(Delivery(postbox, emails, ledger=ledger).steps())


@pytest.mark.parametrize("between", [0, 1, 40])
@pytest.mark.parametrize("answer", [Status.ACCEPTED, Status.DEFERRED, Status.REFUSED])
def test_the_second_is_told_with_the_key_and_both_addresses(
    ledger: Ledger, postbox: Make, email: Make, between: int, answer: Status
) -> None:
    """Whether the first is under way, has been answered or was put off when the second comes."""
    box = postbox({"a@example.com": answer})
    others = [email(f"p{number}@example.com") for number in range(between)]
    twice = email("b@example.com", key="k")
    steps = _run(box, [email("a@example.com", key="k"), *others, twice, twice], ledger)
    assert [to for (to,) in box.sent if to[1] == "@"] == ["a@example.com"]
    for told in steps[-2:]:
        assert isinstance(told, Receipt)
        assert not told.ok
        assert (told.outcomes[0].status, told.outcomes[0].cause) == (Status.NOT_ATTEMPTED, Cause.OTHER)
        assert all(word in told.reason for word in ('"k"', "a@example.com", "b@example.com"))
    first = steps[0]
    assert isinstance(first, Receipt)
    assert first.outcomes[0].status is answer
    assert ledger.state("k") == answer.value


def test_the_same_email_twice_is_one_email(ledger: Ledger, postbox: Make, email: Make) -> None:
    """As it always was: the second is passed over."""
    box = postbox({})
    steps = _run(box, [email("a@example.com", key="k")] * 2, ledger)
    assert len(box.sent) == 1
    assert isinstance(steps[1], AlreadySent)


def test_between_two_runs_the_key_decides(ledger: Ledger, postbox: Make, email: Make) -> None:
    """A corrected address does not make another email of it."""
    box = postbox({})
    _run(box, [email("a@example.com", key="k")], ledger)
    (later,) = _run(box, [email("b@example.com", key="k")], ledger)
    assert isinstance(later, AlreadySent)
    assert len(box.sent) == 1


def test_the_ledger_keeps_the_recipients_of_the_first(path: Path, postbox: Make, email: Make) -> None:
    """A report about its delivery is for the one who got it."""
    with SqliteLedger(path) as ledger:
        _run(postbox({}), [email("a@example.com", key="k"), email("b@example.com", key="k")], ledger)
        assert ledger.first_recipients("k") == (("k", "a@example.com"),)


def test_a_clash_with_an_email_of_long_ago_is_told_without_its_address(email: Make) -> None:
    """Memory stays small: thousands of addresses are kept, of the others a digest."""
    keys = KeysOfARun()
    assert not keys.clash(email("a@example.com", key="k"))
    for number in range(5000):
        assert not keys.clash(email(f"p{number}@example.com"))
    assert not keys.clash(email("a@example.com", key="k"))
    assert "to somebody else and to b@example.com" in keys.clash(email("b@example.com", key="k"))

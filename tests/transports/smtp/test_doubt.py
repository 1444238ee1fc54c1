"""Doubt has a bound: a server that breaks off after each text does not put everybody in doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest
from tests.transports.smtp.outcomes import statuses
from tests.transports.smtp.scripted import some_emails

from vetmail_core.ledger import SqliteLedger, deliver_once
from vetmail_core.receipts import Cause, Phase
from vetmail_core.testing.clock import FakeClock
from vetmail_core.transports.smtp import Pipelining

if TYPE_CHECKING:
    from pathlib import Path

    from tests.transports.smtp.scripted import Act, Connect, Serve

OFF, ENVELOPE, AUTO, CHUNKING = Pipelining


@pytest.mark.parametrize("mode", [OFF, ENVELOPE, AUTO])
def test_a_server_that_dies_at_each_dot_costs_five_people_a_question(
    serve: Serve, connect: Connect, act: type[Act], mode: Pipelining
) -> None:
    """Everybody behind them was not tried, and the reason says why."""
    server = serve().always("dot", act("drop"))
    receipts = list(connect(server, pipelining=mode, clock=FakeClock()).deliver(some_emails(20)))
    assert statuses(receipts) == ["unknown"] * 5 + ["not_attempted"] * 15
    last = receipts[-1].outcomes[0]
    assert (last.cause, last.phase) == (Cause.CONNECTION, Phase.DOT)
    assert "broke off after each text" in receipts[-1].reason


def test_a_window_counts_as_it_falls(serve: Serve, connect: Connect, act: type[Act]) -> None:
    """Where several texts are under way, no more windows than it takes to come to five."""
    server = serve().always("dot", act("drop"))
    receipts = list(connect(server, pipelining=CHUNKING, clock=FakeClock()).deliver(some_emails(200)))
    counted = statuses(receipts)
    assert 5 <= counted.count("unknown") < 200
    assert counted.count("not_attempted") == 200 - counted.count("unknown")


@pytest.mark.parametrize("mode", [OFF, ENVELOPE, AUTO])
def test_a_text_that_is_answered_in_between_sets_the_count_to_nothing(
    serve: Serve, connect: Connect, act: type[Act], mode: Pipelining
) -> None:
    """A server that dies at every other dot is slow, and no reason to stop; a refusal is an answer too."""
    four = [act("drop")] * 4
    server = serve().script("dot", *[act("drop"), None] * 5, *four, "554 5.6.0 no", *four)
    receipts = list(connect(server, pipelining=mode, clock=FakeClock()).deliver(some_emails(20)))
    doubts = ["unknown"] * 4
    assert statuses(receipts) == ["unknown", "accepted"] * 5 + [*doubts, "refused", *doubts, "accepted"]


def test_the_next_run_goes_on_with_the_others(
    serve: Serve, connect: Connect, act: type[Act], tmp_path: Path
) -> None:
    """By its ledger; the five stay in doubt."""
    server = serve().script("dot", *[act("drop")] * 5)
    emails = [attrs.evolve(email, key=str(number)) for number, email in enumerate(some_emails(12))]
    with SqliteLedger(tmp_path / "ledger") as ledger:
        for expected in (["unknown"] * 5 + ["not_attempted"] * 7, ["unknown"] * 5 + ["accepted"] * 7):
            transport = connect(server, pipelining=OFF, clock=FakeClock())
            assert statuses(list(deliver_once(ledger, transport, emails))) == expected

"""What the tests of the test kit share."""

import attrs
import pytest

from vetmail_core.receipts import Receipt

pytest_plugins = ("pytester",)


def told(receipt: Receipt) -> list[tuple[object, ...]]:
    """What a receipt says, without words that differ from line to line (a server's own are kept)."""
    said: list[tuple[object, ...]] = [(receipt.attempts,)]
    said += [
        (
            outcome.mailbox.addr_spec,
            outcome.status,
            outcome.cause,
            outcome.phase,
            outcome.reply if outcome.reply is not None and outcome.reply.code else None,
        )
        for outcome in receipt.outcomes
    ]
    return said


@attrs.frozen
class Teller:
    """Gives the function above to tests."""

    told = staticmethod(told)


@pytest.fixture
def teller() -> Teller:
    """What a receipt says, comparable between a wire and memory."""
    return Teller()

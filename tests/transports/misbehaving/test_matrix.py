"""Every protocol step, every kind of misbehaviour, every mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.transports.misbehaving import matrix

from vetmail_core import Pipelining

if TYPE_CHECKING:
    from tests.transports.misbehaving.rogue import Certificates

# Signing in comes before the first message, where the ways to send differ by the first and the last of them.
BY_TOKEN = (Pipelining.AUTO, Pipelining.CHUNKING)


@pytest.fixture(scope="session")
def verdicts(certificates: Certificates) -> dict[tuple[str, Pipelining], list[str]]:
    """What is wrong in each cell; all at once, for most of the time is spent waiting."""
    return matrix.verdicts(certificates)


@pytest.mark.parametrize("mode", list(Pipelining), ids=lambda mode: mode.value)
@pytest.mark.parametrize("step", matrix.STEPS)
def test_whatever_a_server_does_nothing_is_lost_doubled_hung_or_unclear(
    verdicts: dict[tuple[str, Pipelining], list[str]], step: str, mode: Pipelining
) -> None:
    """One receipt an email, one true outcome a recipient, in time, with phase and cause."""
    assert verdicts[step, mode] == []


@pytest.fixture(scope="session")
def verdicts_by_token(certificates: Certificates) -> dict[tuple[str, Pipelining], list[str]]:
    """The same where each connection signs in with a token, and the first token ends with it."""
    return matrix.verdicts(certificates, modes=BY_TOKEN, by_token=True)


@pytest.mark.parametrize("mode", BY_TOKEN, ids=lambda mode: mode.value)
@pytest.mark.parametrize("step", matrix.STEPS)
def test_with_a_token_source_nothing_is_lost_doubled_or_asked_too_often(
    verdicts_by_token: dict[tuple[str, Pipelining], list[str]], step: str, mode: Pipelining
) -> None:
    """A token a connection, one more for each refusal, and none that was refused is said again."""
    assert verdicts_by_token[step, mode] == []


@pytest.mark.parametrize(
    ("mode", "connections"), [(Pipelining.AUTO, 3), (Pipelining.AUTO, 5), (Pipelining.CHUNKING, 3)]
)
def test_over_several_connections_nothing_is_lost_doubled_or_hung(
    certificates: Certificates, mode: Pipelining, connections: int
) -> None:
    """The same servers, whichever of the emails meets the fault."""
    assert matrix.over_several(certificates, mode, connections) == []

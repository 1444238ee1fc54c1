"""Every protocol step, every kind of misbehaviour, every mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.transports.misbehaving import matrix

from vetmail_core import Pipelining

if TYPE_CHECKING:
    from tests.transports.misbehaving.rogue import Certificates


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


@pytest.mark.parametrize(
    ("mode", "connections"), [(Pipelining.AUTO, 3), (Pipelining.AUTO, 5), (Pipelining.CHUNKING, 3)]
)
def test_over_several_connections_nothing_is_lost_doubled_or_hung(
    certificates: Certificates, mode: Pipelining, connections: int
) -> None:
    """The same servers, whichever of the emails meets the fault."""
    assert matrix.over_several(certificates, mode, connections) == []

"""A program that forks with a resting connection, a hundred times in every mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.transports.smtp.forking import fork_and_send

from vetmail_core.preferences import TlsMethod

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("tls", [TlsMethod.NONE, TlsMethod.IMPLICIT])
def test_a_hundred_rounds_mix_nothing_up(tmp_path: Path, tls: TlsMethod) -> None:
    """Two children and the parent send at once: all accepted, to the right people, on lines of their own."""
    fork_and_send(tmp_path, tls, rounds=100)

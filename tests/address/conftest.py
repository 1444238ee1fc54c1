"""What the tests of addresses share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.address.header_reader import read_header as _read_header

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="session")
def read_header() -> Callable[[str], tuple[str, str]]:
    """Read ``name <address>`` as RFC 5322 and RFC 2047 have it: the name and the address."""
    return _read_header

"""The pytest plugin: fixtures, ini option, marker and the strict hook.

What it is for: a test asks for ``vetmail_outbox`` and gets a fresh one. What it refuses: to cost a test
run that does not use it anything; it imports only pytest until a fixture is used. Its law: what fails a
test fails in its call, not in its teardown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from vetmail_core.testing.clock import FakeClock

__all__ = ["vetmail_clock"]


@pytest.fixture
def vetmail_clock() -> FakeClock:
    """A clock that does not sleep, fresh for each test."""
    from vetmail_core.testing.clock import FakeClock  # noqa: PLC0415 - loaded when a test asks for it

    return FakeClock()

"""How the laws are tried, and what every test may count on."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

# A busy machine is not slow code: no law is judged by the time it takes. Where CI is set the examples are the
# same at every run, so that a change is judged by what it changes; everywhere else they are new ones.
settings.register_profile(
    "vetmail_core",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
    print_blob=True,
)
settings.load_profile("vetmail_core")

# Programs in the background of a shell are started deaf to Ctrl-C, which some tests press.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

HERE = Path(__file__).parent
# Whole folders of servers and connections; a single file elsewhere says it of itself with `pytestmark`.
WIRE = (HERE / "transports" / "smtp", HERE / "transports" / "misbehaving", HERE / "integration")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that talk to servers, so that the quick tests can leave them out."""
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in WIRE):
            item.add_marker(pytest.mark.wire)


@pytest.fixture
def no_file_above() -> Callable[[int], AbstractContextManager[None]]:
    """Inside it, a file that grows beyond so many bytes meets what looks like a full disk."""
    import resource  # noqa: PLC0415 - Windows has no such module, and collects this file all the same

    @contextlib.contextmanager
    def limited(size: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited

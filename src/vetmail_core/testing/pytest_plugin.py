"""The pytest plugin: fixtures, ini option, markers and the strict hook.

A test asks for ``vetmail_outbox`` and gets a fresh one. Only pytest is imported until a fixture is used. A
test fails in its call, not in its teardown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from vetmail_core.testing.clock import FakeClock
    from vetmail_core.testing.outbox import Outbox
    from vetmail_core.testing.smtpd import LocalSmtpServer

__all__ = ["vetmail_clock", "vetmail_outbox", "vetmail_smtpd"]

_OUTBOX: pytest.StashKey[Outbox] = pytest.StashKey()
_SMTPD: pytest.StashKey[LocalSmtpServer] = pytest.StashKey()
_APPROVED = "vetmail_approved"
_MARKERS = (
    "vetmail_unclaimed_ok: mail that no assertion looks at does not fail this test",
    "vetmail_unused_faults_ok: scripted faults that never fire do not fail this test",
    "vetmail_smtpd(**options): how vetmail_smtpd is made, such as tls=TlsMethod.EXPLICIT",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini option, and the option that approves snapshots."""
    parser.addoption(
        "--vetmail-approve",
        action="store_true",
        help="write what approve() is given over the approved files, and list those that changed",
    )
    parser.addini(
        "vetmail_strict",
        "fail a test that leaves mail unclaimed in vetmail_outbox, or scripted faults unused",
        type="bool",
        default=True,
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List what was approved; of other processes of the run too, as it travels with the tests' results."""
    approved = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for name, value in report.user_properties
        if name == _APPROVED
    ]
    if approved:
        terminalreporter.section("approved")
        for path in sorted({str(path) for path in approved}):
            terminalreporter.line(path)


@pytest.fixture
def vetmail_clock() -> FakeClock:
    """A clock that does not sleep, fresh for each test."""
    from vetmail_core.testing.clock import FakeClock  # noqa: PLC0415 - loaded when a test asks for it

    return FakeClock()


@pytest.fixture
def vetmail_outbox(request: pytest.FixtureRequest, vetmail_clock: FakeClock) -> Generator[Outbox]:
    """A transport that records and sends nothing, fresh for each test; strict about what nobody looked at."""
    from vetmail_core.testing.outbox import Outbox  # noqa: PLC0415 - loaded when a test asks for it

    with Outbox(clock=vetmail_clock, test_file=str(request.path)) as outbox:
        _item(request).stash[_OUTBOX] = outbox
        yield outbox


@pytest.fixture
def vetmail_smtpd(request: pytest.FixtureRequest) -> Generator[LocalSmtpServer]:
    """A mail server on a free port of this machine, fresh for each test."""
    from vetmail_core.testing.smtpd import LocalSmtpServer  # noqa: PLC0415 - loaded when a test asks for it

    marker = _item(request).get_closest_marker("vetmail_smtpd")
    with LocalSmtpServer(**(marker.kwargs if marker else {})) as server:
        _item(request).stash[_SMTPD] = server
        yield server


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that passed, of whatever kind, when it left mail unclaimed or faults unused."""
    if item.config.getoption("--vetmail-approve"):
        from vetmail_core.testing.snapshots import approving  # noqa: PLC0415 - hardly ever asked for

        with approving() as changed:
            try:
                result = yield
            finally:  # also of a test that fails after it
                item.user_properties += [(_APPROVED, str(path)) for path in changed]
    else:
        result = yield
    if (_OUTBOX in item.stash or _SMTPD in item.stash) and item.config.getini("vetmail_strict"):
        troubles = _troubles(item)
        if troubles:
            pytest.fail("\n".join(troubles), pytrace=False)
    return result


def _item(request: pytest.FixtureRequest) -> pytest.Item:
    item: object = request.node  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - pytest leaves it untyped
    assert isinstance(item, pytest.Item)
    return item


def _troubles(item: pytest.Item) -> list[str]:
    from vetmail_core.testing.outbox import unused_trouble  # noqa: PLC0415 - a fixture was used

    troubles: list[str] = []
    outbox, smtpd = item.stash.get(_OUTBOX, None), item.stash.get(_SMTPD, None)
    if outbox is not None and item.get_closest_marker("vetmail_unclaimed_ok") is None:
        troubles += outbox.unclaimed_trouble()
    if item.get_closest_marker("vetmail_unused_faults_ok") is None:
        for used in (outbox, smtpd):
            if used is not None:
                troubles += unused_trouble(used.faults)
    return troubles

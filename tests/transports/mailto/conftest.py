"""A mail program, and a transport that hands drafts to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.transports.mailto.desk import Desk
from tests.transports.mailto.program import MailProgram

from vetmail_core import MailtoTransport

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vetmail_core import Email, Receipt


@pytest.fixture
def program() -> MailProgram:
    """A mail program that opens whatever it is given."""
    return MailProgram()


@pytest.fixture
def deliver(tmp_path: Path, program: MailProgram) -> Callable[..., list[Receipt]]:
    """Delivers emails with a transport that differs from the usual one where it is told to."""

    def run(*emails: Email, **settings: object) -> list[Receipt]:
        usual = {"open_uri": program, "drafts": tmp_path / "drafts", "platform": "linux"}
        with MailtoTransport(**(usual | settings)) as transport:  # type: ignore[arg-type]
            return list(transport.deliver(emails))

    return run


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desktop with a screen and Thunderbird."""
    for name in ("WAYLAND_DISPLAY", "SNAP", "FLATPAK_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISPLAY", ":9")
    desk = Desk(tmp_path)
    monkeypatch.setenv("PATH", str(desk.programs))
    return desk


@pytest.fixture
def hand_over(tmp_path: Path, desk: Desk) -> Callable[..., list[Receipt]]:  # noqa: ARG001 - its programs are found
    """Delivers emails by the programs of the desktop."""

    def run(*emails: Email, **settings: object) -> list[Receipt]:
        usual: dict[str, object] = {"drafts": tmp_path / "drafts", "platform": "linux"}
        with MailtoTransport(**(usual | settings)) as transport:  # type: ignore[arg-type]
            return list(transport.deliver(emails))

    return run

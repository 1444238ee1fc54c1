"""What stops a hand-over: no mail program, one that gives up, a full disk, settings that are not valid."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import pytest
from tests.transports.mailto.program import MailProgram

from vetmail_core import Attachment, Cause, MailtoTransport, Phase, Status, TransportError
from vetmail_core.errors import TransportValueError
from vetmail_core.transports.mailto.opening import WindowsOpener

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vetmail_core import Email, Receipt


@pytest.mark.parametrize(
    "failure",
    [
        (
            FileNotFoundError(2, "No such file"),
            "could not be opened: No such file. Check that one is installed",
        ),
        (OSError("odd"), "could not be opened: OSError"),
        (TransportError("This desktop has no program."), "This desktop has no program."),
    ],
)
@pytest.mark.parametrize("reply_to", [(), ("reply@example.com",)], ids=["link", "draft"])
def test_a_missing_mail_program_is_a_transport_error(
    make_email: Callable[..., Email],
    deliver: Callable[..., list[Receipt]],
    tmp_path: Path,
    failure: tuple[Exception, str],
    reply_to: tuple[str, ...],
) -> None:
    """Nothing was tried, and no draft file lies about."""
    error, said = failure
    program = MailProgram(fails_at=1, error=error)
    with pytest.raises(TransportError, match=said):
        deliver(make_email(reply_to=reply_to), open_uri=program)
    assert list(tmp_path.glob("drafts/*")) == []


def test_no_traceback_shows_the_link(make_email: Callable[..., Email]) -> None:
    """It names people, and tracebacks end in logs."""

    def nothing_associated(uri: str) -> None:
        raise OSError(1155, "No application is associated", uri)

    email = make_email(subject="Your fees")
    for opener in (nothing_associated, WindowsOpener(startfile=nothing_associated)):
        with pytest.raises(TransportError) as caught:
            list(MailtoTransport(open_uri=opener).deliver([email]))
        shown = "".join(traceback.format_exception(caught.value))
        assert "No application is associated" in shown
        assert "sam@example.com" not in shown
        assert "fees" not in shown


def test_a_mail_program_that_stops_in_mid_run_stops_the_run(
    make_email: Callable[..., Email], deliver: Callable[..., list[Receipt]]
) -> None:
    """The receipts so far are not lost, so nobody opens those windows again; the rest says why."""
    program = MailProgram(fails_at=2, error=TransportError("It crashed."))
    receipts = deliver(make_email(), make_email(), make_email(), open_uri=program)
    assert [receipt.ok for receipt in receipts] == [True, False, False]
    assert len(program.opened) == 1
    for receipt in receipts[1:]:
        [outcome] = receipt.outcomes
        assert (outcome.status, outcome.cause, outcome.phase) == (
            Status.NOT_ATTEMPTED,
            Cause.OTHER,
            Phase.HAND_OVER,
        )
        assert outcome.reply is not None
        assert outcome.reply.text == "It crashed."
        assert receipt.attempts == 0


def test_an_opener_that_is_wrong_is_the_callers(
    make_email: Callable[..., Email], deliver: Callable[..., list[Receipt]], tmp_path: Path
) -> None:
    """A mistake in the host's own function is not taken for a missing mail program."""
    program = MailProgram(fails_at=1, error=ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        deliver(make_email(html="<p>Room 7</p>"), open_uri=program)
    assert list(tmp_path.glob("drafts/*")) == []


def test_a_drafts_folder_that_cannot_be_written_to_stops_the_run(
    make_email: Callable[..., Email],
    deliver: Callable[..., list[Receipt]],
    program: MailProgram,
    tmp_path: Path,
) -> None:
    """No exception: a link goes, the draft file and what follows are answered for."""
    (tmp_path / "drafts").write_text("a file, not a folder", encoding="utf-8")
    receipts = deliver(make_email(), make_email(html="<p>x</p>"), make_email())
    assert [receipt.ok for receipt in receipts] == [True, False, False]
    assert len(program.opened) == 1
    assert receipts[2].reply is not None
    assert "The draft file could not be written: File exists" in receipts[2].reply.text


@pytest.mark.usefixtures("full_disk")
def test_when_the_disk_is_full_no_half_of_a_draft_stays(
    make_email: Callable[..., Email],
    deliver: Callable[..., list[Receipt]],
    program: MailProgram,
    tmp_path: Path,
) -> None:
    """A cut draft would be sent as it is."""
    [receipt] = deliver(make_email(attachments=(Attachment("scan.pdf", bytes(300_000)),)))
    assert receipt.not_attempted
    assert program.opened == []
    assert list(tmp_path.glob("drafts/*")) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"separator": "|"}, 'is ";" or ","'),
        ({"separator": ""}, 'is ";" or ","'),
        ({"platform": "linux", "max_uri_length": 8001}, "must be 1 to 8,000 characters, got 8001"),
        ({"platform": "darwin", "max_uri_length": 0}, "must be 1 to 8,000 characters, got 0"),
        ({"platform": "win32", "max_uri_length": 2001}, "must be 1 to 2,000 characters, got 2001"),
        ({"max_windows": 0}, "must be at least 1, got 0"),
    ],
    ids=str,
)
def test_settings_that_cannot_stand_are_refused_at_once(settings: dict[str, object], said: str) -> None:
    """When the transport is made, not when somebody sends."""
    with pytest.raises(TransportValueError, match=said):
        MailtoTransport(**settings)  # type: ignore[arg-type]


def test_a_closed_transport_refuses(make_email: Callable[..., Email], program: MailProgram) -> None:
    """Closing twice is fine; delivering afterwards is misuse."""
    with MailtoTransport(open_uri=program) as transport:
        pass
    transport.close()
    with pytest.raises(TransportError, match="is closed; make a new one"):
        transport.deliver([make_email()])
    assert program.opened == []

"""Who is asked before anything is opened: screen, sandbox, desktop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vetmail_core import Attachment, TransportError, mailto_uri
from vetmail_core.transports.mailto.desktop import Handler, LinuxDesktop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.transports.mailto.desk import Desk
    from tests.transports.mailto.program import MailProgram

    from vetmail_core import Email, Receipt

LINKS, DRAFTS = "x-scheme-handler/mailto", "message/rfc822"


@pytest.mark.parametrize(
    ("environment", "opens"),
    [
        ({}, False),
        ({"DISPLAY": ""}, False),
        ({"DISPLAY": "", "WAYLAND_DISPLAY": ""}, False),
        ({"SNAP": "/snap/portal/7"}, False),
        ({"DISPLAY": ":0"}, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True),
    ],
    ids=str,
)
def test_without_a_screen_nothing_is_started(
    hand_over: Callable[..., list[Receipt]],
    make_email: Callable[..., Email],
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    *,
    opens: bool,
) -> None:
    """With a text browser installed, xdg-open would run it and say that all went well."""
    monkeypatch.delenv("DISPLAY")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if opens:
        [receipt] = hand_over(make_email())
        assert receipt.ok
        return
    with pytest.raises(TransportError, match="needs a screen, and this process has none") as caught:
        hand_over(make_email())
    assert "built-in VETtrak email client" in str(caught.value)
    assert "ImapDrafts" in str(caught.value)
    assert (desk.asked, desk.opened) == ([], [])


@pytest.mark.parametrize("variable", ["SNAP", "FLATPAK_ID"])
def test_inside_a_sandbox_the_desktop_is_not_asked(
    hand_over: Callable[..., list[Receipt]],
    make_email: Callable[..., Email],
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    """The host's programs cannot be seen from there, and xdg-mime need not exist; xdg-open works."""
    monkeypatch.setenv(variable, "com.example.Portal")
    desk.lacks("xdg-mime")
    email = make_email(to=("ann@example.com", "bob@example.com"), bcc=("audit@example.org",))
    [receipt] = hand_over(email, separator=";")
    assert receipt.ok
    assert receipt.warnings == ("semicolon_list", "bcc_may_be_ignored")
    assert desk.opened == [mailto_uri(email)]


def test_a_flatpak_is_known_by_its_file(tmp_path: Path, desk: Desk) -> None:
    """Also where a variable was not passed on."""
    (tmp_path / "flatpak-info").touch()
    desk.has("claws-mail.desktop")
    inside = LinuxDesktop(flatpak_info=tmp_path / "flatpak-info").handlers()
    outside = LinuxDesktop(flatpak_info=tmp_path / "nowhere").handlers()
    assert inside.links.program is None
    assert outside.links.name == "Claws Mail"
    assert desk.asked == [LINKS]


def test_an_empty_variable_is_no_sandbox(
    hand_over: Callable[..., list[Receipt]],
    make_email: Callable[..., Email],
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Some scripts set it so."""
    monkeypatch.setenv("SNAP", "")
    hand_over(make_email())
    assert desk.asked == [LINKS]


def test_inside_a_sandbox_without_xdg_open_the_package_is_named(
    hand_over: Callable[..., list[Receipt]],
    make_email: Callable[..., Email],
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There is no door to try."""
    monkeypatch.setenv("FLATPAK_ID", "com.example.Portal")
    desk.lacks("xdg-open")
    with pytest.raises(TransportError, match=r"needs xdg-open, which was not found\. Install .* xdg-utils"):
        hand_over(make_email())


@pytest.mark.parametrize("missing", ["xdg-mime", "xdg-open"])
def test_outside_both_programs_of_xdg_utils_are_needed(
    hand_over: Callable[..., list[Receipt]], make_email: Callable[..., Email], desk: Desk, missing: str
) -> None:
    """The error names the package."""
    desk.lacks(missing)
    with pytest.raises(TransportError, match=f"needs {missing}, which was not found. Install the package"):
        hand_over(make_email())
    assert desk.opened == []


@pytest.mark.parametrize("answer", ["exit 0", "echo", "exit 3"])
def test_without_a_mail_program_nothing_is_opened(
    hand_over: Callable[..., list[Receipt]], make_email: Callable[..., Email], desk: Desk, answer: str
) -> None:
    """xdg-open would start the web browser and say that all went well."""
    desk.program("xdg-mime", answer)
    with pytest.raises(TransportError, match="no program for mailto links") as caught:
        hand_over(make_email())
    assert desk.opened == []
    assert "sam@example.com" not in str(caught.value)
    assert "Install a mail program" in str(caught.value)


def test_a_desktop_that_does_not_answer_has_no_mail_program(desk: Desk) -> None:
    """Nobody waits for good."""
    desk.program("xdg-mime", "exec /bin/sleep 60")
    with pytest.raises(TransportError, match="no program for mailto links"):
        LinuxDesktop(answers_within=0.1).handlers()


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ([{}, {}, {"headers": {"X-Class": "7b"}}], [LINKS]),
        ([{}, {"reply_to": ("reply@example.com",)}, {"html": "<p>x</p>"}], [LINKS, DRAFTS]),
        ([], []),
    ],
    ids=["links", "drafts", "no email"],
)
def test_each_question_is_asked_once_a_run_and_only_where_it_matters(
    hand_over: Callable[..., list[Receipt]],
    make_email: Callable[..., Email],
    desk: Desk,
    changes: list[dict[str, object]],
    asked: list[str],
) -> None:
    """A question takes a tenth of a second on a slow desktop."""
    hand_over(*(make_email(**one) for one in changes))
    assert desk.asked == asked


def test_the_next_run_asks_anew(make_email: Callable[..., Email], desk: Desk, tmp_path: Path) -> None:
    """Somebody may have chosen another program in between."""
    from vetmail_core import MailtoTransport  # noqa: PLC0415 - the one test that keeps a transport

    with MailtoTransport(platform="linux", drafts=tmp_path / "drafts") as transport:
        list(transport.deliver([make_email(bcc=("audit@example.org",))]))
        desk.has("sylpheed.desktop")
        [receipt] = transport.deliver([make_email(bcc=("audit@example.org",))])
    assert [mailbox.addr_spec for mailbox in receipt.not_attempted] == ["audit@example.org"]


def test_whoever_brings_a_way_to_open_links_is_not_asked_about_the_desktop(
    deliver: Callable[..., list[Receipt]],
    make_email: Callable[..., Email],
    desk: Desk,
    program: MailProgram,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What they open, and on which screen, is their business."""
    monkeypatch.delenv("DISPLAY")
    desk.has("claws-mail.desktop")
    deliver(make_email(reply_to=("reply@example.com",)))
    assert program.draft()
    assert desk.asked == []


def test_the_first_of_several_answers_counts(
    hand_over: Callable[..., list[Receipt]], make_email: Callable[..., Email], desk: Desk
) -> None:
    """Some desktops answer with their whole list of preference."""
    desk.has("sylpheed.desktop;thunderbird.desktop;")
    [receipt] = hand_over(make_email(bcc=("audit@example.org",)))
    assert receipt.not_attempted


@pytest.mark.parametrize(
    ("entry", "is_snap"),
    [
        ("thunderbird_thunderbird.desktop", True),
        ("mail-app_compose.desktop", True),
        ("thunderbird.desktop", False),
        ("org.claws_mail.Claws-Mail.desktop", False),
        ("org.mozilla.Thunderbird.desktop", False),
        ("", False),
    ],
)
def test_a_program_from_a_snap_is_known_by_its_name(entry: str, *, is_snap: bool) -> None:
    """`snap_app.desktop`; a Flatpak's name has dots before an underscore."""
    assert Handler(entry).is_snap is is_snap


@pytest.mark.parametrize(
    ("entry", "folder"),
    [
        ("thunderbird_thunderbird.desktop", "vetmail-drafts"),
        ("thunderbird.desktop", ".cache/vetmail_core/drafts"),
    ],
)
def test_a_draft_lies_where_its_program_may_read_it(
    hand_over: Callable[..., list[Receipt]],
    make_email: Callable[..., Email],
    desk: Desk,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    entry: str,
    folder: str,
) -> None:
    """A Snap reads no hidden files of the home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    desk.has(entry)
    hand_over(make_email(attachments=(Attachment("plan.pdf", b"%PDF"),)), drafts=None)
    assert desk.draft().startswith(f"{tmp_path}/{folder}/")

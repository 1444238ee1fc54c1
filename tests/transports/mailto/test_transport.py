"""The hand-over: link or draft file, how many windows, and what the receipt says."""

from __future__ import annotations

import os
from email import message_from_bytes, policy
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest
from tests.transports.mailto.program import MailProgram

from vetmail_core import (
    Attachment,
    Cause,
    EmailPreferences,
    Mailer,
    MailtoTransport,
    MessageError,
    Phase,
    SqliteLedger,
    Status,
    Transport,
    TransportError,
    mailto_uri,
)
from vetmail_core.testing import a_student, content
from vetmail_core.transports.mailto import HandOverWarning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from vetmail_core import Email, Receipt


def test_it_is_a_transport() -> None:
    """It can stand wherever a transport is asked for."""
    assert isinstance(MailtoTransport(), Transport)


@pytest.mark.parametrize("separator", [";", ","])
def test_an_email_opens_as_its_link(
    make_email: Callable[..., Email],
    deliver: Callable[..., list[Receipt]],
    program: MailProgram,
    separator: str,
) -> None:
    """The preferences' separator is the one in the link."""
    email = make_email(to=("sam@example.com", "pat@example.com"))
    deliver(email, separator=separator)
    assert program.opened == [mailto_uri(email, separator=separator)]
    assert f"sam@example.com{separator}pat@example.com" in program.opened[0]


def test_what_was_opened_is_handed_over_and_never_accepted(
    make_email: Callable[..., Email], deliver: Callable[..., list[Receipt]]
) -> None:
    """Nobody tells us whether the person sent it; the receipt is for the very email that came."""
    email = make_email(cc=("kim@example.com",), bcc=("audit@example.org",))
    [receipt] = deliver(email)
    assert receipt.email is email
    assert receipt.handed_over == email.recipients.all
    assert receipt.accepted == ()
    assert receipt.ok
    assert {outcome.phase for outcome in receipt.outcomes} == {Phase.HAND_OVER}


def test_the_receipt_says_that_it_was_a_link(
    make_email: Callable[..., Email], deliver: Callable[..., list[Receipt]], program: MailProgram
) -> None:
    """In our own words, so without a server's code."""
    [receipt] = deliver(make_email())
    assert receipt.reply is not None
    assert receipt.reply.code == 0
    length = len(program.opened[0])
    assert receipt.reply.text == f"The mail program was given a mailto link of {length} characters."
    assert HandOverWarning.DRAFT_FILE not in receipt.warnings


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"attachments": (Attachment("plan.pdf", b"%PDF"),)}, "has attachments"),
        ({"html": "<p>Room 7</p>"}, "has formatted text (HTML)"),
        ({"html": "<p>Room 7</p>", "text": ""}, "has formatted text (HTML) alone"),
        ({"reply_to": ("reply@example.com",)}, "has a Reply-To"),
        ({"cc": ('"smith, john"@example.com',)}, 'has an address in quotes, "smith, john"@example.com'),
        ({"to": [f"person{n}@example.com" for n in range(400)]}, "would be a link of 8,"),
        ({"text": "x" * 9000}, "would be a link of 9,079 characters, and 8,000 are the limit"),
        ({"text": "課" * 900}, "would be a link of 8,179 characters, and 8,000 are the limit"),
    ],
    ids=[
        "attachment",
        "html",
        "html alone",
        "reply-to",
        "quotes",
        "400 people",
        "long",
        "CJK",
    ],
)
def test_what_a_link_cannot_carry_opens_as_a_draft_file(
    make_email: Callable[..., Email],
    deliver: Callable[..., list[Receipt]],
    program: MailProgram,
    changes: dict[str, object],
    why: str,
) -> None:
    """Whole, and the receipt says so and why; its warning says what to look at."""
    email = make_email(**{"bcc": ("audit@example.org",)} | changes)
    [receipt] = deliver(email)
    message = message_from_bytes(program.draft(), policy=policy.default)
    assert program.draft().startswith(b"From:\r\n")
    assert message["X-Unsent"] == "1"
    for name, mailboxes in (
        ("To", email.recipients.to),
        ("Cc", email.recipients.cc),
        ("Bcc", email.recipients.bcc),
    ):
        addresses = message[name].addresses if message[name] else ()
        assert [one.addr_spec for one in addresses] == [mailbox.addr_spec for mailbox in mailboxes]
    assert receipt.handed_over == email.recipients.all
    assert receipt.warnings == ("draft_file",)
    assert receipt.reply is not None
    path = url2pathname(urlsplit(program.opened[0]).path)
    assert receipt.reply.text.startswith(f"The mail program was given the draft file {path}, ")
    assert f"because the email {why}" in receipt.reply.text


def test_sixty_blind_copies_fit_a_link(
    make_email: Callable[..., Email], deliver: Callable[..., list[Receipt]], program: MailProgram
) -> None:
    """A class is one window."""
    email = make_email(to=(), bcc=[f"student{number:02}@example.com" for number in range(60)])
    deliver(email)
    assert program.opened == [mailto_uri(email)]


def test_the_limit_counts_the_link_as_it_is_encoded(
    make_email: Callable[..., Email], deliver: Callable[..., list[Receipt]], program: MailProgram
) -> None:
    """At the limit it is a link, one character further a draft file; no recipient is ever cut off.

    With a limit of one, everything is a draft file.
    """
    email = make_email(text="ü" * 20)
    length = len(mailto_uri(email))
    deliver(email, max_uri_length=length)
    deliver(email, max_uri_length=length - 1)
    deliver(email, max_uri_length=1)
    assert [uri.partition(":")[0] for uri in program.opened] == ["mailto", "file", "file"]


@pytest.mark.parametrize(
    ("changes", "settings", "warnings"),
    [
        ({}, {}, ()),
        ({"to": ("sam@example.com", "pat@example.com")}, {}, ("semicolon_list",)),
        ({"cc": ("sam@example.net", "pat@example.com")}, {}, ("semicolon_list",)),
        ({"to": ("sam@example.com", "pat@example.com")}, {"platform": "darwin"}, ("semicolon_list",)),
        ({"to": ("sam@example.com", "pat@example.com")}, {"platform": "win32"}, ()),
        ({"to": ("sam@example.com", "pat@example.com")}, {"separator": ","}, ()),
        ({"cc": ("kim@example.com",)}, {}, ()),
        ({"bcc": ("audit@example.org",)}, {}, ("bcc_may_be_ignored",)),
        ({"to": ('"Ray, Bob" <b@example.com>',)}, {}, ("names_dropped",)),
        ({"html": "<p>Room 7</p>"}, {"text_without_html": True}, ("html_dropped",)),
        ({"headers": {"X-Batch": "7"}}, {}, ("headers_dropped",)),
        ({"reply_to": ("reply@example.com",)}, {"platform": "darwin"}, ("reply_to_dropped",)),
        ({"html": "<p>Room 7</p>"}, {"platform": "darwin"}, ("html_dropped",)),
        (
            {
                "to": ("Sam <sam@example.com>", "pat@example.com"),
                "bcc": ("audit@example.org",),
                "html": "<p>Room 7</p>",
            },
            {"text_without_html": True},
            ("semicolon_list", "bcc_may_be_ignored", "names_dropped", "html_dropped"),
        ),
    ],
    ids=str,
)
def test_the_receipt_warns_of_what_programs_do_with_a_link(
    make_email: Callable[..., Email],
    deliver: Callable[..., list[Receipt]],
    changes: dict[str, object],
    settings: dict[str, object],
    warnings: tuple[str, ...],
) -> None:
    """Each warning only where it holds."""
    [receipt] = deliver(make_email(**changes), **settings)
    assert receipt.warnings == warnings
    assert "a mailto link" in str(receipt.reply)


@pytest.mark.parametrize("warning", HandOverWarning)
def test_each_warning_is_its_name_and_has_a_sentence(warning: HandOverWarning) -> None:
    """Code compares the name; a person reads what to do."""
    assert warning == warning.value
    assert warning.advice.endswith(".")
    assert len(warning.advice) > 60


def test_html_without_text_is_a_draft_even_where_the_text_may_go_alone(
    make_email: Callable[..., Email], deliver: Callable[..., list[Receipt]], program: MailProgram
) -> None:
    """There is not text to go alone."""
    deliver(make_email(html="<p>Room 7</p>", text=""), text_without_html=True)
    assert b"Room 7" in program.draft()


def test_a_run_opens_as_many_windows_as_allowed(
    make_email: Callable[..., Email], deliver: Callable[..., list[Receipt]], program: MailProgram
) -> None:
    """Ten without a word; in order."""
    emails = [make_email(to=(f"person{number}@example.com",)) for number in range(10)]
    receipts = deliver(*emails)
    assert [receipt.email for receipt in receipts] == emails
    assert program.opened == [mailto_uri(email) for email in emails]


@pytest.mark.parametrize(("settings", "allowed"), [({"max_windows": 1}, 1), ({}, 10)])
def test_more_windows_than_allowed_is_an_error_before_the_first_opens(
    make_email: Callable[..., Email],
    deliver: Callable[..., list[Receipt]],
    program: MailProgram,
    tmp_path: Path,
    settings: dict[str, int],
    allowed: int,
) -> None:
    """And before the first draft file is written; the error says what else to do."""
    emails = [make_email(reply_to=("reply@example.com",))] * (allowed + 1)
    with pytest.raises(TransportError, match=f"More than {allowed} emails .* nothing was opened") as caught:
        deliver(*emails, **settings)
    for way_out in ("max_windows", "as_one_email", "built-in VETtrak email client"):
        assert way_out in str(caught.value)
    assert program.opened == []
    assert not (tmp_path / "drafts").exists()


def test_an_endless_run_is_refused_after_one_email_too_many(
    make_email: Callable[..., Email], program: MailProgram
) -> None:
    """No more is pulled than it takes to know."""
    pulled: list[int] = []

    def endless() -> Iterator[Email]:
        while True:
            pulled.append(1)
            yield make_email()

    run = MailtoTransport(open_uri=program, max_windows=3).deliver(endless())
    assert pulled == []
    with pytest.raises(TransportError):
        next(run)
    assert len(pulled) == 4


def test_a_window_opens_when_its_receipt_is_asked_for(
    make_email: Callable[..., Email], program: MailProgram
) -> None:
    """Whoever stops after the first has one window."""
    run = MailtoTransport(open_uri=program).deliver([make_email(), make_email()])
    next(run)
    assert len(program.opened) == 1


class Asks:
    """A source that wants to be asked, as a ledger's run does; it says no to some."""

    def __init__(self, emails: list[Email], *, no: Iterable[int] = ()) -> None:
        self.emails = emails
        self.asked: list[Email] = []
        self._no = frozenset(no)
        self._left = iter(emails)

    def __iter__(self) -> Asks:
        return self

    def __next__(self) -> Email:
        return next(self._left)

    def announce(self) -> Callable[[Email], bool]:
        """Ask me."""
        return self.leaves

    def leaves(self, email: Email) -> bool:
        """Answer."""
        self.asked.append(email)
        return len(self.asked) - 1 not in self._no


def test_whoever_wants_to_be_asked_is_asked_before_each_window(make_email: Callable[..., Email]) -> None:
    """As a ledger does; of a window that could not be opened the receipt says that nothing came of it."""
    program = MailProgram(fails_at=3, error=TransportError("It crashed."))
    emails = Asks([make_email(), make_email(), make_email()])
    seen = [
        (len(program.opened), len(emails.asked), receipt.ok)
        for receipt in MailtoTransport(open_uri=program).deliver(emails)
    ]
    assert seen == [(1, 1, True), (2, 2, True), (2, 3, False)]
    assert [id(email) for email in emails.asked] == [id(email) for email in emails.emails]


def test_no_window_is_opened_for_what_another_worker_has(
    make_email: Callable[..., Email], program: MailProgram
) -> None:
    """The others are opened."""
    emails = Asks([make_email(), make_email(), make_email()], no=[1])
    receipts = list(MailtoTransport(open_uri=program).deliver(emails))
    assert [receipt.ok for receipt in receipts] == [True, False, True]
    assert receipts[1].outcomes[0].cause is Cause.HELD_ELSEWHERE
    assert len(program.opened) == 2


def test_a_program_that_cannot_be_opened_at_all_leaves_no_doubt(make_email: Callable[..., Email]) -> None:
    """Whoever was asked hears that nothing came of it, and then of the error."""
    receipts: list[Receipt] = []
    program = MailProgram(fails_at=1, error=TransportError("It is not there."))
    with pytest.raises(TransportError):
        receipts.extend(MailtoTransport(open_uri=program).deliver(Asks([make_email()])))
    assert [receipt.outcomes[0].status for receipt in receipts] == [Status.NOT_ATTEMPTED]


def test_every_run_sweeps_the_drafts_of_yesterday(
    make_email: Callable[..., Email],
    deliver: Callable[..., list[Receipt]],
    program: MailProgram,
    tmp_path: Path,
) -> None:
    """Also one that writes no draft: they hold personal data."""
    deliver(make_email(text="x" * 9000))
    [draft] = (tmp_path / "drafts").iterdir()
    os.utime(draft, (0, 0))
    deliver(make_email())
    assert program.opened[-1].startswith("mailto:")
    assert not draft.exists()


def _mailer(program: MailProgram, tmp_path: Path, *, max_windows: int = 5) -> Mailer:
    preferences = EmailPreferences(use_built_in_client=False)
    transport = MailtoTransport(open_uri=program, drafts=tmp_path / "drafts", max_windows=max_windows)
    return Mailer(preferences, transport=transport)


def test_a_ledger_does_not_doubt_what_was_never_opened(tmp_path: Path, program: MailProgram) -> None:
    """Too many windows, then as many as are allowed: everybody is written to, once."""
    students = [a_student(f"Student{number}") for number in range(7)]
    with SqliteLedger(tmp_path / "ledger.sqlite") as ledger, _mailer(program, tmp_path) as mailer:
        plan = mailer.plan_bulk(content(), students, batch="moved")
        with pytest.raises(TransportError, match="More than 5 emails"):
            mailer.send_bulk(plan, ledger=ledger)
        assert program.opened == []
    with (
        SqliteLedger(tmp_path / "ledger.sqlite") as ledger,
        _mailer(program, tmp_path, max_windows=7) as mailer,
    ):
        assert mailer.send_bulk(plan, ledger=ledger).handed_over == 7
        assert mailer.send_bulk(plan, ledger=ledger).emails == 0
    assert len(program.opened) == 7


def test_a_ledger_tries_again_what_a_missing_mail_program_did_not_open(tmp_path: Path) -> None:
    """What was opened before stays as it is; the rest is opened when there is a program again."""
    students = [a_student(f"Student{number}") for number in range(3)]
    missing = OSError(2, "No such file or directory")
    for fails_at, opened in ((1, 0), (2, 1), (9, 2)):
        program = MailProgram(fails_at=fails_at, error=missing)
        with SqliteLedger(tmp_path / "ledger.sqlite") as ledger, _mailer(program, tmp_path) as mailer:
            plan = mailer.plan_bulk(content(), students, batch="moved")
            if fails_at == 1:
                with pytest.raises(TransportError, match="could not be opened"):
                    mailer.send_bulk(plan, ledger=ledger)
            else:
                assert mailer.send_bulk(plan, ledger=ledger).handed_over == opened
        assert len(program.opened) == opened


def test_an_empty_run_opens_nothing(deliver: Callable[..., list[Receipt]], program: MailProgram) -> None:
    """And is no error."""
    assert deliver() == []
    assert program.opened == []


@pytest.mark.parametrize(
    ("platform", "length", "opens"),
    [
        ("linux", 8000, "mailto"),
        ("linux", 8001, "file"),
        ("darwin", 8000, "mailto"),
        ("freebsd14", 8000, "mailto"),
        ("win32", 2000, "mailto"),
        ("win32", 2001, "file"),
    ],
)
def test_each_platform_has_its_own_limit(
    make_email: Callable[..., Email],
    deliver: Callable[..., list[Receipt]],
    program: MailProgram,
    platform: str,
    length: int,
    opens: str,
) -> None:
    """Windows cuts at about 2,083 characters, the mail programs of Linux at 8,189."""
    short = len(mailto_uri(make_email(text="")))
    email = make_email(text="x" * (length - short - len("&body=")))
    assert len(mailto_uri(email)) == length
    deliver(email, platform=platform)
    assert program.opened[0].partition(":")[0] == opens


def test_a_mac_gets_a_draft_file_where_no_link_will_do(
    make_email: Callable[..., Email], deliver: Callable[..., list[Receipt]], program: MailProgram
) -> None:
    """Not everybody there writes with Apple Mail; the warning says what to look at."""
    [receipt] = deliver(make_email(attachments=(Attachment("plan.pdf", b"%PDF"),)), platform="darwin")
    assert b"plan.pdf" in program.draft()
    assert receipt.warnings == ("draft_file",)
    assert "Apple Mail" in HandOverWarning.DRAFT_FILE.advice


def test_further_headers_are_warned_of_in_a_draft_file_too(
    make_email: Callable[..., Email], deliver: Callable[..., list[Receipt]]
) -> None:
    """No program was seen to send them; they never make a draft file necessary."""
    [receipt] = deliver(make_email(headers={"Importance": "high"}, reply_to=("reply@example.com",)))
    assert receipt.warnings == ("draft_file", "headers_dropped")


def test_a_control_character_stops_the_run_before_the_first_window(
    make_email: Callable[..., Email],
    deliver: Callable[..., list[Receipt]],
    program: MailProgram,
    tmp_path: Path,
) -> None:
    """Thunderbird would send what comes before it; also where the HTML or a draft file would carry it."""
    for changes in (
        {"text": "before\0after"},
        {"html": "<p>before\0after</p>"},
        {"text": "\x1b[2J", "attachments": (Attachment("plan.pdf", b"%PDF"),)},
    ):
        with pytest.raises(MessageError, match=r"control character U\+00(00|1B) at character \d"):
            deliver(make_email(), make_email(**changes))
    assert program.opened == []
    assert not (tmp_path / "drafts").exists()


def test_it_answers_the_optional_questions_of_a_transport(program: MailProgram) -> None:
    """It keeps no connection and waits for nothing; the mail program has its own accounts."""
    transport = MailtoTransport(open_uri=program)
    transport.hang_up()
    assert transport.trouble == ""
    assert transport.chooses_sender


def test_repr_names_no_recipient() -> None:
    """What a log shows."""
    assert repr(MailtoTransport(separator=",", open_uri=print)) == "MailtoTransport(separator=',')"

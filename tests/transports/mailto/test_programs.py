"""What follows from the table of measured programs: one test for each column, over all rows."""

from __future__ import annotations

from email import message_from_bytes, policy
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vetmail_core import Attachment, Status, TransportError, mailto_uri
from vetmail_core.transports.mailto import HandOverWarning
from vetmail_core.transports.mailto.programs import PROGRAMS, MailProgram, desktop_name, program_named

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.transports.mailto.desk import Desk

    from vetmail_core import Email, Receipt

every_program = pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
PLAN = Attachment("plan.pdf", b"%PDF")
UNKNOWN = "org.kde.kmail2.desktop"


def entry(program: MailProgram) -> str:
    """One of the names that a desktop has for a program."""
    return f"{min(program.entries)}.desktop"


def statuses(receipt: Receipt) -> dict[str, str]:
    """The status of each recipient, by address."""
    return {outcome.mailbox.addr_spec: outcome.status.value for outcome in receipt.outcomes}


def reason(receipt: Receipt) -> str:
    """What the receipt says of an email that was not opened."""
    assert {outcome.status for outcome in receipt.outcomes} == {Status.NOT_ATTEMPTED}
    assert receipt.outcomes[0].advice == str(receipt.reply)
    return str(receipt.reply)


def test_no_two_programs_share_a_name() -> None:
    """A name leads to one row."""
    names = [name for program in PROGRAMS for name in program.entries]
    assert len(names) == len(set(names))
    assert all(name == desktop_name(name) for name in names)


@pytest.mark.parametrize(
    ("name", "program"),
    [
        ("thunderbird.desktop", "Thunderbird"),
        ("thunderbird-esr.desktop", "Thunderbird"),
        ("mozilla-thunderbird.desktop", "Thunderbird"),
        ("org.mozilla.Thunderbird.desktop", "Thunderbird"),
        ("thunderbird_thunderbird.desktop", "Thunderbird"),
        ("net.thunderbird.Thunderbird.desktop", "Thunderbird"),
        ("org.gnome.Evolution.desktop", "Evolution"),
        ("evolution.desktop", "Evolution"),
        ("claws-mail.desktop", "Claws Mail"),
        ("org.claws_mail.Claws-Mail.desktop", "Claws Mail"),
        ("sylpheed.desktop", "Sylpheed"),
        ("SYLPHEED", "Sylpheed"),
        ("mutt.desktop", "mutt"),
        ("neomutt.desktop", "NeoMutt"),
        (UNKNOWN, None),
        ("firefox.desktop", None),
        ("", None),
    ],
)
def test_a_program_is_known_by_the_names_that_desktops_have_for_it(name: str, program: str | None) -> None:
    """In capitals or not, with `.desktop` or without; whatever nobody measured has no row."""
    found = program_named(name)
    assert (found.name if found else None) == program


@every_program
@pytest.mark.parametrize("separator", [";", ","])
@pytest.mark.parametrize("field", ["to", "cc", "bcc"])
def test_a_list_is_joined_so_that_everybody_is_sent_to(
    hand_over: Callable[..., list[Receipt]],
    make_email: Callable[..., Email],
    desk: Desk,
    program: MailProgram,
    separator: str,
    field: str,
) -> None:
    """The preference decides where the program takes it; otherwise the other one, and the receipt says so."""
    if field == "bcc" and not program.keeps_bcc:
        return
    desk.has(entry(program))
    people = {"to": ("sam@example.com",), field: ("ann@example.com", "bob@example.com")}
    [receipt] = hand_over(make_email(**people), separator=separator)
    taken = separator if separator in program.separators else program.separators
    assert desk.fields()[field] == f"ann@example.com{taken}bob@example.com"
    assert ("separator_changed" in receipt.warnings) == (taken != separator)
    assert "semicolon_list" not in receipt.warnings


@every_program
def test_one_address_in_each_field_needs_no_separator(
    hand_over: Callable[..., list[Receipt]],
    make_email: Callable[..., Email],
    desk: Desk,
    program: MailProgram,
) -> None:
    """So there is nothing to warn of."""
    desk.has(entry(program))
    [receipt] = hand_over(make_email(cc=("kim@example.com",)), separator=";")
    assert receipt.warnings == ()


@every_program
def test_blind_copies_that_a_program_drops_are_not_called_handed_over(
    hand_over: Callable[..., list[Receipt]],
    make_email: Callable[..., Email],
    desk: Desk,
    program: MailProgram,
) -> None:
    """They are not in the link either, so that the receipt stays true whatever the program does."""
    desk.has(entry(program))
    email = make_email(cc=("kim@example.com",), bcc=("audit@example.org", "file@example.org"))
    [receipt] = hand_over(email, separator=",")
    blind = "handed_over" if program.keeps_bcc else "not_attempted"
    assert statuses(receipt) == {
        "sam@example.com": "handed_over",
        "kim@example.com": "handed_over",
        "audit@example.org": blind,
        "file@example.org": blind,
    }
    assert ("bcc" in desk.fields()) == program.keeps_bcc
    assert "bcc_may_be_ignored" not in receipt.warnings
    for outcome in receipt.outcomes:
        if outcome.status is Status.NOT_ATTEMPTED:
            assert program.name in outcome.advice
            assert "another mail program such as Thunderbird" in outcome.advice


@every_program
def test_a_link_to_blind_copies_alone_goes_only_where_it_opens(
    hand_over: Callable[..., list[Receipt]],
    make_email: Callable[..., Email],
    desk: Desk,
    program: MailProgram,
) -> None:
    """Elsewhere nothing would open, or a window that is addressed to nobody."""
    desk.has(entry(program))
    email = make_email(to=(), bcc=("audit@example.org", "file@example.org"))
    if program.opens_bcc_alone:
        [receipt] = hand_over(email, separator=",")
        assert receipt.ok
        assert desk.opened == [mailto_uri(email, separator=",")]
        return
    with pytest.raises(TransportError, match=f"in BCC, and {program.name} opens no link without To or CC"):
        hand_over(email)
    assert desk.opened == []


@every_program
@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"attachments": (PLAN,)}, ["has attachments", "Leave the attachments out"]),
        ({"html": "<p>x</p>", "text": ""}, ["formatted text (HTML) alone", "Give it a plain text"]),
        ({"to": ('"smith, john"@example.com',)}, ["an address in quotes", "at another address"]),
        ({"text": "x" * 9000}, ["9,057 characters", "8,000 are the limit", "Shorten the text"]),
    ],
    ids=["attachment", "html alone", "quotes", "length"],
)
def test_what_no_link_carries_opens_as_a_draft_or_is_refused_with_a_way_out(
    hand_over: Callable[..., list[Receipt]],
    make_email: Callable[..., Email],
    desk: Desk,
    tmp_path: Path,
    program: MailProgram,
    changes: dict[str, object],
    named: list[str],
) -> None:
    """The error names the obstacle, the program and what to do; no draft file lies about."""
    desk.has(entry(program))
    email = make_email(**changes)
    if program.opens_drafts:
        [receipt] = hand_over(email)
        assert receipt.ok
        assert receipt.warnings == ("draft_file",)
        message = message_from_bytes(Path(desk.draft()).read_bytes(), policy=policy.default)
        assert message["Subject"] == email.content.subject
        return
    with pytest.raises(TransportError) as caught:
        hand_over(email)
    for words in (*named, program.name, "Thunderbird", "built-in VETtrak email client"):
        assert words in str(caught.value)
    assert desk.opened == []
    assert list(tmp_path.glob("drafts/*")) == []


@every_program
@pytest.mark.parametrize(
    ("changes", "warning"),
    [({"html": "<p>x</p>"}, "html_dropped"), ({"reply_to": ("reply@example.com",)}, "reply_to_dropped")],
    ids=["html", "reply-to"],
)
def test_what_a_link_carries_in_substance_goes_as_a_link_where_drafts_do_not_open(
    hand_over: Callable[..., list[Receipt]],
    make_email: Callable[..., Email],
    desk: Desk,
    program: MailProgram,
    changes: dict[str, object],
    warning: str,
) -> None:
    """With a warning that names what was left out; where drafts open, nothing is left out."""
    desk.has(entry(program))
    [receipt] = hand_over(make_email(**changes))
    assert receipt.warnings == (("draft_file",) if program.opens_drafts else (warning,))
    assert desk.opened[0].startswith("file:" if program.opens_drafts else "mailto:sam@example.com?")


@every_program
def test_further_headers_change_nothing_but_the_warnings(
    hand_over: Callable[..., list[Receipt]],
    make_email: Callable[..., Email],
    desk: Desk,
    program: MailProgram,
) -> None:
    """No program sends them, not even from a draft file."""
    desk.has(entry(program))
    [receipt] = hand_over(make_email(headers={"X-Class": "7b"}))
    assert receipt.warnings == ("headers_dropped",)
    assert desk.opened == [mailto_uri(make_email())]


@every_program
@pytest.mark.parametrize("length", [1300, 1400, 6000])
def test_a_letter_is_a_link_in_every_program(
    hand_over: Callable[..., list[Receipt]],
    make_email: Callable[..., Email],
    desk: Desk,
    program: MailProgram,
    length: int,
) -> None:
    """Complete, and without a draft file, up to 8,000 characters of link."""
    desk.has(entry(program))
    text = ("Room7. " * 1000)[:length]
    [receipt] = hand_over(make_email(text=text))
    assert receipt.warnings == ()
    assert desk.fields()["body"] == text


@every_program
def test_the_advice_on_draft_files_says_what_each_program_does(program: MailProgram) -> None:
    """It is made from the table."""
    assert program.name in HandOverWarning.DRAFT_FILE.advice
    listed = f"{program.name} {program.drafts}" in HandOverWarning.DRAFT_FILE.advice
    assert listed != program.opens_drafts
    assert (program.name in HandOverWarning.SEMICOLON_LIST.advice) == (";" not in program.separators)
    assert (program.name in HandOverWarning.BCC_MAY_BE_IGNORED.advice) != program.keeps_bcc


def test_a_program_that_nobody_measured_gets_the_preference_and_the_warnings(
    hand_over: Callable[..., list[Receipt]], make_email: Callable[..., Email], desk: Desk
) -> None:
    """Nothing is known of it, so the warnings say "may"."""
    desk.has(UNKNOWN)
    email = make_email(to=("ann@example.com", "bob@example.com"), bcc=("audit@example.org",))
    [receipt] = hand_over(email, separator=";")
    assert desk.opened == [mailto_uri(email)]
    assert receipt.ok
    assert receipt.warnings == ("semicolon_list", "bcc_may_be_ignored")


def test_a_program_that_nobody_measured_gets_draft_files(
    hand_over: Callable[..., list[Receipt]], make_email: Callable[..., Email], desk: Desk
) -> None:
    """It may open them."""
    desk.has(UNKNOWN)
    [receipt] = hand_over(make_email(reply_to=("reply@example.com",)))
    assert desk.draft()
    assert receipt.warnings == ("draft_file",)


@pytest.mark.parametrize(
    ("mailto", "rfc822", "refused"),
    [
        ("claws-mail.desktop", "thunderbird.desktop", ""),
        ("firefox.desktop", "thunderbird.desktop", ""),
        ("claws-mail.desktop", UNKNOWN, ""),
        ("thunderbird.desktop", UNKNOWN, ""),
        ("claws-mail.desktop", "org.gnome.Evolution.desktop", "Evolution"),
        ("thunderbird.desktop", "claws-mail.desktop", "Claws Mail"),
        ("thunderbird.desktop", "", "no program for draft files"),
        (UNKNOWN, "", f"no program for draft files (.eml, message/rfc822) ({UNKNOWN} opens its links)"),
    ],
)
def test_drafts_that_go_to_another_program_say_so_or_do_not_go(
    hand_over: Callable[..., list[Receipt]],
    make_email: Callable[..., Email],
    desk: Desk,
    mailto: str,
    rfc822: str,
    refused: str,
) -> None:
    """It is the program for draft files that must open them."""
    desk.has(mailto, rfc822)
    email = make_email(attachments=(PLAN,))
    if refused:
        with pytest.raises(TransportError) as caught:
            hand_over(email)
        assert refused in str(caught.value)
        assert "has attachments" in str(caught.value)
        assert desk.opened == []
    else:
        [receipt] = hand_over(email)
        assert receipt.warnings == ("draft_file", "other_program")


@pytest.mark.parametrize(
    ("mailto", "rfc822"),
    [
        ("thunderbird.desktop", "thunderbird-esr.desktop"),
        (UNKNOWN, UNKNOWN.upper().replace("DESKTOP", "desktop")),
    ],
)
def test_two_names_of_one_program_are_one_program(
    hand_over: Callable[..., list[Receipt]],
    make_email: Callable[..., Email],
    desk: Desk,
    mailto: str,
    rfc822: str,
) -> None:
    """Nobody has to look for the window elsewhere."""
    desk.has(mailto, rfc822)
    [receipt] = hand_over(make_email(attachments=(PLAN,)))
    assert receipt.warnings == ("draft_file",)


def test_one_email_that_cannot_be_opened_does_not_stop_the_others(
    hand_over: Callable[..., list[Receipt]], make_email: Callable[..., Email], desk: Desk
) -> None:
    """It is NOT_ATTEMPTED with the reason; the rest opens, in order."""
    desk.has("claws-mail.desktop")
    emails = [
        make_email(attachments=(PLAN,)),
        make_email(to=("pat@example.com",)),
        make_email(text="x" * 9000),
        make_email(to=("lou@example.com",)),
    ]
    receipts = hand_over(*emails)
    assert [receipt.email for receipt in receipts] == emails
    assert [receipt.ok for receipt in receipts] == [False, True, False, True]
    assert "attachments" in reason(receipts[0])
    assert "9,057" in reason(receipts[2])
    assert receipts[0].attempts == 0
    assert desk.opened == [mailto_uri(emails[1]), mailto_uri(emails[3])]

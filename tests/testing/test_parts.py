"""The smaller parts: the clock, faults, builders, strategies, snapshots and names."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

import vetmail_core.testing
from vetmail_core import (
    Attachment,
    Clock,
    Content,
    Email,
    EmailPreferences,
    Mailbox,
    MailServer,
    Person,
    Reply,
    parse_mailbox_list,
)
from vetmail_core.receipts import Phase
from vetmail_core.testing import (
    FakeClock,
    Fault,
    FaultKind,
    Faults,
    LocalSmtpServer,
    Outbox,
    ReceivedEmail,
    a_staff_member,
    a_student,
    an_employer,
    approve,
    content,
    email,
    normalise,
    preferences,
    render,
    strategies,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_each_public_name_is_there() -> None:
    """What `__all__` lists can be had, and nothing else is offered."""
    for name in vetmail_core.testing.__all__:
        assert getattr(vetmail_core.testing, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Inbox'"):
        _ = vetmail_core.testing.Inbox


def test_a_clock_moves_when_somebody_sleeps() -> None:
    """Pauses are written down and pass at once; zero and less are none."""
    clock = FakeClock()
    assert isinstance(clock, Clock)
    start = clock.now()
    clock.sleep(600)
    clock.sleep(0)
    clock.sleep(-1)
    clock.advance(30)
    assert clock.slept == (600.0,)
    assert clock.now() - start == timedelta(seconds=630)
    assert clock.monotonic() == 630
    assert repr(clock) == "<FakeClock 2026-03-02 09:10:30 UTC, 1 pauses>"


def test_a_clock_starts_where_it_is_told_and_never_goes_back() -> None:
    """Aware, in UTC; no naive start, no negative step."""
    sydney = timezone(timedelta(hours=11))
    assert FakeClock(datetime(2026, 3, 2, 20, tzinfo=sydney)).now() == datetime(2026, 3, 2, 9, tzinfo=UTC)
    with pytest.raises(ValueError, match="time zone"):
        FakeClock(datetime(2026, 3, 2))  # noqa: DTZ001 - the mistake
    for seconds in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="does not go back"):
            FakeClock().advance(seconds)


def _sleep_often(clock: FakeClock) -> None:
    for _ in range(500):
        clock.sleep(1)


def test_threads_share_a_clock() -> None:
    """Each pause is added once, whole."""
    clock = FakeClock()
    threads = [threading.Thread(target=_sleep_often, args=(clock,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.monotonic() == len(clock.slept) == 2_000


def test_the_earlier_line_fires_until_it_is_used_up() -> None:
    """Then the next; what is left over is unused."""
    faults = Faults().defer("pat@example.com").then_accept().refuse("pat@Example.com").drop()
    asked = (faults.next_at(Phase.RCPT, [one]) for one in ("pat@EXAMPLE.com", "pat@example.com"))
    assert [str(fault.reply) for fault in asked if fault is not None] == [
        "450 4.2.1 Mailbox busy, try again later",
        "550 5.1.1 User unknown",
    ]
    assert faults.next_at(Phase.RCPT, ["PAT@example.com"]) is None
    assert faults.next_at(Phase.RCPT, ["not an address"]) is None
    assert [fault.kind for fault in faults.unused()] == [FaultKind.DROP]
    assert faults.fired() == 2
    assert faults.rewound().fired() == 0
    assert faults.rewound().script == faults.script
    assert "drop at DOT, once" in repr(faults)
    assert repr(Faults()) == "<Faults none>"


def test_a_script_says_what_it_does_when_nothing_is_said() -> None:
    """The defaults: a refusal is for good, a line that dies and a throttle come once."""
    faults = Faults().refuse("a@example.com").defer("b@example.com").drop().stall().throttle().auth_fails()
    assert [str(fault) for fault in faults.script] == [
        "answer 550 5.1.1 at RCPT for a@example.com",
        "answer 450 4.2.1 at RCPT for b@example.com",
        "drop at DOT, once",
        "stall at DOT, once",
        "answer 451 4.7.1 at MAIL, once",
        "answer 535 5.7.8 at AUTH",
    ]


def test_a_throttle_may_come_later_and_holds_no_other_line_up() -> None:
    """The messages before it are counted; a line behind it fires meanwhile."""
    faults = Faults().throttle(after=2).refuse(at=Phase.MAIL, times=1)
    asked = [faults.next_at(Phase.MAIL, ["office@example.com"]) for _ in range(4)]
    assert [fault and str(fault.reply)[:3] for fault in asked] == ["550", None, "451", None]


def test_an_address_stands_for_one_a_domain_or_everybody() -> None:
    """Compared as addresses are, not as text."""
    whom = {None: 5, "@example.com": 2, "sam@example.com": 1, Mailbox("sam@example.com", "Sam"): 1}
    for address, count in whom.items():
        faults = Faults().refuse(address)
        asked = ["sam@example.com", "pat@EXAMPLE.COM", "sam@example.org", "xsam@example.com.au"]
        asked += [] if address == "@example.com" else ["bigsam@example.com"]
        assert sum(faults.next_at(Phase.RCPT, [one]) is not None for one in asked) == count
        assert Faults().stall(address=address).script[0].address in {"", str(address), "sam@example.com"}


@pytest.mark.parametrize(
    ("script", "match"),
    [
        (lambda: Faults().refuse(code=450), "defer"),
        (lambda: Faults().defer(code=550), "refuse"),
        (lambda: Faults().throttle(550), "400 to 499"),
        (lambda: Faults().auth_fails(235), "expected a refusal"),
        (lambda: Faults().refuse(enhanced="five"), "5.1.1"),
        (lambda: Faults().refuse(text="two\r\nlines"), "one line"),
        (lambda: Faults().refuse("sam"), "sam"),
        (lambda: Faults().refuse(at=Phase.BODY), "one of the phases"),
        (lambda: Faults().drop(Phase.HAND_OVER), "one of the phases"),
        (lambda: Faults().drop(Phase.AUTH, address="sam@example.com"), "before any address"),
        (lambda: Faults().drop(times=0), "times of 1 or more"),
        (lambda: Faults().throttle(after=-1), "0 or more"),
        (lambda: Faults().then_accept(), "behind a fault"),
        (lambda: Fault(kind=FaultKind.DROP, phase=Phase.DOT, reply=Reply(550)), "has none"),
    ],
)
def test_a_script_no_server_could_follow_is_refused(script: Callable[[], object], match: str) -> None:
    """Where it is written, with what was expected."""
    with pytest.raises(ValueError, match=match):
        script()


def test_a_reply_without_words_of_its_own_has_the_usual_ones() -> None:
    """Or says that it was scripted; an own text is kept, an empty one too."""
    assert Faults().refuse(enhanced="5.9.9").script[0].reply == Reply(550, "5.9.9", "Refused by script")
    assert Faults().refuse(text="").script[0].reply == Reply(550, "5.1.1", "")


def test_builders_are_valid_as_they_are_and_change_by_keyword() -> None:
    """The same call gives the same value."""
    assert a_student() == a_student()
    assert str(a_student("Zoë", key="C1", marketing=False).mailbox()) == '"Zoë" <zoe@example.com>'
    assert a_student("Sam", None).address is None
    rich = email(html="<p>Hi</p>", attachments=[Attachment("a.txt", b"abc")]).content
    assert (rich.html, rich.attachments[0].filename) == ("<p>Hi</p>", "a.txt")
    assert a_student("", "x@example.com").mailbox().addr_spec == "x@example.com"
    assert a_student("李").mailbox().addr_spec == "student@example.com"
    assert a_student("").mailbox().addr_spec == "student@example.com"
    assert an_employer("Acme", None).address is None
    assert an_employer().mailbox().addr_spec == "accounts@brick-co.example"
    assert a_staff_member("Kim", "k@example.com").address.addr_spec == "k@example.com"
    assert a_staff_member("").address.addr_spec == "staff@example.com"
    assert preferences(mail_server=MailServer(host="h.example.com")).mail_server.host == "h.example.com"
    assert isinstance(preferences(use_built_in_client=False, contexts={}), EmailPreferences)
    assert content(html="<p>Hi</p>").html == "<p>Hi</p>"
    one = email(
        Mailbox("sam@example.com"),
        cc=["kim@example.com"],
        content=Content("S", "t"),
        sender=Mailbox("o@example.com"),
    )
    assert (one.content.subject, one.sender.addr_spec) == ("S", "o@example.com")


@given(strategies.emails())
def test_any_email_goes_into_an_outbox(one: Email) -> None:
    """Whatever is drawn is valid, is taken, and hides its BCC."""
    outbox = Outbox()
    (receipt,) = outbox.deliver([one])
    assert receipt.ok
    outbox.assert_bcc_hidden()


@given(strategies.people(), strategies.preferences(), strategies.mailbox_lists(separator=","))
def test_other_strategies_draw_what_they_say(person: Person, rules: EmailPreferences, typed: str) -> None:
    """People, preferences, lists as typed."""
    assert person.key.startswith("C")
    assert rules.mail_server.host == "mail.example.com"
    assert parse_mailbox_list(typed, separator=",")


def test_a_message_is_rendered_from_both_ends() -> None:
    """The sender's email shows its BCC; what a server got has none."""
    one = email(
        "Sam <sam@example.com>",
        cc="kim@example.com",
        bcc="audit@example.org",
        content=Content(
            "Moved", "Room 7\n", html="<p>Room 7</p>", attachments=[Attachment("map.txt", b"12345")]
        ),
        reply_to=[Mailbox("office@example.com")],
        headers={"X-Batch": "7"},
    )
    sent = render(one)
    assert (
        "Bcc: audit@example.org\nX-Batch: 7\nSubject: Moved\n\n--- text ---\nRoom 7\n\n--- html ---" in sent
    )
    assert sent.endswith("--- attachment map.txt (text/plain, 5 octets) ---\n")
    got = render(one.as_bytes())
    assert "Bcc" not in got
    assert got.split("Subject: ")[1] == sent.split("Subject: ")[1]


def test_what_differs_from_run_to_run_is_made_plain_and_nothing_else() -> None:
    """Date, Message-ID and boundaries."""
    many = content("Date: in the subject", "Date: in the text\n", html="<p>x</p>")
    runs = [Outbox(clock=FakeClock(datetime(2026, day, 1, tzinfo=UTC))) for day in (1, 2)]
    for outbox in runs:
        list(outbox.deliver([email(content=many)]))
    first, second = (outbox.records[0].data for outbox in runs)
    assert first != second
    assert normalise(first) == normalise(second)
    assert b"Date: in the text" in normalise(first)
    assert b"\nDate: (date)\n" in normalise(first)


def test_nothing_is_approved_by_itself(tmp_path: Path) -> None:
    """New, changed, approved: each says what it is."""
    path = tmp_path / "moved.txt"
    received = tmp_path / "moved.txt.received"
    with pytest.raises(
        AssertionError, match=r"was never approved(.|\n)*rename moved.txt.received to moved.txt"
    ):
        approve(path, email())
    received.rename(path)
    approve(path, email())
    with pytest.raises(AssertionError, match=r"is not what was approved(.|\n)*\+Subject: Other"):
        approve(str(path), email(subject="Other"))
    assert received.exists()
    approve(path, render(email()))
    assert not received.exists()
    (tmp_path / "wire.txt").write_bytes(normalise(email().as_bytes()).replace(b"\n", b"\r\n"))
    approve(tmp_path / "wire.txt", email().as_bytes())


def test_a_received_email_without_a_text_reads_empty() -> None:
    """HTML alone has no plain text."""
    received = ReceivedEmail(
        sender="a@example.com", recipients=(), data=b"Content-Type: text/html\r\n\r\n<p>x</p>"
    )
    assert received.text == ""


def test_a_server_and_an_outbox_have_scripts_of_their_own() -> None:
    """Unless they are given one."""
    assert LocalSmtpServer().faults is not LocalSmtpServer().faults
    faults = Faults()
    assert Outbox(faults=faults).faults is faults

"""What a report says: of which email, of which recipient, and why."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.bounces.reports import RETURNED, by_qmail, complaint, failed, report

from vetmail_core import Cause
from vetmail_core.bounces import Action, Bounce, Notice, read_bounce


def read(raw: bytes) -> Bounce:
    """What a test's own report says; it is one."""
    bounce = read_bounce(raw)
    assert bounce is not None
    return bounce


def only(raw: bytes) -> Notice:
    """What a report about one recipient says of them."""
    (notice,) = read(raw).notices
    return notice


def test_a_report_names_the_email_the_recipient_and_the_reason() -> None:
    """All that the ledger and a help desk need."""
    assert read(report(failed(), about_all="Original-Envelope-Id: b+201/C5")) == Bounce(
        envelope_id="b 1/C5",
        message_id="<m1@school.example>",
        notices=(
            Notice("lou@away.example", Action.FAILED, "5.1.1", "550 5.1.1 nobody", Cause.BAD_RECIPIENT),
        ),
    )


@pytest.mark.parametrize("encoding", ["", "7bit", "base64", "quoted-printable"])
@pytest.mark.parametrize("kind", ["message/delivery-status", "Message/Global-Delivery-Status; x=y"])
def test_a_part_is_read_in_any_encoding(kind: str, encoding: str) -> None:
    """Gateways encode what they hand on, and write types in any case."""
    raw = report(failed(words="550 5.1.1 a = b"), status_type=kind, encoding=encoding)
    assert only(raw).said == "550 5.1.1 a = b"


@pytest.mark.parametrize(
    ("fields", "address"),
    [
        (
            "Original-Recipient: rfc822;lou+2Bart@away.example\nFinal-Recipient: rfc822;box9@in.example",
            "lou+art@away.example",
        ),
        ("Final-Recipient: rfc822; <lou+art@away.example>", "lou+art@away.example"),
        ("Original-Recipient: rfc822;lou+art@away.example", "lou+art@away.example"),
        (
            "Original-Recipient: rfc822;kim+AB@a.example\nFinal-Recipient: rfc822;kim+AB@a.example",
            "kim+AB@a.example",
        ),
        ("Original-Recipient: rfc822;kim+AB+x@a.example", "kim+AB+x@a.example"),
        ("Original-Recipient: rfc822;k+FF@a.example", "k+FF@a.example"),
        ("Original-Recipient: rfc822;\nFinal-Recipient: RFC822 ; lou@away.example", "lou@away.example"),
        ("Final-Recipient: utf-8; zoë@away.example", "zoë@away.example"),
        (r"Original-Recipient: utf-8;zo\x{EB}@away.example", "zoë@away.example"),
        (
            r"Original-Recipient: utf-8;z\x{FFFFFF}\x{D800}\x{0A}@a.example",
            r"z\x{FFFFFF}\x{D800}\x{0A}@a.example",
        ),
        ("Final-Recipient: lou@away.example", "lou@away.example"),
        ("FINAL-RECIPIENT: rfc822;\n lou@away.example", "lou@away.example"),
    ],
)
def test_an_address_is_read_as_it_was_meant(fields: str, address: str) -> None:
    """Escapes are taken back only where they are escapes; the original recipient counts first."""
    assert only(report(f"{fields}\nAction: failed\nStatus: 5.1.1")).address == address


@pytest.mark.parametrize(
    ("status", "words", "enhanced"),
    [
        ("5.0.0", "552 5.2.2 full", "5.2.2"),
        ("5.0.0", "552 4.2.2 full", "5.0.0"),
        ("5.0.0", "550 5.0.0 then 5.1.1", "5.1.1"),
        ("5.0.0", "550 no", "5.0.0"),
        ("5.7.1", "550 5.1.1 no", "5.7.1"),
        ("5.1.1 (bad mailbox)", "", "5.1.1"),
        ("", "550 5.1.1 no", "5.1.1"),
        ("", "550 host 5.1.1.7 said no", ""),
        ("later", "", ""),
    ],
)
def test_the_more_exact_code_counts(status: str, words: str, enhanced: str) -> None:
    """Exim always says 5.0.0; the remote server's words say what happened."""
    assert only(report(failed(code=status, words=words))).enhanced == enhanced


@pytest.mark.parametrize(
    ("code", "words", "cause"),
    [
        ("5.1.1", "550 5.1.1 no such user", Cause.BAD_RECIPIENT),
        ("5.1.10", "550 5.1.10 not found", Cause.BAD_RECIPIENT),
        ("5.4.4", "host or domain name not found", Cause.BAD_RECIPIENT),
        ("5.4.310", "550 5.4.310 DNS domain does not exist", Cause.BAD_RECIPIENT),
        ("5.2.2", "552 5.2.2 mailbox full", Cause.MAILBOX_FULL),
        ("4.2.2", "452 4.2.2 mailbox full", Cause.MAILBOX_FULL),
    ],
)
def test_a_reason_about_the_recipient_has_its_cause(code: str, words: str, cause: Cause) -> None:
    """The same table that reads the replies of a server."""
    assert only(report(failed(code=code, words=words))).cause is cause


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("5.7.1", "550 5.7.1 message refused by policy"),
        ("5.7.133", "550 5.7.133 only members may write to this group"),
        ("5.7.1", "554 5.7.1 this looks like spam"),
        ("5.3.4", "552 5.3.4 message too large"),
        ("5.7.1", "554 5.7.1 [192.0.2.1] is on a block list"),
        ("5.7.1", "450 not now"),
    ],
)
def test_a_reason_about_us_is_not_the_recipients(code: str, words: str) -> None:
    """Nobody is left out for what is ours to mend."""
    cause = only(report(failed(code=code, words=words))).cause
    assert cause is not None
    assert cause.is_about_us or cause in {Cause.CONTENT_REFUSED, Cause.TOO_LARGE}


@pytest.mark.parametrize(("code", "words"), [("5.0.0", ""), ("5.0.0", "550 no"), ("5.4.7", "expired")])
def test_what_does_not_speak_of_the_recipient_is_not_about_them(code: str, words: str) -> None:
    """A guess would cost somebody their mail."""
    assert only(report(failed(code=code, words=words))).cause is not Cause.BAD_RECIPIENT


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded"])
def test_good_news_has_no_cause(action: str) -> None:
    """Nothing went wrong."""
    notice = only(report(f"Final-Recipient: rfc822;a@b.example\nAction: {action}\nStatus: 2.1.5"))
    assert (notice.action.value, notice.cause) == (action, None)


def test_a_delay_is_told_from_a_failure() -> None:
    """A server is still trying."""
    fields = "Action: DELAYED (still trying)\nFinal-Recipient: rfc822;a@b.example\nStatus: 4.4.1"
    assert only(report(fields)).action is Action.DELAYED


def test_words_are_one_line_without_controls_and_not_without_end() -> None:
    """They are shown to people, in a terminal or a page."""
    words = "550-5.1.1 first\n 550-5.1.1 \x1b[31msecond\n 550 5.1.1 \udcfflast " + "x" * 5000
    said = only(report(failed(words=words))).said
    assert said.startswith("550-5.1.1 first 550-5.1.1 [31msecond 550 5.1.1 �last xxx")
    assert (len(said), said.isprintable()) == (300, True)


def test_several_recipients_are_several_notices() -> None:
    """Those of whom a report says what nobody knows are left out, and so is an unnamed one."""
    blocks = "\n\n".join(
        [
            failed("a@x.example"),
            "Action: pondered\nFinal-Recipient: rfc822;b@x.example",
            "Action: failed",
            failed("c@x.example"),
        ]
    )
    assert [notice.address for notice in read(report(blocks)).notices] == ["a@x.example", "c@x.example"]


@pytest.mark.parametrize(
    "kind",
    ["message/rfc822", "message/global", "text/rfc822-headers; charset=utf-8", "message/global-headers"],
)
def test_the_email_is_known_by_the_header_that_came_back(kind: str) -> None:
    """By nothing in its text."""
    returned = "Subject: x\nMessage-ID:\n <deep@school.example>\n\nMessage-ID: <text@school.example>\n"
    assert read(report(failed(), returned_type=kind, returned=returned)).message_id == "<deep@school.example>"


@pytest.mark.parametrize(
    ("fields", "answers", "message_id"),
    [
        (
            "X-Original-Message-ID: <g@school.example>",
            "In-Reply-To: <r@school.example>\n",
            "<g@school.example>",
        ),
        ("Reporting-MTA: dns; x", "In-Reply-To: <r@school.example>\n", "<r@school.example>"),
        ("Reporting-MTA: dns; x", "", ""),
        ("Reporting-MTA: dns; x", "In-Reply-To: office\n", ""),
    ],
)
def test_where_nothing_came_back_the_report_says_what_it_answers(
    fields: str, answers: str, message_id: str
) -> None:
    """Gmail and Exchange return nothing of the email at times."""
    raw = report(failed(), about_all=fields, more_headers=answers, returned_type="")
    assert read(raw).message_id == message_id


def test_a_returned_part_without_a_name_falls_back() -> None:
    """Some return a header that they have shortened."""
    raw = report(failed(), returned="Subject: x\n", more_headers="In-Reply-To: <r@school.example>\n")
    assert read(raw).message_id == "<r@school.example>"


def test_a_report_that_a_gateway_wrapped_is_read() -> None:
    """Its own text stands around the report, not around an email that holds one."""
    head, _, rest = report(failed()).partition(b"Content-Type: multipart/report")
    wrapped = (
        head
        + b"Content-Type: multipart/mixed; boundary=gw\r\n\r\n--gw\r\nContent-Type: multipart/report"
        + rest
        + b"\r\n--gw\r\nContent-Type: text/plain\r\n\r\nScanned.\r\n--gw--\r\n"
    )
    assert read(wrapped).notices[0].address == "lou@away.example"
    forwarded = (
        b"Subject: Fwd\r\nContent-Type: multipart/mixed; boundary=gw\r\n\r\n"
        b"--gw\r\nContent-Type: message/rfc822\r\n\r\n" + report(failed()) + b"\r\n--gw--\r\n"
    )
    assert read_bounce(forwarded) is None


def test_a_report_that_was_cut_short_is_read_as_far_as_it_goes() -> None:
    """A mailbox may keep only the beginning."""
    assert only(report(failed(), returned_type="", closed=False)).address == "lou@away.example"


def test_a_complaint_names_the_reader_who_made_it() -> None:
    """Or nobody, where the provider hides the address."""
    bounce = read(complaint())
    assert bounce == Bounce(
        envelope_id="term/1",
        message_id="<m1@school.example>",
        notices=(Notice("lou@away.example", Action.COMPLAINED),),
    )
    assert only(complaint(fields="")).address == ""
    assert read_bounce(complaint("not-spam")) is None


def test_qmails_form_is_read() -> None:
    """It has no MIME, and its end is the copy of the email."""
    told = (
        "<lou@away.example>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n"
        "<kim@away.example>:\n192.0.2.7 said: 552 full\n"
    )
    bounce = read(by_qmail(told))
    assert bounce.message_id == "<m1@school.example>"
    assert [(n.address, n.enhanced, n.cause) for n in bounce.notices] == [
        ("lou@away.example", "5.1.1", Cause.BAD_RECIPIENT),
        ("kim@away.example", "", only(report(failed(code="", words="552 full"))).cause),
    ]
    assert bounce.notices[0].said == "Sorry, no mailbox here by that name. (#5.1.1)"
    assert read_bounce(by_qmail("Nobody is named.\n")) is None


NOT_REPORTS = {
    "nothing": b"",
    "one line": b"x",
    "a text": b"Subject: hi\r\n\r\nHi. I am away.\r\n",
    "an automatic answer": b"Auto-Submitted: auto-replied\r\nIn-Reply-To: <m1@school.example>\r\n\r\nAway",
    "a text that talks of one": b"Subject: x\n\nAction: failed\nFinal-Recipient: rfc822;a@b.example\n",
    "a report that names nobody": report("X: y"),
    "a report that knows nothing": report("Final-Recipient: rfc822;a@b.example\nAction: pondered"),
    "a report without a status": report("X: y", status_type="text/plain"),
    "an empty status": report("", about_all=""),
    "a read receipt": report("Disposition: displayed", status_type="message/disposition-notification"),
    "no part": b"Content-Type: multipart/report; boundary=x\r\n\r\nnothing\r\n",
    "no boundary": b"Content-Type: multipart/report\r\n\r\n--\r\n",
    "a mixed email": b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nhi\r\n--x--\r\n",
}


@pytest.mark.parametrize("raw", NOT_REPORTS.values(), ids=NOT_REPORTS)
def test_what_is_not_a_report_is_none(raw: bytes) -> None:
    """A mailbox holds other things too."""
    assert read_bounce(raw) is None


def test_a_text_is_told_to_be_fetched_as_bytes() -> None:
    """Decoding first would destroy what the report says."""
    with pytest.raises(TypeError, match=r"read_bounce\(\) needs the raw bytes of an email, got str\. Fetch"):
        read_bounce("Subject: x")  # type: ignore[arg-type]


WHOLE = (report(failed(), encoding="base64"), report(failed()), complaint(), by_qmail("<a@b.example>:\nno\n"))


@given(st.sampled_from(WHOLE), st.integers(0), st.integers(0, 400), st.binary(max_size=30))
def test_no_damage_raises(raw: bytes, at: int, length: int, instead: bytes) -> None:
    """Whatever stands in the mailbox, fetching goes on."""
    at %= len(raw)
    bounce = read_bounce(raw[:at] + instead + raw[at + length :])
    if bounce is not None:
        assert all(n.said.isprintable() and n.address.isprintable() for n in bounce.notices)


@given(st.binary(max_size=2000))
def test_no_octets_raise(raw: bytes) -> None:
    """Not a report, and no exception."""
    assert read_bounce(raw) is None
    head = b"Content-Type: multipart/report; boundary=x\n\n--x\nContent-Type: message/delivery-status\n\n"
    read_bounce(head + raw)
    read_bounce(b"A: b\n\nHi. This is the q\n" + raw)


def test_an_endless_header_and_endless_parts_are_not_read_to_their_end() -> None:
    """Twenty megabytes from a stranger cost no minute."""
    parts = b"Content-Type: multipart/report; boundary=x\n\n" + b"--x\nContent-Type: message/rfc822\n\n" * 60
    assert read_bounce(parts + report(failed())) is None
    assert read_bounce(b"X: y\n" * 40_000 + report(failed())) is None


def test_the_header_of_the_email_that_came_back_may_be_of_any_kind() -> None:
    """An identity in the text of the email is not its name."""
    assert read(report(failed(), returned=RETURNED.replace("Message-ID", "X-ID"))).message_id == ""

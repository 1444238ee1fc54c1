"""Bytes in, replies out; values in, commands out: no socket."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vetmail_core.errors import TransportError
from vetmail_core.receipts import Reply
from vetmail_core.transports.smtp.rules.protocol import (
    EMPTY_LINES,
    LINE_OCTETS,
    REPLY_LINES,
    Capabilities,
    ReplyParser,
    command,
    dot_stuffed,
    mail_command,
    rcpt_command,
    read_reply,
    with_crlf,
    xtext,
)


@pytest.mark.parametrize(
    ("octets", "replies", "broken", "unfinished"),
    [
        (b"", [], "", False),
        (b"250 ok\r\n", [b"250 ok"], "", False),
        (b"250\r\n", [b"250"], "", False),
        (b"250 \r\n354 go\r\n", [b"250 ", b"354 go"], "", False),
        (
            b"250-one\r\n250-two\r\n250 three\r\n221 bye\r\n",
            [b"250-one\n250-two\n250 three", b"221 bye"],
            "",
            False,
        ),
        (b"250 ok\n", [b"250 ok"], "", False),
        (b"250 half", [], "", True),
        (b"250-first\r\n", [], "", True),
        (b"250 ok\r\n55", [b"250 ok"], "", True),
        (b"hello\r\n", [], "does not begin with a reply code", False),
        (b"\r\n" * EMPTY_LINES, [], "", False),
        (b"\r\n" * (EMPTY_LINES + 1), [], "does not begin with a reply code", False),
        (b"\n\r\n220 hi\r\n" + b"\r\n" * EMPTY_LINES + b"250 ok\r\n\r\n", [b"220 hi", b"250 ok"], "", False),
        (b"250-one\r\n\r\n250 two\r\n", [], "does not begin with a reply code", False),
        (b" \r\n", [], "does not begin with a reply code", False),
        # a greeting that turns into a refusal is one
        (b"220-mx\r\n521 5.7.1 blocked\r\n", [b"521 5.7.1 blocked"], "", False),
        (b"220-mx\r\n220-hi\r\n421-4.3.2 we\r\n421 are busy\r\n", [b"421-4.3.2 we\n421 are busy"], "", False),
        (b"220-mx\r\n421-busy\r\n220 hi\r\n", [], "different codes", False),
        (b"220-mx\r\n250 ok\r\n", [], "different codes", False),
        (b"250-ok\r\n550 no\r\n", [], "different codes", False),
        (b"999 ok\r\n", [], "does not begin with a reply code", False),
        (b"150 ok\r\n", [], "does not begin with a reply code", False),
        (b"2500 ok\r\n", [], "does not begin with a reply code", False),
        (b"250-one\r\n251 two\r\n", [], "different codes", False),
        (b"250 ok\r\nrubbish\r\n250 ok\r\n", [b"250 ok"], "does not begin", False),
        (b"250 " + b"x" * (LINE_OCTETS - 6) + b"\r\n", [b"250 " + b"x" * (LINE_OCTETS - 6)], "", False),
        (b"250 " + b"x" * LINE_OCTETS, [], "more than 2000 octets", False),
        (b"250 ok\r\n250 " + b"x" * LINE_OCTETS + b"\r\n", [b"250 ok"], "more than 2000 octets", False),
        (b"250-x\r\n" * (REPLY_LINES + 1), [], "more than 100 lines", False),
        ((b"250-" + b"x" * 1990 + b"\r\n") * 51, [], "100000 octets", False),
        (b"250 \xff\x00\x1b[2J\r\n", [b"250 \xff\x00\x1b[2J"], "", False),
    ],
)  # fmt: skip
def test_bytes_in_and_replies_out(octets: bytes, replies: list[bytes], broken: str, unfinished: bool) -> None:  # noqa: FBT001 - a column
    """The limits hold, and nothing is read behind what is no reply."""
    parser = ReplyParser()
    assert parser.feed(octets) == replies
    assert broken in parser.broken
    assert bool(broken) == bool(parser.broken)
    assert parser.unfinished is unfinished
    if broken:
        assert parser.feed(b"250 ok\r\n") == []


def test_empty_lines_are_counted_from_reply_to_reply() -> None:
    """A server that ends every answer with one is borne as long as it speaks."""
    parser = ReplyParser()
    for _ in range(3 * EMPTY_LINES):
        assert parser.feed(b"250 ok\r\n") == [b"250 ok"]
        assert parser.feed(b"\r\n") == []
        assert (parser.empty, parser.broken, parser.unfinished) == (1, "", False)


PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [b"250 ok\r\n", b"250-a\r\n", b"354 go\r\n", b"550 5.1.1 no\n", b"\r\n", b"\n", b"x", b"2"]
        ),
        st.binary(max_size=12),
        st.builds(lambda n: b"250 " + b"y" * n + b"\r\n", st.integers(1980, 2005)),
    ),
    max_size=12,
)


@given(pieces=PIECES, cuts=st.lists(st.integers(0, 5000), max_size=40))
@example(pieces=[b"250-a\r\n"] * 101, cuts=list(range(5000)))
@example(pieces=[b"250 a\r\n", b"250-b\r\n250 c\r\n", b"rubbish\r\n"], cuts=list(range(5000)))
def test_any_split_of_the_bytes_gives_the_same_events(pieces: list[bytes], cuts: list[int]) -> None:
    """A network cuts wherever it likes."""
    octets = b"".join(pieces)
    whole, parts = ReplyParser(), ReplyParser()
    expected = whole.feed(octets)
    places = sorted({0, len(octets), *(cut % (len(octets) + 1) for cut in cuts)})
    found: list[bytes] = []
    for start, end in itertools.pairwise(places):
        found += parts.feed(octets[start:end])
    assert found == expected
    assert parts.broken == whole.broken
    assert parts.unfinished == whole.unfinished


@given(octets=st.binary(max_size=300))
def test_no_bytes_make_the_parser_fail(octets: bytes) -> None:
    """Whatever comes is a reply, the beginning of one, or a reason to stop; each reply can be read."""
    parser = ReplyParser()
    for raw in parser.feed(octets):
        assert 200 <= read_reply(raw).code <= 599
        Capabilities.read(raw)


@pytest.mark.parametrize(
    ("raw", "reply"),
    [
        (b"250", Reply(250)),
        (b"250 ok", Reply(250, "", "ok")),
        (b"550 5.1.1 no such user", Reply(550, "5.1.1", "no such user")),
        (b"550 5.1.1", Reply(550, "5.1.1", "")),
        (b"550-5.1.1 no\n550 5.1.1 such user", Reply(550, "5.1.1", "no such user")),
        (b"550-\n550 no", Reply(550, "", "no")),
        (b"250 5 items", Reply(250, "", "5 items")),
        (b"250 Gr\xc3\xbc\xc3\x9fe", Reply(250, "", "Grüße")),
        (b"250 \xff!", Reply(250, "", r"\xff!")),
        (b"250 a\x1b[2J\x00b", Reply(250, "", "aU+001B[2JU+0000b")),
        ("250 a\u202eb".encode(), Reply(250, "", "aU+202Eb")),
        (b"250 " + b"x" * 600, Reply(250, "", "x" * 500 + "…")),
    ],
)
def test_a_reply_is_read_safely(raw: bytes, reply: Reply) -> None:
    """Codes apart from words; nothing that moves a cursor; cut."""
    assert read_reply(raw) == reply


@pytest.mark.parametrize(
    ("raw", "keywords", "mechanisms", "size"),
    [
        (b"250 mail.example.com", set(), (), 0),
        (b"250-m\n250-PIPELINING\n250 size 1000", {"PIPELINING", "SIZE"}, (), 1000),
        (b"250-m\n250-AUTH PLAIN LOGIN\n250 AUTH=LOGIN XOAUTH2", {"AUTH"}, ("PLAIN", "LOGIN", "XOAUTH2"), 0),
        (b"250-m\n250-SIZE\n250-SIZE many\n250 SIZE " + b"9" * 30, {"SIZE"}, (), 0),
        (b"250-m\n250-\n250 ", set(), (), 0),
        (b"250-m\n250 \xff\xfe", {r"\XFF\XFE"}, (), 0),
    ],
)
def test_capabilities_are_understood_leniently(
    raw: bytes, keywords: set[str], mechanisms: tuple[str, ...], size: int
) -> None:
    """What makes no sense is left out."""
    found = Capabilities.read(raw)
    assert (set(found.keywords), found.mechanisms, found.size) == (keywords, mechanisms, size)
    assert found.name in {"m", "mail.example.com"}
    assert all(keyword in found for keyword in keywords)


@pytest.mark.parametrize("character", ["\r", "\n", "\0", "\x1f", "\x7f", "\t"])
def test_a_command_with_a_control_character_is_refused(character: str) -> None:
    """It could be two commands; and the text could be a secret, so it is not repeated."""
    for write in (command, mail_command, rcpt_command, lambda text: mail_command("", parameters=text)):
        with pytest.raises(TransportError, match="control character") as caught:
            write(f"EHLO s3cret{character}RCPT")
        assert "s3cret" not in str(caught.value)


@given(text=st.text(max_size=40))
def test_a_command_is_one_line_or_nothing(text: str) -> None:
    """No text makes two lines of one command."""
    try:
        line = rcpt_command(text)
    except (TransportError, UnicodeEncodeError):
        return
    assert line.endswith(b"\r\n")
    assert line.count(b"\r") == line.count(b"\n") == 1


@given(text=st.text(st.characters(codec="utf-8"), max_size=40))
def test_xtext_is_printable_and_reversible(text: str) -> None:
    """ENVID and ORCPT carry any text (RFC 3461)."""
    written = xtext(text)
    assert written.isascii()
    assert not set(written) & set(" =")
    octets, at = bytearray(), 0
    while at < len(written):
        size = 3 if written[at] == "+" else 1
        octets += bytes((int(written[at + 1 : at + 3], 16),)) if size == 3 else written[at].encode()
        at += size
    assert octets.decode() == text


@given(
    data=st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"a", b".\r\n", b"\xc3\xa9"])).map(b"".join)
)
def test_no_body_can_end_early(data: bytes) -> None:
    """Line ends first, then dots: what any server could take for the end stands at the end alone."""
    plain = with_crlf(data)
    assert plain.endswith(b"\r\n")
    assert plain.count(b"\r") == plain.count(b"\n") == plain.count(b"\r\n")
    wire = dot_stuffed(plain)
    assert (b"\r\n" + wire).find(b"\r\n.\r\n") == len(wire) - 3
    lines = wire.removesuffix(b".\r\n").split(b"\r\n")
    assert b"\r\n".join(line.removeprefix(b".") for line in lines) == plain

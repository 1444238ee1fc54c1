"""A line between two sockets: what is heard in the middle of writing, and what is never written."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest
from tests.transports.smtp.scripted import PATIENCE

from vetmail_core.receipts import Cause, Phase
from vetmail_core.transports.smtp import Deadlines
from vetmail_core.transports.smtp.rules.login import Ask, Lost
from vetmail_core.transports.smtp.wire.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BODY = b"x" * 4_000_000  # more than a pair of sockets holds


@pytest.fixture
def line() -> Iterator[tuple[Connection, socket.socket]]:
    """Our end, and the server's."""
    ours, theirs = socket.socketpair()
    deadlines = Deadlines(command=2, body=0.3, quit=0.2)
    connection = Connection(ours, host="localhost", deadlines=deadlines, context=None)
    with contextlib.closing(connection), theirs:
        yield connection, theirs


def none_due(_sent: int) -> int:
    """The server has nothing to say yet."""
    return 0


@pytest.mark.parametrize(
    "use",
    [
        lambda connection: connection.write(b"body", b"", phase=Phase.BODY),
        lambda connection: connection.look(Phase.BODY, 1, none_due),
        lambda connection: connection.replies(Phase.DOT, 1),
    ],
    ids=["write", "look", "replies"],
)
def test_behind_nonsense_nothing_is_sent_or_believed(
    line: tuple[Connection, socket.socket], use: Callable[[Connection], object]
) -> None:
    """A good answer and rubbish in one piece: the answer counts, and then the line is done with."""
    connection, server = line
    server.sendall(b"354 go ahead\r\nwhat?\r\n250 2.0.0 ok\r\n")
    assert connection.replies(Phase.DATA, 1) == [b"354 go ahead"]
    with pytest.raises(Lost, match="does not begin with a reply code") as caught:
        use(connection)
    assert caught.value.cause is Cause.PROTOCOL
    assert connection.sent == 0


@pytest.mark.parametrize(
    ("octets", "left", "words"),
    [
        (b"250 2.0.0 ok\r\n", [], "before it had the whole message"),
        (b"354 more\r\n", [], "before it had the whole message"),
        (b"552 5.3.4 too much\r\n", [b"552 5.3.4 too much"], "stopped taking"),
        (b"552 5.3.4 too much\r\n250 ok\r\n", [], "before it had the whole message"),
        (b"552 a\r\n" * 3, [b"552 a"] * 3, "more answers than it was asked for"),
    ],
)
def test_only_a_no_is_an_answer_in_the_middle_of_a_body(
    line: tuple[Connection, socket.socket], octets: bytes, left: list[bytes], words: str
) -> None:
    """A yes to what has not come yet is none."""
    connection, server = line
    server.sendall(octets)
    with pytest.raises(Lost, match=words) as caught:
        connection.write(BODY, b"", phase=Phase.BODY, limit=2, due=none_due)
    assert caught.value.phase is Phase.BODY
    assert connection.left_over() == left
    assert 0 < connection.sent < len(BODY)


@pytest.mark.parametrize("octets", [b"220 hi\r\n250 ok\r\n", b"220 hi\r\n25"])
def test_nothing_is_asked_where_more_was_said_than_asked(
    line: tuple[Connection, socket.socket], octets: bytes
) -> None:
    """The rest, even of half an answer, would be taken for the next answer."""
    connection, server = line
    server.sendall(octets)
    assert connection.ask(Ask(b"", Phase.GREETING)) == b"220 hi"
    with pytest.raises(Lost, match="more than it was asked") as caught:
        connection.ask(Ask(b"EHLO me\r\n", Phase.GREETING))
    assert caught.value.cause is Cause.PROTOCOL
    assert connection.sent == 0


def test_a_line_waits_for_no_acknowledgement_and_gives_back_what_it_took() -> None:
    """Nagle would hold the second piece of a message back; a descriptor for each connection would run out."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as sock,
    ):
        connection = Connection(sock, host="localhost", deadlines=PATIENCE, context=None)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        connection.close()
        connection.close()
        assert sock.fileno() == -1
        assert connection._selector.get_map() is None


def test_what_the_server_said_before_it_left_is_heard(line: tuple[Connection, socket.socket]) -> None:
    """Its last words may be the answer to an earlier message."""
    connection, server = line
    server.sendall(b"250 2.0.0 the one before\r\n552 no\r\n")
    server.close()
    with pytest.raises(Lost, match="broke") as caught:
        connection.write(b"MAIL\r\n", b"", phase=Phase.MAIL, limit=1, due=lambda _sent: 1)
    assert caught.value.closed
    assert connection.left_over() == [b"250 2.0.0 the one before", b"552 no"]


@pytest.mark.parametrize("octets", [b"", b"421 4.4.2 idle too long\r\n"], ids=["a close", "a goodbye"])
def test_a_look_before_a_body_finds_a_server_that_has_left(
    line: tuple[Connection, socket.socket], octets: bytes
) -> None:
    """Nothing is sent to it, so nothing is in doubt."""
    connection, server = line
    connection.look(Phase.BODY, 1, none_due)
    server.sendall(octets)
    if not octets:
        server.close()
    with pytest.raises(Lost) as caught:
        connection.look(Phase.BODY, 1, none_due)
    assert caught.value.closed
    assert connection.left_over() == ([octets.rstrip()] if octets else [])


def test_two_full_buffers_do_not_wait_for_each_other() -> None:
    """A server that answers each command of a huge group before it reads on is read from meanwhile."""
    ours, server = socket.socketpair()
    connection = Connection(ours, host="localhost", deadlines=PATIENCE, context=None)
    group, count = b"RCPT TO:<someone.with.a.long.name@example.com>\r\n" * 40_000, 40_000
    answer = b"250 2.1.5 someone.with.a.long.name@example.com is known here, and welcome\r\n"

    def serve() -> None:
        missing = b""
        while data := server.recv(65_536):
            missing += data
            whole = missing.count(b"\n")
            missing = missing.rpartition(b"\n")[2]
            server.sendall(answer * whole)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    connection.write(group, b"", phase=Phase.RCPT, limit=count, due=lambda _sent: count)
    got = len(connection.left_over())
    while got < count:
        got += len(connection.replies(Phase.RCPT, 20))
    assert got == count
    connection.close()
    thread.join(20)
    server.close()


def test_answers_behind_an_empty_line_wait_for_the_whole_group(
    line: tuple[Connection, socket.socket],
) -> None:
    """The line may stand for one of them; those before it are sure."""
    connection, server = line
    for rest in (b"", b"250 three\r\n354 four\r\n"):
        connection.write(b"x", b"x", phase=Phase.MAIL, limit=4, due=lambda _sent: 4)
        server.sendall(b"250 one\r\n\r\n250 two\r\n")
        assert connection.replies(Phase.MAIL, 5) == [b"250 one"]
        server.sendall(rest)
        if rest:
            assert connection.replies(Phase.MAIL, 5) == [b"250 two", b"250 three", b"354 four"]
        else:
            with pytest.raises(Lost, match="an answer was missing") as caught:
                connection.replies(Phase.MAIL, 0.1)
            assert caught.value.cause is Cause.PROTOCOL
            assert connection.left_over() == []
            assert connection.is_stale()
            server.sendall(b"250 three\r\n354 four\r\n")
            connection.replies(Phase.MAIL, 5)
    connection.write(b"x", b"x", phase=Phase.MAIL)
    server.sendall(b"\r\n250 alone\r\n\r\n")
    assert connection.replies(Phase.MAIL, 5) == [b"250 alone"]
    assert not connection.is_stale()
    server.sendall(b"\r\n")
    assert not connection.is_stale()
    with pytest.raises(Lost, match="sent an empty line, and an answer was missing"):
        connection.replies(Phase.MAIL, 0.1)
    server.sendall(b"421 bye\r\n")
    assert connection.is_stale()


def test_an_answer_in_drops_has_one_deadline(line: tuple[Connection, socket.socket]) -> None:
    """An octet every now and then does not move it."""
    connection, server = line
    done = threading.Event()

    def drip() -> None:
        for _ in range(1_000):
            if done.wait(0.02):
                return
            server.sendall(b"2")

    thread = threading.Thread(target=drip)
    thread.start()
    begun = time.monotonic()
    with pytest.raises(Lost, match=r"within 0\.2 s"):
        connection.replies(Phase.MAIL, 0.2)
    assert time.monotonic() - begun < 15  # 20 until the last drop
    done.set()
    thread.join()


def test_the_transcript_holds_the_last_forty_lines_and_no_body(
    line: tuple[Connection, socket.socket],
) -> None:
    """A reply of many lines counts as many."""
    connection, server = line
    for number in range(30):
        connection.write(b"x" * 5_000, b"(5000 octets)\r\n", phase=Phase.BODY)
        assert server.recv(65_536)
        server.sendall(b"250-%d\r\n250 \xff\r\n" % number)
        connection.replies(Phase.DOT, 1)
    assert len(connection.transcript) == 40
    assert connection.transcript[-3:] == ("C: (5000 octets)", "S: 250-29", "S: 250 \\xff")
    assert not any("xxx" in line for line in connection.transcript)


def test_half_an_answer_in_the_middle_of_writing_is_waited_for(
    line: tuple[Connection, socket.socket],
) -> None:
    """It is neither an answer nor a reason to stop."""
    connection, server = line
    server.sendall(b"250 o")
    connection.look(Phase.MAIL, 1, lambda _sent: 1)
    server.sendall(b"k\r\n")
    assert connection.replies(Phase.MAIL, 5) == [b"250 ok"]

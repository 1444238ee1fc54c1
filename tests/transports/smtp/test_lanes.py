"""Answers in, outcomes out: messages on their way in every mode, without a socket."""

from __future__ import annotations

from itertools import chain, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.transports.smtp.scripted import an_email

from vetmail_core.receipts import Cause, Phase, Status
from vetmail_core.transports.smtp import Pipelining
from vetmail_core.transports.smtp.rules.by_bdat import ChunkLane
from vetmail_core.transports.smtp.rules.login import Lost
from vetmail_core.transports.smtp.rules.message import Job, Stage, Transaction, Why
from vetmail_core.transports.smtp.rules.pipeline import DataLane, Lane, Memory
from vetmail_core.transports.smtp.rules.protocol import Capabilities, ReplyParser

OFF, ENVELOPE, AUTO, CHUNKING = Pipelining
CAN = Capabilities(keywords=frozenset({"PIPELINING", "CHUNKING"}))
CLOSED = Lost("the server closed the connection", phase=Phase.MAIL, closed=True)
SILENT = Lost("the server did not answer within 1 s", phase=Phase.MAIL)


def a_transaction(to: str = "a@x.com") -> Transaction:
    """A message that is ready to go."""
    email = an_email(to)
    return Transaction(Job(email), email.recipients.all, b"Subject: x\r\n\r\n.dot\r\n")


def a_lane(mode: Pipelining) -> Lane:
    """A lane over a connection on which nothing was said yet."""
    return ChunkLane(CAN, 8, proved=True) if mode is CHUNKING else DataLane(CAN, mode, Memory())


def came_to(transaction: Transaction) -> str:
    """What became of each recipient, or why the message is to go again, or to whom."""
    if transaction.again is not None:
        return f"again: {transaction.again.why.value}"
    fates = [
        f"{outcome.status.value}@{outcome.phase.name}" for outcome in transaction.outcomes if outcome.phase
    ]
    return " ".join([*fates, *(f"again: {mailbox}" for part in transaction.left for mailbox in part)])


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (OFF, [b"MAIL", b"RCPT", b"RCPT", b"DATA", b"body"]),
        (ENVELOPE, [b"MAIL RCPT RCPT DATA", b"body"]),
        (AUTO, [b"MAIL RCPT RCPT DATA", b"body"]),
        (CHUNKING, [b"RSET MAIL RCPT RCPT BDAT body"]),
    ],
)
def test_each_mode_waits_as_often_as_it_must(mode: Pipelining, said: list[bytes]) -> None:
    """What is sent before an answer is awaited; dots are doubled but in CHUNKING, and no body is shown."""
    lane, transaction = a_lane(mode), a_transaction("a@x.com b@x.com")
    lane.put(transaction)
    found: list[bytes] = []
    while transaction not in lane.done:
        octets, shown = lane.take()
        body = octets[octets.find(b"Subject") :] if b"Subject" in octets else b""
        size = b"(%d octets)\r\n" % len(body) if body and mode is not CHUNKING else b""
        assert shown == octets.removesuffix(body) + size
        assert lane.writing is (Phase.BODY if body else Phase.MAIL)
        assert lane.in_doubt is bool(body)
        verbs = [line.split(b" ")[0] for line in octets.split(b"\r\n") if line.isupper() or b" " in line]
        found.append(b" ".join(b"body" if verb == b"Subject:" else verb for verb in verbs if verb != b"."))
        assert (b"\r\n..dot" in octets, b"\r\n.dot" in octets) == (
            b"Subject" in octets and mode is not CHUNKING,
            b"Subject" in octets and mode is CHUNKING,
        )
        answers = [b"250 ok"] * lane.outstanding
        if octets.endswith(b"DATA\r\n"):
            answers[-1] = b"354 go"
        lane.receive(answers)
    assert found == said
    assert came_to(transaction) == "accepted@DOT accepted@DOT"
    assert not lane.in_doubt


@pytest.mark.parametrize("mode", [OFF, ENVELOPE, AUTO, CHUNKING])
def test_each_answer_is_waited_for_as_what_it_answers(mode: Pipelining) -> None:
    """The phase decides about the deadline; one message after another, each said once."""
    lane = a_lane(mode)
    for _ in range(2):
        lane.put(a_transaction("a@x.com b@x.com"))
        phases: list[Phase] = []
        everything = b""
        while lane.flight:
            everything += lane.take()[1]
            while (phase := lane.awaited) is not None:
                phases.append(phase)
                lane.receive([b"354 go" if phase is Phase.DATA else b"250 ok"])
        lane.done.clear()
        assert everything.count(b"MAIL FROM") == 1
        second = Phase.MAIL if mode is CHUNKING else Phase.DATA
        expected = [Phase.MAIL, Phase.RCPT, Phase.RCPT, second, Phase.DOT]
        assert sorted(phases, key=list(Phase).index) == sorted(expected, key=list(Phase).index)
        assert phases[-1] is Phase.DOT


@pytest.mark.parametrize("rest", [b"", b"503 no"], ids=["and a close", "and more"])
def test_a_goodbye_in_a_window_is_told_as_the_answer_to_what_it_answers(rest: bytes) -> None:
    """RSET and MAIL, two RCPT, and the message."""
    phases: list[Phase] = []
    for number in range(5):
        lane, transaction = a_lane(CHUNKING), a_transaction("a@x.com b@x.com")
        lane.put(transaction)
        sent = len(lane.take()[0])
        answers = [*[b"250 ok"] * number, b"421 bye", *([rest] * (4 - number) if rest else [])]
        lane.receive(answers)
        lane.abandon(sent, CLOSED)
        assert transaction.again is not None
        assert transaction.again.why is Why.CLOSING
        phases.append(transaction.again.phase)
    assert phases == [Phase.MAIL, Phase.MAIL, Phase.RCPT, Phase.RCPT, Phase.DOT]


@pytest.mark.parametrize(
    ("mode", "answers", "expected"),
    [
        # everybody, nobody, some
        (AUTO, ["250 ok|250 ok|250 ok|354 go", "250 ok"], "accepted@DOT accepted@DOT"),
        (AUTO, ["250 ok|550 no|250 ok|354 go", "250 ok"], "refused@RCPT accepted@DOT"),
        (AUTO, ["250 ok|550 no|450 no|354 go"], "refused@RCPT deferred@RCPT"),
        (AUTO, ["250 ok|550 no|550 no|554 no"], "refused@RCPT refused@RCPT"),
        (AUTO, ["250 ok|452 4.5.3 no|452 4.5.3 no|554 no"], "deferred@RCPT deferred@RCPT"),
        (AUTO, ["250 ok|550 no|550 no|503 no"], "refused@RCPT refused@RCPT"),
        (AUTO, ["550 no|503 no|503 no|503 no"], "refused@MAIL refused@MAIL"),
        (AUTO, ["250 ok|250 ok|450 no|354 go", "552 5.3.4 no"], "refused@DOT deferred@RCPT"),
        (AUTO, ["250 ok|250 ok|250 ok|451 no"], "deferred@DATA deferred@DATA"),
        (CHUNKING, ["250 ok|250 ok|250 ok|250 ok|250 id"], "accepted@DOT accepted@DOT"),
        (CHUNKING, ["250 ok|250 ok|550 no|250 ok|250 id"], "refused@RCPT accepted@DOT"),
        (CHUNKING, ["250 ok|250 ok|550 no|450 no|554 no"], "refused@RCPT deferred@RCPT"),
        (CHUNKING, ["250 ok|550 no|503 no|503 no|503 no"], "refused@MAIL refused@MAIL"),
        # the session's fault
        (AUTO, ["421 bye"], "again: closing"),
        (AUTO, ["250 ok|421 bye"], "again: closing"),
        (AUTO, ["250 ok|503 no|503 no|503 no"], "again: session"),
        (AUTO, ["250 ok|555 no|555 no|554 no"], "again: session"),
        (AUTO, ["250 ok|250 ok|250 ok|354 go", "421 bye"], "again: closing"),
        (CHUNKING, ["250 ok|250 ok|421 bye|503 no|503 no"], "again: closing"),
        (CHUNKING, ["250 ok|250 ok|250 ok|250 ok|503 no"], "again: session"),
        (CHUNKING, ["250 ok|250 ok|250 ok|250 ok|500 what|500 what"], "again: session"),
        # a server that says goodbye to one and takes the message for the other
        (CHUNKING, ["250 ok|250 ok|421 bye|250 ok|250 id"], "accepted@DOT again: a@x.com"),
        # a server that says goodbye in the same breath as the last answer
        (CHUNKING, ["250 ok|250 ok|250 ok|250 ok|250 id|421 bye"], "accepted@DOT accepted@DOT"),
        (CHUNKING, ["250 ok|250 ok|250 ok|550 no|250 id|421 bye"], "accepted@DOT refused@RCPT"),
        (CHUNKING, ["250 ok|250 ok|250 ok|250 ok|250 id|250 ok|421 bye"], "unknown@DOT unknown@DOT"),
        # answers that do not go together
        (AUTO, ["250 ok|250 ok|250 ok|250 ok"], "again: closing"),
        (AUTO, ["354 go"], "again: closing"),
        (AUTO, ["250 ok|250 ok|250 ok|354 go|552 5.3.4 no"], "refused@DATA refused@DATA"),
        (AUTO, ["250 ok|250 ok|250 ok|354 go", "354 more"], "unknown@DOT unknown@DOT"),
        (CHUNKING, ["250 ok|250 ok|354 go|250 ok|250 id"], "deferred@RCPT accepted@DOT"),
        (CHUNKING, ["250 ok|250 ok|550 no|550 no|250 id"], "unknown@DOT unknown@DOT"),
        (CHUNKING, ["250 ok|550 no|250 ok|250 ok|250 id"], "unknown@DOT unknown@DOT"),
        (CHUNKING, ["250 ok|250 ok|250 ok|250 ok|354 more"], "unknown@DOT unknown@DOT"),
        (CHUNKING, ["250 ok|250 ok|250 ok|250 ok|250 ok|250 ok"], "unknown@DOT unknown@DOT"),
    ],
)
def test_answers_come_to_an_outcome_for_each_recipient(
    mode: Pipelining, answers: list[str], expected: str
) -> None:
    """The same law in every mode: what was refused stays refused, and only a clear yes is a yes."""
    lane, transaction = a_lane(mode), a_transaction("a@x.com b@x.com")
    lane.put(transaction)
    for group in answers:
        lane.take()
        lane.receive([raw.encode() for raw in group.split("|")])
    assert list(lane.done) == [transaction]
    assert came_to(transaction) == expected


@pytest.mark.parametrize(
    ("mode", "answers", "sent_all", "lost", "expected"),
    [
        (AUTO, ["250 ok"], True, CLOSED, "again: closing"),
        (AUTO, ["250 ok|250 ok|250 ok|354 go", ""], False, CLOSED, "again: closing"),
        (AUTO, ["250 ok|250 ok|250 ok|354 go", ""], True, CLOSED, "unknown@DOT unknown@DOT"),
        (AUTO, ["250 ok|550 no|250 ok|354 go", ""], True, CLOSED, "refused@RCPT unknown@DOT"),
        (CHUNKING, [""], False, CLOSED, "again: closing"),
        (CHUNKING, [""], True, CLOSED, "unknown@DOT unknown@DOT"),
        (CHUNKING, ["250 ok|250 ok|550 no"], True, SILENT, "refused@RCPT unknown@DOT"),
        (CHUNKING, ["250 ok|550 no"], True, SILENT, "refused@MAIL refused@MAIL"),
        (CHUNKING, ["250 ok|250 ok|421 bye"], True, CLOSED, "again: closing"),
        (CHUNKING, ["421 bye"], True, CLOSED, "again: closing"),
        (CHUNKING, ["421 bye"], True, SILENT, "unknown@DOT unknown@DOT"),
        (CHUNKING, ["250 ok|421 bye"], True, SILENT, "again: closing"),
        (CHUNKING, ["250 ok|250 ok|421 bye"], True, SILENT, "deferred@RCPT unknown@DOT"),
        (CHUNKING, ["250 ok|250 ok|250 ok|421 bye"], True, SILENT, "unknown@DOT deferred@RCPT"),
        (CHUNKING, ["250 ok|250 ok|421 bye|550 no"], True, SILENT, "again: closing"),
    ],
)
def test_a_line_that_is_lost_leaves_doubt_only_about_what_may_have_arrived(
    mode: Pipelining,
    answers: list[str],
    sent_all: bool,  # noqa: FBT001 - a row's value
    lost: Lost,
    expected: str,
) -> None:
    """Not all of it left: again. All of it left: in doubt, but for those that were refused before."""
    lane, transaction = a_lane(mode), a_transaction("a@x.com b@x.com")
    lane.put(transaction)
    sent = 0
    for group in answers:
        sent += len(lane.take()[0])
        lane.receive([raw.encode() for raw in group.split("|") if raw])
    lane.abandon(sent if sent_all else sent - 1, lost)
    assert list(lane.done) == [transaction]
    assert came_to(transaction) == expected
    assert lane.room == 0
    # A window that had left unanswered is not sent that way again.
    assert (lane.trying is CHUNKING) is (mode is CHUNKING and "again" not in expected)


@pytest.mark.parametrize(
    ("before", "answers", "over", "note"),
    [
        # a RSET before the envelope: yes, or nobody knows where the session is
        ([], ["250 ok|250 ok|250 ok|354 go"], False, ""),
        ([], ["500 what"], True, "the server answered 500 what"),
        ([], ["421 bye|250 ok|250 ok|354 go"], True, "the server answered 421 bye"),
        # a lone dot: anything but a goodbye
        (["250 ok|250 ok|550 no|354 go"], ["554 no|250 ok|250 ok|250 ok|354 go"], False, ""),
        (["250 ok|250 ok|550 no|354 go"], ["250 ok|250 ok|250 ok|250 ok|354 go"], False, ""),
        (["250 ok|250 ok|550 no|354 go"], ["421 bye"], True, "the server answered 421 bye"),
        # an answer too many: what follows could be taken for the wrong one
        ([], ["250 ok|250 ok|250 ok|354 go|250 ok"], True, "the server said more than it was asked"),
        ([], ["250 ok|250 ok|250 ok|354 go", "250 ok|250 ok"], True, ""),
    ],
)
@pytest.mark.parametrize("mode", [ENVELOPE, AUTO])
def test_a_line_ends_where_answers_and_questions_part(
    mode: Pipelining, before: list[str], answers: list[str], over: object, note: str
) -> None:
    """The message that stood there goes again, and is told why."""
    memory = Memory()
    memory.needs_reset = True
    lane = DataLane(CAN, mode, memory)
    for group in [*before, *answers]:
        if not lane.flight:
            transaction = a_transaction()
            lane.put(transaction)
        lane.take()
        lane.receive([raw.encode() for raw in group.split("|")])
    assert lane.over is over
    lane.abandon(0, None)
    ends = [one.again.note for one in lane.done if one.again is not None]
    assert ends == ([note] if note or not over else [])
    assert lane.awaited is None


def test_behind_a_goodbye_nothing_of_a_window_was_looked_at() -> None:
    """421 and a close: the message it was said to and those behind it go again, without any doubt."""
    lane, window = a_lane(CHUNKING), [a_transaction() for _ in range(4)]
    for transaction in window:
        lane.put(transaction)
    sent = len(lane.take()[0])
    lane.receive([b"250 ok"] * 3 + [b"250 id"] + [b"421 bye"])
    lane.abandon(sent, CLOSED)
    ends = [came_to(one) for one in window]
    assert ends == ["accepted@DOT", "again: closing", "again: bystander", "again: bystander"]
    assert lane.trying is None


@pytest.mark.parametrize(
    ("answers", "over"),
    [
        ("250 ok|250 ok|250 ok|250 id", False),
        ("250 ok|250 ok|250 ok|554 no", False),
        ("250 ok|250 ok|250 ok|554 no|250 ok", True),
        ("250 ok|250 ok|250 ok|250 id|421 bye", True),
        ("250 ok|250 ok|250 ok|250 id|250 ok", True),
        ("250 ok|250 ok|250 ok|354 more", True),
        ("250 ok|250 ok|503 no|503 no", True),
        ("500 what|250 ok|250 ok|250 id", True),
        ("250 ok|250 ok|250 ok|421 bye", True),
    ],
)
def test_nothing_more_goes_the_way_of_a_window_that_went_wrong(answers: str, over: object) -> None:
    """A refusal is no trouble of the line; an answer too many or one that does not fit is."""
    lane = a_lane(CHUNKING)
    lane.put(a_transaction())
    lane.take()
    lane.receive([raw.encode() for raw in answers.split("|")])
    assert (lane.over, lane.room) == (over, 0 if over else 8)


def test_a_window_counts_the_octets_on_the_way_and_not_those_that_went() -> None:
    """More than a mebibyte on the way leaves no room; what was answered takes none."""
    lane = a_lane(CHUNKING)
    for _ in range(3):
        large = a_transaction()
        large.data = b"x" * 700_000
        lane.put(large)
        assert lane.room == 7
        lane.take()
        lane.receive([b"250 ok"] * 3 + [b"250 id"])
        lane.done.clear()
    for room in (7, 0):
        large = a_transaction()
        large.data = b"x" * 700_000
        lane.put(large)
        assert lane.room == room


def test_answers_that_have_drifted_are_noticed() -> None:
    """An answer said twice shifts all that follow; what is said to a recipient is no yes to a message."""
    lane, window = a_lane(CHUNKING), [a_transaction() for _ in range(3)]
    for transaction in window:
        lane.put(transaction)
    lane.take()
    group = [b"250 2.0.0 reset", b"250 2.1.0 sender", b"250 2.1.5 recipient"]
    lane.receive([*group, b"250 2.0.0 queued as 1", *group, group[-1], *group])
    assert [came_to(one) for one in window[:2]] == ["accepted@DOT", "unknown@DOT"]
    assert lane.room == 0


def test_how_many_answers_can_be_due_follows_what_has_left() -> None:
    """Of a message on its way out, all but the last; of one that has not begun to leave, none."""
    lane, window = a_lane(CHUNKING), [a_transaction("a@x.com b@x.com"), a_transaction()]
    for transaction in window:
        lane.put(transaction)
    lane.take()
    first, second = window[0].end, window[1].end
    assert [lane.due(sent) for sent in (0, 1, first - 1, first, first + 1, second)] == [0, 4, 4, 5, 8, 9]
    lane.receive([b"250 ok"] * 6)
    assert [lane.due(sent) for sent in (first, second)] == [0, 3]
    body = a_lane(ENVELOPE)
    body.put(a_transaction())
    sent = len(body.take()[0])
    assert body.due(1) == 3
    body.receive([b"250 ok", b"250 ok", b"354 go"])
    end = sent + len(body.take()[0])
    assert [body.due(octets) for octets in (sent, end - 1, end)] == [0, 0, 1]


ANSWER = st.sampled_from(
    b"250 2.1.0 ok|250 id|354 go|421 bye|450 later|452 4.5.3 many|503 no|550 no|530 no".split(b"|")
)


@given(
    mode=st.sampled_from([OFF, ENVELOPE, AUTO, CHUNKING]),
    counts=st.lists(st.integers(1, 3), min_size=1, max_size=4),
    answers=st.lists(ANSWER, max_size=30),
    cuts=st.lists(st.integers(0, 400), max_size=12),
    lost=st.sampled_from([CLOSED, SILENT]),
)
def test_whatever_is_answered_each_message_is_finished_once(
    mode: Pipelining, counts: list[int], answers: list[bytes], cuts: list[int], lost: Lost
) -> None:
    """Any answers in any pieces: one end for each message, one outcome a recipient, no yes without a yes."""
    stream = b"".join(answer + b"\r\n" for answer in answers)
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[start:end] for start, end in pairwise(places)]
    parser, lane = ReplyParser(), a_lane(mode)
    waiting = [a_transaction(" ".join(f"p{n}@x.com" for n in range(count))) for count in counts]
    everything, sent = list(waiting), 0
    finished: list[Transaction] = []
    while not lane.over:
        while waiting and lane.room:
            lane.put(waiting.pop(0))
        if lane.awaited is None or mode is CHUNKING:
            sent += len(lane.take()[0])
        if not pieces:
            break
        lane.receive(parser.feed(pieces.pop(0)))
        finished += lane.done
        lane.done.clear()
    lane.abandon(sent, lost)
    finished += lane.done
    assert [id(one) for one in finished] == [id(one) for one in everything[: len(finished)]]
    assert len(finished) + len(waiting) == len(everything)
    yeses = sum(answer.startswith(b"250") for answer in answers)
    for one in finished:
        if one.again is not None:
            assert one.again.why is not Why.BYSTANDER or one.again.cause is Cause.CONNECTION
            continue
        answered = [*(outcome.mailbox for outcome in one.outcomes), *chain(*one.left)]
        assert sorted(map(id, answered)) == sorted(map(id, one.mailboxes))
        accepted = [outcome for outcome in one.outcomes if outcome.status is Status.ACCEPTED]
        assert not accepted or yeses >= 2 + len(accepted)


def test_two_messages_in_flight_go_through_their_stages_as_drawn() -> None:
    """The picture in the text of the lanes, line by line: what is in doubt can be read from it."""
    lane, one, two = DataLane(CAN, AUTO, Memory()), a_transaction(), a_transaction()
    lane.put(one)
    assert (one.stage, lane.room) == (Stage.QUEUED, 0)
    lane.take()
    assert one.stage is Stage.ENVELOPE
    lane.receive([b"250 ok", b"250 ok", b"354 go"])
    assert (one.stage, lane.room) == (Stage.INVITED, 1)
    lane.put(two)
    lane.take()
    assert (one.stage, two.stage) == (Stage.SENDING, Stage.ENVELOPE)
    assert (one.is_in_doubt(one.end - 1), one.is_in_doubt(one.end)) == (False, True)
    assert not two.is_in_doubt(one.end + 1_000)
    lane.receive([b"250 taken", b"250 ok", b"250 ok", b"354 go"])
    assert (one.stage, two.stage) == (Stage.DONE, Stage.INVITED)
    assert list(lane.done) == [one]
    assert not one.is_in_doubt(one.end)


def test_a_message_that_was_put_in_and_never_written_is_not_in_doubt() -> None:
    """Nothing of it has left, however much of others has."""
    lane, transaction = ChunkLane(CAN, 8, proved=True), a_transaction()
    lane.put(transaction)
    assert (transaction.stage, lane.room) == (Stage.QUEUED, 7)
    lane.abandon(1_000, Lost("gone", phase=Phase.MAIL))
    assert transaction.stage is Stage.DONE
    assert transaction.outcomes == []
    assert transaction.again is not None
    assert transaction.again.why is Why.CLOSING


@pytest.mark.parametrize(
    ("before", "answer", "why"),
    [
        ([], b"354 go", Why.CLOSING),
        ([b"250 ok"], b"354 go", Why.CLOSING),
        ([b"250 ok", b"250 ok"], b"250 ok", Why.CLOSING),
        ([b"250 ok", b"250 ok"], b"421 bye", Why.CLOSING),
    ],
)
def test_an_answer_that_is_not_in_the_table_ends_the_connection_and_no_message(
    before: list[bytes], answer: bytes, why: Why
) -> None:
    """Nobody knows any more whose answer it is; no text has left, so the message goes again."""
    lane, transaction = DataLane(CAN, AUTO, Memory()), a_transaction()
    lane.put(transaction)
    lane.take()
    lane.receive([*before, answer])
    assert (lane.over, transaction.stage) == (True, Stage.DONE)
    assert transaction.again is not None
    assert transaction.again.why is why

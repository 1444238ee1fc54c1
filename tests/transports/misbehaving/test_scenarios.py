"""What servers do in bad hours, one story each; the judge looks at everything, the test at its point."""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest
from tests.transports.misbehaving import rogue

from vetmail_core import Attachment, Cause, Limits, Phase, Pipelining, SmtpTransport, Status
from vetmail_core.credentials import PlainSecret
from vetmail_core.preferences import AuthenticationType, MailServer, TlsMethod
from vetmail_core.testing.clock import FakeClock
from vetmail_core.transports.smtp import Deadlines

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Iterator

    from tests.transports.misbehaving.rogue import Certificates

    from vetmail_core import Email, Receipt

MODES = pytest.mark.parametrize("mode", list(Pipelining), ids=lambda mode: mode.value)
DATA_MODES = pytest.mark.parametrize(
    "mode", [Pipelining.OFF, Pipelining.ENVELOPE, Pipelining.AUTO], ids=lambda mode: mode.value
)


def causes(receipts: Iterable[Receipt]) -> set[tuple[Status, Cause | None, Phase | None]]:
    """How it ended, why and where, for all of them."""
    return {(o.status, o.cause, o.phase) for receipt in receipts for o in receipt.outcomes}


# -- recipients --------------------------------------------------------------------------------------------


@MODES
@pytest.mark.parametrize("eager", [False, True], ids=["strict", "says 354 to nobody"])
def test_refused_recipients_cost_the_others_nothing(mode: Pipelining, eager: bool) -> None:  # noqa: FBT001 - a row's value
    """Some, all or none of an email's recipients are refused; every other one gets it once."""
    emails = [
        rogue.an_email(0, to="bad0@example.com"),
        rogue.an_email(1, to="p1@example.com bad1@example.com later1@example.com full1@example.com"),
        rogue.an_email(2, to="later2@example.com bad2@example.com"),
        rogue.an_email(3),
        rogue.an_email(4, to="bad4@example.com", bcc="q4@example.com later4@example.com"),
        rogue.an_email(5, to="bad5@example.com"),
    ]
    with rogue.Rogue() as server:
        server.eager = eager
        trial = rogue.deliver(server, emails, mode=mode)
    assert rogue.complaints(trial) == []
    expected = {
        "bad": (Status.REFUSED, Cause.BAD_RECIPIENT, Phase.RCPT, 550),
        "later": (Status.DEFERRED, Cause.OTHER, Phase.RCPT, 450),
        "full": (Status.DEFERRED, Cause.MAILBOX_FULL, Phase.RCPT, 452),
        "p": (Status.ACCEPTED, None, Phase.DOT, 250),
        "q": (Status.ACCEPTED, None, Phase.DOT, 250),
    }
    for receipt in trial.receipts:
        for outcome in receipt.outcomes:
            assert outcome.reply is not None
            word = outcome.mailbox.local_part.rstrip("0123456789")
            assert (outcome.status, outcome.cause, outcome.phase, outcome.reply.code) == expected[word]


@MODES
def test_an_email_to_many_is_split_and_its_blind_copies_stay_secret(mode: Pipelining) -> None:
    """A server that takes four recipients a message gets parts; each recipient gets one copy."""
    many = " ".join(f"bcc{number}@example.com" for number in range(23))
    emails = [rogue.an_email(0, bcc=many), rogue.an_email(1), rogue.an_email(2, bcc=many)]
    with rogue.Rogue() as server:
        server.most_recipients = 4
        trial = rogue.deliver(server, emails, mode=mode, limits=Limits(recipients_per_message=7))
    assert rogue.complaints(trial) == []
    assert trial.statuses() == ["accepted"] * 3
    got = [address for copy in server.copies if copy.number == 0 for address in copy.recipients]
    assert sorted(got) == sorted(["p0@example.com", *many.split()])


@MODES
def test_a_part_that_is_lost_on_the_way_does_not_touch_the_other_parts(mode: Pipelining) -> None:
    """One part of an email in doubt: its recipients are in doubt, and nobody else's."""
    many = " ".join(f"r{number}@example.com" for number in range(9))
    emails = [rogue.an_email(0), rogue.an_email(1, to=many), rogue.an_email(2)]
    with rogue.Rogue(rogue.Fault("dot", "drop", 1)) as server:
        trial = rogue.deliver(server, emails, mode=mode, limits=Limits(recipients_per_message=3))
    assert rogue.complaints(trial) == []
    receipt = trial.receipts[1]
    assert len(receipt.unknown) >= 3
    if mode is not Pipelining.CHUNKING:
        assert (len(receipt.unknown), len(receipt.accepted)) == (3, 6)
        assert receipt.warnings


# -- limits, throttling, pauses ------------------------------------------------------------------------------


@MODES
def test_a_limit_of_messages_on_a_connection_is_nobodys_fault(mode: Pipelining) -> None:
    """421 after three messages, again and again: everything arrives once."""
    emails = [rogue.an_email(number) for number in range(11)]
    with rogue.Rogue() as server:
        server.per_connection = 3
        trial = rogue.deliver(server, emails, mode=mode)
    assert rogue.complaints(trial) == []
    assert trial.statuses() == ["accepted"] * 11
    assert server.connections >= 4


@MODES
def test_a_throttled_run_slows_down_and_recovers(mode: Pipelining) -> None:
    """Replies that say "slower" are heeded with growing pauses, which shrink once the server is content."""
    emails = [rogue.an_email(number) for number in range(12)]
    slow = "451 4.7.1 rate exceeded, slow down"
    with rogue.Rogue() as server:
        server.mail_replies = ["250 2.1.0 ok", slow, slow, slow]
        trial = rogue.deliver(server, emails, mode=mode)
    assert rogue.complaints(trial) == []
    deferred = [receipt for receipt in trial.receipts if receipt.deferred]
    assert len(deferred) == 3
    assert causes(tuple(deferred)) == {(Status.DEFERRED, Cause.THROTTLED, Phase.MAIL)}
    assert trial.statuses().count("accepted") == 9
    assert max(trial.slept) > trial.slept[-1] > 0


@MODES
def test_a_throttling_server_that_hangs_up_is_given_time(mode: Pipelining) -> None:
    """421 4.7.0 is a request to be slower, not a refusal."""
    emails = [rogue.an_email(number) for number in range(5)]
    with rogue.Rogue() as server:
        server.per_connection = 2
        trial = rogue.deliver(server, emails, mode=mode)
    assert rogue.complaints(trial) == []
    assert trial.statuses() == ["accepted"] * 5
    assert trial.slept


@MODES
def test_the_wait_between_emails_is_kept_whatever_breaks(mode: Pipelining) -> None:
    """With a wait time nothing is opened ahead, and a broken line does not shorten the pauses."""
    emails = [rogue.an_email(number) for number in range(4)]
    with rogue.Rogue(rogue.Fault("mail", "drop", 2)) as server:
        trial = rogue.deliver(server, emails, mode=mode, wait_ms=2_000)
    assert rogue.complaints(trial) == []
    if mode is not Pipelining.CHUNKING:
        assert trial.statuses() == ["accepted"] * 4
    assert sum(trial.slept) >= 6


@MODES
def test_too_many_recipients_said_at_mail_gets_a_fresh_connection_first(mode: Pipelining) -> None:
    """452 4.5.3 at MAIL may mean the connection; a fresh one tells."""
    emails = [rogue.an_email(number) for number in range(3)]
    with rogue.Rogue() as server:
        server.mail_replies = ["250 2.1.0 ok", "452 4.5.3 too many recipients"]
        trial = rogue.deliver(server, emails, mode=mode)
    assert rogue.complaints(trial) == []
    assert trial.statuses() == ["accepted"] * 3
    assert server.connections == 2


@MODES
def test_too_large_for_the_server_is_known_before_sending(mode: Pipelining) -> None:
    """SIZE is honoured: the email is refused with TOO_LARGE and not one octet of it is sent."""
    emails = [
        rogue.an_email(0),
        rogue.an_email(1, attachment=Attachment("a.bin", bytes(9_000))),
        rogue.an_email(2),
    ]
    with rogue.Rogue(announced=("PIPELINING", "CHUNKING", "SIZE 8000")) as server:
        trial = rogue.deliver(server, emails, mode=mode)
    assert rogue.complaints(trial) == []
    assert trial.statuses() == ["accepted", "refused", "accepted"]
    assert {o.cause for o in trial.receipts[1].outcomes} == {Cause.TOO_LARGE}
    assert not any("office+1@" in line for line in server.heard)


# -- servers that do not keep their word -------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["500", "early"])
def test_a_server_that_announces_chunking_and_does_not_know_it(kind: str) -> None:
    """BDAT is answered 500: the run goes on by DATA, and nothing is lost or doubled."""
    emails = [rogue.an_email(number) for number in range(4)]
    with rogue.Rogue() as server:
        server.hates_chunks = True
        if kind == "early":
            emails[0] = rogue.an_email(0, attachment=Attachment("a.bin", bytes(300_000)))
        trial = rogue.deliver(server, emails, mode=Pipelining.CHUNKING)
    assert rogue.complaints(trial) == []
    assert trial.statuses() == ["accepted"] * 4


@pytest.mark.parametrize("answer", ["forgets", "complains", "drops"])
@pytest.mark.parametrize("mode", [Pipelining.ENVELOPE, Pipelining.AUTO], ids=lambda mode: mode.value)
def test_a_server_that_announces_pipelining_and_breaks_on_it(mode: Pipelining, answer: str) -> None:
    """Groups go wrong on the first connections: the run steps down and delivers everything in lockstep."""

    class Hasty(rogue.Line):
        def obey(self, line: str) -> None:
            # Whatever came together with a command is not for this server.
            if self.buffer:
                if answer == "drops":
                    raise rogue.Gone
                if answer == "complains":
                    self.send(b"554 5.5.0 SMTP synchronization error\r\n")
                    self.leave()
                self.buffer = b""
            super().obey(line)

    emails = [rogue.an_email(number) for number in range(4)]
    with rogue.Rogue() as server:
        server.line = Hasty
        trial = rogue.deliver(server, emails, mode=mode, deadlines=Deadlines(command=0.4, data=0.4, quit=1))
    assert rogue.complaints(trial) == []
    assert trial.statuses() == ["accepted"] * 4


@pytest.mark.parametrize("answered", [0, 1, 3])
@pytest.mark.parametrize("end", ["drop", "rst", "stall"])
def test_half_a_window_answered_and_then_silence(answered: int, end: str) -> None:
    """CHUNKING: those that were answered are accepted, those that were taken without a word are in doubt."""
    emails = [rogue.an_email(number) for number in range(8)]
    with rogue.Rogue(rogue.Fault("dot", end, 1 + answered)) as server:
        trial = rogue.deliver(
            server, emails, mode=Pipelining.CHUNKING, deadlines=Deadlines(dot=0.5, command=0.5, quit=1)
        )
    assert rogue.complaints(trial) == []
    assert trial.statuses()[: 1 + answered] == ["accepted"] * (1 + answered)
    assert trial.statuses()[1 + answered] == "unknown"


@MODES
def test_a_yes_before_the_end_is_no_yes(mode: Pipelining) -> None:
    """A 250 in the middle of a body does not make a message accepted that never left."""
    emails = [
        rogue.an_email(0),
        rogue.an_email(1, attachment=Attachment("a.bin", bytes(4_500_000))),
        rogue.an_email(2),
    ]
    with rogue.Rogue(rogue.Fault("body", "early_yes", 1, rogue.EVERY_TIME)) as server:
        trial = rogue.deliver(server, emails, mode=mode, deadlines=Deadlines(quit=1))
    assert rogue.complaints(trial) == []
    assert "accepted" not in trial.statuses()[1]


@DATA_MODES
def test_a_no_before_the_end_is_believed_and_ends_the_body(mode: Pipelining) -> None:
    """552 in the middle of a body: refused as too large, once, and the next email goes out."""
    emails = [
        rogue.an_email(0),
        rogue.an_email(1, attachment=Attachment("a.bin", bytes(4_500_000))),
        rogue.an_email(2),
    ]
    with rogue.Rogue(rogue.Fault("body", "early_no", 1)) as server:
        trial = rogue.deliver(server, emails, mode=mode, deadlines=Deadlines(quit=1))
    assert rogue.complaints(trial) == []
    assert trial.statuses() == ["accepted", "refused", "accepted"]
    assert {o.cause for o in trial.receipts[1].outcomes} == {Cause.TOO_LARGE}


@MODES
@pytest.mark.parametrize("kind", ["drop", "rst", "421"])
def test_a_connection_closed_while_it_idled_costs_nothing(mode: Pipelining, kind: str) -> None:
    """The emails come slowly, and the server hangs up meanwhile: each arrives once, none is in doubt."""
    emails = [rogue.an_email(number) for number in range(4)]
    with rogue.Rogue(rogue.Fault("idle", kind, 0)) as server:

        def slowly() -> Iterator[Email]:
            for number, email in enumerate(emails):
                if number == 2:
                    server.acted.wait(0.3)
                    threading.Event().wait(0.05)
                yield email

        trial = rogue.deliver(server, emails, source=slowly(), mode=mode)
    assert rogue.complaints(trial) == []
    if mode is not Pipelining.CHUNKING:
        assert trial.statuses() == ["accepted"] * 4


@pytest.mark.parametrize("mode", [Pipelining.AUTO, Pipelining.CHUNKING], ids=lambda mode: mode.value)
def test_a_body_that_waits_for_the_next_email_is_not_written_into_a_closed_line(mode: Pipelining) -> None:
    """A slow source holds a body back for the next envelope; a server that tires meanwhile is no doubt."""
    emails = [rogue.an_email(number) for number in range(3)]
    gone = threading.Event()

    class Tired(rogue.Line):
        def do_data(self, line: str) -> None:
            if not gone.is_set():
                self.send(b"354 go ahead\r\n")
                self.server.invited.add(self.email)
                gone.set()
                raise rogue.Gone
            super().do_data(line)

    with rogue.Rogue() as server:
        server.line = Tired

        def slowly() -> Iterator[Email]:
            yield emails[0]
            gone.wait(1)
            threading.Event().wait(0.05)
            yield from emails[1:]

        trial = rogue.deliver(server, emails, source=slowly(), mode=mode)
    assert rogue.complaints(trial) == []
    assert trial.statuses() == ["accepted"] * 3


# -- logins and TLS ------------------------------------------------------------------------------------------


@MODES
def test_a_token_that_expires_in_the_middle_is_renewed(mode: Pipelining) -> None:
    """535 at a later connect: a fresh token is asked for once, and the run goes on."""
    good = {"token-1"}
    made: list[str] = []

    def token() -> str:
        made.append("token-1" if len(made) < 2 else "token-2")
        return made[-1]

    def login(words: str) -> str:
        return "235 2.7.0 ok" if any(f"Bearer {word}\x01" in words for word in good) else "535 5.7.8 expired"

    emails = [rogue.an_email(number) for number in range(6)]
    with rogue.Rogue(login=login) as server:

        def source() -> Iterator[Email]:
            for number, email in enumerate(emails):
                if number == 2:
                    good.clear()
                    good.add("token-2")
                yield email

        trial = rogue.deliver(
            server,
            emails,
            source=source(),
            mode=mode,
            token=token,
            authentication=AuthenticationType.OAUTH2,
            username="me@example.com",
            limits=Limits(messages_per_connection=2),
        )
    assert rogue.complaints(trial) == []
    assert trial.statuses() == ["accepted"] * 6
    assert "token-2" in made


@MODES
@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        ("535 5.7.8 no", Cause.AUTHENTICATION),
        ("535 5.7.139 SmtpClientAuthentication is disabled for the Tenant", Cause.AUTHENTICATION),
        ("550 5.7.30 Basic authentication is not supported", Cause.BASIC_AUTH_RETIRED),
        ("534 5.7.9 Application-specific password required", Cause.APP_PASSWORD_NEEDED),
        ("454 4.7.0 Temporary authentication failure", Cause.AUTHENTICATION),
    ],
)
def test_a_refused_login_stops_the_run_at_once(mode: Pipelining, reply: str, cause: Cause) -> None:
    """Nobody is attempted, everybody is answered for, and a permanent refusal is not repeated."""
    emails = [rogue.an_email(number) for number in range(4)]
    with rogue.Rogue(login=lambda _words: reply) as server:
        trial = rogue.deliver(
            server,
            emails,
            mode=mode,
            authentication=AuthenticationType.PASSWORD,
            username="me",
            password=PlainSecret("swordfish"),
        )
    assert rogue.complaints(trial) == []
    assert causes(trial.receipts) == {(Status.NOT_ATTEMPTED, cause, Phase.AUTH)}
    assert {o.reply.code for r in trial.receipts for o in r.outcomes if o.reply} == {int(reply[:3])}
    assert len(server.logins) == (3 if reply.startswith("454") else 1)
    assert "swordfish" not in repr(trial.receipts)


@MODES
def test_a_login_refused_at_a_later_connection_stops_what_is_left(mode: Pipelining) -> None:
    """What was accepted stays accepted; the rest is not attempted, with the reason."""
    said = iter(["235 2.7.0 ok"])
    emails = [rogue.an_email(number) for number in range(5)]
    with rogue.Rogue(login=lambda _words: next(said, "535 5.7.8 no")) as server:
        trial = rogue.deliver(
            server,
            emails,
            mode=mode,
            authentication=AuthenticationType.PASSWORD,
            username="me",
            password=PlainSecret("swordfish"),
            limits=Limits(messages_per_connection=2),
        )
    assert rogue.complaints(trial) == []
    assert trial.statuses() == ["accepted"] * 2 + ["not_attempted"] * 3
    assert len(server.logins) == 2


@pytest.mark.parametrize("tls", [TlsMethod.EXPLICIT, TlsMethod.IMPLICIT], ids=lambda tls: tls.value)
@pytest.mark.parametrize("certificate", ["wrong_name", "stranger", "expired"])
def test_a_certificate_that_is_not_to_be_trusted_stops_the_run(
    certificates: Certificates, tls: TlsMethod, certificate: str
) -> None:
    """Nobody is attempted, nothing but EHLO and STARTTLS is said, and it is not tried again."""
    context: ssl.SSLContext = getattr(certificates, certificate)
    client: ssl.SSLContext = certificates.client
    emails = [rogue.an_email(number) for number in range(3)]
    with rogue.Rogue(tls=tls, context=context, login=lambda _words: "235 2.7.0 ok") as server:
        trial = rogue.deliver(
            server,
            emails,
            client_context=client,
            authentication=AuthenticationType.PASSWORD,
            username="me",
            password=PlainSecret("swordfish"),
        )
    assert rogue.complaints(trial) == []
    assert causes(trial.receipts) == {(Status.NOT_ATTEMPTED, Cause.TLS, Phase.TLS)}
    assert server.connections == 1
    assert server.logins == []


def test_a_stripped_starttls_stops_the_run(certificates: Certificates) -> None:
    """EXPLICIT never goes on in the clear: no MAIL, no AUTH, no message."""
    emails = [rogue.an_email(number) for number in range(3)]
    with rogue.Rogue(tls=TlsMethod.EXPLICIT, context=certificates.good) as server:
        server.offers_tls = False
        trial = rogue.deliver(server, emails, client_context=certificates.client)
    assert rogue.complaints(trial) == []
    assert causes(trial.receipts) == {(Status.NOT_ATTEMPTED, Cause.TLS, Phase.STARTTLS)}
    assert not any(line.startswith(("MAIL", "AUTH")) for line in server.heard)


@pytest.mark.parametrize(
    "octets",
    [b"250 2.1.0 ok\r\n", b"250-forged\r\n250 AUTH PLAIN\r\n", b"250", b"\r\n", b"\x16\x03", b"garbage\r\n"],
    ids=repr,
)
def test_octets_behind_the_answer_to_starttls_are_an_attack(
    certificates: Certificates, octets: bytes
) -> None:
    """Whatever stands behind the 220 in the clear ends the run: a TLS matter, nothing is sent."""
    emails = [rogue.an_email(number) for number in range(3)]
    with rogue.Rogue(tls=TlsMethod.EXPLICIT, context=certificates.good) as server:
        server.injected = octets
        trial = rogue.deliver(server, emails, client_context=certificates.client)
    assert rogue.complaints(trial) == []
    assert {o.cause for r in trial.receipts for o in r.outcomes} == {Cause.TLS}
    assert {o.phase for r in trial.receipts for o in r.outcomes} <= {Phase.STARTTLS, Phase.TLS}
    assert server.connections == 1


# -- the caller's side ---------------------------------------------------------------------------------------


@MODES
def test_emails_that_raise_in_the_middle_get_the_receipts_of_what_was_on_the_way(mode: Pipelining) -> None:
    """The caller's own error comes out after the receipts of everything that was pulled."""
    emails = [rogue.an_email(number) for number in range(6)]

    def source() -> Iterator[Email]:
        yield from emails[:4]
        raise LookupError("the class list is gone")

    with rogue.Rogue() as server:
        trial = rogue.deliver(server, emails, source=source(), mode=mode)
    assert rogue.complaints(trial, error_expected=True) == []
    assert isinstance(trial.error, LookupError)
    assert trial.statuses() == ["accepted"] * 4
    assert len(server.copies) == 4


@MODES
def test_a_caller_that_walks_away_leaves_no_second_copy_behind(mode: Pipelining) -> None:
    """Closed after two receipts, started again with the rest: nobody gets two copies, nobody is forgotten."""
    emails = [rogue.an_email(number) for number in range(9)]
    with (
        rogue.Rogue() as server,
        SmtpTransport(
            MailServer(host="127.0.0.1", port=server.port),
            pipelining=mode,
            clock=FakeClock(),
            deadlines=Deadlines(quit=1),
        ) as transport,
    ):
        run = transport.deliver(emails)
        answered = [next(run), next(run)]
        assert isinstance(run, Generator)
        run.close()
        assert all(receipt.ok for receipt in answered)
        server_has = {copy.number for copy in server.copies}
        rest = [email for number, email in enumerate(emails) if number not in server_has]
        receipts = list(transport.deliver(rest))
        assert all(receipt.ok for receipt in receipts)
        numbers = sorted(copy.number for copy in server.copies)
    assert numbers == list(range(9))


@MODES
def test_a_transport_closed_in_the_middle_answers_for_everything(mode: Pipelining) -> None:
    """close() during a run: what was on the way is heard out, the rest is CANCELLED and not attempted."""
    emails = [rogue.an_email(number) for number in range(30)]
    with rogue.Rogue() as server:
        transport = SmtpTransport(
            MailServer(host="127.0.0.1", port=server.port), pipelining=mode, clock=FakeClock()
        )
        receipts = []
        for receipt in transport.deliver(emails):
            receipts.append(receipt)
            if len(receipts) == 2:
                transport.close()
        server.settled()
        assert [receipt.email for receipt in receipts] == emails
        accepted = [number for number, receipt in enumerate(receipts) if receipt.ok]
        assert sorted(copy.number for copy in server.copies) == accepted
        rest = causes(tuple(receipt for receipt in receipts if not receipt.ok))
    assert rest == {(Status.NOT_ATTEMPTED, Cause.CANCELLED, Phase.MAIL)}


@MODES
def test_two_runs_over_a_server_that_hangs_up_between_them(mode: Pipelining) -> None:
    """A resting connection that died is replaced without a word."""
    emails = [rogue.an_email(number) for number in range(4)]
    with rogue.Rogue(rogue.Fault("idle", "drop", 1)) as server:
        with SmtpTransport(
            MailServer(host="127.0.0.1", port=server.port), pipelining=mode, clock=FakeClock()
        ) as transport:
            first = list(transport.deliver(emails[:2]))
            server.acted.wait(1)
            threading.Event().wait(0.05)
            second = list(transport.deliver(emails[2:]))
        assert [receipt.ok for receipt in (*first, *second)] == [True] * 4
        assert [receipt.attempts for receipt in second] == [1, 1]
        assert server.connections == 2


def test_nobody_listening_is_not_attempted_and_ends() -> None:
    """A closed port: tried for the time there is for reconnecting, then everybody is answered for."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    clock = FakeClock()
    emails = [rogue.an_email(number) for number in range(3)]
    with SmtpTransport(MailServer(host="127.0.0.1", port=port), clock=clock) as transport:
        receipts = tuple(transport.deliver(emails))
    assert causes(receipts) == {(Status.NOT_ATTEMPTED, Cause.CONNECTION, Phase.CONNECT)}
    assert 60 < sum(clock.slept) <= 300


@MODES
@pytest.mark.parametrize("wrong", ["trickle", "stall"])
def test_a_trickle_does_not_extend_a_deadline(mode: Pipelining, wrong: str) -> None:
    """An octet now and then is as good as silence: the last dot's deadline ends the wait, in doubt."""
    emails = [rogue.an_email(0)]
    with rogue.Rogue(rogue.Fault("dot", wrong, 0)) as server:
        trial = rogue.deliver(server, emails, mode=mode, deadlines=Deadlines(dot=0.4, quit=0.3))
    assert rogue.complaints(trial, at_most=5) == []
    assert causes(trial.receipts) == {(Status.UNKNOWN, Cause.CONNECTION, Phase.DOT)}

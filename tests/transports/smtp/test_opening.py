"""From the greeting to the login, as flows: what is said, and what each answer leads to."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, TypeVar

import pytest

from vetmail_core.errors import TransportError
from vetmail_core.preferences import TlsMethod
from vetmail_core.receipts import Cause, Phase
from vetmail_core.transports.smtp.rules.auth import Bearer, Password, fits_in_command, oauth_status, scrubbed
from vetmail_core.transports.smtp.rules.login import MANY, Ask, Failure, Lost, Upgrade, authenticate, start
from vetmail_core.transports.smtp.rules.protocol import Capabilities

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vetmail_core.transports.smtp.rules.login import Flow

_T = TypeVar("_T")
EHLO = b"250-server\n250-STARTTLS\n250 AUTH PLAIN"
PASSWORD = Password("anna", "pa\u00dfwort")
BEARER = Bearer("anna@example.com", "t0ken", "mail.example.com", 587)


def b64(text: str) -> bytes:
    """As logins are written."""
    return base64.b64encode(text.encode())


def play(flow: Flow[_T], answers: Iterable[bytes]) -> tuple[list[bytes], _T]:
    """Run a flow against a list of answers; what it said, and what it came to."""
    said: list[bytes] = []
    rest = iter(answers)
    try:
        step = next(flow)
        while True:
            if isinstance(step, Upgrade):
                said.append(b"<TLS>")
                step = flow.send(b"")
            else:
                assert isinstance(step, Ask)
                said.append(step.octets.removesuffix(b"\r\n"))
                step = flow.send(next(rest))
    except StopIteration as end:
        assert next(rest, None) is None, "answers were left over"
        value: _T = end.value
        return said, value


@pytest.mark.parametrize(
    ("tls", "answers", "said"),
    [
        (TlsMethod.NONE, [b"220 hi", EHLO], [b"", b"EHLO me"]),
        (TlsMethod.IMPLICIT, [b"220 hi", EHLO], [b"", b"EHLO me"]),
        (TlsMethod.NONE, [b"220 hi", b"502 what", b"250 server"], [b"", b"EHLO me", b"HELO me"]),
        (TlsMethod.NONE, [b"220 hi", b"550 5.7.1 go away", b"250 server"], [b"", b"EHLO me", b"HELO me"]),
        (
            TlsMethod.EXPLICIT,
            [b"220 hi", EHLO, b"220 go", EHLO],
            [b"", b"EHLO me", b"STARTTLS", b"<TLS>", b"EHLO me"],
        ),
    ],
)  # fmt: skip
def test_the_way_to_a_line_on_which_one_may_log_in(
    tls: TlsMethod, answers: list[bytes], said: list[bytes]
) -> None:
    """EHLO again after TLS, HELO for servers from before extensions."""
    found, (greeting, _) = play(start("me", tls), answers)
    assert found == said
    assert greeting == "hi"


def test_what_was_heard_before_tls_counts_for_nothing() -> None:
    """Somebody between may have written it."""
    _, (_, capabilities) = play(
        start("me", TlsMethod.EXPLICIT),
        [b"220 hi", b"250-m\n250-STARTTLS\n250 AUTH EVIL", b"220 go", b"250-m\n250 AUTH PLAIN"],
    )
    assert capabilities.mechanisms == ("PLAIN",)
    assert "STARTTLS" not in capabilities


@pytest.mark.parametrize(
    ("answers", "phase", "cause", "tries"),
    [
        ([b"554 no service"], "GREETING", "BLOCKED", "once"),
        ([b"450 4.3.2 busy"], "GREETING", "CONNECTION", "many"),
        ([b"421 4.7.0 too many"], "GREETING", "THROTTLED", "many"),
        ([b"354 what"], "GREETING", "PROTOCOL", "many"),
        ([b"220 hi", b"550 5.7.1 no"], "GREETING", "EHLO_NAME", "once"),
        ([b"220 hi", b"501 5.5.4 HELO requires a name"], "GREETING", "EHLO_NAME", "once"),
        ([b"220 hi", b"421 4.7.0 later (EHLO)"], "GREETING", "EHLO_NAME", "once"),
        ([b"220 hi", b"421 4.3.2 busy"], "GREETING", "THROTTLED", "many"),
        ([b"220 hi", b"554 5.7.1 on our blocklist"], "GREETING", "BLOCKED", "once"),
        ([b"220 hi", b"250 no extensions"], "STARTTLS", "TLS", "once"),
        ([b"220 hi", EHLO, b"454 4.7.0 not now"], "STARTTLS", "TLS", "many"),
        ([b"220 hi", EHLO, b"501 5.5.4 no"], "STARTTLS", "TLS", "once"),
        ([b"220 hi", EHLO, b"250 ok"], "STARTTLS", "PROTOCOL", "many"),
    ],
)
def test_no_session_comes_about(answers: list[bytes], phase: str, cause: str, tries: str) -> None:
    """The failure names phase and cause, and whether another try makes sense; TLS is never gone without."""
    with pytest.raises(Failure) as caught:
        play(start("me", TlsMethod.EXPLICIT), answers)
    failure = caught.value
    assert (failure.phase, failure.cause) == (Phase[phase], Cause[cause])
    assert failure.tries == {"once": 1, "many": MANY}[tries]


@pytest.mark.parametrize(
    ("answers", "cause", "tries", "words"),
    [
        ([b"501 Syntactically invalid argument(s)", b"501 no"], "EHLO_NAME", "once", "501 Syntactically"),
        ([b"501 5.5.4 Invalid domain name", b"550 no"], "EHLO_NAME", "once", "Invalid domain name"),
        ([b"500 what", b"500 what"], "EHLO_NAME", "once", "500 what"),
        ([b"550 <ME> is not a host that I know", b"550 no"], "EHLO_NAME", "once", "is not a host"),
        ([b"421-4.7.0 Try again later (EHLO)\n421 4.7.0 gsmtp"], "EHLO_NAME", "once", "Try again later"),
        ([b"421 4.7.1 me does not match the name of your address"], "EHLO_NAME", "once", "does not match"),
        ([b"421 4.3.2 come back"], "CONNECTION", "many", "come back"),
        ([b"421 Too many connections (EHLO)"], "THROTTLED", "many", "Too many"),
        ([b"421 Service not available"], "THROTTLED", "many", "not available"),
        ([b"554 5.7.1 you are in a block list", b"554 no"], "BLOCKED", "once", "block list"),
        ([b"450 4.3.2 busy"], "THROTTLED", "many", "busy"),
    ],
)
def test_a_refused_name_is_told_from_a_full_or_blocking_server(
    answers: list[bytes], cause: str, tries: str, words: str
) -> None:
    """HELO is tried where plain mail will do; the words to EHLO count, and 421 ends the connection."""
    with pytest.raises(Failure) as caught:
        play(start("me", TlsMethod.NONE), [b"220 hi", *answers])
    failure = caught.value
    assert (failure.phase, failure.cause) == (Phase.GREETING, Cause[cause])
    assert failure.tries == {"once": 1, "many": MANY}[tries]
    assert words in failure.note


@pytest.mark.parametrize(("tls", "login"), [(TlsMethod.NONE, True), (TlsMethod.IMPLICIT, False)])
def test_helo_is_not_said_where_it_cannot_offer_what_is_needed(tls: TlsMethod, *, login: bool) -> None:
    """HELO announces neither STARTTLS nor a login."""
    with pytest.raises(Failure, match="501 no"):
        play(start("me", tls, login=login), [b"220 hi", b"501 no"])


PLAIN = b"AUTH PLAIN " + b64("\0anna\0pa\u00dfwort")
XOAUTH2 = b"AUTH XOAUTH2 " + b64("user=anna@example.com\x01auth=Bearer t0ken\x01\x01")
OAUTHBEARER = b"AUTH OAUTHBEARER " + b64(
    "n,a=anna@example.com,\x01host=mail.example.com\x01port=587\x01auth=Bearer t0ken\x01\x01"
)
LONG = Bearer("anna", "x" * 12_000)


@pytest.mark.parametrize(
    ("credentials", "offered", "answers", "said"),
    [
        (PASSWORD, "PLAIN LOGIN", [b"235 ok"], [PLAIN]),
        (
            PASSWORD,
            "CRAM-MD5 LOGIN",
            [b"334 VXNlcm5hbWU6", b"334 UGFzc3dvcmQ6", b"235 ok"],
            [b"AUTH LOGIN", b64("anna"), b64("pa\u00dfwort")],
        ),
        (
            PASSWORD,
            "PLAIN LOGIN",
            [b"504 no", b"334 ", b"334 ", b"235 ok"],
            [PLAIN, b"AUTH LOGIN", b64("anna"), b64("pa\u00dfwort")],
        ),
        *(
            (
                PASSWORD,
                "PLAIN LOGIN",
                [refusal, b"334 ", b"334 ", b"235 ok"],
                [PLAIN, b"AUTH LOGIN", b64("anna"), b64("pa\u00dfwort")],
            )
            for refusal in (
                b"500 5.5.1 what",
                b"501 5.5.2 what",
                b"502 5.5.1 not here",
                b"503 5.5.1 not now",
                b"534 5.7.9 Mechanism is too weak",
                b"538 5.7.11 Encryption required",
                b"550 not for you",
            )
        ),
        (BEARER, "XOAUTH2 OAUTHBEARER", [b"504 5.5.4 no", b"235 ok"], [XOAUTH2, OAUTHBEARER]),
        (PASSWORD, "PLAIN", [b"334 ", b"235 ok"], [PLAIN, PLAIN.removeprefix(b"AUTH PLAIN ")]),
        (BEARER, "PLAIN XOAUTH2 OAUTHBEARER", [b"235 ok"], [XOAUTH2]),
        (BEARER, "OAUTHBEARER", [b"235 ok"], [OAUTHBEARER]),
        # a server that overlooks what came with the command
        (PASSWORD, "PLAIN", [b"334 go on", b"235 ok"], [PLAIN, PLAIN.split()[-1]]),
        (BEARER, "XOAUTH2", [b"334 ", b"235 ok"], [XOAUTH2, XOAUTH2.split()[-1]]),
        (
            LONG,
            "XOAUTH2",
            [b"334 ", b"235 ok"],
            [b"AUTH XOAUTH2", b64("user=anna\x01auth=Bearer " + "x" * 12_000 + "\x01\x01")],
        ),
    ],
)  # fmt: skip
def test_a_login_says_its_words(
    credentials: Password | Bearer, offered: str, answers: list[bytes], said: list[bytes]
) -> None:
    """The next mechanism where one is refused; passwords in UTF-8; long words without the short cut."""
    found, mechanism = play(
        authenticate(credentials, Capabilities(mechanisms=tuple(offered.split()))), answers
    )
    assert found == said
    assert mechanism in offered


REASON = b"334 " + base64.b64encode(b'{"status":"401","schemes":"bearer"}')


@pytest.mark.parametrize(
    ("credentials", "offered", "answers", "cause", "words"),
    [
        (PASSWORD, "PLAIN LOGIN", [b"535 5.7.8 no"], "AUTHENTICATION", "535 5.7.8 no"),
        (PASSWORD, "PLAIN LOGIN", [b"504 no", b"504 no"], "AUTHENTICATION", "every way"),
        (PASSWORD, "PLAIN LOGIN", [b"534 5.7.9 weak", b"538 no"], "AUTHENTICATION", "every way"),
        (PASSWORD, "PLAIN LOGIN", [b"550 5.7.8 no"], "AUTHENTICATION", "PLAIN was refused"),
        (PASSWORD, "PLAIN LOGIN", [b"535 5.7.139 no"], "AUTHENTICATION", "5.7.139"),
        (PASSWORD, "PLAIN LOGIN", [b"530 no"], "AUTHENTICATION", "530 no"),
        (PASSWORD, "PLAIN LOGIN", [b"550 5.7.30 retired"], "BASIC_AUTH_RETIRED", "5.7.30"),
        (PASSWORD, "PLAIN LOGIN", [b"534 5.7.9 app password"], "APP_PASSWORD_NEEDED", "5.7.9"),
        (PASSWORD, "PLAIN", [b"534 5.7.9 app password"], "APP_PASSWORD_NEEDED", "5.7.9"),
        (PASSWORD, "PLAIN", [b"535 no " + b64("\0anna\0pa\u00dfwort")], "AUTHENTICATION", "no ***"),
        (PASSWORD, "CRAM-MD5", [], "AUTHENTICATION", "offers CRAM-MD5"),
        (PASSWORD, "", [], "AUTHENTICATION", "no login at all"),
        (BEARER, "XOAUTH2", [REASON, b"535 5.7.8 no"], "AUTHENTICATION", "status: 401"),
        (BEARER, "OAUTHBEARER", [REASON, b"535 5.7.8 no"], "AUTHENTICATION", "status: 401"),
        (BEARER, "PLAIN LOGIN", [], "AUTHENTICATION", "XOAUTH2 or OAUTHBEARER"),
    ],
)
def test_a_refused_login_is_the_last_try(
    credentials: Password | Bearer, offered: str, answers: list[bytes], cause: str, words: str
) -> None:
    """One 535 is enough; the server's words are kept, our secrets are not."""
    with pytest.raises(Failure) as caught:
        play(authenticate(credentials, Capabilities(mechanisms=tuple(offered.split()))), answers)
    assert caught.value.cause is Cause[cause]
    assert caught.value.tries == 1
    assert words in caught.value.note
    assert "wort" not in caught.value.note
    assert ("the token's status" in caught.value.note) is ("status" in words)


@pytest.mark.parametrize(("answer", "tries"), [(b"454 4.7.0 later", 3), (b"421 4.7.0 too many lines", MANY)])
def test_a_login_that_fails_in_passing_is_tried_a_few_times(answer: bytes, tries: int) -> None:
    """454 4.7.0 passes, but not for ever; being too fast is no matter of the login."""
    with pytest.raises(Failure) as caught:
        play(authenticate(PASSWORD, Capabilities(mechanisms=("PLAIN",))), [answer])
    assert caught.value.tries == tries


@pytest.mark.parametrize(("mechanism", "answer"), [("XOAUTH2", b""), ("OAUTHBEARER", b"AQ==")])
@pytest.mark.parametrize("reason", ['{"status":"401"}', '{"schemes":"bearer"}', "no json"])
def test_the_reason_why_a_token_is_refused_is_answered_as_its_mechanism_wants(
    mechanism: str, answer: bytes, reason: str
) -> None:
    """An empty line, or one octet of value 1 (RFC 7628, 3.2.3); then the refusal itself comes."""
    flow = authenticate(BEARER, Capabilities(mechanisms=(mechanism,)))
    next(flow)
    ask = flow.send(b"334 " + b64(reason))
    assert isinstance(ask, Ask)
    assert ask.octets == answer + b"\r\n"


def test_the_first_word_goes_with_the_command_as_long_as_the_line_holds_it() -> None:
    """A line of a login has 12,288 octets at most, its end among them (RFC 4954, 4)."""
    room = 12_288 - len("AUTH PLAIN \r\n")
    assert [fits_in_command("PLAIN", b"x" * count) for count in (room, room + 1)] == [True, False]
    assert not fits_in_command("LOGIN", b"x")


def test_a_server_that_asks_on_and_on_is_left() -> None:
    """A login has so many words and no more."""
    with pytest.raises(Lost, match="more than the login has"):
        play(authenticate(PASSWORD, Capabilities(mechanisms=("PLAIN",))), [b"334 ", b"334 "])


def test_a_refused_token_is_renewed_once() -> None:
    """The second token goes over the same line; a second refusal is the last."""
    fresh: list[Bearer | None] = [Bearer("anna@example.com", "newer"), None]
    said, mechanism = play(
        authenticate(BEARER, Capabilities(mechanisms=("XOAUTH2",)), lambda: fresh.pop(0)),
        [REASON, b"535 5.7.8 expired", b"235 ok"],
    )
    assert said[:2] == [XOAUTH2, b""]
    assert b"newer" in base64.b64decode(said[2].split()[-1])
    assert mechanism == "XOAUTH2"


@pytest.mark.parametrize(
    ("challenge", "status"),
    [
        (REASON, "401"),
        (b"334 " + b64('{"status":"invalid_token\\n\\u001b[2J"}'), ""),
        (b"334 " + b64('{"status":"invalid_token"}'), "invalid_token"),
        (b"334 " + b64('{"status":"ya29.c2VjcmV0"}'), ""),
        (b"334 " + b64('{"status":"' + "x" * 99 + '"}'), ""),
        (b"334 " + b64("[1]"), ""),
        (b"334 " + b64("no json"), ""),
        (b"334 ???", ""),
        (b"334 ", ""),
    ],
)
def test_the_status_of_a_refused_token_is_shown_safely(challenge: bytes, status: str) -> None:
    """JSON by a stranger: a number or one of the known words, or nothing, as it may repeat the token."""
    assert oauth_status(challenge) == status


def test_words_that_a_login_cannot_carry_are_refused() -> None:
    """NUL would end PLAIN's fields, and 0x01 OAuth's; a line end comes from reading a file."""
    for username, password in (("anna", "a\0b"), ("anna", "word\n"), ("an\x7fna", "word")):
        with pytest.raises(TransportError, match="control character"):
            Password(username, password).words("PLAIN")
    for username, token in (
        ("anna", "a\x01b"),
        ("anna", "tök"),
        ("anna", "t\r\n"),
        ("anna", ""),
        ("an\nna", "t"),
    ):
        with pytest.raises(TransportError, match="OAuth"):
            Bearer(username, token).words("XOAUTH2")


def test_a_secret_a_server_repeats_is_taken_out() -> None:
    """Of every line, but never out of the codes."""
    assert scrubbed(b"500-what is 500\n500 AGFu", (b"500", b"AGFu")) == b"500-what is ***\n500 ***"


def test_credentials_do_not_print() -> None:
    """Neither kind shows what it holds."""
    assert "wort" not in repr(PASSWORD)
    assert "t0ken" not in repr(BEARER)

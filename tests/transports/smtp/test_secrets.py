"""Where a password or token must not turn up, whatever the server does with it."""

from __future__ import annotations

import base64
import logging
import pickle
import re
import traceback
from typing import TYPE_CHECKING

import pytest
from tests.transports.smtp.scripted import Act, Line, hurry

from vetmail_core.credentials import PlainSecret
from vetmail_core.errors import TransportError
from vetmail_core.preferences import AuthenticationType
from vetmail_core.receipts.report import Tally
from vetmail_core.transports.smtp import Limits
from vetmail_core.transports.smtp.rules.auth import Bearer, Hidden, Password
from vetmail_core.transports.smtp.rules.login import authenticate
from vetmail_core.transports.smtp.rules.protocol import Capabilities

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.transports.smtp.scripted import Connect, MakeSome, Serve

USER = "anna@example.com"
PASSWORD = "pa\u00dfwort-Zeppelin"
TOKEN = "Zeppelin-access-token"
WAYS = {
    "PLAIN": (AuthenticationType.PASSWORD, PASSWORD),
    "LOGIN": (AuthenticationType.PASSWORD, PASSWORD),
    "XOAUTH2": (AuthenticationType.OAUTH2, TOKEN),
    "OAUTHBEARER": (AuthenticationType.OAUTH2, TOKEN),
}


class Parrot(Line):
    """A server that says back what it hears of a login, in one way or another."""

    manner = ""

    def do_auth(self, line: str) -> None:
        """Repeat it."""
        heard = line
        if line.endswith("LOGIN"):
            heard += f" {self.challenge('VXNlcm5hbWU6')} {self.challenge('UGFzc3dvcmQ6')}"
        words = heard.split(" ")
        clear = " ".join(base64.b64decode(word).decode() for word in words[2:]).replace("\0", " ")
        clear = clear.replace("\x01", " ")
        self.server.heard.append(clear)
        answer = {
            "refused": f"535 5.7.8 no: {heard} ({clear})",
            "refused in passing": f"454 4.7.0 later: {heard} ({clear})",
            "unknown": f"500 5.5.1 unknown command {heard}",
            "many lines": f"535-5.7.8 {heard}\r\n535 5.7.8 {clear}",
            "echo": f"{heard} {clear}",
            "half an answer": f"535 5.7.8 {heard} {clear}\r\n53",
            "accepted": f"235 2.7.0 welcome, {heard} ({clear})",
        }[self.manner]
        self.send(f"{answer}\r\n".encode())


MANNERS = ("refused", "refused in passing", "unknown", "many lines", "echo", "half an answer", "accepted")


def forms_of(secret: str) -> set[str]:
    """What must not be seen: the secret, and every way a login writes it."""
    words: set[bytes] = {secret.encode(), base64.b64encode(secret.encode())}
    words |= set(Password(USER, secret).secrets)
    if secret.isascii():
        words |= set(Bearer(USER, secret, "127.0.0.1", 0).secrets)
    # A part of one is enough to give it away.
    return {bytes(word).decode()[-16:].rstrip("=") for word in words} | {repr(secret)[1:-1]}


def shown_of(secret: str, everything: str) -> list[str]:
    """Where it turns up: the surroundings, for whoever has to mend it."""
    return [
        everything[max(0, found.start() - 160) : found.end() + 40]
        for form in forms_of(secret)
        for found in re.finditer(re.escape(form), everything)
    ]


def everything_of(error: BaseException) -> Iterator[str]:
    """An error as a careless program or a crash reporter shows it: all causes, all local variables."""
    yield repr(error)
    assert error.__traceback__ is not None
    deeper = error.__traceback__.tb_next  # without the test's own variables, which know the secret
    told = traceback.TracebackException(type(error), error, deeper, capture_locals=True)
    yield from told.format()


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("mechanism", WAYS)
def test_no_secret_is_shown_by_anything_a_run_leaves_behind(
    serve: Serve,
    connect: Connect,
    emails: MakeSome,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    mechanism: str,
    manner: str,
) -> None:
    """Receipts, reports, errors with their local variables, transcripts, logs and what is printed."""
    caplog.set_level(logging.DEBUG)
    authentication, secret = WAYS[mechanism]
    server = serve(mechanisms=(mechanism,))
    server.line = type("Parrot", (Parrot,), {"manner": manner})
    options: dict[str, object] = {"authentication": authentication, "username": USER}
    if authentication is AuthenticationType.PASSWORD:
        options["password"] = PlainSecret(secret)
    else:
        options["token"] = lambda: secret
    seen: list[str] = []
    deadlines = hurry(auth=1) if manner == "half an answer" else hurry()
    transport = connect(server, limits=Limits(reconnect_seconds=5), deadlines=deadlines, **options)
    receipts = list(transport.deliver(emails(2)))
    tally = Tally()
    for receipt in receipts:
        tally.add(receipt)
    report = tally.report()
    seen += [repr(receipts), str(report), repr(report), repr(pickle.dumps(receipts)), repr(transport)]
    seen += [*transport.transcript, repr(vars(transport))]
    try:
        found = transport.check()
        seen += [repr(found), str(found), *found.transcript]
    except TransportError as error:
        seen += everything_of(error)
    seen += [caplog.text, *capfd.readouterr()]
    everything = "\n".join(seen)
    assert any(secret in line for line in server.heard), "the server was told the secret"
    assert "AUTH" in everything
    assert shown_of(secret, everything) == []


@pytest.mark.parametrize("kind", ["drop", "stall", "flood", "trickle"])
@pytest.mark.parametrize("mechanism", WAYS)
def test_no_secret_is_shown_when_the_line_breaks_in_the_middle_of_a_login(
    serve: Serve, connect: Connect, mechanism: str, kind: str
) -> None:
    """The traceback leads through everything that had the secret in its hands."""
    authentication, secret = WAYS[mechanism]
    server = serve(mechanisms=(mechanism,)).always("AUTH", Act(kind, b"250-x\r\n" * 300))
    options: dict[str, object] = {"authentication": authentication, "username": USER}
    if authentication is AuthenticationType.PASSWORD:
        options["password"] = PlainSecret(secret)
    else:
        options["token"] = lambda: secret
    with pytest.raises(TransportError) as caught:
        connect(server, deadlines=hurry(auth=1), **options).check()
    everything = "\n".join(everything_of(caught.value))
    assert "hidden octets" in everything
    assert shown_of(secret, everything) == []


def test_octets_of_a_login_show_nothing_of_themselves() -> None:
    """They are sent as they are, and shown as a count."""
    hidden = Hidden(b"AHNhbQBzZWNyZXQ=")
    assert bytes(hidden) == b"AHNhbQBzZWNyZXQ="
    assert repr(hidden) == str(hidden) == f"{hidden}" == "<16 hidden octets>"
    flow = authenticate(Password(USER, PASSWORD), Capabilities(mechanisms=("PLAIN",)))
    shown = repr(next(flow))
    assert shown_of(PASSWORD, shown) == []

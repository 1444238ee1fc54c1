"""What the room loads, and what it never shows."""

from __future__ import annotations

import json
import logging
import pickle
import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest
from tests.tokens.endpoint import CLIENT, SECRET, TENANT, TokenEndpoint

from vetmail_core.credentials import EnvironmentSecret, PlainSecret
from vetmail_core.errors import TokenError, VetmailError
from vetmail_core.message import Email
from vetmail_core.preferences import AuthenticationType, MailServer
from vetmail_core.recipients import Recipients
from vetmail_core.message import Content
from vetmail_core.address import Mailbox
from vetmail_core.testing import LocalSmtpServer
from vetmail_core.testing.clock import FakeClock
from vetmail_core.tokens import FileTokens, GoogleServiceAccount, MicrosoftApp, MicrosoftSignIn
from vetmail_core.transports import Limits, SmtpTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

LATE = "['msal', 'google', 'requests', 'cryptography', 'ssl', 'http.client', 'urllib.request']"


def test_preferences_with_a_source_are_loaded_and_checked_without_its_packages(tmp_path: Path) -> None:
    """They are imported when a token is first fetched."""
    file = tmp_path / "preferences.json"
    secret = {"environment": "VETMAIL_APP"}
    oauth = {"microsoft_app": {"tenant": TENANT, "client_id": CLIENT, "secret": secret}}
    server = {"host": "smtp.office365.com", "authentication": "oauth2", "oauth": oauth}
    file.write_text(json.dumps({"schema": 1, "mail_server": server}), encoding="utf-8")
    code = (
        "import sys; before = set(sys.modules)\n"
        "from vetmail_core import check_preferences, load_preferences\n"
        "check_preferences(load_preferences(sys.argv[1]))\n"
        f"print([name for name in {LATE} if name in sys.modules and name not in before])\n"
    )
    words = [sys.executable, "-c", code, str(file)]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize(("package", "extra"), [("msal", "microsoft"), ("google.oauth2", "google")])
def test_without_its_package_a_source_names_the_install_command(
    endpoint: TokenEndpoint, client_key: RSAPrivateKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    package: str, extra: str,
) -> None:  # fmt: skip
    """Once, and the run ends: nothing gets better by waiting."""
    (tmp_path / "key.json").write_text(endpoint.service_account(client_key), encoding="utf-8")
    source: MicrosoftApp | GoogleServiceAccount = GoogleServiceAccount(
        tmp_path / "key.json", mailbox="a@example.com"
    )
    if package == "msal":
        source = MicrosoftApp(
            tenant=TENANT, client_id=CLIENT, secret=PlainSecret(SECRET), authority=endpoint.authority
        )
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(TokenError, match=rf'pip install "vetmail_core\[{extra}\]"') as caught:
        source()
    assert not caught.value.transient
    assert endpoint.posts == []


def shown(error: BaseException | None) -> str:
    """An error as a careless program prints it: chain, causes, and the local variables of our frames."""
    text = ""
    while error is not None:
        frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack
        ours = [frame for frame in frames if "/tests/" not in frame.filename]
        text += f"{error!r} {error} {error.__dict__} {[(frame.line, frame.locals) for frame in ours]}"
        error = error.__cause__ or error.__context__
    return text


def test_no_failure_shows_a_secret(
    endpoint: TokenEndpoint, client_key: RSAPrivateKey, tmp_path: Path, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder,
) -> None:  # fmt: skip
    """Not in texts, representations, logs of the packages at DEBUG, tracebacks, receipts or transcripts."""
    caplog.set_level(logging.DEBUG)
    key_text = endpoint.service_account(client_key)
    (tmp_path / "key.json").write_text(key_text, encoding="utf-8")
    monkeypatch.setenv("VETMAIL_KEY", key_text)
    cache = FileTokens(tmp_path / "sign-ins.json")
    app = MicrosoftApp(
        tenant=TENANT, client_id=CLIENT, secret=PlainSecret(SECRET), authority=endpoint.authority
    )
    person = MicrosoftSignIn(
        tenant=TENANT, client_id=CLIENT, mailbox="kim@example.com", cache=cache, authority=endpoint.authority
    )
    account = GoogleServiceAccount(EnvironmentSecret("VETMAIL_KEY"), mailbox="office@example.com")
    in_file = GoogleServiceAccount(tmp_path / "key.json", mailbox="office@example.com")
    person.sign_in(lambda _text: None, clock=FakeClock())
    said: list[str] = []
    answers: list[tuple[int, object, dict[str, str]] | str] = [
        (503, "", {}), (429, "", {"Retry-After": "9"}), (200, "<html>", {}), "drop", (200, {}, {}),
        endpoint.refusal(7000215, "invalid_client", 401), endpoint.refusal(50173, "invalid_grant", 400),
        (400, {"error": "invalid_grant"}, {}), (200, {"access_token": 5}, {}),
    ]  # fmt: skip
    for answer in answers:
        for source in (app, person, account, in_file):
            source.refused()
            endpoint.script = [answer]
            said.append(told(source))
    for source in (app, person, account):
        endpoint.discovery = [(503, "", {}), "drop"]
        source.refused()
        said += [told(source), repr(source), str(source), str(attrs.asdict(source))]
    with pytest.raises(TypeError):
        pickle.dumps(app)
    said.append(repr(pickle.dumps(account)) + repr(pickle.dumps(person)))
    email = Email(
        sender=Mailbox("office@example.com"),
        recipients=Recipients(to=("kim@example.com",)),
        content=Content("S", "T"),
    )
    with LocalSmtpServer(token="another") as server:
        tab = MailServer(
            host=server.host, port=server.port, authentication=AuthenticationType.OAUTH2,
            username="office@example.com", oauth=app,
        )  # fmt: skip
        endpoint.script, endpoint.discovery = [], []
        with SmtpTransport(tab, clock=FakeClock(), limits=Limits(reconnect_seconds=0)) as transport:
            for receipt in transport.deliver([email]):
                said += [repr(receipt), receipt.reason, str(receipt.outcomes), repr(transport), repr(tab)]
            with pytest.raises(VetmailError) as caught:
                transport.check()
            said += [shown(caught.value), str(transport.transcript)]
    said += [record.getMessage() + str(record.args) + str(record.exc_text) for record in caplog.records]
    said += [str(warning.message) for warning in recwarn]
    everything = "\n".join(said)
    pem = json.loads(key_text)["private_key"]
    secrets = {SECRET, pem, pem.splitlines()[1], "rrrrrrrrrr", *endpoint.tokens, *endpoint.refresh_tokens}
    for token in endpoint.tokens:
        secrets.add(token.rpartition(".")[2])
    assert not [secret[:20] for secret in secrets if secret in everything]
    assert "Told-by-nobody" not in everything


def told(source: Callable[[], str]) -> str:
    """What a failing source raises, in every form."""
    try:
        source()
    except TokenError as error:
        return shown(error)
    return ""

"""The command line, run as a user runs it: words in, text and a status out."""

from __future__ import annotations

import json
import shutil
import signal
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest

from vetmail_core import Login, PlainSecret, TlsMethod
from vetmail_core.__main__ import main
from vetmail_core.testing import LocalSmtpServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXAMPLES = Path(__file__).parents[2] / "examples"


@attrs.frozen
class Said:
    """What a command left: its status, its lines, and the folder."""

    status: int
    out: str
    err: str
    outbox: Path

    @property
    def files(self) -> list[Path]:
        """The emails in the outbox."""
        return sorted(self.outbox.glob("*.eml"))


@pytest.fixture(autouse=True)
def hangups_are_heard() -> Iterator[None]:
    """The tests may run under nohup, where a command would ignore that its terminal is gone."""
    if not hasattr(signal, "SIGHUP"):
        yield
        return
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture(autouse=True)
def as_many_columns_as_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are as long as they are: pytest's own workers set a width, which is not the user's."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with the examples in it, to stand in."""
    for example in (
        "email-preferences.json",
        "class-of-ten.csv",
        "class-reminder.txt",
        "class-reminder.html",
    ):
        shutil.copy(EXAMPLES / example, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def change_preferences(folder: Path) -> Callable[..., None]:
    """Change settings in the preferences file: ``change(mail_server={"port": 25})``."""

    def change(**parts: object) -> None:
        path = folder / "email-preferences.json"
        data = json.loads(path.read_text(encoding="utf-8"))
        for name, value in parts.items():
            if isinstance(value, dict):
                data[name].update(value)
            else:
                data[name] = value
        path.write_text(json.dumps(data), encoding="utf-8")

    return change


@pytest.fixture
def vetmail(folder: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Run one command in the folder."""

    def run(*words: str) -> Said:
        try:
            status = main(words)
        except SystemExit as ended:  # argparse ends the process itself
            status = ended.code if isinstance(ended.code, int) else -1
        said = capsys.readouterr()
        return Said(status, said.out, said.err, folder / "outbox")

    return run


@pytest.fixture
def reminder(vetmail: Callable[..., Said]) -> Callable[..., Said]:
    """The README's command, with further words behind it: ``reminder("send", "--cc", ...)``."""

    def run(command: str, *words: str) -> Said:
        given = ["--preferences", "email-preferences.json", "--people", "class-of-ten.csv"]
        given += ["--subject", "Reminder: ${class} starts ${starts}", "--text", "class-reminder.txt"]
        return vetmail(command, *given, *words)

    return run


@pytest.fixture
def live_server(
    change_preferences: Callable[..., None], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> Iterator[LocalSmtpServer]:
    """A server with STARTTLS and AUTH that the preferences name and whose certificate is trusted."""
    login = Login("office@example.com", PlainSecret("quiet-otter"))
    with LocalSmtpServer(tls=TlsMethod.EXPLICIT, login=login) as server:
        trusted = map(ssl.DER_cert_to_PEM_cert, server.client_context.get_ca_certs(binary_form=True))
        (folder / "authority.pem").write_text("".join(trusted), encoding="ascii")
        monkeypatch.setenv("SSL_CERT_FILE", str(folder / "authority.pem"))
        monkeypatch.setenv("VETMAIL_PASSWORD", "quiet-otter")
        change_preferences(mail_server={"host": server.host, "port": server.port})
        yield server

"""check and paths: the settings, looked at before mail depends on them."""

from __future__ import annotations

import json
import ssl
from typing import TYPE_CHECKING

import pytest

from vetmail_core import Login, PlainSecret, TlsMethod, default_preferences_path
from vetmail_core.testing import LocalSmtpServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Said

FILE = ("--preferences", "email-preferences.json")


def test_findings_come_with_advice_and_warnings_alone_are_status_0(
    vetmail: Callable[..., Said], change_preferences: Callable[..., None]
) -> None:
    """Mail can leave; what is unwise is said."""
    change_preferences(settings={"bulk_copies": "every_recipient"})
    said = vetmail("check", *FILE)
    assert said.status == 0
    assert "settings.bulk_copies" in said.out
    assert "-> " in said.out
    assert said.out.endswith("\n1 finding, 0 of them errors\n")


def test_an_error_is_status_1_and_nothing_is_connected(
    vetmail: Callable[..., Said], change_preferences: Callable[..., None]
) -> None:
    """Mail would not leave, so there is nothing to try."""
    change_preferences(mail_server={"host": ""})
    said = vetmail("check", "--connect", *FILE)
    assert said.status == 1
    assert "ERROR   mail_server.host" in said.out
    assert "not connected: the errors come first" in said.out
    assert vetmail("check", *FILE).status == 1


def test_a_recipient_without_a_connection_is_a_mistake(vetmail: Callable[..., Said]) -> None:
    """Nobody was asked about them, and "no findings" would read as if the server takes their mail."""
    said = vetmail("check", "--recipient", "ada@example.com", *FILE)
    assert said.status == 2
    assert said.err == (
        "vetmail check: --recipient ada@example.com: expected --connect beside it; only the server can say\n"
    )
    assert said.out == ""


def test_nothing_to_find_is_said(vetmail: Callable[..., Said], folder: Path) -> None:
    """Silence could also mean that nothing was checked."""
    assert vetmail("check", *FILE).out == "no findings\n"
    (folder / "off.json").write_text('{"schema": 1}', encoding="utf-8")
    said = vetmail("check", "--preferences", "off.json", "--connect")
    assert said.status == 0
    assert "\n1 finding, 0 of them errors\nnothing to connect to: the built-in client is off" in said.out


def test_connecting_tells_what_the_server_offers_and_sends_nothing(
    vetmail: Callable[..., Said],
    change_preferences: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
) -> None:
    """A real connection with STARTTLS and AUTH; wrong logins and refused recipients are status 1."""
    login = Login("office@example.com", PlainSecret("quiet-otter"))
    with LocalSmtpServer(tls=TlsMethod.EXPLICIT, login=login) as server:
        trusted = map(ssl.DER_cert_to_PEM_cert, server.client_context.get_ca_certs(binary_form=True))
        (folder / "authority.pem").write_text("".join(trusted), encoding="ascii")
        monkeypatch.setenv("SSL_CERT_FILE", str(folder / "authority.pem"))
        monkeypatch.setenv("VETMAIL_PASSWORD", "quiet-otter")
        change_preferences(
            mail_server={"host": server.host, "port": server.port},
            settings={"default_from": '"The Office" <news@example.com>'},
        )
        server.faults.refuse("gone@example.com")

        fine = vetmail("check", "--connect", "--recipient", "ada@example.com", *FILE)
        assert fine.status == 0, fine.out
        assert "AUTH" in fine.out
        # Not the login's address: that of the mail.
        assert "From news@example.com" in fine.out

        refused = vetmail("check", "--connect", "--recipient", "gone@example.com", *FILE)
        assert refused.status == 1

        monkeypatch.setenv("VETMAIL_PASSWORD", "wrong-otter")
        wrong = vetmail("check", "--connect", *FILE)
        assert wrong.status == 1
        assert wrong.out.startswith("no findings\nthe connection failed: 127.0.0.1 port ")
        assert "the check stopped at AUTH" in wrong.out
        assert "otter" not in fine.out + refused.out + wrong.out + wrong.err
        assert server.emails == ()


def test_without_a_from_address_the_empty_sender_is_asked_about(
    vetmail: Callable[..., Said], change_preferences: Callable[..., None]
) -> None:
    """Each staff member's own address is the From then, and which one is not known yet."""
    with LocalSmtpServer() as server:
        change_preferences(
            mail_server={
                "host": server.host,
                "port": server.port,
                "tls": "none",
                "authentication": "none",
                "username": "",
                "password": None,
            },
            settings={"default_from": None},
        )
        said = vetmail("check", "--connect", *FILE)
    assert "From <>" in said.out, said.out + said.err


@pytest.mark.parametrize("words", [("check",), ("check", "--preferences", "nobody.json")])
def test_no_settings_to_check_is_status_2(
    vetmail: Callable[..., Said], monkeypatch: pytest.MonkeyPatch, folder: Path, words: tuple[str, ...]
) -> None:
    """The missing file is named."""
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(folder / "etc"))
    said = vetmail(*words)
    assert said.status == 2
    assert ".json" in said.err


def test_paths_names_the_shared_file_and_whether_it_is_there(
    vetmail: Callable[..., Said], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """So that a help desk can look at the file that counts; and where sign-ins of this account are kept."""
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(folder / "etc"))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    kept = folder / "state" / "vetmail_core" / "sign-ins.json"
    path = default_preferences_path()
    said = vetmail("paths")
    assert (said.status, said.out) == (0, f"preferences: {path} (not there)\nsign-ins: {kept} (not there)\n")
    path.parent.mkdir(parents=True)
    path.write_text('{"schema": 1}', encoding="utf-8")
    kept.parent.mkdir(parents=True)
    kept.write_text("{}", encoding="utf-8")
    assert vetmail("paths").out == f"preferences: {path} (is there)\nsign-ins: {kept} (is there)\n"


def test_a_file_with_several_mistakes_has_a_line_for_each(vetmail: Callable[..., Said], folder: Path) -> None:
    """All of them at once, each with its setting."""
    server = {"port": 0, "tls": "maybe", "wait_between_emails_ms": -1, "authentication": "card"}
    settings = {"address_separator": "|", "default_from": "office@@example.com"}
    content = {"schema": 1, "mail_server": server, "settings": settings}
    (folder / "six.json").write_text(json.dumps(content), encoding="utf-8")
    said = vetmail("check", "--preferences", "six.json")
    assert said.status == 2
    lines = said.err.splitlines()
    assert len(lines) == 6
    names = [f"mail_server.{name}" for name in server] + [f"settings.{name}" for name in settings]
    assert all(any(f"vetmail check: {name}: " in line for line in lines) for name in names)

"""test: one real email, and what to do when it does not go."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Said

    from vetmail_core.testing import LocalSmtpServer


@pytest.fixture
def try_it(vetmail: Callable[..., Said]) -> Callable[..., Said]:
    """Send the test email."""

    def run(*words: str) -> Said:
        return vetmail("test", "--preferences", "email-preferences.json", "--to", "me@example.com", *words)

    return run


def test_an_email_arrives_and_the_server_is_quoted(
    try_it: Callable[..., Said], live_server: LocalSmtpServer
) -> None:
    """With all that it was sent with, so that a screenshot is enough for a help desk."""
    said = try_it()
    assert said.status == 0, said.err
    (email,) = live_server.emails
    assert email.recipients == ("me@example.com",)
    assert f"host:    {live_server.host}\nport:    {live_server.port}\nTLS:     explicit\n" in said.out
    assert "login:   office@example.com (password)" in said.out
    assert "from:    " in said.out
    assert "server:  250 " in said.out
    assert "result:  accepted" in said.out
    assert said.err == ""
    assert "quiet-otter" not in said.out


def test_a_refused_recipient_is_status_1_with_the_servers_words(
    try_it: Callable[..., Said], live_server: LocalSmtpServer
) -> None:
    """And what to do."""
    live_server.faults.refuse("me@example.com", 550, "5.1.1")
    said = try_it()
    assert said.status == 1
    assert "server:  550 5.1.1" in said.out
    assert "result:  refused" in said.out
    assert len(said.err.splitlines()) == 1


def test_a_line_that_breaks_after_the_text_leaves_a_doubt(
    try_it: Callable[..., Said], live_server: LocalSmtpServer
) -> None:
    """It may have arrived: look before it is sent again."""
    live_server.faults.drop(address="me@example.com")
    said = try_it()
    assert said.status == 1
    assert "result:  unknown" in said.out
    assert "send it again only when it did not arrive" in said.err


def test_a_wrong_password_is_told_without_it(
    try_it: Callable[..., Said], live_server: LocalSmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was tried, so the status is 2."""
    monkeypatch.setenv("VETMAIL_PASSWORD", "wrong-otter")
    said = try_it()
    assert said.status == 2
    assert "wrong-otter" not in said.out + said.err
    assert "password" in said.err
    assert not live_server.emails


@pytest.mark.usefixtures("live_server")
def test_a_certificate_that_nobody_vouches_for_stops_it(
    try_it: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The password goes to no stranger."""
    monkeypatch.delenv("SSL_CERT_FILE")
    said = try_it()
    assert said.status == 2
    assert "certificate" in said.err


def test_nobody_at_the_port_is_one_line_with_host_and_port(
    try_it: Callable[..., Said], change_preferences: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two settings to look at."""
    monkeypatch.setenv("VETMAIL_PASSWORD", "quiet-otter")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    change_preferences(mail_server={"host": "127.0.0.1", "port": port})
    said = try_it()
    assert said.status == 2
    assert len(said.err.splitlines()) == 1
    assert "refused" in said.err
    assert "127.0.0.1" in said.err
    assert str(port) in said.err


def test_an_address_that_is_none_and_a_sender_that_is_missing_stop_it(
    try_it: Callable[..., Said], vetmail: Callable[..., Said], change_preferences: Callable[..., None]
) -> None:
    """Before anybody connects."""
    said = vetmail("test", "--preferences", "email-preferences.json", "--to", "me@@example.com")
    assert (said.status, len(said.err.splitlines())) == (2, 1)
    change_preferences(settings={"default_from": None})
    assert try_it().status == 2


def test_without_the_built_in_client_a_mail_program_would_open(
    try_it: Callable[..., Said], change_preferences: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where this computer has none, that is the one line."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("BROWSER", "/nowhere/at-all")
    change_preferences(use_built_in_client=False)
    said = try_it()
    assert "the mail program of this computer" in said.out
    assert said.status in {1, 2}


def test_a_login_can_be_nobodys_or_the_staff_members(
    try_it: Callable[..., Said], change_preferences: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said as it is used."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    change_preferences(
        mail_server={"host": "127.0.0.1", "port": port, "authentication": "none", "tls": "none"}
    )
    assert "login:   no login\n" in try_it().out
    monkeypatch.setenv("KIM", "secret")
    change_preferences(
        mail_server={"authentication": "password", "use_staff_logins": True, "tls": "explicit"}
    )
    staff = ("--staff", "kim@example.com", "--staff-username", "kim", "--staff-password-environment", "KIM")
    assert "login:   kim (password)" in try_it(*staff).out

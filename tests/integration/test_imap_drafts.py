"""Drafts in a mailbox of Debian's Dovecot: folders, logins, a full mailbox, a restart, a thousand drafts."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import pwd
import subprocess
import time
import tracemalloc
from email import message_from_bytes, policy
from typing import TYPE_CHECKING

import attrs
import pytest
from tests.integration.conftest import free_port, open_folder, wait_for_port

from vetmail_core import (
    Attachment,
    Cause,
    Content,
    Email,
    ImapDrafts,
    Login,
    Mailbox,
    PlainSecret,
    Receipt,
    Recipients,
    Status,
    TlsMethod,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import trustme

PASSWORD = "quiet-otter-ü"
MANY = 1000


@attrs.frozen(kw_only=True)
class Mailboxes:
    """A running Dovecot, whose mailboxes are Maildirs below a folder.

    Attributes:
        tls_port: TLS from the first byte.
        port: STARTTLS.
        folder: one Maildir for each user.
        signing_key: of access tokens.
        restart: ends every connection.
    """

    tls_port: int
    port: int
    folder: Path
    signing_key: bytes
    restart: Callable[[], None]

    def filed(self, folder: str = ".Drafts", user: str = "kim@example.com") -> list[tuple[str, bytes]]:
        """The flags and bytes of what lies in a folder."""
        paths = sorted((self.folder / user / folder).glob("*/*"), key=lambda path: path.name)
        mails = [path for path in paths if path.parent.name in {"cur", "new"}]
        return [(path.name.rpartition(",")[2], path.read_bytes()) for path in mails]

    def token(self, user: str) -> str:
        """An access token (JWT, HS256) that it takes from that user."""

        def part(content: bytes) -> bytes:
            return base64.urlsafe_b64encode(content).rstrip(b"=")

        claims = {"sub": user, "iat": int(time.time()) - 5, "exp": int(time.time()) + 600}
        head = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(json.dumps(claims).encode())
        signature = hmac.new(self.signing_key, head, hashlib.sha256).digest()
        return (head + b"." + part(signature)).decode()


@contextlib.contextmanager
def _dovecot(place: Path, authority: trustme.CA, folders: str, quota: str) -> Iterator[Mailboxes]:
    tls_port, port, key = free_port(), free_port(), os.urandom(32)
    keys = place / "keys/default/HS256"
    keys.mkdir(parents=True)
    (keys / "default").write_bytes(base64.b64encode(key))
    for part in (place / "keys", *(place / "keys").rglob("*")):
        part.chmod(0o755)
    (place / "home").mkdir()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    (place / "chain.pem").write_bytes(b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
    (place / "key.pem").write_bytes(certificate.private_key_pem.bytes())
    (place / "oauth2.conf.ext").write_text(
        f"introspection_mode = local\nlocal_validation_key_dict = fs:posix:prefix={place}/keys/\n"
        "username_attribute = sub\n",
        encoding="utf-8",
    )
    (place / "dovecot.conf").write_text(
        f"""
protocols = imap
listen = 127.0.0.1
base_dir = {place}/run
state_dir = {place}/state
log_path = {place}/log
ssl = required
ssl_cert = <{place}/chain.pem
ssl_key = <{place}/key.pem
first_valid_uid = 1
mail_location = maildir:{place}/home/%u
auth_mechanisms = plain login xoauth2
auth_failure_delay = 0
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
namespace inbox {{
  inbox = yes
{folders}
}}
mail_plugins = quota
protocol imap {{
  mail_plugins = quota imap_quota
}}
plugin {{
  quota = maildir:User quota
  quota_rule = *:{quota}
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {place}/oauth2.conf.ext
}}
passdb {{
  driver = static
  mechanisms = plain login
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={place}/home/%u
}}
""",
        encoding="utf-8",
    )
    mail = pwd.getpwnam("mail")
    os.chown(place / "home", mail.pw_uid, mail.pw_gid)
    command = ["dovecot", "-F", "-c", str(place / "dovecot.conf")]
    with contextlib.ExitStack() as running, (place / "out").open("ab") as out:

        def start() -> None:
            process = running.enter_context(subprocess.Popen(command, stdout=out, stderr=out))
            running.callback(process.terminate)
            wait_for_port(tls_port)
            wait_for_port(port)

        def restart() -> None:
            running.close()
            start()

        start()
        yield Mailboxes(tls_port=tls_port, port=port, folder=place / "home", signing_key=key, restart=restart)


@pytest.fixture
def dovecot(authority: trustme.CA, request: pytest.FixtureRequest) -> Iterator[Mailboxes]:
    """A running Dovecot; a test may give it folders and a quota."""
    folders, quota = getattr(request, "param", ("", "storage=1G"))
    with open_folder() as place, _dovecot(place, authority, folders, quota) as mailboxes:
        yield mailboxes


def drafts_in(dovecot: Mailboxes, context: ssl.SSLContext, **settings: object) -> ImapDrafts:
    """A transport for Kim's mailbox."""
    usual: dict[str, object] = {
        "port": dovecot.tls_port,
        "login": Login("kim@example.com", PlainSecret(PASSWORD)),
        "ssl_context": context,
    }
    return ImapDrafts("127.0.0.1", **(usual | settings))  # type: ignore[arg-type]


def notice(number: int = 0, **changes: object) -> Email:
    """An email with a blind copy."""
    email = Email(
        sender=Mailbox("kim@example.com", "Kim Lee"),
        recipients=Recipients(to=f"student{number}@example.com", bcc="audit@example.org"),
        content=Content("Your class moved", "Room 7\n", html="<p>Room <b>7</b></p>"),
    )
    return attrs.evolve(email, **changes)  # type: ignore[arg-type]


def special(name: str) -> str:
    """A folder that Dovecot marks for drafts and makes by itself."""
    return f'  mailbox "{name}" {{\n    special_use = \\Drafts\n    auto = create\n  }}\n'


@pytest.mark.parametrize("tls", [TlsMethod.IMPLICIT, TlsMethod.EXPLICIT])
def test_a_draft_lies_in_the_folder_whole(
    dovecot: Mailboxes, client_context: ssl.SSLContext, tls: TlsMethod
) -> None:
    """Marked as a draft (Maildir's D), with its blind copy, its HTML and its attachment."""
    port = dovecot.tls_port if tls is TlsMethod.IMPLICIT else dovecot.port
    content = attrs.evolve(notice().content, attachments=[Attachment("Plan für März.pdf", b"%PDF" * 50_000)])
    with drafts_in(dovecot, client_context, tls=tls, port=port) as drafts:
        [receipt] = drafts.deliver([notice(content=content)])
    assert receipt.ok
    [(flags, data)] = dovecot.filed()
    assert flags == "D"
    message = message_from_bytes(data, policy=policy.default)
    assert message["From"] == "Kim Lee <kim@example.com>"
    assert message["Bcc"] == "audit@example.org"
    assert message["Date"] is not None
    assert [part.get_filename() for part in message.iter_attachments()] == ["Plan für März.pdf"]


@pytest.mark.parametrize(
    ("dovecot", "folder", "lies_in"),
    [
        ((special("Entwürfe"), "storage=1G"), "Drafts", ".Entw&APw-rfe"),
        (('  mailbox "Entwürfe" {\n    auto = create\n  }\n', "storage=1G"), "Entwürfe", ".Entw&APw-rfe"),
        (("  mailbox Drafts {\n    auto = create\n  }\n", "storage=1G"), "Drafts", ".Drafts"),
        (("", "storage=1G"), "Drafts", ".Drafts"),
    ],
    indirect=["dovecot"],
    ids=["special use", "by its name", "named Drafts", "made"],
)
def test_the_folder_is_found(
    dovecot: Mailboxes, client_context: ssl.SSLContext, folder: str, lies_in: str
) -> None:
    """By its mark, by its name in any script, or made."""
    with drafts_in(dovecot, client_context, folder=folder) as drafts:
        [receipt] = drafts.deliver([notice()])
    assert receipt.ok, receipt.reply
    assert len(dovecot.filed(lies_in)) == 1


def test_a_folder_that_is_not_there_is_not_made(dovecot: Mailboxes, client_context: ssl.SSLContext) -> None:
    """The sentence lists the folders there are."""
    with drafts_in(dovecot, client_context, folder="Entwürfe") as drafts:
        [receipt] = drafts.deliver([notice()])
    assert receipt.not_attempted
    assert 'no folder "Entwürfe"; its folders are: INBOX' in str(receipt.reply)


def test_an_access_token_logs_in_and_a_refused_one_is_fetched_anew(
    dovecot: Mailboxes, client_context: ssl.SSLContext
) -> None:
    """XOAUTH2, as at Microsoft and Google."""
    tokens = ["expired", dovecot.token("kim@example.com")]
    with drafts_in(
        dovecot, client_context, login=None, username="kim@example.com", token=lambda: tokens.pop(0)
    ) as drafts:
        [receipt] = drafts.deliver([notice()])
    assert receipt.ok, receipt.reply
    assert tokens == []


def _causes(receipts: list[Receipt]) -> set[tuple[Status, Cause | None]]:
    return {(one.status, one.cause) for receipt in receipts for one in receipt.outcomes}


@pytest.mark.parametrize(
    ("settings", "cause"),
    [
        ({"login": Login("kim@example.com", PlainSecret("wrong-otter"))}, Cause.AUTHENTICATION),
        (
            {"login": None, "username": "kim@example.com", "token": lambda: "wrong-otter"},
            Cause.AUTHENTICATION,
        ),
        ({"ssl_context": None}, Cause.TLS),
        ({"port": 1}, Cause.CONNECTION),
    ],
    ids=["password", "token", "certificate", "port"],
)
def test_what_stops_a_run_is_told_and_shows_no_secret(
    dovecot: Mailboxes, client_context: ssl.SSLContext, settings: dict[str, object], cause: Cause
) -> None:
    """Nothing is filed."""
    with drafts_in(dovecot, client_context, **settings) as drafts:
        receipts = list(drafts.deliver([notice(), notice(1)]))
    assert _causes(receipts) == {(Status.NOT_ATTEMPTED, cause)}
    assert "wrong-otter" not in repr(receipts)
    assert dovecot.filed() == []


@pytest.mark.parametrize("dovecot", [("", "storage=60K")], indirect=True)
def test_a_full_mailbox_refuses_what_does_not_fit_and_the_rest_goes_on(
    dovecot: Mailboxes, client_context: ssl.SSLContext
) -> None:
    """With the server's words."""
    large = attrs.evolve(notice().content, attachments=[Attachment("scan.pdf", b"%PDF" * 20_000)])
    with drafts_in(dovecot, client_context) as drafts:
        receipts = list(drafts.deliver([notice(), notice(1, content=large), notice(2)]))
    assert [receipt.ok for receipt in receipts] == [True, False, True]
    assert _causes(receipts[1:2]) == {(Status.NOT_ATTEMPTED, Cause.MAILBOX_FULL)}
    assert "[OVERQUOTA]" in str(receipts[1].reply)
    assert len(dovecot.filed()) == 2


def test_a_server_that_was_restarted_between_two_runs_is_connected_to_again(
    dovecot: Mailboxes, client_context: ssl.SSLContext
) -> None:
    """Nobody has to know."""
    with drafts_in(dovecot, client_context) as drafts:
        [before] = drafts.deliver([notice()])
        dovecot.restart()
        [after] = drafts.deliver([notice(1)])
    assert before.ok
    assert after.ok, after.reply
    assert len(dovecot.filed()) == 2


def test_a_thousand_drafts_go_over_one_connection_in_flat_memory(
    dovecot: Mailboxes, client_context: ssl.SSLContext
) -> None:
    """Each is there, and none is kept."""
    with drafts_in(dovecot, client_context) as drafts:
        list(drafts.deliver([notice()]))  # what is loaded once is loaded now
        tracemalloc.start()
        try:
            filed = sum(receipt.ok for receipt in drafts.deliver(notice(number) for number in range(1, MANY)))
            _, highest = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert filed == MANY - 1
    assert len(dovecot.filed()) == MANY
    assert highest < 2_000_000, "two megabytes are some hundred drafts"

"""Exim, OpenSMTPD and Dovecot, run beside Postfix without being installed over it.

Debian lets one mail server be installed at a time. Exim and OpenSMTPD are therefore unpacked into a folder
and run in a mount namespace of their own, where the users and spool folders they insist on exist.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import pwd
import re
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import attrs
import pytest
from tests.integration.conftest import free_port, open_folder, wait_for_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import trustme
    from tests.integration.conftest import Postfix

PACKAGES = ("exim4-base", "exim4-daemon-light", "opensmtpd")

_NAMESPACE = """
set -e
mount --bind {folder}/passwd /etc/passwd
mount --bind {folder}/group /etc/group
mount --bind {unpacked}/usr/libexec /usr/libexec
mount -t tmpfs -o mode=755 tmpfs /var/spool
mkdir /var/spool/smtpd && chmod 711 /var/spool/smtpd
mount -t tmpfs -o mode=755 tmpfs /var/lib
mkdir -p /var/lib/opensmtpd/empty
exec "$@"
"""


class Server(Protocol):
    """What the tests ask of a server."""

    port: int

    def filed(self, messages: int) -> dict[str, list[bytes]]:
        """Wait for so many messages; addr-spec -> messages with CRLF, trace headers off."""
        ...


def _read(folder: Path, trace: bytes) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for path in sorted(folder.glob("new/*")):
        raw = path.read_bytes().replace(b"\n", b"\r\n")
        match = re.match(trace, raw)
        assert match is not None, raw[:400]
        found.setdefault(match[1].decode(), []).append(raw[match.end() :])
    return found


def _wait(count: Callable[[], int], wanted: int, *, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while count() < wanted and time.monotonic() < end:
        time.sleep(0.1)


@attrs.frozen(kw_only=True)
class Namespace:
    """Where the unpacked servers believe they are installed."""

    folder: Path
    unpacked: Path

    def command(self, *words: str) -> list[str]:
        """The command that runs another in the namespace."""
        return ["unshare", "--mount", "bash", str(self.folder / "enter"), *words]


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty folder for one server."""
    with open_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def namespace() -> Iterator[Namespace]:
    """Download and unpack the servers."""
    with open_folder() as folder:
        yield _unpack(folder)


def _unpack(folder: Path) -> Namespace:
    subprocess.run(["apt-get", "download", "-qq", *PACKAGES], cwd=folder, check=True, capture_output=True)
    unpacked = folder / "root"
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(package), str(unpacked)], check=True)
    users = Path("/etc/passwd").read_text(encoding="utf-8")
    groups = Path("/etc/group").read_text(encoding="utf-8")
    for number, name in enumerate(("Debian-exim", "opensmtpd", "opensmtpq"), start=7001):
        users += f"{name}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin\n"
        groups += f"{name}:x:{number}:\n"
    (folder / "passwd").write_text(users, encoding="utf-8")
    (folder / "group").write_text(groups, encoding="utf-8")
    (folder / "enter").write_text(_NAMESPACE.format(folder=folder, unpacked=unpacked), encoding="utf-8")
    return Namespace(folder=folder, unpacked=unpacked)


@contextlib.contextmanager
def _running(command: list[str], port: int, log: Path) -> Iterator[None]:
    with log.open("ab") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            wait_for_port(port)
            yield
        finally:
            process.terminate()


@attrs.frozen(kw_only=True)
class Exim:
    """Debian's Exim; it queues, and files what it has when asked."""

    port: int
    folder: Path
    queue_run: list[str]

    def filed(self, messages: int) -> dict[str, list[bytes]]:
        """Run the queue and read the mailbox."""
        del messages  # the queue run ends when all has been filed
        subprocess.run(self.queue_run, check=True, capture_output=True, timeout=300)
        return _read(
            self.folder / "mail/all",
            rb"Return-path: <[^>]*>\r\nEnvelope-to: ([^\r]*)\r\nReceived: [^\r]*\r\n(?:[ \t][^\r]*\r\n)*",
        )


@pytest.fixture
def exim(place: Path, namespace: Namespace, authority: trustme.CA) -> Iterator[Exim]:
    """A running Exim with STARTTLS, PIPELINING and CHUNKING, and an empty mailbox."""
    port = free_port()
    mail = pwd.getpwnam("mail")
    for name in ("spool", "mail", "log"):
        (place / name).mkdir()
        os.chown(place / name, mail.pw_uid, mail.pw_gid)
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    (place / "chain.pem").write_bytes(b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(str(place / "key.pem"))
    config = place / "exim.conf"
    config.write_text(
        f"""
primary_hostname = mail.example.com
local_interfaces = 127.0.0.1.{port}
spool_directory = {place}/spool
log_file_path = {place}/log/%s
pid_file_path = {place}/spool/pid
exim_user = mail
exim_group = mail
never_users =
keep_environment =
tls_advertise_hosts = *
tls_certificate = {place}/chain.pem
tls_privatekey = {place}/key.pem
pipelining_advertise_hosts = *
chunking_advertise_hosts = *
queue_only = true
smtp_accept_max_per_connection = 10000
check_spool_space = 0
acl_smtp_rcpt = accept
acl_smtp_data = accept
begin acl
begin routers
all:
  driver = accept
  transport = filed
begin transports
filed:
  driver = appendfile
  directory = {place}/mail/all
  maildir_format
  user = mail
  group = mail
  envelope_to_add
  return_path_add
begin retry
* * F,1h,1m
""",
        encoding="utf-8",
    )
    program = str(namespace.unpacked / "usr/sbin/exim4")
    daemon = namespace.command(program, "-C", str(config), "-bdf")
    queue_run = namespace.command(program, "-C", str(config), "-qff")
    with _running(daemon, port, place / "out"):
        yield Exim(port=port, folder=place, queue_run=queue_run)


@attrs.frozen(kw_only=True)
class OpenSmtpd:
    """Debian's OpenSMTPD."""

    port: int
    folder: Path

    def filed(self, messages: int) -> dict[str, list[bytes]]:
        """Wait and read the mailbox."""
        _wait(lambda: sum(1 for _ in self.folder.glob("mail/new/*")), messages)
        return _read(
            self.folder / "mail",
            rb"Return-Path: <[^>]*>\r\nDelivered-To: ([^\r]*)\r\nReceived: [^\r]*\r\n(?:[ \t][^\r]*\r\n)*",
        )


@pytest.fixture
def opensmtpd(place: Path, namespace: Namespace) -> Iterator[OpenSmtpd]:
    """A running OpenSMTPD with an empty mailbox.

    Without TLS: Debian 12's build ends every handshake with an internal error, as its key process is older
    than its OpenSSL.
    """
    port = free_port()
    (place / "mail").mkdir()
    mail = pwd.getpwnam("mail")
    os.chown(place / "mail", mail.pw_uid, mail.pw_gid)
    config = place / "smtpd.conf"
    config.write_text(
        f"""
smtp max-message-size 30M
table everybody {{ "@" = mail }}
listen on 127.0.0.1 port {port}
action "file" maildir "{place}/mail" virtual <everybody>
match from any for any action "file"
""",
        encoding="utf-8",
    )
    program = str(namespace.unpacked / "usr/sbin/smtpd")
    with _running(namespace.command(program, "-d", "-f", str(config)), port, place / "out"):
        yield OpenSmtpd(port=port, folder=place)


@attrs.frozen(kw_only=True)
class Dovecot:
    """Debian's Dovecot as a submission service in front of Postfix."""

    port: int
    behind: Postfix
    signing_key: bytes
    folder: Path

    @property
    def logins(self) -> Path:
        """The socket at which Postfix asks it about logins."""
        return self.folder / "logins"

    def trust(self, key: bytes) -> None:
        """Take tokens signed with RS256 by the owner of this public key (PEM); before the first login."""
        path = self.folder / "keys/default/RS256/default"
        path.parent.mkdir(parents=True)
        path.parent.chmod(0o755)
        path.write_bytes(key)
        path.chmod(0o644)

    def token(self, user: str) -> str:
        """An access token (JWT, HS256) that it takes from that user."""

        def part(content: bytes) -> bytes:
            return base64.urlsafe_b64encode(content).rstrip(b"=")

        claims = {"sub": user, "iat": int(time.time()) - 5, "exp": int(time.time()) + 600}
        head = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(json.dumps(claims).encode())
        signature = hmac.new(self.signing_key, head, hashlib.sha256).digest()
        return (head + b"." + part(signature)).decode()

    def filed(self, messages: int) -> dict[str, list[bytes]]:
        """Wait and read Postfix's mailbox; Dovecot's own Received line is taken off too."""
        self.behind.settle(messages=messages)
        received = re.compile(rb"Received: [^\r]*\r\n(?:[ \t][^\r]*\r\n)*")
        return {
            address: [received.sub(b"", raw, count=1) if received.match(raw) else raw for raw in filed]
            for address, filed in self.behind.filed().items()
        }


@pytest.fixture
def dovecot(place: Path, postfix: Postfix, authority: trustme.CA) -> Iterator[Dovecot]:
    """A running submission service with STARTTLS, passwords and OAuth 2.0."""
    port = free_port()
    key = os.urandom(32)
    keys = place / "keys/default/HS256"
    keys.mkdir(parents=True)
    (keys / "default").write_bytes(base64.b64encode(key))
    for part in (place / "keys").rglob("*"):
        part.chmod(0o755)
    (place / "keys").chmod(0o755)
    (place / "home").mkdir()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    (place / "chain.pem").write_bytes(b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
    (place / "key.pem").write_bytes(certificate.private_key_pem.bytes())
    (place / "oauth2.conf.ext").write_text(
        f"introspection_mode = local\nlocal_validation_key_dict = fs:posix:prefix={place}/keys/\n"
        "username_attribute = sub\n",
        encoding="utf-8",
    )
    config = place / "dovecot.conf"
    config.write_text(
        f"""
protocols = submission
listen = 127.0.0.1
base_dir = {place}/run
state_dir = {place}/state
log_path = {place}/log
auth_debug = yes
ssl = required
ssl_cert = <{place}/chain.pem
ssl_key = <{place}/key.pem
hostname = mail.example.com
submission_relay_host = 127.0.0.1
submission_relay_port = {postfix.port}
submission_max_mail_size = 30000000
first_valid_uid = 1
mail_location = maildir:{place}/home
auth_mechanisms = plain login xoauth2 oauthbearer
service auth {{
  unix_listener {place}/logins {{
    mode = 0666
  }}
}}
service submission-login {{
  inet_listener submission {{
    port = {port}
  }}
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {place}/oauth2.conf.ext
}}
passdb {{
  driver = static
  mechanisms = plain login
  args = password=quiet-otter-ü
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={place}/home
}}
""",
        encoding="utf-8",
    )
    mail = pwd.getpwnam("mail")
    os.chown(place / "home", mail.pw_uid, mail.pw_gid)
    with _running(["dovecot", "-F", "-c", str(config)], port, place / "out"):
        yield Dovecot(port=port, behind=postfix, signing_key=key, folder=place)

"""Real servers from Debian's packages, each in a folder and on ports of its own."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest
import trustme

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, *, seconds: float = 20) -> None:
    """Wait until somebody listens."""
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return


@pytest.fixture(scope="session", autouse=True)
def every_package_is_installed() -> None:
    """A server or mail program that is missing ends the run at once; nothing is left out in silence."""
    lines = Path(__file__).with_name("packages.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    query = ["dpkg-query", "--show", "--showformat=${binary:Package} ${db:Status-Status}\n", *wanted]
    said = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    there = {line.split()[0].partition(":")[0] for line in said.splitlines() if line.endswith(" installed")}
    missing = [name for name in wanted if name not in there]
    if missing:
        pytest.exit(f"install the Debian packages {' '.join(missing)}", returncode=1)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority that only these tests trust."""
    return trustme.CA()


@pytest.fixture(scope="session")
def client_context(authority: trustme.CA) -> ssl.SSLContext:
    """What a client needs to trust the servers of these tests."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@attrs.frozen(kw_only=True)
class Postfix:
    """Debian's Postfix with STARTTLS that files mail for anybody at example.com."""

    port: int
    folder: Path

    def filed(self) -> dict[str, list[bytes]]:
        """What has been filed: addr-spec -> the messages as bytes with CRLF, oldest first.

        Postfix's own trace headers (Return-Path to Received) are taken off.
        """
        found: dict[str, list[bytes]] = {}
        for path in sorted((self.folder / "mail/all/new").glob("*")):
            raw = path.read_bytes().replace(b"\n", b"\r\n")
            trace = re.match(
                rb"Return-Path: <[^>]*>\r\nX-Original-To: ([^\r]*)\r\nDelivered-To: [^\r]*\r\n"
                rb"Received: [^\r]*\r\n(?:[ \t][^\r]*\r\n)*",
                raw,
            )
            assert trace is not None, raw[:400]
            found.setdefault(trace[1].decode(), []).append(raw[trace.end() :])
        return found

    def settle(self, *, messages: int, seconds: float = 60) -> int:
        """Wait until that many messages have been filed, and the queue is empty.

        Returns:
            How many there are.
        """
        end = time.monotonic() + seconds
        while True:
            filed = sum(1 for _ in (self.folder / "mail").glob("all/new/*"))
            waiting = sum(
                1
                for part in ("incoming", "active", "maildrop", "deferred")
                for path in (self.folder / "queue" / part).rglob("*")
                if path.is_file()
            )
            if (filed >= messages and not waiting) or time.monotonic() > end:
                return filed
            time.sleep(0.05)

    def write(self, name: str, text: str) -> None:
        """Give it a table, and have it read that."""
        (self.folder / "etc" / name).write_text(text, encoding="utf-8")
        command = ["/usr/sbin/postfix", "-c", str(self.folder / "etc"), "reload"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        time.sleep(0.5)  # a reload says nothing when it is done

    def forget(self) -> None:
        """Empty the mailboxes."""
        shutil.rmtree(self.folder / "mail")
        _owned_folder(self.folder / "mail")


def _owned_folder(path: Path) -> None:
    path.mkdir(parents=True)
    postfix = pwd.getpwnam("postfix")
    os.chown(path, postfix.pw_uid, postfix.pw_gid)


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that servers may walk under users of their own; pytest keeps its folders to one user."""
    with tempfile.TemporaryDirectory(prefix="vetmail-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="session")
def postfix_server(authority: trustme.CA) -> Iterator[Postfix]:
    """A running Postfix; ask for ``postfix`` to get it with empty mailboxes."""
    with open_folder() as folder, running_postfix(folder, authority) as server:
        yield server


@contextlib.contextmanager
def running_postfix(
    folder: Path, authority: trustme.CA, *, settings: str = "", screened: bool = False
) -> Iterator[Postfix]:
    """Run a Postfix in a folder, with more settings in its main.cf."""
    port = free_port()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    chain = folder / "chain.pem"
    chain.write_bytes(
        certificate.private_key_pem.bytes() + b"".join(pem.bytes() for pem in certificate.cert_chain_pems)
    )
    chain.chmod(0o600)
    postfix = pwd.getpwnam("postfix")
    _owned_folder(folder / "data")
    _owned_folder(folder / "mail")
    (folder / "queue").mkdir()
    config = folder / "etc"
    config.mkdir()
    (config / "main.cf").write_text(
        f"""
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.example.com
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_recipient_restrictions = permit_mynetworks, reject
virtual_mailbox_domains = example.com
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:{postfix.pw_uid}
virtual_gid_maps = static:{postfix.pw_gid}
virtual_minimum_uid = 1
virtual_mailbox_limit = 0
mailbox_size_limit = 0
message_size_limit = 30000000
default_transport = error:only example.com is served here
smtpd_tls_chain_files = {chain}
smtpd_tls_security_level = may
smtpd_client_connection_rate_limit = 0
smtputf8_enable = yes
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
{settings.replace("FOLDER", str(config))}
""",
        encoding="utf-8",
    )
    master = Path("/etc/postfix/master.cf").read_text(encoding="utf-8").splitlines()
    kept = [line for line in master if not line.startswith(("smtp      inet", "#"))]
    doors = [f"127.0.0.1:{port} inet n - n - - smtpd"]
    if screened:
        doors = [f"127.0.0.1:{port} inet n - n - 1 postscreen", "smtpd pass - - n - - smtpd"]
    (config / "master.cf").write_text(
        "\n".join([*doors, *kept]).replace(" y       -       -       ", " n       -       -       ") + "\n",
        encoding="utf-8",
    )
    command = ["/usr/sbin/postfix", "-c", str(config)]
    subprocess.run([*command, "start"], check=True, capture_output=True, timeout=60)
    try:
        wait_for_port(port)
        yield Postfix(port=port, folder=folder)
    finally:
        subprocess.run([*command, "stop"], check=False, capture_output=True, timeout=60)


@pytest.fixture
def postfix_with(authority: trustme.CA) -> Iterator[Callable[..., Postfix]]:
    """Start a Postfix with settings of its own; FOLDER in them is where its tables lie."""
    with contextlib.ExitStack() as servers:

        def start(settings: str, *, screened: bool = False) -> Postfix:
            folder = servers.enter_context(open_folder())
            running = running_postfix(folder, authority, settings=settings, screened=screened)
            return servers.enter_context(running)

        yield start


@pytest.fixture
def postfix(postfix_server: Postfix) -> Postfix:
    """A running Postfix with empty mailboxes."""
    postfix_server.forget()
    return postfix_server

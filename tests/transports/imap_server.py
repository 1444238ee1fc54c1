"""An IMAP server for tests, as small as filing drafts needs, that does what a script says."""

from __future__ import annotations

import base64
import contextlib
import re
import socket
import threading
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import ssl

DROP = "DROP"
"""In a script: close the connection instead of an answer."""
DROP_AFTER = "DROP_AFTER"
"""In a script for APPEND: close it once the draft has come."""


class ImapServer:
    """Listens on the loopback address, each connection in a thread of its own.

    Args:
        context: for TLS; None in the clear.
        implicit: TLS from the first byte; otherwise by STARTTLS.

    Attributes:
        folders: LIST's answers, each without `* LIST `.
        capabilities: what the server says of itself.
        password: of whoever logs in.
        tokens: access tokens that are taken.
        script: command -> what to answer in the place of the usual, one after the other; "" is the usual.
        commands: what came, without tags; of a login its name alone.
        drafts: folder, flags and bytes of what was filed.
        untagged: sent before each answer to an APPEND.
    """

    def __init__(self, context: ssl.SSLContext | None = None, *, implicit: bool = True) -> None:
        self.folders = [rb'(\HasNoChildren) "/" INBOX', rb'(\HasNoChildren \Drafts) "/" Drafts']
        self.marked: list[bytes] = []
        self.capabilities = "IMAP4rev1"
        self.greeting = "* OK hello"
        self.password = "quiet-otter"
        self.tokens = {"token-2"}
        self.script: defaultdict[str, deque[str]] = defaultdict(deque)
        self.commands: list[str] = []
        self.drafts: list[tuple[str, str, bytes]] = []
        self.untagged = b""
        self.connections = 0
        self._context = context
        self._implicit = implicit
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._listening.close()
        self.drop_all()

    def drop_all(self) -> None:
        """Close every connection, as after a restart."""
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._open.clear()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self.connections += 1
                threading.Thread(target=self._serve, args=(self._listening.accept()[0],), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            if self._context is not None and self._implicit:
                sock = self._context.wrap_socket(sock, server_side=True)
            self._open.append(sock)
            _Conversation(self, sock).run()
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()

    def secured(self, sock: socket.socket) -> socket.socket:
        """The connection after STARTTLS."""
        assert self._context is not None
        secured = self._context.wrap_socket(sock, server_side=True)
        self._open.append(secured)
        return secured

    def scripted(self, command: str) -> str:
        """What the script says to a command now; "" for the usual."""
        return self.script[command].popleft() if self.script[command] else ""


class _Conversation:
    def __init__(self, server: ImapServer, sock: socket.socket) -> None:
        self._server = server
        self._sock = sock
        self._file = sock.makefile("rb")

    def run(self) -> None:
        self._say(self._server.greeting)
        while line := self._file.readline():
            tag, _, rest = line.decode().strip().partition(" ")
            name, _, arguments = rest.partition(" ")
            name = name.upper()
            self._server.commands.append(name if name in {"LOGIN", "AUTHENTICATE"} else rest)
            answer = self._server.scripted(name)
            if answer == DROP:
                return
            if answer and name != "APPEND":
                self._say(f"{tag} {answer}")
                continue
            said = getattr(self, f"_{name.lower()}")(tag, arguments, answer)
            if said is None:
                return
            self._say(f"{tag} {said} done" if said == "OK" else f"{tag} {said}")
            if name == "LOGOUT":
                return
            if name == "STARTTLS" and said.startswith("OK"):
                self._sock = self._server.secured(self._sock)
                self._file = self._sock.makefile("rb")

    def _say(self, line: str) -> None:
        self._sock.sendall(line.encode() + b"\r\n")

    def _capability(self, *_words: str) -> str:
        self._say(f"* CAPABILITY {self._server.capabilities}")
        return "OK"

    def _noop(self, *_words: str) -> str:
        return "OK"

    def _starttls(self, *_words: str) -> str:
        return "OK begin"

    def _logout(self, *_words: str) -> str:
        self._say("* BYE")
        return "OK"

    def _subscribe(self, *_words: str) -> str:
        return "OK"

    def _enable(self, *_words: str) -> str:
        self._say("* ENABLED UTF8=ACCEPT")
        return "OK"

    def _create(self, _tag: str, name: str, _answer: str) -> str:
        self._server.folders.append(rb'() "/" ' + name.encode())
        return "OK"

    def _login(self, _tag: str, arguments: str, _answer: str) -> str:
        words = re.fullmatch(r'"((?:\\.|[^"\\])*)" "((?:\\.|[^"\\])*)"', arguments)
        assert words is not None, "both words are quoted"
        return self._judged(re.sub(r"\\(.)", r"\1", words[2]))

    def _judged(self, password: str) -> str:
        return "OK" if password == self._server.password else "NO [AUTHENTICATIONFAILED] Invalid credentials"

    def _authenticate(self, _tag: str, mechanism: str, _answer: str) -> str:
        self._say("+ ")
        words = base64.b64decode(self._file.readline()).decode()
        if mechanism == "PLAIN":
            return self._judged(words.split("\0")[2])
        assert mechanism == "XOAUTH2"
        if words.removeprefix("user=kim@example.com\x01auth=Bearer ").rstrip("\x01") in self._server.tokens:
            return "OK"
        self._say("+ " + base64.b64encode(b'{"status":"400"}').decode())
        assert self._file.readline() == b"\r\n", "an empty answer to the explanation"
        return "NO AUTHENTICATE failed."

    def _list(self, _tag: str, arguments: str, _answer: str) -> str:
        for line in self._server.marked if "RETURN" in arguments else self._server.folders:
            self._sock.sendall(b"* LIST " + line + b"\r\n")
        return "OK"

    def _append(self, _tag: str, arguments: str, answer: str) -> str | None:
        words = re.fullmatch(r'"(.*)" \((\S+)\) (UTF8 \(~)?\{(\d+)\}', arguments)
        assert words is not None, arguments
        if answer.startswith(("NO", "BAD")) and "literal" in answer:
            return answer
        self._say("+ go on")
        data = self._file.read(int(words[4]))
        assert self._file.readline() == (b")\r\n" if words[3] else b"\r\n")
        self._sock.sendall(self._server.untagged)
        if answer == DROP_AFTER:
            return None
        if answer:
            return answer
        self._server.drafts.append((words[1], words[2], data))
        return "OK [APPENDUID 1 1] done"

"""SMTP without a socket: replies read, commands written, capabilities understood.

Bytes in, replies out; values in, command lines out. However the incoming bytes are cut, the replies are the
same. A reply that never ends is an error, and so is a command with a control character in it.

A reply travels as its raw lines, joined by LF and without their line ends, until somebody wants to read it:
``raw[:1]`` tells success from failure, and of a hundred thousand replies hardly any is read by a person.
"""

from __future__ import annotations

import re
from typing import Final, Self

import attrs

from vetmail_core._shown import shown_line, shown_octets
from vetmail_core.errors import TransportError
from vetmail_core.receipts import Reply

__all__ = [
    "Capabilities",
    "ReplyParser",
    "command",
    "dot_stuffed",
    "mail_command",
    "rcpt_command",
    "read_reply",
    "with_crlf",
    "xtext",
]

LINE_OCTETS: Final = 2_000
REPLY_LINES: Final = 100
REPLY_OCTETS: Final = 100_000
TEXT_CHARACTERS: Final = 500
EMPTY_LINES: Final = 10

# Nearly every chunk is complete one-line replies; one look by the regex engine tells.
_PLAIN: Final = re.compile(rb"(?:[2-5][0-9]{2} [^\r\n]{0,1990}\r\n)+")
_LINE: Final = re.compile(rb"([2-5][0-9]{2})(?:([ -])[^\n]*)?")
_WELCOME: Final = b"220"
_REFUSALS: Final = frozenset({b"4", b"5"})


class ReplyParser:
    """Cuts what a server sends into replies.

    Strict inside a reply, and patient where nothing is at stake: a few empty lines between two replies are
    skipped, and a greeting that turns into a refusal after some lines of welcome is that refusal.

    Attributes:
        empty: empty lines that came since the last reply.
        blanks: empty lines that came at all.
        sound: replies of the last feed that came before an empty line.
        broken: why what came is no reply any more; "" while all is well. Nothing is read after that.
    """

    __slots__ = ("_lines", "_octets", "_rest", "blanks", "broken", "empty", "sound")

    def __init__(self) -> None:
        self._rest: bytes = b""
        self._lines: list[bytes] = []
        self._octets = 0
        self.empty = self.blanks = self.sound = 0
        self.broken = ""

    @property
    def unfinished(self) -> bool:
        """Whether the last bytes fed were the beginning of a reply."""
        return bool(self._rest or self._lines)

    def feed(self, data: bytes) -> list[bytes]:
        """Take some bytes.

        Args:
            data: as they came, cut anywhere.

        Returns:
            The replies that are now complete, raw.
        """
        if not self._rest and not self._lines and not self.broken and _PLAIN.fullmatch(data):
            self.empty = 0
            return data[:-2].split(b"\r\n")
        return self._feed_slowly(data)

    def _feed_slowly(self, data: bytes) -> list[bytes]:
        replies: list[bytes] = []
        start = self.sound = 0
        blanks = self.blanks
        data = self._rest + data
        while not self.broken:
            end = data.find(b"\n", start)
            if end < 0:
                break
            if end + 1 - start > LINE_OCTETS:
                break
            self._take_line(data[start:end].removesuffix(b"\r"), replies)
            start = end + 1
            if self.blanks == blanks:
                self.sound = len(replies)
        self._rest = data[start:]
        if not self.broken and len(self._rest) > LINE_OCTETS:
            self.broken = f"a line of more than {LINE_OCTETS} octets"
        if self.broken:
            self._rest = b""
            self._lines.clear()
        return replies

    def _take_line(self, line: bytes, replies: list[bytes]) -> None:
        lines = self._lines
        if not line and not lines and self.empty < EMPTY_LINES:
            self.empty += 1
            self.blanks += 1
            return
        found = _LINE.fullmatch(line)
        if found is None:
            self.broken = "a line that does not begin with a reply code"
            return
        if lines and lines[0][:3] != found[1]:
            if lines[0][:3] != _WELCOME or found[1][:1] not in _REFUSALS:
                self.broken = "a reply whose lines have different codes"
                return
            lines.clear()  # a block list or a full server spoke in the middle of a greeting
        lines.append(line)
        self._octets += len(line) + 2
        if len(lines) > REPLY_LINES or self._octets > REPLY_OCTETS:
            self.broken = f"a reply of more than {REPLY_LINES} lines or {REPLY_OCTETS} octets"
            return
        if found[2] != b"-":
            replies.append(b"\n".join(lines))
            lines.clear()
            self._octets = self.empty = 0


_REPLY: Final = re.compile(
    r"^([0-9]{3})(?:[ -](?:([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:[ \t]+|$))?(.*))?$", re.MULTILINE
)


def read_reply(raw: bytes) -> Reply:
    r"""Read a raw reply for people and for the table of causes.

    Octets that are not UTF-8 are shown as ``\xNN``, control characters by their code points, and a text of
    more than 500 characters is cut.
    """
    decoded = raw.decode("utf-8", "backslashreplace")
    single = _REPLY.match(decoded)
    if single is not None and single.end() == len(decoded) <= TEXT_CHARACTERS and decoded.isprintable():
        code, enhanced, text = single.groups("")
        return Reply(int(code), enhanced, text.rstrip())
    code, enhanced, words = "0", "", list[str]()
    for found in _REPLY.finditer(decoded):
        code = found[1]
        enhanced = enhanced or found[2] or ""
        words.append(found[3] or "")
    text = " ".join(words)
    if not text.isprintable():
        text = shown_line(text)
    if len(text) > TEXT_CHARACTERS:
        text = f"{text[:TEXT_CHARACTERS]}…"
    return Reply(int(code), enhanced, text.strip())


@attrs.frozen(kw_only=True)
class Capabilities:
    """What a server announced in its answer to EHLO (RFC 5321, 4.1.1.1).

    Attributes:
        name: what the server calls itself.
        keywords: the extensions, upper case.
        mechanisms: of AUTH, upper case, in the server's order.
        size: octets of the largest message; 0 when it names no limit.
        ahead: the next envelope may stand behind a body; not announced, but known of the server's software.
    """

    name: str = ""
    keywords: frozenset[str] = frozenset()
    mechanisms: tuple[str, ...] = ()
    size: int = 0
    ahead: bool = True

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.keywords

    @classmethod
    def read(cls, raw: bytes) -> Self:
        """Understand a raw reply to EHLO or HELO; what makes no sense is left out."""
        first, *rest = [shown_octets(line[4:]).strip() for line in raw.split(b"\n")]
        keywords: set[str] = set()
        mechanisms: dict[str, None] = {}
        size = 0
        for line in rest:
            # "AUTH=LOGIN PLAIN" is how Exchange wrote it before there was a standard.
            keyword, *parameters = line.upper().replace("AUTH=", "AUTH ", 1).split() or [""]
            keywords.add(keyword)
            if keyword == "AUTH":
                mechanisms.update(dict.fromkeys(parameters))
            elif keyword == "SIZE" and parameters and parameters[0].isdecimal() and len(parameters[0]) <= 20:  # noqa: PLR2004 - RFC 1870, 4
                size = int(parameters[0])
        keywords.discard("")
        return cls(
            name=first.partition(" ")[0][:TEXT_CHARACTERS],
            keywords=frozenset(keywords),
            mechanisms=tuple(mechanisms),
            size=size,
        )


# -- commands ------------------------------------------------------------------------------------------

_CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f]")


def command(line: str) -> bytes:
    """Write one command line; every command of a session goes through here.

    Args:
        line: verb and arguments.

    Raises:
        TransportError: it holds a control character, so it could be two commands. The text is not
            repeated: it may be a secret.
    """
    octets = line.encode()
    if _CONTROL.search(octets):
        raise TransportError(
            f"The SMTP command {line[:4].strip()!a} would carry a control character, which could smuggle in "
            "another command; nothing was sent. Check the addresses, the EHLO name and the login."
        )
    return octets + b"\r\n"


def mail_command(path: str, *, parameters: str = "") -> bytes:
    """Write MAIL.

    Args:
        path: the sender's address, "" for the empty sender.
        parameters: with a leading blank, " SIZE=2048".
    """
    return command(f"MAIL FROM:<{path}>{parameters}")


def rcpt_command(path: str, *, parameters: str = "") -> bytes:
    """Write RCPT.

    Args:
        path: the recipient's address.
        parameters: with a leading blank.
    """
    return command(f"RCPT TO:<{path}>{parameters}")


_NOT_XTEXT: Final = re.compile(r"[^!-*,-<>-~]")


def xtext(text: str) -> str:
    """Write a text as xtext (RFC 3461, section 4), the form of ENVID and ORCPT.

    >>> xtext("client 1+1")
    'client+201+2B1'
    """
    return _NOT_XTEXT.sub(lambda found: "".join(f"+{octet:02X}" for octet in found[0].encode()), text)


# -- bodies --------------------------------------------------------------------------------------------

_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_LEADING_DOT: Final = re.compile(rb"\n\.")  # looks at line ends alone, so twice as fast as ``in``


def with_crlf(data: bytes) -> bytes:
    """Give a message the only line end there is on the wire, and one at its end.

    Lone CR and LF become CRLF *before* anything looks for dots: what two servers could read as two
    different ends of a message (CVE-2023-51764 and its kin) cannot be in it.
    """
    pairs = data.count(b"\r\n")
    if pairs != data.count(b"\n") or pairs != data.count(b"\r"):
        data = _LINE_END.sub(b"\r\n", data)
    return data if data.endswith(b"\r\n") else data + b"\r\n"


def dot_stuffed(data: bytes) -> bytes:
    """Double the dots that begin a line and add the last dot (RFC 5321, 4.5.2).

    Args:
        data: as ``with_crlf`` gives it.
    """
    if _LEADING_DOT.search(data) is not None:
        data = data.replace(b"\n.", b"\n..")
    return b"%b%b.\r\n" % (b"." if data.startswith(b".") else b"", data)

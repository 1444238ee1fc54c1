"""One scripted misfortune.

What goes wrong, where, for whom and how often. A reply that no server could give is refused. The script,
not the fault, counts how often it fired.
"""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.address import Mailbox
from vetmail_core.receipts import Phase, Reply

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Fault", "FaultKind"]

_ENHANCED: Final = re.compile(r"(?:[245]\.[0-9]{1,3}\.[0-9]{1,3})?")
_TEXT: Final = re.compile(r"[ -~]*")

_REPLY_PHASES: Final = frozenset(
    {Phase.GREETING, Phase.STARTTLS, Phase.AUTH, Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.DOT}
)
_SILENT_PHASES: Final = _REPLY_PHASES | {Phase.CONNECT, Phase.TLS, Phase.BODY}
_MESSAGE_PHASES: Final = frozenset({Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.BODY, Phase.DOT})


class FaultKind(enum.Enum):
    """The three ways in which an answer goes wrong."""

    REPLY = "reply"
    """The server answers with a refusal or a deferral."""
    DROP = "drop"
    """The line closes in place of the answer."""
    STALL = "stall"
    """No answer comes until the client gives up."""


def _whom(address: str | Mailbox | None) -> str:
    """The key that addresses are compared by; "@domain" for all of a domain, "" for everybody."""
    if address is None:
        return ""
    if isinstance(address, str) and address.startswith("@"):
        return "@" + Mailbox(f"anybody{address}").ascii_domain.casefold()
    return (address if isinstance(address, Mailbox) else Mailbox(address)).address_key


@attrs.frozen(kw_only=True)
class Fault:
    """One line of a script.

    Attributes:
        kind: reply, drop or stall.
        phase: the moment at which it fires. A reply is the server's answer to this phase (GREETING is the
            greeting itself). A drop or a stall comes when the client has done its part and waits: after
            CONNECT no greeting comes, after GREETING no answer to EHLO, BODY is in the middle of the message
            and DOT at its end.
        reply: what the server says; None for a drop or a stall.
        address: only for this address ("@example.com": for all of the domain; "": for everybody). At MAIL
            it is the sender, at RCPT the recipient being answered, later any recipient of the message.
        times: how often it fires at most; None is without end.
        skip: how many occasions pass before it fires for the first time.

    Raises:
        ValueError: a reply no server could give, or a phase at which this cannot happen.
    """

    kind: FaultKind
    phase: Phase
    reply: Reply | None = None
    address: str = ""
    times: int | None = None
    skip: int = 0
    _key: str = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        phases = _REPLY_PHASES if self.kind is FaultKind.REPLY else _SILENT_PHASES
        if self.phase not in phases:
            names = ", ".join(sorted(phase.name for phase in phases))
            raise ValueError(
                f"expected one of the phases {names} for a {self.kind.value}, got {self.phase.name}"
            )
        if self.address and self.phase not in _MESSAGE_PHASES:
            raise ValueError(
                f"{self.phase.name} comes before any address is known: leave the address {self.address!r} out"
            )
        if (self.reply is not None) is not (self.kind is FaultKind.REPLY):
            raise ValueError("a fault of kind REPLY has a reply, a drop or a stall has none")
        if self.reply is not None:
            _check_reply(self.reply)
        if self.times is not None and self.times < 1:
            raise ValueError(f"expected times of 1 or more, or None for always, got {self.times}")
        if self.skip < 0:
            raise ValueError(f"expected occasions to skip of 0 or more, got {self.skip}")
        object.__setattr__(self, "_key", _whom(self.address or None))

    @property
    def occasion(self) -> Phase:
        """The phase whose answer it replaces; a refusing greeting is what a client gets for connecting."""
        if self.kind is FaultKind.REPLY and self.phase is Phase.GREETING:
            return Phase.CONNECT
        return self.phase

    def concerns(self, keys: Iterable[str]) -> bool:
        """Whether it is about one of these addresses, given by their ``address_key``."""
        if not self._key:
            return True
        if self._key.startswith("@"):
            return any(key.endswith(self._key) for key in keys)
        return self._key in keys

    def __str__(self) -> str:
        whom = f" for {self.address}" if self.address else ""
        often = {None: "", 1: ", once"}.get(self.times, f", {self.times} times")
        if self.reply is None:
            return f"{self.kind.value} at {self.phase.name}{whom}{often}"
        code = f"{self.reply.code} {self.reply.enhanced}".rstrip()
        return f"answer {code} at {self.phase.name}{whom}{often}"


def _check_reply(reply: Reply) -> None:
    if not 400 <= reply.code <= 599:  # noqa: PLR2004 - RFC 5321, section 4.2.1: these are the refusals
        raise ValueError(f"expected a refusal, code 400 to 599 (RFC 5321, section 4.2.1), got {reply.code}")
    if not _ENHANCED.fullmatch(reply.enhanced):
        raise ValueError(
            f"expected an enhanced code such as '5.1.1' (RFC 3463), or '' for none, got {reply.enhanced!r}"
        )
    if not _TEXT.fullmatch(reply.text):
        raise ValueError(f"expected a reply text of printable ASCII on one line, got {reply.text!r}")

"""A host's name in the one form that name servers, TLS and certificates understand.

Names in any script become the ASCII form of IDNA 2008 after the mapping of UTS 46. The standard library's
own codec is IDNA 2003: it makes ``fass.example`` of ``faß.example``, another host with another owner.
So a name is brought into ASCII here, and the codec is never given another one.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

__all__ = ["ascii_host", "spoken_name"]

_NAME_OCTETS: Final = 253  # RFC 1035 section 2.3.4, less the two octets of the wire form's root
_LABEL_OCTETS: Final = 63  # the same
# Underscores are not allowed in a host's name (RFC 952), and occur in the names of real hosts all the same.
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")
_IPV6_TAG: Final = "ipv6:"


def ascii_host(typed: str) -> str | None:
    """Bring a host name or an IP address into the form that is looked up.

    Args:
        typed: as somebody typed it.

    Returns:
        A name in lower case ASCII without a final dot, or an IP address in its short spelling. None when it
        is neither: a part between two dots is empty, begins or ends with a hyphen, has more than 63
        characters or a character that IDNA 2008 refuses; or the name has more than 253.
    """
    try:
        return str(ipaddress.ip_address(typed))
    except ValueError:
        pass
    name = (typed if typed.isascii() else _mapped(typed)).lower().removesuffix(".")
    if len(name) > _NAME_OCTETS:  # in ASCII it is never shorter
        return None
    labels = [_ascii_label(label) for label in name.split(".")]
    found = ".".join(labels)
    return found if all(labels) and len(found) <= _NAME_OCTETS else None


def _mapped(typed: str) -> str:
    """Apply UTS 46: wide letters, capitals, other full stops; "" for a character that it refuses."""
    import idna  # noqa: PLC0415 - its tables are large, and hardly any host needs them

    try:
        return idna.uts46_remap(typed, std3_rules=False, transitional=False)
    except idna.IDNAError:
        return ""


def _ascii_label(label: str) -> str:
    """One part of a name in ASCII; "" when it cannot be one."""
    if label.isascii():
        return label if len(label) <= _LABEL_OCTETS and _LABEL.fullmatch(label) else ""
    import idna  # noqa: PLC0415 - as above

    try:
        return idna.alabel(label).decode("ascii")
    except idna.IDNAError:
        return ""


def spoken_name(typed: str) -> str | None:
    """Bring an EHLO name into the form that is said (RFC 5321 section 4.1.2).

    Args:
        typed: a domain name, or an address literal in its brackets.

    Returns:
        A name in ASCII, or a literal in its usual spelling. None for anything else: servers refuse a name
        with an underscore here, and an IP address without its brackets.
    """
    if typed.startswith("["):
        return _address_literal(typed)
    name = ascii_host(typed)
    if name is None or "_" in name or ":" in name or name.rpartition(".")[2].isdigit():
        return None
    return name


def _address_literal(typed: str) -> str | None:
    """Read an address literal (RFC 5321 section 4.1.3): "[192.0.2.7]", "[IPv6:2001:db8::7]".

    Returns:
        It in its usual spelling; None when it is not one.
    """
    inside = typed[1:-1]
    if typed != f"[{inside}]":
        return None
    try:
        if inside[: len(_IPV6_TAG)].lower() == _IPV6_TAG and "%" not in inside:
            return f"[IPv6:{ipaddress.IPv6Address(inside[len(_IPV6_TAG) :])}]"
        return f"[{ipaddress.IPv4Address(inside)}]"
    except ValueError:
        return None

"""What a tenant, a client ID, a mailbox and an endpoint's address must be.

A rule yields problems, each under its setting's dotted name; the constructors raise them all at once.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final, cast

from vetmail_core.address import Mailbox, parse_mailbox
from vetmail_core.credentials import CONTROL, Secret, UnwrappedSecret
from vetmail_core.errors import AddressError, PreferencesError, Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = [
    "client_id", "endpoint", "host_of", "mailbox", "mailbox_text", "path", "path_of", "raise_if_any",
    "same_mailbox", "secret", "tenant", "without_slash", "wrong",
]  # fmt: skip

_GUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DOMAIN: Final = re.compile(
    r"(?=.{4,253}\Z)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9-]{2,63}"
)
_ANYBODY: Final = frozenset({"common", "organizations", "consumers"})
_WORD: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
_SHOWN: Final = 60


def raise_if_any(problems: Iterable[Problem]) -> None:
    """Raise one error that speaks of every problem; none is fine.

    Raises:
        PreferencesError: holding the problems.
    """
    found = tuple(problems)
    if found:
        raise PreferencesError.of(found)


def wrong(setting: str, message: str, advice: str) -> Problem:
    """One problem that keeps a value from being made."""
    return Problem(severity=Severity.ERROR, setting=setting, message=message, advice=advice)


def _shown(value: object) -> str:
    if not isinstance(value, str):
        return "nothing" if value is None else f"a value of type {type(value).__name__}"
    cut = value if len(value) <= _SHOWN else f"{value[:_SHOWN]}..."
    return '"' + CONTROL.sub(lambda found: f"<U+{ord(found[0]):04X}>", cut) + '"'


def tenant(setting: str, value: object, *, of_staff: bool = False) -> Iterator[Problem]:
    """A GUID or a domain name.

    Args:
        setting: its name.
        value: what came.
        of_staff: a person signs in, for whom "organizations" and "common" do too.
    """
    if isinstance(value, str):
        if value.lower() in _ANYBODY:
            if of_staff:
                return
        elif _GUID.fullmatch(value) or _DOMAIN.fullmatch(value):
            return
    yield wrong(
        setting,
        f"Expected the Directory (tenant) ID or a domain name of the organisation, found {_shown(value)}.",
        "Copy the Directory (tenant) ID from the Overview page of the app registration "
        "(entra.microsoft.com > "
        "App registrations).",
    )


def client_id(setting: str, value: object) -> Iterator[Problem]:
    """One word."""
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        yield wrong(
            setting,
            f"Expected the Application (client) ID, found {_shown(value)}.",
            "Copy the Application (client) ID from the Overview page of the app registration "
            "(entra.microsoft.com > App registrations).",
        )


def mailbox(setting: str, value: object) -> Iterator[Problem]:
    """An address, or "" where it is told later."""
    if value == "":
        return
    if isinstance(value, str):
        try:
            parse_mailbox(value)
        except AddressError as fault:
            yield wrong(
                setting,
                f"Expected the address of a mailbox, found {_shown(value)}: {fault}.",
                "Write the whole address, such as office@example.com.",
            )
    else:
        yield wrong(
            setting,
            f"Expected the address of a mailbox, found {_shown(value)}.",
            "Write the whole address, such as office@example.com.",
        )


def mailbox_text(value: object) -> str:
    """The address of a mailbox as text; what cannot be one stays as it is."""
    if isinstance(value, Mailbox):
        return value.addr_spec
    if isinstance(value, str) and value:
        try:
            return parse_mailbox(value).addr_spec
        except AddressError:
            return value
    return cast("str", value)


def path_of(value: Path | str | None) -> Path | None:
    """The name of a file as a path; what cannot be one stays as it is."""
    if isinstance(value, str) and value:
        from pathlib import Path  # noqa: PLC0415 - most preferences name no file

        return Path(value)
    return cast("Path | None", value)


def without_slash(value: str) -> str:
    """An address without slashes at its end; what is not text stays as it is."""
    return value.rstrip("/") if isinstance(value, str) else value  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed


def same_mailbox(one: str, other: str) -> bool:
    """Whether two user names are one mailbox."""
    return one.casefold() == other.casefold()


def host_of(address: str) -> str:
    """The host of an endpoint's address; "" where it has none."""
    from urllib.parse import urlsplit  # noqa: PLC0415 - most preferences name no endpoint

    return urlsplit(address).hostname or ""


def endpoint(setting: str, value: object) -> Iterator[Problem]:
    """An https address with nothing in it but host, port and path."""
    from urllib.parse import urlsplit  # noqa: PLC0415 - most preferences name no endpoint

    message = ""
    if isinstance(value, str) and not CONTROL.search(value) and " " not in value:
        try:
            parts = urlsplit(value)
            bare = parts.hostname and not (parts.username or parts.password or "@" in parts.netloc)
            if parts.scheme == "https" and bare and parts.port != 0 and "?" not in value and "#" not in value:
                return
            message = "a secret would travel in the open" if parts.scheme == "http" else ""
        except ValueError:
            pass  # a port that is not a number, half a bracket
    # What stands in front of an @ or after a question mark may be secret.
    shown = _shown(value) if not isinstance(value, str) or not re.search("[@?#]", value) else "something else"
    yield wrong(
        setting,
        f"Expected an address such as https://login.microsoftonline.com, found {shown}"
        + (f": {message}." if message else "."),
        "Write https://, the host and nothing after its path: no user name, no ? and no #.",
    )


def secret(setting: str, value: object) -> Iterator[Problem]:
    """A place where a secret lives, or none. What came instead is never shown."""
    if value is not None and not isinstance(value, Secret):
        kind = value.kind if isinstance(value, UnwrappedSecret) else type(value).__name__
        yield wrong(
            setting,
            f"This needs a secret, got a bare value of type {kind} (not shown).",
            'Wrap it, so that it is never printed: PlainSecret("..."), EnvironmentSecret("NAME") or '
            'KeyringSecret("service", "user name").',
        )


def path(setting: str, value: object, what: str) -> Iterator[Problem]:
    """The name of a file."""
    shown = _shown(value)
    name = os.fspath(cast("os.PathLike[str]", value)) if isinstance(value, os.PathLike) else ""
    if name in {"", os.curdir} or CONTROL.search(name):
        yield wrong(
            setting,
            f"Expected {what}, found {shown}.",
            "Write the name of the file, in quotes.",
        )

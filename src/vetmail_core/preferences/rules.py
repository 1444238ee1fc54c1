"""What a value of each kind of setting must be.

There is one rule for each kind, used by the constructors of all tabs. A rule yields every problem it finds
and repeats no secret.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeGuard

from vetmail_core.address import Mailbox, parse_mailbox
from vetmail_core.contexts import STANDARD_CONTEXTS, EmailContext, RecipientType
from vetmail_core.credentials import CONTROL, UnwrappedSecret
from vetmail_core.errors import AddressError, PreferencesError, Problem, Severity
from vetmail_core.preferences.host_names import ascii_host, spoken_name

__all__ = [
    "context_rules",
    "display_name",
    "ehlo_name",
    "error",
    "host",
    "is_group",
    "kept",
    "mailbox",
    "no_such_setting",
    "one_line",
    "one_of",
    "raise_if_any",
    "secret",
    "separator",
    "shown",
    "switch",
    "tab",
    "whole_number",
]

_NOT_IN_A_HOST: Final = re.compile(r"[\s/:\\\[\]<>\"',;]")
_LONGEST_SHOWN: Final = 60


def raise_if_any(problems: Iterable[Problem]) -> None:
    """Raise one error that speaks of every problem; none is fine.

    Raises:
        PreferencesError: holding the problems.
    """
    found = tuple(problems)
    if found:
        raise PreferencesError.of(found)


def error(setting: str, message: str, advice: str) -> Problem:
    """One problem that keeps a value from standing."""
    return Problem(severity=Severity.ERROR, setting=setting, message=message, advice=advice)


def shown(value: object) -> str:
    """A value as an error sentence shows it: on one line, and cut when it is long."""
    match value:
        case None:
            return "nothing (null)"
        case bool():
            return f"{str(value).lower()} (a yes or no)"
        case int() | float():
            return "a number" if abs(value) >= 10**15 else f"the number {value}"
        case str():
            cut = value if len(value) <= _LONGEST_SHOWN else f"{value[:_LONGEST_SHOWN]}..."
            return f"the text {_in_quotes(cut)}"
        case enum.Enum():
            return f"{type(value).__name__}.{value.name}"
        case Mapping():
            return "a group of settings"
        case list() | tuple():
            return "a list"
        case _:
            return f"a value of type {type(value).__name__}"


def _in_quotes(text: str) -> str:
    """The text in quotes, each control character shown by its number."""
    return '"' + CONTROL.sub(lambda found: f"<U+{ord(found[0]):04X}>", text) + '"'


def is_group(value: object) -> TypeGuard[Mapping[str, object]]:
    """Whether a value has keys and values; its keys are looked at one by one."""
    return isinstance(value, Mapping)


def switch(setting: str, value: object) -> Iterator[Problem]:
    """Yes or no; 1 and "yes" are neither."""
    if not isinstance(value, bool):
        yield error(
            setting, f"Expected yes or no (true or false), found {shown(value)}.", "Write true or false."
        )


def whole_number(
    setting: str, value: object, bounds: tuple[int, int], *, unit: str = ""
) -> Iterator[Problem]:
    """A whole number within its bounds; True is not one, although Python counts with it."""
    least, most = bounds
    advice = "Write a whole number."
    if isinstance(value, str):
        advice = "Write the number alone, without quotes."
    elif isinstance(value, float) and value.is_integer():
        advice = f"Write {value:.0f}."
    elif isinstance(value, int) and not isinstance(value, bool):
        if least <= value <= most:
            return
        advice = "Enter a number in this range."
    yield error(
        setting, f"Expected a whole number{unit} from {least} to {most}, found {shown(value)}.", advice
    )


def one_of(setting: str, value: object, choices: type[enum.Enum]) -> Iterator[Problem]:
    """A member of an enumeration."""
    if not isinstance(value, choices):
        members = ", ".join(f"{choices.__name__}.{member.name}" for member in choices)
        yield error(setting, f"Expected one of {members}, found {shown(value)}.", "Choose one of them.")


def one_line(setting: str, value: object) -> Iterator[Problem]:
    """A text without control characters; it may be empty."""
    if not isinstance(value, str):
        yield error(setting, f"Expected a text, found {shown(value)}.", "Write a text, in quotes.")
    elif CONTROL.search(value):
        yield error(
            setting,
            f"Expected a text on one line, found a control character in {shown(value)}.",
            "Type it again, or paste it without line ends.",
        )


def host(setting: str, value: object) -> Iterator[Problem]:
    """The name or IP address of a server and nothing around it; it may be empty."""
    # A pasted smtp://user:password@host is not a host, and its password is not text for an error.
    _login, at, name = value.rpartition("@") if isinstance(value, str) else ("", "", value)
    faults = () if at else tuple(one_line(setting, value))
    if faults or not isinstance(value, str):
        yield from faults
        return
    wire = ascii_host(value.rpartition("@")[2])
    if at or (wire is None and _NOT_IN_A_HOST.search(value)):
        unsaid = ' after an "@" (what stands before it is not shown)' if at else ""
        yield error(
            setting,
            f"Expected the name of a mail server, such as smtp.example.com, found {shown(name)}{unsaid}.",
            "Write the name alone: no blanks, no http://, no login, and the port in its own setting.",
        )
    elif value and wire is None:
        yield error(
            setting,
            f"Expected the name of a mail server, such as smtp.example.com; {shown(name)} cannot be one.",
            "Check the spelling. Each part between two dots has 1 to 63 letters, digits and hyphens, with a "
            "letter or digit at both ends, and the whole name has at most 253.",
        )


def ehlo_name(setting: str, value: object) -> Iterator[Problem]:
    """A domain name or an address literal, which EHLO can say; it may be empty."""
    faults = tuple(one_line(setting, value))
    if faults or not isinstance(value, str) or not value:
        yield from faults
    elif spoken_name(value) is None:
        yield error(
            setting,
            f"Expected the name of this computer or its address in brackets, found {shown(value)}.",
            "Write a domain name such as mail.example.com, an address such as [192.0.2.7] or "
            "[IPv6:2001:db8::7], or leave it empty for the address of the connection.",
        )


def secret(setting: str, value: object) -> Iterator[Problem]:
    """A place where a secret lives, or none. What came instead is never shown: it may be the password."""
    if isinstance(value, UnwrappedSecret):
        yield error(
            setting,
            f"Expected a secret, found a bare value of type {value.kind} (not shown).",
            'Wrap it, so that it is never printed: PlainSecret("..."), EnvironmentSecret("NAME") or '
            'KeyringSecret("service", "user name").',
        )


def mailbox(setting: str, value: object) -> Iterator[Problem]:
    """A mailbox, or none."""
    if value is None or isinstance(value, Mailbox):
        return
    if not isinstance(value, str):
        yield error(
            setting,
            f"Expected an e-mail address, found {shown(value)}.",
            'Write it as text: "Alias Name" <user@example.com>, or the address alone.',
        )
        return
    try:
        parse_mailbox(value)
    except AddressError as fault:
        yield error(
            setting,
            f"Expected one e-mail address, found {shown(value)}: {fault}.",
            'Write "Alias Name" <user@example.com>, or the address alone.',
        )


def separator(setting: str, value: object) -> Iterator[Problem]:
    """One of the two characters that separate addresses."""
    if value not in (";", ","):
        yield error(
            setting,
            f'Expected ";" or ",", found {shown(value)}.',
            'Use ";" unless the mail program asks for ",".',
        )


def display_name(setting: str, value: object, *, needed: bool) -> Iterator[Problem]:
    """A name fit to stand before an address; empty unless it is needed."""
    faults = tuple(one_line(setting, value))
    if faults or not isinstance(value, str):
        yield from faults
    elif needed and not value.strip():
        yield error(
            setting,
            "Expected a name, as staff mail is to show a display name of your own, found none.",
            "Enter the name, such as the organisation's, or show the staff member's name instead.",
        )
    else:
        try:
            Mailbox("name@example.com", value)
        except AddressError as fault:
            yield error(
                setting,
                f"Expected a name to show before an address, found {shown(value)}: {fault}.",
                "Write a plain name.",
            )


def tab(setting: str, value: object, expected: type[object]) -> Iterator[Problem]:
    """One of the classes that hold a tab."""
    if not isinstance(value, expected):
        yield error(
            setting,
            f"Expected {expected.__name__}(...), found {shown(value)}.",
            f"Build it: {expected.__name__}(...).",
        )


def context_rules(setting: str, value: object) -> Iterator[Problem]:
    """Context key -> role key -> recipient type; any key, but no copies of private mail."""
    if not is_group(value):
        yield error(
            setting,
            f"Expected rules for contexts, found {shown(value)}.",
            "Write context -> role -> recipient type.",
        )
        return
    for key, roles in value.items():
        yield from _key(setting, "context", key)
        place = f"{setting}.{key}"
        if not is_group(roles):
            yield error(
                place, f"Expected rules for roles, found {shown(roles)}.", "Write role -> recipient type."
            )
            continue
        known = STANDARD_CONTEXTS.get(key)
        for role, kind in roles.items():
            yield from _key(place, "role", role)
            yield from one_of(f"{place}.{role}", kind, RecipientType)
            if known is not None and known.private:
                yield from _kept_private(f"{place}.{role}", known, role, kind)


def kept(setting: str, value: object) -> Iterator[Problem]:
    """Tab -> key -> value: what a file held beyond the settings known here."""
    if not is_group(value) or not all(is_group(keys) for keys in value.values()):
        yield error(
            setting,
            f"Expected groups of settings not known here, found {shown(value)}.",
            "Leave it to preferences_from_dict.",
        )


def _key(setting: str, what: str, key: object) -> Iterator[Problem]:
    if not isinstance(key, str) or not key or CONTROL.search(key):
        yield error(
            setting,
            f"Expected the name of a {what}, found {shown(key)}.",
            f"Name the {what} in plain letters.",
        )


def _kept_private(setting: str, context: EmailContext, role: object, kind: object) -> Iterator[Problem]:
    copied = kind is RecipientType.CC or kind is RecipientType.BCC
    added = kind is RecipientType.TO and role not in context.to_roles
    if copied or added:
        yield error(
            setting,
            f'"{context.label}" mail carries passwords or personal results and goes to one person only.',
            "Remove this rule, or set it to none.",
        )


def no_such_setting(name: str, names: Iterable[str]) -> PreferencesError:
    """The error for a setting that does not exist, with the nearest one that does."""
    import difflib  # noqa: PLC0415 - only for a name that is unknown

    near = difflib.get_close_matches(name, tuple(names), n=1)
    advice = f'Did you mean "{near[0]}"?' if near else 'Names look like "mail_server.port".'
    return PreferencesError.of((error(name, "There is no setting of this name.", advice),))

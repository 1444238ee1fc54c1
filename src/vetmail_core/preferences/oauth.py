"""The sources of access tokens that preferences can hold: their names, their fields, and their written form.

A kind's name in the file is the middle of its settings' names: ``mail_server.oauth.microsoft_app.client_id``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Protocol, cast

from vetmail_core.credentials import Secret
from vetmail_core.errors import PreferencesError
from vetmail_core.preferences import rules
from vetmail_core.tokens.caches import FileTokens, KeyringTokens
from vetmail_core.tokens.google import GoogleServiceAccount
from vetmail_core.tokens.microsoft import AUTHORITY, MicrosoftApp, MicrosoftSignIn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from vetmail_core.errors import Problem

__all__ = [
    "FIELDS",
    "GOOGLE",
    "KINDS",
    "MICROSOFT",
    "OAUTH",
    "OAuthSource",
    "field_names",
    "fields_of",
    "kind_of",
    "made",
    "mailbox_of",
    "read_source",
    "secrets_of",
    "shown_source",
    "source_rule",
    "unknown_fields",
    "written_source",
]

OAUTH: Final = "mail_server.oauth"
RESERVED: Final = "google_sign_in"
KINDS: Final[Mapping[str, type[MicrosoftApp | MicrosoftSignIn | GoogleServiceAccount]]] = {
    "microsoft_app": MicrosoftApp,
    "microsoft_sign_in": MicrosoftSignIn,
    "google_service_account": GoogleServiceAccount,
}
MICROSOFT: Final = frozenset({"microsoft_app", "microsoft_sign_in"})
GOOGLE: Final = frozenset({"google_service_account"})
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "microsoft_app": ("tenant", "client_id", "secret", "certificate", "authority"),
    "microsoft_sign_in": ("tenant", "client_id", "mailbox", "cache", "authority"),
    "google_service_account": ("key", "mailbox"),
}
_LISTED: Final = ", ".join(f'"{kind}"' for kind in (*KINDS, RESERVED))
_PLACES: Final = (
    '{"environment": "NAME"}, {"keyring": {"service": "...", "username": "..."}} or {"plain": "..."}'
)


class OAuthSource(Protocol):
    """What may stand in ``MailServer.oauth``: any source of access tokens."""

    def __call__(self) -> str:
        """A token that is good now."""
        ...


def field_names() -> tuple[str, ...]:
    """The dotted names of the settings of all kinds, in the order of the screen."""
    return tuple(f"{OAUTH}.{kind}.{field}" for kind, fields in FIELDS.items() for field in fields)


def kind_of(source: object) -> str:
    """The name of a source's kind; "" for none, and for a host's own."""
    return next((kind for kind, known in KINDS.items() if isinstance(source, known)), "")


def mailbox_of(source: object) -> str:
    """The mailbox that a source is for; "" where the login tells."""
    mailbox: object = getattr(source, "mailbox", "")
    return mailbox if isinstance(mailbox, str) else ""


def shown_source(source: object) -> str:
    """A source as a ``repr`` shows it: the kinds above as they are, a host's own by its class alone."""
    return repr(source) if source is None or kind_of(source) else f"<{type(source).__name__}>"


def source_rule(source: object) -> Iterator[Problem]:
    """A source of tokens, or none."""
    if source is not None and not callable(source):
        yield rules.error(
            OAUTH,
            f"This needs a source of access tokens, got "
            f"{getattr(source, 'kind', type(source).__name__)} (not shown).",
            "Use MicrosoftApp(...), MicrosoftSignIn(...) or GoogleServiceAccount(...).",
        )


def fields_of(source: object) -> Mapping[str, object]:
    """The fields of a source that have a written form, by their names."""
    return {field: getattr(source, field) for field in FIELDS.get(kind_of(source), ())}


def secrets_of(source: object) -> Iterator[tuple[str, Secret]]:
    """The secrets of a source, each with its setting's name."""
    for field, value in fields_of(source).items():
        if isinstance(value, Secret):
            yield f"{OAUTH}.{kind_of(source)}.{field}", value


def made(kind: str, fields: Mapping[str, object]) -> OAuthSource:
    """Make a source.

    Raises:
        PreferencesError: with every problem, each under its setting's name.
    """
    return cast("Callable[..., OAuthSource]", KINDS[kind])(**_required(kind, fields))


def _required(kind: str, fields: Mapping[str, object]) -> Mapping[str, object]:
    """The fields, with nothing for one that is missing and must be there; the constructor names it."""
    needed = ("key",) if kind == "google_service_account" else ("tenant", "client_id")
    return {**dict.fromkeys(needed), **fields}


# -- the written form --------------------------------------------------------------------------------------


def written_source(
    source: object, write_secret: Callable[[object], dict[str, object] | None], unknown: Mapping[str, object]
) -> dict[str, object]:
    """A source as plain data: ``{"microsoft_app": {...}}``, with what was read and not understood."""
    kind = kind_of(source)
    group: dict[str, object] = {}
    for field, value in fields_of(source).items():
        match value:
            case None | "":
                continue
            case FileTokens():
                if value.path is not None:
                    group[field] = {"file": str(value.path)}
            case KeyringTokens():
                group[field] = {"keyring": {"service": value.service}}
            case os.PathLike():
                name = os.fspath(cast("os.PathLike[str]", value))
                group[field] = {"file": name} if field == "key" else name
            case str():
                if not (field == "authority" and value == AUTHORITY):
                    group[field] = value
            case _:
                group[field] = write_secret(value)
    return {kind: {**group, **{key: value for key, value in unknown.items() if key not in group}}}


def unknown_fields(written: object, kind: str) -> Mapping[str, object]:
    """What the written form of a source of this kind holds beyond the fields known here."""
    chosen, group = _chosen(written)
    known: Mapping[str, object] = group if chosen == kind and group is not None else {}
    return {key: value for key, value in known.items() if key not in FIELDS[kind]}


def read_source(
    written: object, read_secret: Callable[[object], Secret | None], problems: list[Problem]
) -> OAuthSource | None:
    """Read a source; what is wrong joins the problems. None for none.

    Args:
        written: the value of ``mail_server.oauth``.
        read_secret: raises `PreferencesError` with the sentence for a secret that cannot be read.
        problems: gains what is wrong.
    """
    if written is None:
        return None
    kind, group = _chosen(written)
    if group is None:
        problems.append(
            rules.error(
                OAUTH,
                f"Expected one of {_LISTED} with its settings, found {_seen(written)}.",
                'Write one of them, such as "oauth": {"microsoft_app": {...}}; or leave "oauth" out.',
            )
        )
        return None
    wrong: dict[str, Problem] = {}
    fields: dict[str, object] = {}
    for field in FIELDS[kind]:
        if field in group:
            setting = f"{OAUTH}.{kind}.{field}"
            try:
                fields[field] = _read_field(field, group[field], read_secret)
            except PreferencesError as error:
                found = error.problems[0]
                wrong[setting] = rules.error(setting, found.message, found.advice)
    del group, written
    try:
        source = made(kind, {name: value for name, value in fields.items() if value is not None})
    except PreferencesError as error:
        for problem in error.problems:
            wrong.setdefault(problem.setting, problem)
        source = None
    problems.extend(wrong.values())
    return None if wrong else source


def _chosen(written: object) -> tuple[str, Mapping[str, object] | None]:
    """The kind and its settings; no settings when there is not exactly one kind that is known."""
    if rules.is_group(written) and len(written) == 1:
        ((kind, group),) = written.items()
        if kind in KINDS and rules.is_group(group):
            return kind, group
    return "", None


def _seen(written: object) -> str:
    if not rules.is_group(written):
        return rules.shown(written)
    if len(written) != 1:
        return f"{len(written)} of them" if written else "none of them"
    ((kind, group),) = written.items()
    if kind == RESERVED:
        return f'"{RESERVED}", which this version cannot use yet'
    return f'"{kind}" with {rules.shown(group)}' if kind in KINDS else f"the name {rules.shown(kind)}"


def _read_field(field: str, value: object, read_secret: Callable[[object], Secret | None]) -> object:
    match field:
        case "secret":
            return read_secret(value)
        case "key":
            if rules.is_group(value) and set(value) == {"file"}:
                return _read_path(value["file"])
            if rules.is_group(value) and "file" in value:
                raise _unreadable(f'Expected {{"file": "..."}}, {_PLACES}, found something else (not shown).')
            return read_secret(value)
        case "cache":
            return _read_cache(value)
        case "certificate":
            return _read_path(value)
        case _:
            if not isinstance(value, str):
                raise _unreadable(f"Expected a text, found {rules.shown(value)}.")
            return value


def _read_path(value: object) -> Path:
    if not isinstance(value, str) or not value:
        raise _unreadable(f"Expected the name of a file, found {rules.shown(value)}.")
    from pathlib import Path  # noqa: PLC0415 - most preferences name no file

    return Path(value)


def _read_cache(value: object) -> FileTokens | KeyringTokens:
    if rules.is_group(value):
        match list(value.items()):
            case [("file", str(path))] if path:
                return FileTokens(_read_path(path))
            case [("keyring", place)] if rules.is_group(place) and set(place) == {"service"}:
                return KeyringTokens(cast("str", place["service"]))
            case _:
                pass
    raise _unreadable(
        f'Expected {{"file": "..."}} or {{"keyring": {{"service": "..."}}}}, found {rules.shown(value)}.'
    )


def _unreadable(message: str) -> PreferencesError:
    return PreferencesError.about(OAUTH, message, "Write it in that form.")

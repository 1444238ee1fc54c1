"""Preferences as plain data, ready for JSON, and back.

Reading what was written gives the same preferences, and what is not known here is written back untouched. A
value of another type, however close, is refused, and so is a newer schema. A plain password is not written
unasked.
"""

from __future__ import annotations

import copy
import enum
from typing import TYPE_CHECKING, Final, TypeVar, cast, get_type_hints

import cattrs
from cattrs.gen import make_dict_unstructure_fn, override

from vetmail_core.address import Mailbox
from vetmail_core.contexts import RecipientType
from vetmail_core.credentials import EnvironmentSecret, KeyringSecret, PlainSecret, Secret
from vetmail_core.errors import PreferencesError, Problem
from vetmail_core.preferences import oauth, rules
from vetmail_core.preferences.depth import MOST_LEVELS, is_too_deep
from vetmail_core.preferences.model import (
    SETTING_NAMES,
    AuthenticationType,
    BulkCopies,
    EmailPreferences,
    MailServer,
    Settings,
    StaffDisplayName,
    TlsMethod,
)
from vetmail_core.tokens.caches import FileTokens, KeyringTokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["SCHEMA", "preferences_from_dict", "preferences_to_dict", "read_preferences"]

SCHEMA: Final = 1
"""The number of the shape written here. Every released one stays readable."""

_TOP: Final = ("schema", "use_built_in_client", "mail_server", "settings", "contexts")
_TABS: Final[Mapping[str, type[MailServer | Settings]]] = {"mail_server": MailServer, "settings": Settings}
_SECRETS: Final = (
    '{"environment": "NAME"}, {"keyring": {"service": "...", "username": "..."}} or {"plain": "..."}'
)
_Built = TypeVar("_Built")
_Choice = TypeVar("_Choice", bound=enum.Enum)


def preferences_to_dict(preferences: EmailPreferences, *, include_secrets: bool = False) -> dict[str, object]:
    """Write preferences as plain data: text, numbers, true, false, null, lists and dicts.

    Args:
        preferences: the ones to write.
        include_secrets: write a ``PlainSecret`` as it is. Whoever reads the data then reads the password.

    Returns:
        A new dict, free to be changed.

    Raises:
        PreferencesError: there is a plain password and nobody asked for it to be written, or a secret of
            a kind that has no written form.
    """
    rules.raise_if_any(_unwritable(preferences.mail_server, include_secrets=include_secrets))
    written: dict[str, object] = {
        "schema": SCHEMA,
        "use_built_in_client": preferences.use_built_in_client,
        "mail_server": _with_unknown(_written_server(preferences), preferences, "mail_server"),
        "settings": _with_unknown(_written(preferences.settings), preferences, "settings"),
        "contexts": {
            context: {role: kind.value for role, kind in roles.items()}
            for context, roles in preferences.contexts.items()
        },
    }
    return _with_unknown(written, preferences, "")


def _written_server(preferences: EmailPreferences) -> dict[str, object]:
    written = _written(preferences.mail_server)
    source = preferences.mail_server.oauth
    if source is not None:
        kept = preferences.unknown.get(f"{oauth.OAUTH}.{oauth.kind_of(source)}", {})
        written["oauth"] = oauth.written_source(source, _write_secret, copy.deepcopy(dict(kept)))
    return written


def _with_unknown(written: dict[str, object], preferences: EmailPreferences, tab: str) -> dict[str, object]:
    """Add what was read and not understood; a setting that is known by now is the value's own."""
    kept = preferences.unknown.get(tab, {})
    return written | {key: copy.deepcopy(value) for key, value in kept.items() if key not in written}


def preferences_from_dict(data: Mapping[str, object]) -> EmailPreferences:
    """Read preferences from plain data.

    Args:
        data: what ``preferences_to_dict`` wrote, or JSON that looks like it. A setting that is missing has
            its default; a key that is not known here is kept and written back.

    Raises:
        PreferencesError: with every problem, each with its path ("contexts.client.guardian"), what was
            expected and what came.
    """
    preferences, problems = read_preferences(data)
    # A traceback printed with its local variables must not print a password that stands in the data.
    del data
    if preferences is None:
        raise PreferencesError.of(problems)
    return preferences


def read_preferences(data: object) -> tuple[EmailPreferences | None, tuple[Problem, ...]]:
    """Read preferences, answering with problems instead of raising.

    Returns:
        The preferences and no problems, or None and at least one.
    """
    if not rules.is_group(data):
        found = f"Expected e-mail preferences, found {rules.shown(data)}."
        return None, (rules.error("preferences", found, 'They look like {"schema": 1, ...}.'),)
    if is_too_deep(data):
        found = f"The preferences are nested deeper than {MOST_LEVELS}."
        return None, (rules.error("preferences", found, 'They look like {"schema": 1, ...}.'),)
    schema = data.get("schema")
    problems = list(_wrong_schema(schema))
    if isinstance(schema, int) and schema > SCHEMA:
        # Nothing else is looked at: in a newer shape the same names may mean something else.
        return None, tuple(problems)
    values: dict[str, object] = {}
    unknown = {"": _left_over(data, _TOP)}
    if "use_built_in_client" in data:
        values["use_built_in_client"] = data["use_built_in_client"]
    for name, tab in _TABS.items():
        group = data.get(name, {})
        if rules.is_group(group):
            built = _read_tab(name, group, tab, problems)
            values |= {} if built is None else {name: built}
            unknown[name] = _left_over(group, _types(tab))
            if "oauth" in group and name == "mail_server":
                for kind in oauth.KINDS:
                    kept = oauth.unknown_fields(group["oauth"], kind)
                    unknown[f"{oauth.OAUTH}.{kind}"] = copy.deepcopy(dict(kept))
        else:
            problems.append(_not_a_group(name, group))
    values["contexts"] = _read_contexts(data.get("contexts", {}), problems)
    kept = {name: keys for name, keys in unknown.items() if keys}
    preferences = _build(EmailPreferences, {**values, "unknown": kept}, problems)
    return (None, tuple(sorted(problems, key=_order))) if problems else (preferences, ())


def _order(problem: Problem) -> tuple[int, int]:
    """Where a setting stands on the screen; the rules of the contexts stay as they came."""
    name = problem.setting
    return _TOP.index(name.partition(".")[0]), SETTING_NAMES.index(name) if name in SETTING_NAMES else 0


def _wrong_schema(schema: object) -> Iterator[Problem]:
    if isinstance(schema, bool) or not isinstance(schema, int) or schema < 1:
        yield rules.error(
            "schema",
            f"Expected {SCHEMA}, the number of the shape, found {rules.shown(schema)}.",
            f'Write "schema": {SCHEMA}, if these are e-mail preferences.',
        )
    elif schema > SCHEMA:
        yield rules.error(
            "schema",
            f"A newer version wrote these preferences: their shape is {rules.shown(schema)}, "
            f"and this version reads up to {SCHEMA}.",
            "Update the product that reads them.",
        )


def _read_tab(
    name: str, group: Mapping[str, object], tab: type[_Built], problems: list[Problem]
) -> _Built | None:
    values: dict[str, object] = {}
    for key, kind in _types(tab).items():
        if key == "oauth":
            # Without a value where it cannot be read: the constructor has nothing more to say of it then.
            values[key] = oauth.read_source(group.get(key), _secret_or_problem, problems)
        elif key in group:
            try:
                values[key] = _CONVERTER.structure(group[key], kind)
            except _UnfitError as unfit:
                problems.append(unfit.problem(f"{name}.{key}"))
    return _build(tab, values, problems)


def _read_contexts(contexts: object, problems: list[Problem]) -> object:
    """Turn the texts of recipient types into members; other faults stay for the constructor to name."""
    if not rules.is_group(contexts):
        return contexts
    read: dict[str, object] = {}
    for context, roles in contexts.items():
        if not rules.is_group(roles):
            read[context] = roles
            continue
        kinds: dict[str, object] = {}
        for role, text in roles.items():
            try:
                kinds[role] = _read_choice(text, RecipientType)
            except _UnfitError as unfit:
                problems.append(unfit.problem(f"contexts.{context}.{role}"))
        read[context] = kinds
    return read


def _build(kind: type[_Built], values: Mapping[str, object], problems: list[Problem]) -> _Built | None:
    """Call a constructor; what it raises joins the problems, but for settings that have one already."""
    named = {problem.setting for problem in problems}
    try:
        return cast("Callable[..., _Built]", kind)(**values)
    except PreferencesError as error:
        problems.extend(problem for problem in error.problems if problem.setting not in named)
        return None


class _UnfitError(Exception):
    """A value that cannot be read; whoever catches it knows its path."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def problem(self, setting: str) -> Problem:
        return rules.error(setting, self.message, self.advice)


def _read_choice(text: object, kind: type[_Choice]) -> _Choice:
    for member in kind:
        if isinstance(text, str) and member.value == text:
            return member
    choices = ", ".join(f'"{member.value}"' for member in kind)
    raise _UnfitError(
        f"Expected one of {choices}, found {rules.shown(text)}.", "Write one of them, in quotes."
    )


def _read_secret(written: object, _kind: object) -> Secret | None:
    if written is None:
        return None
    try:
        # One key and no other: anything else may be the password, in the wrong place.
        match list(written.items()) if rules.is_group(written) else ():
            case [("environment", str(name))]:
                return EnvironmentSecret(name)
            case [("keyring", place)] if rules.is_group(place) and set(place) == {"service", "username"}:
                match place["service"], place["username"]:
                    case str(service), str(user):
                        return KeyringSecret(service, user)
                    case _:
                        message = "Expected texts as service and username of the password store's entry."
            case [("plain", str(text))]:
                return PlainSecret(text)
            case _:
                message = f"Expected {_SECRETS}, found something else (not shown)."
    except PreferencesError as error:
        message = error.problems[0].message
    raise _UnfitError(message, "Say where the password is kept.")


def _secret_or_problem(written: object) -> Secret | None:
    try:
        return _read_secret(written, Secret)
    except _UnfitError as unfit:
        problem = rules.error(oauth.OAUTH, unfit.message, "Say where the secret is kept.")
    raise PreferencesError.of((problem,))


def _write_secret(secret: object) -> dict[str, object] | None:
    match secret:
        case EnvironmentSecret():
            return {"environment": secret.name}
        case KeyringSecret():
            return {"keyring": {"service": secret.service, "username": secret.username}}
        case PlainSecret():
            return {"plain": secret.reveal()}
        case _:
            return None


def _unwritable(server: MailServer, *, include_secrets: bool) -> Iterator[Problem]:
    secrets = [("mail_server.password", server.password), *oauth.secrets_of(server.oauth)]
    for setting, secret in secrets:
        what = "password" if setting == "mail_server.password" else "secret"
        if isinstance(secret, PlainSecret) and not include_secrets:
            yield rules.error(
                setting,
                f"The {what} is a plain one, and a plain {what} is not written unless asked for.",
                "Keep it in an environment variable or in the password store, or say include_secrets=True.",
            )
        elif secret is not None and _write_secret(secret) is None:
            yield rules.error(
                setting,
                f"A secret of the kind {type(secret).__name__} has no written form.",
                "Use EnvironmentSecret, KeyringSecret or PlainSecret in preferences that are saved.",
            )
    source = server.oauth
    cache = oauth.fields_of(source).get("cache")
    if source is not None and not oauth.kind_of(source):
        yield rules.error(
            oauth.OAUTH,
            f"A source of access tokens of the kind {type(source).__name__} has no written form.",
            "Use MicrosoftApp, MicrosoftSignIn or GoogleServiceAccount in preferences that are saved, or "
            "give "
            "yours as token=.",
        )
    elif cache is not None and not isinstance(cache, FileTokens | KeyringTokens):
        yield rules.error(
            f"{oauth.OAUTH}.microsoft_sign_in.cache",
            f"A place for sign-ins of the kind {type(cache).__name__} has no written form.",
            "Use FileTokens or KeyringTokens in preferences that are saved.",
        )


def _written(tab: MailServer | Settings) -> dict[str, object]:
    return cast("dict[str, object]", _CONVERTER.unstructure(tab))


def _types(tab: type[object]) -> Mapping[str, type[object]]:
    return get_type_hints(tab)


def _left_over(group: Mapping[str, object], known: Iterable[str]) -> dict[str, object]:
    """What a group holds beyond the keys known here, as a copy."""
    names = set(known)
    return {key: copy.deepcopy(value) for key, value in group.items() if key not in names}


def _not_a_group(setting: str, value: object) -> Problem:
    return rules.error(
        setting,
        f"Expected a group of settings, found {rules.shown(value)}.",
        f'Write "{setting}": {{...}}.',
    )


def _is_secret(kind: object) -> bool:
    return bool(kind == Secret | None)


def _is_mailbox(kind: object) -> bool:
    return kind == Mailbox | None


def _as_it_came(value: object, _kind: object) -> object:
    # The constructors' rules are strict about these and name the setting; once is enough.
    return value


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=False)
    for kind in (bool, int, str):
        converter.register_structure_hook(kind, _as_it_came)
    converter.register_structure_hook_func(_is_mailbox, _as_it_came)
    for choices in (TlsMethod, AuthenticationType, BulkCopies, StaffDisplayName):
        converter.register_structure_hook(choices, _read_choice)
    converter.register_structure_hook_func(_is_secret, _read_secret)
    converter.register_unstructure_hook_func(_is_secret, _write_secret)
    converter.register_unstructure_hook(Mailbox, str)
    # Written where it is set: what the first schema did not have is not in a file that does without.
    server = make_dict_unstructure_fn(
        MailServer, converter, ehlo_name=override(omit_if_default=True), oauth=override(omit=True)
    )
    converter.register_unstructure_hook(MailServer, server)
    return converter


_CONVERTER: Final = _make_converter()

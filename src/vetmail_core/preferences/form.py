"""A settings screen there and back: what stands in its controls, and preferences from what was posted.

A control is named by its setting's dotted name. Four facts of browsers shape this file:

- A disabled control is not posted, and an unchecked box is not either. So a missing control keeps its value,
  and a page puts a hidden "off" beside each switch.
- A password is never sent to the page. So an empty one keeps what is stored, and "NAME.remove" takes it away.
- Most controls come back as they went. A text that is the one shown changes nothing, which keeps an alias, a
  default or a stored rule exactly as it is.
- Two people may have the same page open. So the page carries the revision it was drawn from.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar, cast

import attrs

from vetmail_core.contexts import STANDARD_CONTEXTS, EmailContext, RecipientType
from vetmail_core.credentials import PlainSecret
from vetmail_core.errors import PreferencesError, Problem, StalePreferencesError, wrong_type
from vetmail_core.preferences import rules
from vetmail_core.preferences.describe import (
    SettingDescription,
    SettingKind,
    describe_preferences,
    rules_shown,
)
from vetmail_core.preferences.model import EmailPreferences
from vetmail_core.preferences.oauth import OAUTH, fields_of, kind_of, made
from vetmail_core.tokens.caches import FileTokens, KeyringTokens

__all__ = ["form_values", "preferences_from_form"]

_Value = TypeVar("_Value")
_KEYRING: Final = "keyring:"
_REVISION: Final = "revision"
_REMOVE: Final = ".remove"
_OURS: Final = ("mail_server.", "settings.", "contexts.")
_SWITCH: Final = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False, "": False}
_DIGITS: Final = re.compile(r"0*([0-9]{1,15})")  # more of them are out of every bound
_TYPES: Final = {kind.value: kind for kind in RecipientType}
_SETTINGS: Final = {
    description.name: description
    for description in describe_preferences()
    if not description.name.startswith("contexts.")
}
_REMOVALS: Final = {
    name + _REMOVE: name for name, description in _SETTINGS.items() if description.kind is SettingKind.SECRET
}


def form_values(preferences: EmailPreferences, *, contexts: Iterable[EmailContext] = ()) -> Mapping[str, str]:
    """Say what stands in each control of a settings screen.

    Args:
        preferences: the ones to show.
        contexts: a host's own contexts, shown beside the standard ones.

    Returns:
        Read-only: control's name -> text, in the order of the screen, and "revision" for a hidden field. A
        switch is "on" or "off", a choice its value ("explicit"), a missing mailbox "", a secret always "".

    Raises:
        TypeError: these are not ``EmailPreferences``, or a context is not an `EmailContext`.
    """
    _check("form_values()", preferences)
    return MappingProxyType(_Screen.of(preferences, contexts).texts)


def preferences_from_form(
    posted: Mapping[str, str | Sequence[str]],
    *,
    current: EmailPreferences,
    contexts: Iterable[EmailContext] = (),
) -> EmailPreferences:
    """Read the preferences that somebody entered on a settings screen.

    Args:
        posted: control's name -> its text, or its texts in the order in which they came; of several the
            last counts, and a switch is on if any of them is. A missing control keeps its value. Names
            that are not a setting's, such as a button's, are passed over.
        current: the preferences now; those the page was drawn from, or the form is refused.
        contexts: a host's own contexts, as they were given to ``form_values``.

    Returns:
        ``current`` with what was changed. Save it with ``save_preferences``.

    Raises:
        StalePreferencesError: the page was drawn from another revision. Nothing else is looked at.
        PreferencesError: texts that cannot be read and settings that do not fit, all at once, each under
            its control's name; or the form has no "revision".
        TypeError: the arguments are of another kind.
    """
    _check("preferences_from_form()", current)
    if not isinstance(posted, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
        raise wrong_type(
            "preferences_from_form()",
            "a mapping of names to texts",
            posted,
            "Give it the form's data, such as request.POST.",
        )
    reading = _Reading(_Screen.of(current, contexts), current)
    stale = reading.read_revision(posted)
    if not stale and not reading.problems:
        reading.read(posted)
    # A traceback printed with its local variables must not print a password that was typed.
    del posted
    if stale:
        raise StalePreferencesError.about(
            _REVISION,
            "Somebody else saved these preferences after this page was opened.",
            "Show what they are now, and let the person enter the change again.",
        )
    preferences = reading.result()
    if preferences is None:
        raise PreferencesError.of(reading.problems_in_order())
    return preferences


def _check(call: str, preferences: object) -> None:
    if not isinstance(preferences, EmailPreferences):
        raise wrong_type(call, "EmailPreferences", preferences, "Load them with load_preferences(path).")


@attrs.frozen
class _Screen:
    """The controls of a screen.

    Attributes:
        texts: control's name -> what stands in it, and "revision".
        rules: control's name -> the context and role it is for.
        private: the beginnings of names that private contexts would have, and the contexts' labels.
    """

    texts: dict[str, str]
    rules: dict[str, tuple[str, str]]
    private: dict[str, str]

    @classmethod
    def of(cls, preferences: EmailPreferences, contexts: Iterable[EmailContext]) -> _Screen:
        texts = {name: _shown(description, preferences) for name, description in _SETTINGS.items()}
        rules: dict[str, tuple[str, str]] = {}
        own = tuple(contexts)
        for key, context, roles in rules_shown(own, preferences):
            types = preferences.recipient_types(key if context is None else context)
            for role in roles:
                name = f"contexts.{key}.{role}"
                # "a.b" with a role "c" and "a" with a role "b.c" have one name: the first has the control.
                if name not in rules:
                    texts[name] = types[role].value
                    rules[name] = (key, role)
        texts[_REVISION] = preferences.revision
        private = {
            f"contexts.{context.key}.": context.label
            for context in (*STANDARD_CONTEXTS.values(), *own)
            if context.private
        }
        return cls(texts, rules, private)


def _shown(description: SettingDescription, preferences: EmailPreferences) -> str:
    if description.kind is SettingKind.SECRET:
        return ""
    value = _value(preferences, description.name)
    match value:
        case bool():
            return "on" if value else "off"
        case enum.Enum():
            return str(value.value)
        case None:
            return ""
        case _:
            return str(value)


def _value(preferences: EmailPreferences, name: str) -> object:
    if name.startswith(OAUTH):
        return _source_value(preferences.mail_server.oauth, name)
    tab, _, field = name.partition(".")
    group: object = getattr(preferences, tab)
    return getattr(group, field) if field else group


def _source_value(source: object, name: str) -> object:
    kind, _, field = name.removeprefix(OAUTH).lstrip(".").partition(".")
    if not kind:
        return kind_of(source)
    if kind != kind_of(source):
        return _SETTINGS[name].default
    value = fields_of(source)[field]
    match value:
        case FileTokens():
            return value.path
        case KeyringTokens():
            return f"{_KEYRING}{value.service}"
        case _:
            return value


class _Reading:
    """Reads what was posted, and remembers what changed and what is wrong.

    Attributes:
        problems: control's name -> what is wrong with it.
    """

    def __init__(self, screen: _Screen, current: EmailPreferences) -> None:
        self.problems: dict[str, Problem] = {}
        self._screen = screen
        self._current = current
        self._settings: dict[str, object] = {}
        self._rules: dict[str, dict[str, RecipientType]] = {}

    def read_revision(self, posted: Mapping[str, str | Sequence[str]]) -> bool:
        """Whether the page was drawn from another revision; a form without one is a problem."""
        texts = self._texts(_REVISION, posted)
        if not texts:
            if not self.problems:
                self._wrong(
                    _REVISION,
                    'The form has no "revision", which says what the page was drawn from.',
                    'Put form_values(preferences)["revision"] into a hidden field of the page.',
                )
            return False
        return texts[-1] != self._current.revision

    def read(self, posted: Mapping[str, str | Sequence[str]]) -> None:
        """Read every control that was posted; each problem is noted once, in the order of the screen."""
        shown = self._screen.texts
        for name, text in shown.items():
            if name in posted and posted[name] != text and name != _REVISION:
                texts = self._texts(name, posted)
                if texts and (texts[-1] != text or len(texts) > 1):
                    self._read_control(name, texts)
        for removal, name in _REMOVALS.items():
            if self._read_switch(removal, self._texts(removal, posted)):
                self._settings.setdefault(name, None)  # a new one may have been typed beside it
        for name in map(str, posted):
            if name.startswith(_OURS) and name not in shown and name not in _REMOVALS:
                self._unknown(name)

    def result(self) -> EmailPreferences | None:
        """The preferences with what changed; None when there are problems."""
        changes: dict[str, object] = {}
        tabs: dict[str, dict[str, object]] = {}
        self._make_source()
        for name, value in self._settings.items():
            tab, _, field = name.partition(".")
            if field:
                tabs.setdefault(tab, {})[field] = value
            else:
                changes[tab] = value
        for tab, fields in tabs.items():
            try:
                changes[tab] = attrs.evolve(getattr(self._current, tab), **fields)
            except PreferencesError as error:
                self._add(error.problems)
        if self._rules:
            stored = {key: dict(roles) for key, roles in self._current.contexts.items()}
            for key, roles in self._rules.items():
                stored.setdefault(key, {}).update(roles)
            changes["contexts"] = stored
        evolve = cast("Callable[..., EmailPreferences]", attrs.evolve)
        return None if self.problems else evolve(self._current, **changes)

    def _make_source(self) -> None:
        """Put a source of tokens in the place of its texts; those of other kinds do not count."""
        posted = {name: self._settings.pop(name) for name in tuple(self._settings) if name.startswith(OAUTH)}
        current = self._current.mail_server.oauth
        kind = str(posted.pop(OAUTH, kind_of(current)))
        start = f"{OAUTH}.{kind}."
        fields = {name.removeprefix(start): value for name, value in posted.items() if name.startswith(start)}
        if kind == kind_of(current) and not fields:
            return
        if not kind:
            self._settings[OAUTH] = None
            return
        kept: Mapping[str, object] = fields_of(current) if kind == kind_of(current) else {}
        given = {field: value for field, value in {**kept, **fields}.items() if value not in {None, ""}}
        try:
            if isinstance(given.get("cache"), str):
                given["cache"] = _cache(str(given["cache"]))
            self._settings[OAUTH] = made(kind, given)
        except PreferencesError as error:
            self._add(error.problems)

    def problems_in_order(self) -> list[Problem]:
        """The problems in the order of the screen; those of unknown controls come last."""
        order = {name: number for number, name in enumerate(self._screen.texts)}
        return sorted(self.problems.values(), key=lambda problem: order.get(problem.setting, len(order)))

    def _read_control(self, name: str, texts: tuple[str, ...]) -> None:
        if name in self._screen.rules:
            kind = self._choose(name, texts[-1], _TYPES)
            if kind is not None and texts[-1] != self._screen.texts[name]:
                key, role = self._screen.rules[name]
                self._rules.setdefault(key, {})[role] = kind
            return
        description = _SETTINGS[name]
        match description.kind:
            case SettingKind.SWITCH:
                self._set(name, self._read_switch(name, texts))
            case SettingKind.NUMBER:
                self._set(name, self._read_number(description, texts[-1]))
            case SettingKind.CHOICE:
                values = {_text_of(choice.value): choice.value for choice in description.choices}
                self._set(name, self._choose(name, texts[-1], values))
            case SettingKind.SECRET:
                self._set(name, self._read_secret(name, texts[-1]))
            case _:
                # The model reads a mailbox itself, and has a sentence for one that is wrong.
                if texts[-1] != self._screen.texts[name]:
                    self._set(name, texts[-1].strip())

    def _set(self, name: str, value: object) -> None:
        if value is not None:
            self._settings[name] = value

    def _texts(self, name: str, posted: Mapping[str, str | Sequence[str]]) -> tuple[str, ...]:
        """The texts of a control; none when it is missing, or when something else came."""
        if name not in posted:
            return ()
        value = posted[name]
        texts = (value,) if isinstance(value, str) or not isinstance(value, Sequence) else tuple(value)  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
        if not all(isinstance(text, str) for text in texts):  # pyright: ignore[reportUnnecessaryIsInstance] - as above
            secret = name in _SETTINGS and _SETTINGS[name].kind is SettingKind.SECRET
            found = "something else (not shown)" if secret else rules.shown(value)
            self._wrong(name, f"Expected a text, found {found}.", "Hand over what the browser posted.")
            return ()
        return texts

    def _read_switch(self, name: str, texts: tuple[str, ...]) -> bool | None:
        read = [_SWITCH.get(text.lower()) for text in texts]
        if None in read:
            found = rules.shown(texts[read.index(None)])
            self._wrong(name, f'Expected "on" or "off", found {found}.', 'Post "on" or "off".')
            return None
        return any(read)

    def _read_number(self, description: SettingDescription, text: str) -> int | None:
        least, most = description.bounds or (0, 0)
        digits = _DIGITS.fullmatch(text.strip())
        if digits is not None and least <= int(digits[1]) <= most:
            return int(digits[1])
        self._wrong(
            description.name,
            f"Expected a whole number from {least} to {most}, found {rules.shown(text)}.",
            "Enter a number in this range, in digits alone.",
        )
        return None

    def _read_secret(self, name: str, text: str) -> PlainSecret | Path | None:
        """Wrap what was typed; None for nothing, which keeps what is stored."""
        if text:
            try:
                # A key is a long text in braces; anything else that is typed there is the name of its file.
                is_file = name.endswith(".key") and not text.lstrip().startswith("{")
                return Path(text.strip()) if is_file else PlainSecret(text)
            except PreferencesError as error:
                self._add(attrs.evolve(problem, setting=name) for problem in error.problems)
        return None

    def _choose(self, name: str, text: str, values: Mapping[str, _Value]) -> _Value | None:
        if text not in values:
            listed = ", ".join(f'"{value}"' for value in values)
            self._wrong(name, f"Expected one of {listed}, found {rules.shown(text)}.", "Choose one of them.")
        return values.get(text)

    def _unknown(self, name: str) -> None:
        for start, label in self._screen.private.items():
            if name.startswith(start):
                self._wrong(
                    name,
                    f'"{label}" email is private: it carries passwords or personal results, is never copied '
                    "and has no rules.",
                    "Take this control out of the page.",
                )
                return
        known = [known for known in (*self._screen.texts, *_REMOVALS) if known != _REVISION]
        import difflib  # noqa: PLC0415 - only for a name that is unknown

        near = difflib.get_close_matches(name, known, n=1)
        advice = f'Did you mean "{near[0]}"?' if near else "form_values() has the names of all controls."
        self._wrong(name, "There is no control of this name.", advice)

    def _wrong(self, name: str, message: str, advice: str) -> None:
        self._add((rules.error(name, message, advice),))

    def _add(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            self.problems.setdefault(problem.setting, problem)


def _cache(text: str) -> FileTokens | KeyringTokens:
    if text.startswith(_KEYRING):
        return KeyringTokens(text.removeprefix(_KEYRING))
    return FileTokens(Path(text))


def _text_of(value: enum.Enum | str) -> str:
    return str(value.value) if isinstance(value, enum.Enum) else value

"""Settings as words of a command: ``NAME=VALUE``, read by the code that reads a settings screen.

A secret is never one of the words: whatever is typed on a command line stands in the shell's history and in
the list of processes. So a secret has words of its own, which say where it is::

    mail_server.password.environment=NAME
    mail_server.password.keyring=SERVICE/USER
    mail_server.password=-          asked without showing it, or one line of standard input
    mail_server.password=           takes it away
"""

from __future__ import annotations

import difflib
import getpass
import sys
from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.credentials import EnvironmentSecret, KeyringSecret, PlainSecret, Secret
from vetmail_core.errors import PreferencesError, Problem, Severity
from vetmail_core.preferences import (
    EmailPreferences,
    SettingKind,
    describe_preferences,
    form_values,
    preferences_from_form,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["SECRETS", "Words", "hidden_answer", "nearest_setting", "shown_value"]

SECRETS: Final = tuple(
    description.name for description in describe_preferences() if description.kind is SettingKind.SECRET
)
_RULES: Final = "contexts."
_REMOVE: Final = ".remove"
_PLACES: Final = {
    f"{name}.{place}": (name, place) for name in SECRETS for place in ("environment", "keyring")
}
_STANDS_IN: Final = "-"  # a secret's text until its place is put in; "-" itself is never a secret's text here


def nearest_setting(name: str, preferences: EmailPreferences) -> str:
    """Say which setting was probably meant."""
    known = [known for known in (*form_values(preferences), *_PLACES) if known != "revision"]
    near = difflib.get_close_matches(name.casefold(), known, n=1)
    return f'Did you mean "{near[0]}"?' if near else "`vetmail show` lists the settings."


def hidden_answer(prompt: str) -> str:
    """Ask for a secret without showing it; without a terminal, read a line of standard input."""
    if sys.stdin.isatty():
        return getpass.getpass(prompt)
    return sys.stdin.readline().rstrip("\r\n")


def shown_value(preferences: EmailPreferences, name: str) -> str:
    """The text of a setting; of a secret, where it is."""
    if name not in SECRETS:
        return form_values(preferences)[name]
    match _secret(preferences, name):
        case PlainSecret():
            return "(stored)"
        case EnvironmentSecret(name=variable):
            return f"(environment {variable})"
        case KeyringSecret(service=service, username=username):
            return f"(keyring {service}/{username})"
        case _:
            return ""


def _secret(preferences: EmailPreferences, name: str) -> object:
    *_, field = name.split(".")
    if name == "mail_server.password":
        return preferences.mail_server.password
    # Of the kinds of source only one is in force; the others have no such field set.
    kind = form_values(preferences)["mail_server.oauth"]
    return getattr(preferences.mail_server.oauth, field, None) if f".{kind}." in name else None


def _wrong(name: str, message: str, advice: str) -> Problem:
    return Problem(severity=Severity.ERROR, setting=name, message=message, advice=advice)


@attrs.frozen
class Words:
    """What the words ask for.

    Attributes:
        texts: setting's name -> its text.
        places: name of a secret -> where it is.
        problems: of the words themselves, in order.
    """

    texts: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    places: Mapping[str, Secret] = attrs.field(factory=dict[str, Secret], repr=False)
    problems: tuple[Problem, ...] = ()

    @classmethod
    def read(cls, words: Iterable[str]) -> Words:
        """Read the words; a secret that is to be asked for is asked for last, once the others are read."""
        texts: dict[str, str] = {}
        places: dict[str, Secret] = {}
        problems: list[Problem] = []
        asked: list[str] = []
        for word in words:
            name, equals, text = word.partition("=")
            name = name.strip()
            secret, place = _PLACES.get(name, (name, ""))
            if not equals:
                problems.append(
                    _wrong(name, "There is no value.", f"Write {name}=VALUE, such as mail_server.port=587.")
                )
            elif secret in texts or secret in places:
                problems.append(_wrong(name, "It is named twice.", "Name it once."))
            elif place:
                texts[secret] = _STANDS_IN
                try:
                    places[secret] = _placed(name, place, text)
                except PreferencesError as error:
                    problems += [attrs.evolve(problem, setting=name) for problem in error.problems]
            elif secret not in SECRETS:
                texts[name] = text
            elif text == "-":
                asked.append(name)
                texts[name] = _STANDS_IN
            elif text:
                problems.append(
                    _wrong(
                        name,
                        "A secret cannot be typed on a command line, where others can read it.",
                        f"Write {name}=- to be asked for it, {name}.environment=NAME or "
                        f"{name}.keyring=SERVICE/USER.",
                    )
                )
            else:
                texts[name + _REMOVE] = "on"
        if not problems:
            for name in asked:
                answer = hidden_answer(f"{name}: ")
                if answer:
                    texts[name] = answer
                else:
                    problems.append(
                        _wrong(
                            name,
                            "No secret was entered.",
                            "Enter it, or write it as a line of standard input.",
                        )
                    )
        return cls(texts, places, tuple(problems))

    def applied(self, current: EmailPreferences) -> EmailPreferences:
        """Change preferences as the words say.

        Raises:
            PreferencesError: every problem of every word.
        """
        shown = form_values(current)
        problems = list(self.problems)
        texts = dict(self.texts)
        for name in tuple(texts):
            known = name in shown or name.removesuffix(_REMOVE) in SECRETS
            if name == "revision" or (not known and not name.startswith(_RULES)):
                del texts[name]
                problems.append(_wrong(name, "There is no such setting.", nearest_setting(name, current)))
        # An empty text takes a rule away, which no control of a screen can say.
        gone = {
            name for name, text in texts.items() if name.startswith(_RULES) and not text and name in shown
        }
        posted = {name: text for name, text in texts.items() if name not in gone}
        try:
            changed = preferences_from_form({**posted, "revision": current.revision}, current=current)
            if not problems:
                return _with_places(_without_rules(changed, gone), self.places)
        except PreferencesError as error:
            problems += error.problems
        raise PreferencesError.of(problems)


def _placed(name: str, place: str, text: str) -> Secret:
    if place == "environment":
        return EnvironmentSecret(text)
    service, _, username = text.rpartition("/")
    if not (service and username):
        raise PreferencesError.about(
            name, "A place in the password store has a service and a user.", f"Write {name}=SERVICE/USER."
        )
    return KeyringSecret(service, username)


def _without_rules(preferences: EmailPreferences, gone: set[str]) -> EmailPreferences:
    kept = {
        key: {role: kind for role, kind in roles.items() if f"contexts.{key}.{role}" not in gone}
        for key, roles in preferences.contexts.items()
    }
    return attrs.evolve(preferences, contexts={key: roles for key, roles in kept.items() if roles})


def _with_places(preferences: EmailPreferences, places: Mapping[str, Secret]) -> EmailPreferences:
    server = preferences.mail_server
    for name, secret in places.items():
        field = name.rpartition(".")[2]
        if name == "mail_server.password":
            server = attrs.evolve(server, password=secret)
        elif getattr(server.oauth, field, None) is not None:
            server = attrs.evolve(server, oauth=attrs.evolve(server.oauth, **{field: secret}))  # type: ignore[misc]
    return attrs.evolve(preferences, mail_server=server)

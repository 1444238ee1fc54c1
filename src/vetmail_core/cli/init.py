"""``init``: a preferences file for whoever has none, from words alone or by asking on a terminal."""

from __future__ import annotations

import difflib
import sys
from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.cli.findings import say_findings
from vetmail_core.cli.layout import tell
from vetmail_core.cli.planning import NothingTriedError
from vetmail_core.cli.show import say
from vetmail_core.cli.words import SECRETS, Words, hidden_answer
from vetmail_core.errors import PreferencesError
from vetmail_core.preferences import (
    PROVIDERS,
    AuthenticationType,
    EmailPreferences,
    check_preferences,
    default_preferences_path,
    describe_preferences,
    form_values,
    save_preferences,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from vetmail_core.preferences import Provider, SettingDescription

__all__ = ["init"]

_HOST: Final = "mail_server.host"
_PASSWORD: Final = "mail_server.password"  # noqa: S105 - the name of a setting
_OAUTH: Final = "mail_server.oauth"
_VARIABLE: Final = ".environment"
_DESCRIBED: Final = {description.name: description for description in describe_preferences()}


def init(arguments: argparse.Namespace) -> int:
    """Write a preferences file.

    Returns:
        0.

    Raises:
        VetmailError: the file is there already, nothing was named and nobody can be asked, or something that
            was typed cannot be a setting. Nothing is written then.
    """
    path = arguments.preferences or default_preferences_path()
    asks = sys.stdin.isatty()
    if path.exists() and not arguments.overwrite:
        raise NothingTriedError(
            f"{path} is there already; change it with `vetmail set`, or replace it with --overwrite"
        )
    if not (arguments.settings or arguments.provider or asks):
        raise NothingTriedError(
            "nothing is named and there is no terminal to ask on; write --provider KEY or NAME=VALUE, such "
            "as mail_server.host=mail.example.com"
        )
    provider = None if arguments.provider is None else _provider(arguments.provider)
    words = Words.read(arguments.settings)
    preferences = _Dialogue(words, provider).preferences() if asks else _begun(words, provider)
    save_preferences(preferences, path, include_secrets=True, overwrite=arguments.overwrite)
    tell(f"written: {path}", out=sys.stdout)
    errors = say_findings(check_preferences(preferences))
    command = "set NAME=VALUE" if errors else "test --to ADDRESS"
    where = "" if arguments.preferences is None else f" --preferences {path}"
    tell(f"next: vetmail {command}{where}", out=sys.stdout)
    return 0


def _provider(key: str) -> Provider:
    found = PROVIDERS.get(key.strip())
    if found is None:
        near = difflib.get_close_matches(key.casefold(), PROVIDERS, n=1)
        hint = f"did you mean {near[0]}?" if near else "leave it out for another server"
        raise NothingTriedError(f"--provider {key}: expected one of {', '.join(PROVIDERS)}; {hint}")
    return found


def _begun(words: Words, provider: Provider | None) -> EmailPreferences:
    """The preferences that the words make, over what the provider fills in.

    Raises:
        PreferencesError: they make none.
    """
    host = words.texts.get(_HOST, "").strip()
    base = EmailPreferences(use_built_in_client=provider is not None or bool(host))
    if provider is not None:
        base = attrs.evolve(base, mail_server=provider.mail_server(host=host))
    return words.applied(base)


class _Dialogue:
    """Asks for what the words leave open, one question at a time; a wrong answer is asked for again."""

    def __init__(self, words: Words, provider: Provider | None) -> None:
        self._words = words
        self._provider = provider
        self._preferences = EmailPreferences()

    def preferences(self) -> EmailPreferences:
        """Ask.

        Raises:
            PreferencesError: the words that were typed with the command are wrong already.
            NothingTriedError: the answers ended before the questions.
        """
        if self._provider is None and _HOST not in self._words.texts:
            self._ask_provider()
        if self._provider is not None and not _has_one_server(self._provider):
            self._ask_first(_HOST)
        self._preferences = _begun(self._words, self._provider)
        if not self._preferences.use_built_in_client:
            return self._preferences
        if self._provider is None:
            self._ask("mail_server.port", "mail_server.tls", "mail_server.authentication")
        self._ask_login()
        if not self._preferences.mail_server.use_staff_logins:
            self._ask("settings.default_from")
        return self._preferences

    def _ask_provider(self) -> None:
        tell(f"providers: {', '.join(PROVIDERS)}", out=sys.stdout)
        while True:
            key = _answer("Provider (Enter for another server): ")
            if not key:
                self._ask_first(_HOST)
                return
            try:
                self._provider = _provider(key)
            except NothingTriedError as error:
                tell(str(error), out=sys.stdout)
            else:
                return

    def _ask_first(self, name: str) -> None:
        """Ask for what must be known before there are preferences to change."""
        while name not in self._words.texts:
            text = _answer(_question(_DESCRIBED[name], self._provider.host if self._provider else ""))
            words = attrs.evolve(self._words, texts={**self._words.texts, name: text})
            try:
                _begun(words, self._provider)
            except PreferencesError as error:
                self._refuse(error)
            else:
                if text:
                    self._words = words

    def _ask_login(self) -> None:
        server = self._preferences.mail_server
        if server.authentication is AuthenticationType.OAUTH2 and server.oauth is None:
            self._ask_oauth()
        elif server.authentication is AuthenticationType.PASSWORD and not server.use_staff_logins:
            if not server.username:
                self._ask("mail_server.username")
            if server.password is None and _PASSWORD not in self._words.texts:
                self._ask_secret(_PASSWORD, {})

    def _ask_oauth(self) -> None:
        """Ask for a source of access tokens; its fields make sense together only."""
        kinds = tuple(str(choice.value) for choice in _DESCRIBED[_OAUTH].choices)
        kind = _answer(_question(_DESCRIBED[_OAUTH], ""))
        while kind and kind not in kinds:
            tell(f"{_OAUTH}: expected one of {', '.join(filter(None, kinds))}", out=sys.stdout)
            kind = _answer(_question(_DESCRIBED[_OAUTH], ""))
        if not kind:
            return
        texts = {_OAUTH: kind}
        secret = ""
        for name, description in _DESCRIBED.items():
            if name.startswith(f"{_OAUTH}.{kind}."):
                if name in SECRETS:
                    secret = name
                else:
                    texts[name] = _answer(_question(description, form_values(self._preferences)[name]))
        texts = {name: text for name, text in texts.items() if text}
        if secret:
            self._ask_secret(secret, texts)
        elif not self._take(texts):
            self._ask_oauth()

    def _ask_secret(self, name: str, texts: dict[str, str]) -> None:
        """Ask for a secret without showing it, or for the variable that has it; Enter twice skips it."""
        while True:
            label = _DESCRIBED[name].label
            text = hidden_answer(f"{label} (not shown; Enter to name an environment variable): ")
            if text:
                taken = self._take({**texts, name: text})
            else:
                variable = _answer("Environment variable that holds it (Enter for later): ")
                taken = self._take(texts, *([f"{name}{_VARIABLE}={variable}"] if variable else []))
            if taken:
                return

    def _ask(self, *names: str) -> None:
        for name in names:
            while name not in self._words.texts:
                text = _answer(_question(_DESCRIBED[name], form_values(self._preferences)[name]))
                if not text or self._take({name: text}):
                    break

    def _take(self, texts: dict[str, str], *words: str) -> bool:
        read = Words.read(words)
        try:
            self._preferences = attrs.evolve(read, texts={**texts, **read.texts}).applied(self._preferences)
        except PreferencesError as error:
            self._refuse(error)
            return False
        return True

    @staticmethod
    def _refuse(error: PreferencesError) -> None:
        for problem in error.problems:
            tell(str(problem), out=sys.stdout)


def _has_one_server(provider: Provider) -> bool:
    """Whether the provider has one server for all its customers."""
    try:
        provider.mail_server()
    except PreferencesError:
        return False
    return True


def _question(description: SettingDescription, text: str) -> str:
    choices: Iterable[str] = (
        str(getattr(choice.value, "value", choice.value)) or "none" for choice in description.choices
    )
    listed = ", ".join(choices)
    told = f" ({listed})" if listed else ""
    return f"{description.label}{told}{f' [{text}]' if text else ''}: "


def _answer(question: str) -> str:
    say(question, out=sys.stdout, end="")
    line = sys.stdin.readline()
    if not line:
        raise NothingTriedError("the answers ended before the questions did; nothing was written")
    return line.strip()

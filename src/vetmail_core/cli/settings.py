"""``set`` and ``show``: the preferences, changed and read from a shell."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, cast

from vetmail_core.cli.layout import Table, tell
from vetmail_core.cli.planning import NothingTriedError
from vetmail_core.cli.show import plain, say
from vetmail_core.cli.words import SECRETS, Words, nearest_setting, shown_value
from vetmail_core.errors import PreferencesError
from vetmail_core.preferences import (
    default_preferences_path,
    describe_preferences,
    form_values,
    load_preferences,
    preferences_to_dict,
)
from vetmail_core.preferences.store import change_preferences

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from vetmail_core.preferences import EmailPreferences

__all__ = ["set_", "show"]


def set_(arguments: argparse.Namespace) -> int:
    """Change settings in the preferences file, all of them or none.

    Returns:
        0.

    Raises:
        VetmailError: there is no such file, or something that was typed cannot be a setting.
    """
    path = _there(arguments)
    # Read before the file is held: a secret may be asked for.
    words = Words.read(arguments.settings)
    before, after = change_preferences(words.applied, path)
    lines = list(_changes(before, after))
    for line in lines or ["no change"]:
        tell(line, out=sys.stdout)
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Print the settings; a secret is never shown.

    Returns:
        0.

    Raises:
        VetmailError: there are no preferences, or no setting of a name.
    """
    preferences = load_preferences(_there(arguments))
    if arguments.json:
        if arguments.names:
            raise NothingTriedError("--json prints all settings; leave the names out")
        written, kept_back = _without_secrets(preferences_to_dict(preferences, include_secrets=True))
        say(json.dumps(written, indent=2, ensure_ascii=False), out=sys.stdout)
        if kept_back:
            say("vetmail show: a secret in the file is not shown; null is in its place", out=sys.stderr)
        return 0
    texts = form_values(preferences)
    unknown = [name for name in arguments.names if name not in texts or name == "revision"]
    if unknown:
        raise PreferencesError.of(
            [
                problem
                for name in unknown
                for problem in PreferencesError.about(
                    name, "There is no such setting.", nearest_setting(name, preferences)
                ).problems
            ]
        )
    for name in arguments.names:
        say(plain(shown_value(preferences, name)), out=sys.stdout)
    if not arguments.names:
        _say_all(preferences)
    return 0


def _say_all(preferences: EmailPreferences) -> None:
    described = describe_preferences(current=preferences)
    found = [
        (
            setting.name,
            shown_value(preferences, setting.name),
            "" if preferences.applies(setting.name) else "no effect now",
            f"{setting.group}: {setting.label}" if setting.name.startswith("contexts.") else setting.label,
        )
        for setting in described
    ]
    rows = Table(sys.stdout, "setting", "value", "applies", "label")
    for cells in found:
        rows.measure(*cells)
    for cells in found:
        rows.row(*cells)


def _there(arguments: argparse.Namespace) -> Path:
    path: Path = arguments.preferences or default_preferences_path()
    if not path.exists():
        raise NothingTriedError(
            f"there is no preferences file {path}; make one with `vetmail init --preferences FILE`, or name "
            "the file that is there"
        )
    return path


def _changes(before: EmailPreferences, after: EmailPreferences) -> list[str]:
    """Each setting that is another one now, with its value before and after."""
    old, new = form_values(before), form_values(after)
    lines: list[str] = []
    for name in dict.fromkeys((*old, *new)):
        if name == "revision":
            continue
        if name in SECRETS:
            was, now = shown_value(before, name), shown_value(after, name)
            if was == now and _stored(before, name) != _stored(after, name):
                now = "(another one, stored)"
        else:
            was, now = old.get(name, ""), new.get(name, "")
        if was != now:
            lines.append(f"{name}: {was or '(empty)'} -> {now or '(empty)'}")
    shown = {line.partition(":")[0] for line in lines}
    for key, roles in before.contexts.items():
        gone = roles.keys() - after.contexts.get(key, {}).keys()
        lines += [
            f"{name}: the rule is taken away"
            for name in (f"contexts.{key}.{role}" for role in roles if role in gone)
            if name not in shown
        ]
    return lines


def _stored(preferences: EmailPreferences, name: str) -> object:
    if name == "mail_server.password":
        return preferences.mail_server.password
    return getattr(preferences.mail_server.oauth, name.rpartition(".")[2], None)


def _without_secrets(written: object) -> tuple[object, bool]:
    """Plain data with null for each secret that is written out, and whether there was one."""
    if isinstance(written, dict):
        group = cast("dict[str, object]", written)
        if set(group) == {"plain"}:
            return None, True
        pairs = {key: _without_secrets(value) for key, value in group.items()}
        return {key: value for key, (value, _) in pairs.items()}, any(found for _, found in pairs.values())
    return written, False

"""The organisation's e-mail preferences: model, providers, checks, file and description.

Every problem has the dotted name of its setting. Nothing here sends mail, looks up a server or shows a
password.

::

    model.py      the tabs of the screen as values
    host_names.py the server's name, and our own, as they are looked up and said
    rules.py      what a value of each kind of setting must be
    oauth.py      the sources of access tokens that preferences can hold
    providers.py  what the usual mail providers require and allow
    checks        what will go wrong all the same, with advice
    describe.py   labels, help and choices, for whoever draws a screen
    form.py       what stands in the screen's controls, and preferences from what was posted
    codec.py      preferences as plain data, and back
    document.py   the text of a file, read strictly
    depth.py      how deep plain data is nested
    store.py      the shared file
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vetmail_core._lazy import late

if TYPE_CHECKING:
    from vetmail_core.errors import PreferencesError, Problem, Severity, StalePreferencesError
    from vetmail_core.preferences.checks import check_preferences
    from vetmail_core.preferences.codec import preferences_from_dict, preferences_to_dict
    from vetmail_core.preferences.describe import (
        Choice,
        SettingDescription,
        SettingKind,
        describe_preferences,
    )
    from vetmail_core.preferences.form import form_values, preferences_from_form
    from vetmail_core.preferences.model import (
        AuthenticationType,
        BulkCopies,
        EmailPreferences,
        MailServer,
        Settings,
        StaffDisplayName,
        TlsMethod,
    )
    from vetmail_core.preferences.providers import PROVIDERS, Provider, provider_for
    from vetmail_core.preferences.store import (
        default_preferences_path,
        load_preferences,
        save_preferences,
    )

__all__ = [
    "PROVIDERS",
    "AuthenticationType",
    "BulkCopies",
    "Choice",
    "EmailPreferences",
    "MailServer",
    "PreferencesError",
    "Problem",
    "Provider",
    "SettingDescription",
    "SettingKind",
    "Settings",
    "Severity",
    "StaffDisplayName",
    "StalePreferencesError",
    "TlsMethod",
    "check_preferences",
    "default_preferences_path",
    "describe_preferences",
    "form_values",
    "load_preferences",
    "preferences_from_dict",
    "preferences_from_form",
    "preferences_to_dict",
    "provider_for",
    "save_preferences",
]

_HOMES: Final = {
    ".model": "AuthenticationType BulkCopies EmailPreferences MailServer Settings StaffDisplayName TlsMethod",
    ".providers": "PROVIDERS Provider provider_for",
    ".checks": "check_preferences",
    ".describe": "Choice SettingDescription SettingKind describe_preferences",
    ".form": "form_values preferences_from_form",
    ".codec": "preferences_from_dict preferences_to_dict",
    ".store": "default_preferences_path load_preferences save_preferences",
    "..errors": "PreferencesError Problem Severity StalePreferencesError",
}

__getattr__, __dir__ = late(__name__, _HOMES)

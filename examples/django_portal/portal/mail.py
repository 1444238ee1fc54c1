"""Where the portal's mail leaves."""

from __future__ import annotations

from django.conf import settings
from django.utils.module_loading import import_string

from vetmail_core import EmailPreferences, Mailer, Settings, Transport, load_preferences, transport_for


def preferences() -> EmailPreferences:
    return EmailPreferences(use_built_in_client=True, settings=Settings(default_from="office@example.com"))


def transport_of_the_organisation() -> Transport:
    return transport_for(load_preferences())


def transport() -> Transport:
    factory = settings.VETMAIL_TRANSPORT
    return factory() if callable(factory) else import_string(factory)()


def mailer() -> Mailer:
    return Mailer(preferences(), transport=transport())

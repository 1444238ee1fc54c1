"""Checks of what was typed: slips in names of settings, hosts and addresses, and secrets in clear text."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.address.slips import LARGE_DOMAINS, OTHER_DOMAINS, is_one_slip
from vetmail_core.credentials import PlainSecret
from vetmail_core.preferences.checks.case import hint, warning
from vetmail_core.preferences.model import EmailPreferences, MailServer, Settings
from vetmail_core.preferences.providers import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vetmail_core.errors import Problem
    from vetmail_core.preferences.checks.case import Case

__all__ = ["host_slip", "mailboxes", "plain_secret", "unknown_settings"]

_NOT_WRITTEN: Final = {"unknown", "revision"}
_KNOWN: Final = {
    "": tuple(field.name for field in attrs.fields(EmailPreferences) if field.name not in _NOT_WRITTEN),
    "mail_server": tuple(field.name for field in attrs.fields(MailServer)),
    "settings": tuple(field.name for field in attrs.fields(Settings)),
}
_HOSTS: Final = tuple(
    host
    for provider in PROVIDERS.values()
    for host in (provider.host, *provider.other_hosts)
    if "REGION" not in host
)


def unknown_settings(case: Case) -> Iterator[Problem]:
    """Names that the file holds and the product does not know, which change nothing."""
    for tab, names in case.preferences.unknown.items():
        for name in names:
            near = get_close_matches(name.casefold(), _KNOWN.get(tab, ()), n=1)
            cure = f"Did you mean {near[0]}?" if near else "Delete it, unless a later version wrote it."
            yield hint(
                f"{tab}.{name}" if tab else name,
                f'The file holds the setting "{name}", which is not known, so it changes nothing.',
                cure,
            )


def plain_secret(case: Case) -> Iterator[Problem]:
    """A password in the file itself."""
    if isinstance(case.server.password, PlainSecret):
        yield hint(
            "mail_server.password",
            "The password is in the file in clear text.",
            'Keep it out of the file: {"environment": "NAME"} reads it from the environment.',
        )


def host_slip(case: Case) -> Iterator[Problem]:
    """A server one letter away from a provider's."""
    typed = case.server.host.rstrip(".").lower()
    domain = typed.partition(".")[2]
    if case.provider is not None or domain in OTHER_DOMAINS or domain in LARGE_DOMAINS:
        return
    near = next((host for host in _HOSTS if is_one_slip(typed, host)), None)
    if near is not None:
        yield warning(
            "mail_server.host",
            f"The mail server {typed} is one letter away from {near}.",
            f"Enter {near} if that is meant.",
        )


def mailboxes(case: Case) -> Iterator[Problem]:
    """An alias with curly quotes or without its comment, a domain near a large provider's."""
    for name, label, mailbox in (
        ("default_from", "default from", case.settings.default_from),
        ("default_reply_to", "default reply-to", case.settings.default_reply_to),
    ):
        for said in () if mailbox is None else mailbox.warnings:
            yield warning(
                f"settings.{name}", f"In the {label} address {said}.", "Correct it, unless it is meant so."
            )

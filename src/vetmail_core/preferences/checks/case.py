"""What the checks look at, and how they speak.

The preferences, who will send, and the provider are gathered once for all rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from vetmail_core.errors import Problem, Severity
from vetmail_core.preferences.model import AuthenticationType

if TYPE_CHECKING:
    from vetmail_core.people import Staff
    from vetmail_core.preferences.model import EmailPreferences, MailServer, Settings
    from vetmail_core.preferences.providers import Provider

__all__ = ["Case", "hint", "warning"]


@attrs.frozen
class Case:
    """Preferences to check, the staff who will send under them, and the server's provider when known."""

    preferences: EmailPreferences
    staff: tuple[Staff, ...]
    provider: Provider | None

    @property
    def server(self) -> MailServer:
        """The Mail server tab."""
        return self.preferences.mail_server

    @property
    def settings(self) -> Settings:
        """The Settings tab."""
        return self.preferences.settings

    @property
    def signs_in(self) -> bool:
        """Whether the mail server is told who sends."""
        return self.server.authentication is not AuthenticationType.NONE

    @property
    def by_token(self) -> bool:
        """Whether an access token stands in for the password."""
        return self.server.authentication is AuthenticationType.OAUTH2

    @property
    def from_is_login(self) -> bool:
        """Whether the provider wants From to be the address of the login."""
        return self.signs_in and self.provider is not None and self.provider.from_is_login


def warning(setting: str, message: str, advice: str) -> Problem:
    """It will hurt some day, or somebody."""
    return Problem(severity=Severity.WARNING, setting=setting, message=message, advice=advice)


def hint(setting: str, message: str, advice: str) -> Problem:
    """It is good to know."""
    return Problem(severity=Severity.HINT, setting=setting, message=message, advice=advice)

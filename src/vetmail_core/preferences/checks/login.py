"""Checks of signing in: the way, the shared login, the staff's own logins.

The password itself is never looked at. Where staff log in as themselves, each of them needs a login.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vetmail_core.preferences.checks.case import hint, warning
from vetmail_core.preferences.model import AuthenticationType
from vetmail_core.preferences.oauth import mailbox_of
from vetmail_core.preferences.rules import error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vetmail_core.errors import Problem
    from vetmail_core.preferences.checks.case import Case

__all__ = ["login_without_use", "shared_login", "staff_logins", "way_of_signing_in"]


def way_of_signing_in(case: Case) -> Iterator[Problem]:
    """Providers take some ways of signing in and not others, and Microsoft is about to change."""
    provider, way = case.provider, case.server.authentication
    if provider is None:
        return
    if way not in provider.authentications:
        message = {
            AuthenticationType.NONE: f"{provider.name} takes no mail without a login.",
            AuthenticationType.PASSWORD: f"{provider.name} takes no passwords.",
            AuthenticationType.OAUTH2: f"{provider.name} does not offer signing in with OAuth.",
        }[way]
        best = "OAuth" if provider.authentication is AuthenticationType.OAUTH2 else "User/Password"
        yield error("mail_server.authentication", message, f"Choose {best}.")
    elif way is AuthenticationType.PASSWORD and provider.authentication is AuthenticationType.OAUTH2:
        yield warning(
            "mail_server.authentication",
            f"{provider.name} turns signing in with a password (Basic authentication) off by default at the "
            "end of December 2026; mail then stops with 550 5.7.30.",
            "Change to OAuth now; an administrator can turn passwords on again for a while, not permanently.",
        )
    elif way is AuthenticationType.PASSWORD and provider.name == "Gmail":
        yield hint(
            "mail_server.password",
            "Gmail refuses the account's own password.",
            "Turn on 2-step verification in the Google account, make an app password and enter that.",
        )


def login_without_use(case: Case) -> Iterator[Problem]:
    """A login that is entered but never used is a slip."""
    server = case.server
    if case.signs_in:
        return
    if server.use_staff_logins:
        yield warning(
            "mail_server.use_staff_logins",
            "Individual staff logins are ticked, but the authentication type is None, so nobody logs in.",
            "Choose an authentication type, or untick the individual logins.",
        )
    elif server.username or server.password is not None:
        yield hint(
            "mail_server.authentication",
            "A login is entered, but the authentication type is None, so it is not used.",
            "Choose User/Password if the mail server asks for a login.",
        )


def shared_login(case: Case) -> Iterator[Problem]:
    """Where everybody sends with one login, it must be whole."""
    server, provider = case.server, case.provider
    if not case.signs_in or server.use_staff_logins:
        return
    if not server.username and not (case.by_token and mailbox_of(server.oauth)):
        yield error(
            "mail_server.username",
            "The mail server asks for a login, and no user name is entered.",
            "Enter the user name your mail provider gave you, at most providers the whole e-mail address.",
        )
    elif server.username != server.username.strip():
        yield warning(
            "mail_server.username",
            "The user name begins or ends with a blank, which is nearly always a slip of copy and paste.",
            "Type it again.",
        )
    elif provider is not None and server.username and provider.fixed_username not in {"", server.username}:
        yield error(
            "mail_server.username",
            f'At {provider.name} every customer\'s user name is the word "{provider.fixed_username}".',
            f"Enter {provider.fixed_username} here and the API key as the password.",
        )
    if server.authentication is AuthenticationType.PASSWORD and server.password is None:
        yield error(
            "mail_server.password",
            "The mail server asks for a login, and no password is entered.",
            "Enter the password, or say where it is kept.",
        )


def staff_logins(case: Case) -> Iterator[Problem]:
    """Where staff send with their own logins, everybody needs one."""
    server = case.server
    if not (server.use_staff_logins and case.signs_in):
        return
    for person in case.staff:
        if person.login is None and not case.by_token:
            yield error(
                "mail_server.use_staff_logins",
                f"{person.name or person.address.addr_spec} has no e-mail login and cannot send, as "
                "everybody sends with their own.",
                "Enter the Email Username and Password on the third page of the Staff wizard.",
            )
    if not server.username or (
        server.authentication is AuthenticationType.PASSWORD and server.password is None
    ):
        yield hint(
            "mail_server.username",
            "Mail that no staff member sends, such as portal notifications, has no login.",
            "Choose a staff member to send notification emails from, or enter a shared login while the "
            "individual logins are unticked.",
        )

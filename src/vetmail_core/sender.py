"""Who an email is from, where its replies go, and which login sends it.

The rules of the Mail server and Settings tabs. The same preferences and the same staff member always give
the same sender; no sender or login is guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.address import Mailbox
from vetmail_core.address.lists import as_mailbox
from vetmail_core.credentials import Login
from vetmail_core.errors import PreferencesError, Problem, Severity, wrong_type
from vetmail_core.people import Staff
from vetmail_core.preferences import AuthenticationType, StaffDisplayName
from vetmail_core.preferences.oauth import mailbox_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vetmail_core.preferences import EmailPreferences

__all__ = ["UNKNOWN_SENDER", "Sender", "resolve_login", "resolve_sender"]

UNKNOWN_SENDER: Final = Mailbox("from@unknown.invalid")
"""Stands for the account of a mail program that nobody told us of; no draft shows it (RFC 2606, 2)."""

_SCREEN: Final = "File > Global Preferences > Email preferences"


def _to_mailboxes(value: Iterable[Mailbox | str] | Mailbox | str) -> tuple[Mailbox, ...]:
    if isinstance(value, (str, Mailbox)):
        return (as_mailbox(value),)
    return tuple(map(as_mailbox, value))


@attrs.frozen
class Sender:
    """Who an email is from.

    Attributes:
        mailbox: the From.
        reply_to: where replies go when not to the From.
        login: what to log in with; None when the server asks for nothing, or a token stands in for the
        password.

    Raises:
        AddressError: a text that is not a mailbox.
        TypeError: neither a mailbox nor a text.
    """

    mailbox: Mailbox = attrs.field(converter=as_mailbox)
    reply_to: tuple[Mailbox, ...] = attrs.field(default=(), converter=_to_mailboxes, kw_only=True)
    login: Login | None = attrs.field(default=None, kw_only=True)


def resolve_sender(preferences: EmailPreferences, staff: Staff | None = None) -> Sender:
    """Decide From, Reply-To and login.

    From: the staff member's own address when staff use their own logins; else the Default from address; else
    the staff member's address. The name beside it is the staff member's (or the custom display name) when one
    sends, otherwise the alias of the Default from address.

    Reply-To: the Default reply-to address; else the staff member's address when the From is another one.

    Login: none when the server asks for none; the staff member's when staff use their own; else the shared
    one. Mail by the system falls back on the shared one.

    Args:
        preferences: the organisation's.
        staff: the staff member who sends; None for mail by the system.

    Raises:
        PreferencesError: there is no From address, or no login where the server asks for one. It says
            where in VETtrak to enter it.
        TypeError: the staff member is not a `Staff`.
    """
    if staff is not None and not isinstance(staff, Staff):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
        raise wrong_type("staff=", "a Staff", staff, 'Write Staff("Kim Lee", "kim@example.com").')
    mailbox = _from(preferences, staff)
    reply_to = preferences.settings.default_reply_to
    if reply_to is None and staff is not None and staff.address.address_key != mailbox.address_key:
        # Replies go to the person who wrote, not to the organisation's mailbox that carries the mail.
        reply_to = staff.mailbox()
    return Sender(
        mailbox, reply_to=() if reply_to is None else (reply_to,), login=resolve_login(preferences, staff)
    )


def _from(preferences: EmailPreferences, staff: Staff | None) -> Mailbox:
    settings = preferences.settings
    default = settings.default_from
    if staff is None:
        if default is None:
            raise _missing(
                "settings.default_from",
                "An e-mail by the system needs a Default from address, and the preferences have none.",
                f"Enter a Default from address in {_SCREEN} > Settings, or let a staff member send.",
            )
        return default
    own_logins = preferences.mail_server.use_staff_logins
    address = staff.address if default is None or own_logins else default
    if settings.staff_display_name is StaffDisplayName.CUSTOM:
        name = settings.custom_display_name
    else:
        name = staff.name or address.display_name
    return Mailbox(address.addr_spec, name)


def resolve_login(preferences: EmailPreferences, staff: Staff | None = None) -> Login | None:
    """Decide what to log in with, as `resolve_sender` does; a connection needs no From.

    Args:
        preferences: the organisation's.
        staff: the staff member who sends; None for mail by the system.

    Raises:
        PreferencesError: the server asks for a login, and there is none. It says where in VETtrak to
            enter it.
    """
    server = preferences.mail_server
    if server.authentication is AuthenticationType.NONE:
        return None
    by_token = server.authentication is AuthenticationType.OAUTH2
    if server.use_staff_logins and staff is not None:
        if staff.login is None and by_token:
            return (
                None  # A token stands in for the password, and the staff member's address for the username.
            )
        if staff.login is None:
            raise _missing(
                "mail_server.use_staff_logins",
                f"{staff.name or staff.address.addr_spec} has no e-mail login, and staff members send with "
                "their own.",
                "Enter their Email Username and Password on the third page of the Staff wizard, or untick "
                f"Use individual staff member email logins in {_SCREEN} > Mail server.",
            )
        return staff.login
    if server.username and server.password is not None:
        return Login(server.username, server.password)
    if by_token and (server.username or mailbox_of(server.oauth)):
        return None  # A token stands in for the password, and the transport knows the username.
    needed = "Email login username" if by_token else "Email login username and Email login password"
    why, instead = "the mail server asks for a login, and there is no shared one", ""
    if server.use_staff_logins:
        why = f"staff members send with their own logins, but no staff member sends this e-mail: {why}"
        instead = ", or let a staff member send"
    raise _missing(
        "mail_server.username" if not server.username else "mail_server.password",
        f"{why[0].upper()}{why[1:]}.",
        f"Enter the {needed} in {_SCREEN} > Mail server{instead}.",
    )


def _missing(setting: str, message: str, advice: str) -> PreferencesError:
    return PreferencesError.of(
        (Problem(severity=Severity.ERROR, setting=setting, message=message, advice=advice),)
    )

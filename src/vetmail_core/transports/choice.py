"""Which way the preferences say mail leaves.

The same preferences and staff member always give the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from vetmail_core.errors import PreferencesError
from vetmail_core.preferences import AuthenticationType
from vetmail_core.sender import resolve_login

if TYPE_CHECKING:
    from collections.abc import Callable

    from vetmail_core.clock import Clock
    from vetmail_core.people import Staff
    from vetmail_core.preferences import EmailPreferences
    from vetmail_core.transports.base import Transport
    from vetmail_core.transports.smtp.settings import Deadlines, Limits

__all__ = ["transport_for"]


def transport_for(
    preferences: EmailPreferences,
    *,
    staff: Staff | None = None,
    token: Callable[[], str] | None = None,
    limits: Limits | None = None,
    deadlines: Deadlines | None = None,
    clock: Clock | None = None,
) -> Transport:
    """Make the transport the preferences ask for.

    Args:
        preferences: the organisation's.
        staff: who sends; with individual logins it is their login that is used.
        token: for OAuth 2: returns an access token, instead of the preferences' own source.
        limits: of a connection, a message and a run, as for `SmtpTransport`; a mail program has none.
        deadlines: how long each answer of the mail server may take; likewise.
        clock: every wait of the transport goes through it; the machine's when not given.

    Returns:
        The default mail program when the built-in client is off, with the address separator; otherwise
        the mail server.

    Raises:
        PreferencesError: the built-in client is on and there is no server or login.
        TransportError: OAuth 2 without a source of tokens in the preferences, and without ``token``.
    """
    if not preferences.use_built_in_client:
        from vetmail_core.transports.mailto import MailtoTransport  # noqa: PLC0415 - only one of the two is needed

        return MailtoTransport(separator=preferences.settings.address_separator)
    if not preferences.mail_server.host:
        message = "The built-in e-mail client is on, and there is no mail server to send through."
        advice = (
            'Enter "Mail server address (SMTP)" in File > Global Preferences > Email preferences > '
            'Mail server, or untick "Use built-in VETtrak email client".'
        )
        raise PreferencesError.about("mail_server.host", message, advice)
    from vetmail_core.transports.smtp import SmtpTransport  # noqa: PLC0415 - as above

    login = resolve_login(preferences, staff)
    server = preferences.mail_server
    by_token = server.authentication is AuthenticationType.OAUTH2
    if login is None and by_token and server.use_staff_logins and staff is not None:
        server = attrs.evolve(server, username=staff.address.addr_spec)  # the token is for their own mailbox
    return SmtpTransport(server, login=login, token=token, limits=limits, deadlines=deadlines, clock=clock)

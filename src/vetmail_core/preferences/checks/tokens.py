"""Checks of where access tokens come from: that there is a source, that it is whole, and that it fits.

Nothing is read, revealed or asked: a key file that is missing shows when the first token is fetched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vetmail_core.preferences.checks.case import hint, warning
from vetmail_core.preferences.oauth import GOOGLE, MICROSOFT, OAUTH, fields_of, kind_of, mailbox_of
from vetmail_core.preferences.providers import PROVIDERS
from vetmail_core.preferences.rules import error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vetmail_core.errors import Problem
    from vetmail_core.preferences.checks.case import Case

__all__ = ["source_fits_server", "source_is_there", "source_is_whole", "source_mailbox", "unused"]

_MAKERS: Final = {
    **dict.fromkeys(MICROSOFT, ("Microsoft", frozenset({"microsoft365"}))),
    **dict.fromkeys(GOOGLE, ("Google", frozenset({"gmail", "google_relay"}))),
}


def source_is_there(case: Case) -> Iterator[Problem]:
    """OAuth needs tokens from somewhere."""
    if case.by_token and case.server.oauth is None:
        yield error(
            OAUTH,
            "The authentication type is OAuth, and there is nothing to get an access token from.",
            "Choose where access tokens come from, and enter what the administrator of Microsoft 365 or Google "
            "Workspace gives you.",
        )


def source_is_whole(case: Case) -> Iterator[Problem]:
    """An application must show something to Microsoft."""
    fields = fields_of(case.server.oauth)
    setting = f"{OAUTH}.microsoft_app"
    if not case.by_token or kind_of(case.server.oauth) != "microsoft_app":
        return
    if fields["secret"] is None and fields["certificate"] is None:
        yield error(
            f"{setting}.secret",
            "The application has neither a client secret nor a certificate.",
            "Enter the Value of a client secret, or the file of a certificate with its key.",
        )
    if fields["client_id"] == fields["tenant"]:
        yield warning(
            f"{setting}.client_id",
            "The Application (client) ID is the same as the Directory (tenant) ID.",
            "Copy each from its own line of the app registration's Overview page.",
        )


def source_fits_server(case: Case) -> Iterator[Problem]:
    """Microsoft's tokens are for Microsoft's servers, and Google's for Google's."""
    kind, provider = kind_of(case.server.oauth), case.provider
    if not case.by_token or not kind or provider is None:
        return
    name, own = _MAKERS[kind]
    others = {PROVIDERS[key].name for _, keys in _MAKERS.values() for key in keys - own}
    if provider.name in others:
        yield error(
            OAUTH,
            f"{provider.name} does not take access tokens of {name}.",
            "Choose the source that belongs to the mail server.",
        )


def source_mailbox(case: Case) -> Iterator[Problem]:
    """The token must be for the mailbox that logs in."""
    server = case.server
    mailbox, setting = mailbox_of(server.oauth), f"{OAUTH}.{kind_of(server.oauth)}.mailbox"
    if not case.by_token or not mailbox or not kind_of(server.oauth):
        return
    if server.use_staff_logins:
        yield error(
            setting,
            f"Staff send with their own logins, but every access token is for {mailbox}.",
            "Clear the mailbox, so that each token is for the person who sends.",
        )
    elif server.username and server.username.casefold() != mailbox.casefold():
        yield warning(
            setting,
            f"The access token is for {mailbox}, but {server.username} logs in with it.",
            "Clear the mailbox, unless it has the right to open the other one.",
        )


def unused(case: Case) -> Iterator[Problem]:
    """What is entered beside the way that is chosen."""
    server = case.server
    if case.by_token and server.oauth is not None and server.password is not None:
        yield hint(
            "mail_server.password",
            "A password is entered, but the login is made with an access token.",
            "Clear the password.",
        )
    if not case.by_token and server.oauth is not None:
        yield hint(
            OAUTH,
            "A source of access tokens is entered, but the authentication type is not OAuth, so it is not used.",
            "Choose OAuth, or clear the source.",
        )

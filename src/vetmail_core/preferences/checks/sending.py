"""Checks of what is sent: From, replies, pace, copies, separator and the rules of the contexts.

Settings that work and still do harm. Each piece of advice can be followed on the screen that shows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vetmail_core.contexts import ROLE_LABELS, STANDARD_CONTEXTS, RecipientType, nearest_name
from vetmail_core.preferences.checks.case import hint, warning
from vetmail_core.preferences.model import BulkCopies

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vetmail_core.errors import Problem
    from vetmail_core.people import Staff
    from vetmail_core.preferences.checks.case import Case

__all__ = [
    "bulk_copies",
    "context_rules",
    "default_from",
    "from_is_login",
    "reply_to",
    "separator",
    "wait",
]


def wait(case: Case) -> Iterator[Problem]:
    """A provider's rate asks for a pause."""
    provider, wait = case.provider, case.server.wait_between_emails_ms
    if provider is not None and wait < provider.wait_between_emails_ms:
        yield warning(
            "mail_server.wait_between_emails_ms",
            f"{provider.name} takes {provider.messages_per_minute} emails a minute; with a wait of {wait} "
            "milliseconds it will put off or refuse part of a large batch.",
            f"Enter {provider.wait_between_emails_ms} milliseconds or more.",
        )


def from_is_login(case: Case) -> Iterator[Problem]:
    """Some providers send only what comes from the login's own address."""
    if not case.from_is_login or case.provider is None:
        return
    effect = f"{case.provider.name} refuses such mail or puts it into the junk folder."
    cure = "Use the login's own address, or give the login the right to send as the other one."
    username, default = case.server.username, case.settings.default_from
    if case.server.use_staff_logins:
        yield from _staff_from_is_login(case.staff, effect, cure)
    elif default is None:
        yield warning(
            "settings.default_from",
            f"Mail comes from each staff member's address, but all of it logs in as one user. {effect}",
            f"Enter {username or 'the login'} as the default from address, or tick the individual logins.",
        )
    elif _differ(default.addr_spec, username):
        yield warning(
            "settings.default_from",
            f"The default from address {default.addr_spec} is not the login {username}. {effect}",
            cure,
        )


def _staff_from_is_login(staff: Iterable[Staff], effect: str, cure: str) -> Iterator[Problem]:
    for person in staff:
        own = person.address.addr_spec
        if person.login is not None and _differ(own, person.login.username):
            yield warning(
                "mail_server.use_staff_logins",
                f"{person.name or own} sends from {own} but logs in as {person.login.username}. {effect}",
                cure,
            )


def _differ(address: str, username: str) -> bool:
    # A user name that is not an address (DOMAIN\\user) says nothing about the mailbox behind it.
    return "@" in username and address.casefold() != username.casefold()


def default_from(case: Case) -> Iterator[Problem]:
    """From is either the staff's own or the default one, and mail by the system needs the latter."""
    default = case.settings.default_from
    if case.server.use_staff_logins and default is not None:
        yield warning(
            "settings.default_from",
            f"Staff send with their own logins, but a default from address is set ({default.addr_spec}).",
            "Clear the default from address, unless mail that no staff member sends, such as portal "
            "notifications, needs it.",
        )
    elif default is None and not case.server.use_staff_logins and not case.from_is_login:
        yield hint(
            "settings.default_from",
            "Mail that no staff member sends, such as portal notifications, has no address to come from.",
            "Enter a default from address.",
        )


def reply_to(case: Case) -> Iterator[Problem]:
    """A fixed reply-to takes the answers away from whoever wrote."""
    reply_to = case.settings.default_reply_to
    if reply_to is not None:
        yield hint(
            "settings.default_reply_to",
            f"All replies go to {reply_to.addr_spec}; trainers and other staff do not see the answers to "
            "their mail.",
            "Clear the default reply-to address if answers should return to whoever sent the mail.",
        )


def bulk_copies(case: Case) -> Iterator[Problem]:
    """Copies for every recipient flood trainers and look like spam."""
    if case.settings.bulk_copies is BulkCopies.EVERY_RECIPIENT:
        yield warning(
            "settings.bulk_copies",
            "Whoever is in CC or BCC of a bulk email gets one copy for every recipient: ten students, ten "
            "copies. It may be taken for spam.",
            "Choose Only the first recipient.",
        )


def separator(case: Case) -> Iterator[Problem]:
    """Neither separator suits every mail program, and one that does not suit loses recipients."""
    if case.settings.address_separator == ",":
        yield hint(
            "settings.address_separator",
            'Several addresses are handed to the mail program with "," between them, which Outlook, as it '
            "comes, takes for one long address.",
            'Choose ";" where mail is sent through Outlook; most other programs want ",".',
        )
    else:
        yield hint(
            "settings.address_separator",
            'Several addresses are handed to the mail program with ";" between them; Apple Mail and most '
            "programs on Linux send to nobody of such a list.",
            'Choose "," where mail is sent through one of these; Outlook wants ";".',
        )


def context_rules(case: Case) -> Iterator[Problem]:
    """Keys that look like slips, and contexts by which no mailing can go."""
    for key, roles in case.preferences.contexts.items():
        known = STANDARD_CONTEXTS.get(key)
        if known is None:
            yield hint(
                f"contexts.{key}",
                f'"{key}" is not one of the contexts known here; its rules are kept.',
                _guess(key, STANDARD_CONTEXTS) or "Nothing, if your product has this context.",
            )
        for role in roles:
            if role not in ROLE_LABELS:
                yield hint(
                    f"contexts.{key}.{role}",
                    f'"{role}" is not one of the recipients known here; its rule is kept.',
                    _guess(role, ROLE_LABELS) or "Nothing, if your product has this recipient.",
                )
        if known is None or known.private:
            continue
        types = case.preferences.recipient_types(key)
        if any(types[role] is RecipientType.TO for role in known.to_roles):
            continue
        for role in known.to_roles:
            label = ROLE_LABELS.get(role, role)
            yield warning(
                f"contexts.{key}.{role}",
                f'In "{known.label}" {label} is not set to To, so a mailing to a whole class or list is '
                "refused there, and one email goes to copies only, or to nobody.",
                f"Set {label} to To.",
            )


def _guess(name: str, names: Iterable[str]) -> str:
    near = nearest_name(name, names)
    return f'Did you mean "{near}"? Write that if you did.' if near else ""

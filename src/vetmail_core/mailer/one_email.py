"""One email under the preferences: who it is from, who receives it, and what its receipt means."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.contexts import ROLE_LABELS, RecipientType
from vetmail_core.errors import DeliveryError, PreferencesError, Problem, RecipientsError, Severity
from vetmail_core.message import Email
from vetmail_core.message.headers import HeaderFields
from vetmail_core.people import Person, by_role
from vetmail_core.recipients import Recipients, expand_context, refuse_private_copies, typed
from vetmail_core.sender import UNKNOWN_SENDER, Sender, resolve_sender
from vetmail_core.transports.base import chooses_sender

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from vetmail_core.address import Mailbox
    from vetmail_core.contexts import EmailContext
    from vetmail_core.message import Content
    from vetmail_core.people import Staff
    from vetmail_core.preferences import EmailPreferences
    from vetmail_core.receipts import Receipt
    from vetmail_core.recipients import Expansion
    from vetmail_core.transports import Limits, Transport

__all__ = ["OneEmail", "compose", "limits_while_somebody_waits", "sender_for"]

_NOBODY: Final[Mapping[str, tuple[Person, ...]]] = MappingProxyType({})


@attrs.frozen(kw_only=True)
class OneEmail:
    """An email that is ready to be sent.

    Attributes:
        email: that email.
        left_out: whom its context does not reach, in sentences for the receipt's warnings.
    """

    email: Email
    left_out: tuple[str, ...] = ()

    def answered(self, receipt: Receipt) -> Receipt:
        """Add the warnings to what became of it.

        Raises:
            DeliveryError: nobody was accepted or handed over.
        """
        if self.left_out:
            receipt = attrs.evolve(receipt, warnings=(*receipt.warnings, *self.left_out))
        if not receipt.accepted and not receipt.handed_over:
            raise DeliveryError(_nobody(receipt), receipt=receipt)
        return receipt


def compose(
    content: Content,
    *,
    preferences: EmailPreferences,
    sender: Callable[[], Sender],
    to: Iterable[Mailbox | str] | Mailbox | str | None = (),
    cc: Iterable[Mailbox | str] | Mailbox | str | None = (),
    bcc: Iterable[Mailbox | str] | Mailbox | str | None = (),
    context: EmailContext | str | None = None,
    people: Mapping[str, Iterable[Person] | Person] | None = None,
    headers: Mapping[str, str] | None = None,
    fields: Mapping[str, object] | None = None,
    reply_to: Iterable[Mailbox | str] | Mailbox | str | None = None,
    key: str = "",
) -> OneEmail:
    """Make one email. The arguments are those of `Mailer.send`, beside the preferences and the sender.

    Raises:
        AddressError, MergeError, PreferencesError, RecipientsError: as `Mailer.send`.
    """
    content = content.merge({} if fields is None else fields)
    separator = preferences.settings.address_separator
    recipients = Recipients(typed(to, separator), typed(cc, separator), typed(bcc, separator))
    left_out: tuple[str, ...] = ()
    if context is None and people:
        by_role(people)
        raise RecipientsError(
            f"people holds the roles {', '.join(people)}, but no context says which of them is To, CC or"
            ' BCC. Name one, such as context="occurrence_class", or use to, cc and bcc.'
        )
    if context is not None:
        expansion = expand_context(context, _NOBODY if people is None else people, preferences)
        left_out = _left_out(expansion, context, preferences, addressed=bool(recipients.to))
        recipients |= expansion.recipients
        if not recipients:
            why = "; ".join(left_out) or "every role of the context is set to None"
            raise RecipientsError(
                f'The email "{content.subject}" comes to nobody: {why}. Give it people'
                " with an address, or to, cc or bcc."
            )
        refuse_private_copies(context, recipients)
    found = sender()
    email = Email(
        sender=found.mailbox,
        reply_to=found.reply_to if reply_to is None else typed(reply_to, separator) or (),
        recipients=recipients,
        content=content,
        headers=HeaderFields(headers or {}).merge(fields or {}),
        key=key,
    )
    return OneEmail(email=email, left_out=left_out)


def sender_for(
    preferences: EmailPreferences, staff: Staff | None, *, transport: Transport | None = None
) -> Sender:
    """Work out who an email is from.

    Args:
        preferences: the organisation's.
        staff: who sends; None for mail by the system.
        transport: one that was handed in; None for what the preferences say.

    Raises:
        PreferencesError: no sender can be worked out.
    """
    if not preferences.use_built_in_client and (transport is None or chooses_sender(transport)):
        # A Reply-To cannot go into a link, and what the mail program has set up is not ours to overrule.
        own = None if staff is None else staff.mailbox()
        return Sender(own or preferences.settings.default_from or UNKNOWN_SENDER)
    try:
        return resolve_sender(preferences, staff)
    except PreferencesError as error:
        if preferences.mail_server.host or transport is not None:
            raise
        # Nothing could be sent for this either: both are told, so that one visit to the screen is enough.
        no_host = Problem(
            severity=Severity.ERROR,
            setting="mail_server.host",
            message="There is no mail server to send through.",
            advice='Enter "Mail server address (SMTP)" in Email preferences > Mail server.',
        )
        raise PreferencesError.of((no_host, *error.problems)) from None


def limits_while_somebody_waits(limits: Limits | None, preferences: EmailPreferences) -> Limits | None:
    """At most twenty seconds: the tries to connect, and the pause that a server asked for last time."""
    if limits is not None or not preferences.use_built_in_client:
        return limits
    from vetmail_core.transports.smtp.settings import Limits  # noqa: PLC0415 - only with the built-in client

    return Limits(reconnect_seconds=15, retry_seconds=5)


def _left_out(
    expansion: Expansion, context: EmailContext | str, preferences: EmailPreferences, *, addressed: bool
) -> tuple[str, ...]:
    """Whom a context does not reach, for the receipt's warnings; the email itself goes all the same."""
    types = preferences.recipient_types(context)
    empty = [role for role in expansion.empty_roles if not (addressed and types[role] is RecipientType.TO)]
    return (
        *(exclusion.detail for exclusion in expansion.exclusions),
        *(f"nobody to write to as {ROLE_LABELS.get(role, role)}" for role in empty),
    )


def _nobody(receipt: Receipt) -> str:
    said: list[str] = []
    for outcome in receipt.outcomes:
        reply = f" ({outcome.said})" if outcome.said else ""
        said.append(f"{outcome.mailbox.addr_spec}: {outcome.status.value.replace('_', ' ')}{reply}")
    advice = (outcome.advice for outcome in receipt.outcomes)
    told = filter(None, dict.fromkeys((receipt.reason, *advice)))
    return " ".join((f'Nobody was sent "{receipt.email.content.subject}": {"; ".join(said)}.', *told))

"""The portal's mail: whose preferences, which ledger, what a letter comes to."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from django.conf import settings

from vetmail_core import (
    Archived,
    EmailPreferences,
    Mailer,
    SqliteLedger,
    load_preferences,
    transport_for,
)
from vetmail_core.mailings import Mailings

from .models import Letter, SentEmail

if TYPE_CHECKING:
    from vetmail_core import BulkPlan, Receipt, Transport


def preferences() -> EmailPreferences:
    """What is saved; before anything was, the defaults."""
    if not settings.PREFERENCES.exists():
        return EmailPreferences()
    return load_preferences(settings.PREFERENCES)


def ledger() -> SqliteLedger:
    return SqliteLedger(settings.LEDGER)


def plan_of(letter: Letter) -> BulkPlan:
    """The plan that is shown, and then written down: the same function makes both."""
    return Mailer(preferences()).plan_bulk(
        letter.content(),
        letter.course.people(),
        context=letter.context,
        shared={"class_staff": [letter.course.staff()]},
        marketing=letter.marketing,
        unsubscribe=letter.unsubscribe,
        batch=letter.batch,
    )


def fingerprint(plan: BulkPlan) -> str:
    """Changes when anybody, any address, any copy or any word of the plan does."""
    digest = hashlib.sha256()
    for email in plan:
        content = email.content
        digest.update(repr((email.key, str(email.sender), email.recipients, content.subject)).encode())
        digest.update(f"{content.text}\0{content.html}\0{dict(email.headers)}".encode())
    return digest.hexdigest()


def line() -> Transport:
    """Where letters leave: the organisation's mail server, with a sent log beside it."""
    current = preferences()
    if not current.use_built_in_client:
        raise RuntimeError("The built-in client is off, so nothing can be sent from here.")
    return Archived(transport_for(current), keep)


def keep(receipt: Receipt, octets: bytes) -> None:
    """Write one line of the sent log; a line that cannot be written is a warning, never a lost mailing."""
    batch, _, person = receipt.email.key.partition("/")
    letter = Letter.objects.filter(pk=batch.removeprefix("letter-") or 0).first()
    address = receipt.email.recipients.all[0].addr_spec
    SentEmail.objects.create(
        person=person,
        letter=letter,
        subject=receipt.email.content.subject,
        address=address,
        said=str(receipt),
        receipt=receipt.to_dict(),
        octets=octets,
    )


def write_down(letter: Letter) -> tuple[int, ...]:
    """Write the mailing down, in the request. A second press finds the same mailing and writes nothing."""
    with ledger() as open_ledger:
        mailing = Mailings(open_ledger).enqueue(plan_of(letter), slice_emails=50)
    Letter.objects.filter(pk=letter.pk).update(sent=True)
    return mailing.slices

"""The backend that Django calls: open, send_messages, close.

Every message is tried, whatever became of the others. The first failure is raised when all have their answer,
so a caller that catches it knows that nothing is left to send again but what failed.
"""

# Django has no types, and its base class says less than its own backends do.
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportArgumentType=false, reportIncompatibleMethodOverride=false
from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail.backends.base import BaseEmailBackend
from django.utils.module_loading import import_string

from vetmail_core.django.messages import as_email
from vetmail_core.errors import DeliveryError, PreferencesError, VetmailError
from vetmail_core.preferences import EmailPreferences, load_preferences
from vetmail_core.sender import resolve_login

if TYPE_CHECKING:
    from os import PathLike

    from vetmail_core.django.messages import DjangoMessage
    from vetmail_core.message import Email
    from vetmail_core.receipts import Receipt
    from vetmail_core.transports import Transport

__all__ = ["EmailBackend"]

_Made = TypeVar("_Made")
_PATIENCE: Final = 20.0  # seconds that a page waits at most while the server cannot be reached
_OPTIONS: Final = ("preferences", "transport")


class EmailBackend(BaseEmailBackend):  # type: ignore[misc]  # Django has no types
    """Sends Django's messages under the organisation's preferences.

    With Django 5.2 the two options stand in the setting ``VETMAIL``; with 6.1 in the OPTIONS of ``MAILERS``,
    and in ``VETMAIL`` for those that say neither.

    Args:
        fail_silently: what cannot be sent is not counted, and no error.
        preferences: the preferences file, or a function that gives `EmailPreferences`, or its dotted name;
            asked at each opening. The shared file of this machine when left out.
        transport: a function that gives a `Transport`, or its dotted name; what it gives is closed by this
            backend. What the preferences say when left out.
        **options: further ones are Django's to judge.

    Raises:
        ImproperlyConfigured: ``VETMAIL`` is no dictionary of these two options.
    """

    def __init__(
        self,
        *,
        fail_silently: bool = False,
        preferences: str | PathLike[str] | Callable[[], EmailPreferences] | None = None,
        transport: str | Callable[[], Transport] | None = None,
        **options: object,
    ) -> None:
        super().__init__(**options)
        self.fail_silently = fail_silently
        if preferences is None and transport is None:
            given = _setting()
            preferences = cast("str | None", given.get("preferences"))
            transport = cast("str | None", given.get("transport"))
        self._preferences = preferences
        self._make = transport
        self._transport: Transport | None = None
        self._lock = threading.RLock()

    def open(self) -> bool | None:
        """Make the transport, which connects when the first message is sent and then keeps its connection.

        Returns:
            True when it made one, False when it was open already; None when it failed silently.

        Raises:
            PreferencesError: the preferences cannot be read, or leave mail to a mail program.
            ImproperlyConfigured: a dotted name leads nowhere.
        """
        with self._lock:
            if self._transport is not None:
                return False
            try:
                self._transport = self._made()
            except VetmailError:
                if not self.fail_silently:
                    raise
                return None
            return True

    def close(self) -> None:
        """End the connection politely. A second call does nothing; the next message opens another."""
        with self._lock:
            transport, self._transport = self._transport, None
            if transport is not None:
                transport.close()

    def send_messages(self, email_messages: Iterable[DjangoMessage]) -> int:
        """Send messages; a connection that was not open before is closed again.

        Args:
            email_messages: Django's; those without a recipient are passed over.

        Returns:
            How many were accepted for at least one recipient.

        Raises:
            ValueError: the first that failed could not be written, such as for a line break in its subject.
            DeliveryError: the first that failed was accepted for nobody; its `receipt` says why.
        """
        messages = [message for message in email_messages or () if message.recipients()]
        if not messages:
            return 0
        with self._lock:
            opened = self.open()
            if self._transport is None:
                return 0
            run = _Run(messages)
            try:
                for receipt in self._transport.deliver(run.emails()):
                    run.answered(receipt)
            finally:
                if opened:
                    self.close()
        failure = run.failure(silent=self.fail_silently)
        if failure is not None:
            raise failure
        return run.sent

    def _made(self) -> Transport:
        if self._make is not None:
            return _called("transport", self._make)()
        preferences = _preferences(self._preferences)
        if not preferences.use_built_in_client:
            raise PreferencesError.about(
                "use_built_in_client",
                "The preferences leave e-mail to the mail program of the desktop, and a server has none.",
                'Tick "Use built-in VETtrak email client" and name a mail server, or give a transport.',
            )
        from vetmail_core.transports.smtp import Limits, SmtpTransport  # noqa: PLC0415 - the test kit does without

        login = resolve_login(preferences)
        return SmtpTransport(preferences.mail_server, login=login, limits=Limits(reconnect_seconds=_PATIENCE))


class _Run:
    """The messages of one call, and what became of them."""

    def __init__(self, messages: list[DjangoMessage]) -> None:
        self._messages = messages
        self._places: list[int] = []  # of the messages that were handed on, in order
        self._failures: dict[int, Exception] = {}
        self._answers = 0
        self.sent = 0

    def emails(self) -> Iterator[Email]:
        for place, message in enumerate(self._messages):
            try:
                email = as_email(message)
            except Exception as error:  # noqa: BLE001 - raised when the others are sent
                self._failures[place] = error
            else:
                self._places.append(place)
                yield email

    def answered(self, receipt: Receipt) -> None:
        place = self._places[self._answers]
        self._answers += 1
        if receipt.accepted or receipt.handed_over:
            self.sent += 1
        else:
            subject = receipt.email.content.subject
            said = f'Nobody was sent "{subject}". {receipt.reason}'
            self._failures[place] = DeliveryError(said, receipt=receipt)

    def failure(self, *, silent: bool) -> Exception | None:
        """The first failure; silenced are those about mail, and not a mistake in the program."""
        loud = [
            self._failures[place]
            for place in sorted(self._failures)
            if not (silent and isinstance(self._failures[place], VetmailError | ValueError))
        ]
        if not loud:
            return None
        if len(self._messages) > 1:
            loud[0].add_note(f"{self.sent} of {len(self._messages)} messages were sent.")
        return loud[0]


def _setting() -> Mapping[str, object]:
    given: object = getattr(settings, "VETMAIL", {})
    if not isinstance(given, Mapping):
        raise ImproperlyConfigured(
            f"VETMAIL needs a dictionary, got {type(given).__name__}; write "
            'VETMAIL = {"preferences": "/etc/portal/email-preferences.json"}.'
        )
    known = cast("Mapping[str, object]", given)
    for name in known:
        if name not in _OPTIONS:
            raise ImproperlyConfigured(
                f"VETMAIL knows {' and '.join(_OPTIONS)}, got {name!r}; correct its name or take it out."
            )
    return known


def _preferences(given: str | PathLike[str] | Callable[[], EmailPreferences] | None) -> EmailPreferences:
    if given is None:
        return load_preferences()
    if isinstance(given, str) and not ("/" in given or "\\" in given or given.endswith(".json")):
        return _called("preferences", given)()
    return given() if callable(given) else load_preferences(Path(given))


def _called(option: str, given: str | Callable[[], _Made]) -> Callable[[], _Made]:
    if not isinstance(given, str):
        return given
    try:
        found: object = import_string(given)
    except ImportError as error:
        raise ImproperlyConfigured(
            f"The {option} of the e-mail backend needs the dotted name of a function, got {given!r}: {error}."
        ) from error
    return cast("Callable[[], _Made]", found)

"""Emails to the mail program of whoever sits at the machine.

What it is for: choosing between a link and a draft file for each email, and saying which it was. What it
refuses: a run of more windows than a person can look through. Its law: everything is written and checked
before the first window opens.
"""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import attrs

from vetmail_core.clock import SystemClock
from vetmail_core.errors import TransportError, TransportValueError
from vetmail_core.transports.hand_over import handed_over, not_attempted
from vetmail_core.transports.handed_on import announced, held_elsewhere
from vetmail_core.transports.mailto.drafts import DraftFolder, draft_bytes
from vetmail_core.transports.mailto.opening import opener_for
from vetmail_core.transports.mailto.uri import check_separator, checked_uri, mailto_uri, obstacle
from vetmail_core.transports.mailto.warnings import HandOverWarning
from vetmail_core.transports.one_thread import OneThread

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vetmail_core.clock import Clock
    from vetmail_core.message import Email
    from vetmail_core.receipts import Receipt
    from vetmail_core.transports.mailto.opening import OpenUri

__all__ = ["MailtoTransport"]

_LONGEST_URI: Final = 8_000  # Claws Mail and Sylpheed cut at 8,189 characters, in the middle of an address


@attrs.frozen(kw_only=True)
class _Link:
    """An email as a mailto link."""

    email: Email
    uri: str
    warnings: tuple[HandOverWarning, ...]


@attrs.frozen(kw_only=True)
class _Draft:
    """An email as a draft file, not yet written."""

    email: Email
    data: bytes
    why: str


class MailtoTransport:
    """The default mail program instead of a mail server; the outcome is HANDED_OVER.

    An email goes as a mailto link where a link can carry it, otherwise as a draft file (`.eml`): when it
    has attachments, HTML, a Reply-To, further headers or an address in quotes, or when the link would be
    longer than `max_uri_length`. The receipt's reply says which it was and why; each of its warnings is a
    `HandOverWarning`.

    Example:
        >>> from vetmail_core import Content, Email, Mailbox, MailtoTransport, Recipients
        >>> notice = Email(
        ...     sender=Mailbox("office@example.com"),
        ...     recipients=Recipients(to="sam@example.com"),
        ...     content=Content("Your class moved", "Room 7"),
        ... )
        >>> with MailtoTransport(open_uri=print) as transport:
        ...     [receipt] = transport.deliver([notice])
        mailto:sam@example.com?subject=Your%20class%20moved&body=Room%207
        >>> print(receipt.reply)
        The mail program was given a mailto link of 65 characters.

    Args:
        separator: ";" or ",", the preferences' "Email address separator".
        open_uri: opens one `mailto:` or `file:` URI, and raises OSError or TransportError when it cannot;
            None is the system's own way.
        drafts: folder of the draft files; None is a private one in the user's cache. Each run deletes those
            that are older than 24 hours.
        max_uri_length: characters, at most 8,000. Windows takes about 2,083.
        max_windows: how many emails one run may open.
        text_without_html: let the text go as a link where there is HTML beside it.
        platform: whose mail programs to open and to warn of, as `sys.platform` says it.
        clock: tells the age of draft files.

    Raises:
        TransportValueError: another separator, or a limit out of its range.
    """

    def __init__(
        self,
        *,
        separator: str = ";",
        open_uri: OpenUri | None = None,
        drafts: Path | str | None = None,
        max_uri_length: int = 2000,
        max_windows: int = 5,
        text_without_html: bool = False,
        platform: str = sys.platform,
        clock: Clock | None = None,
    ) -> None:
        check_separator(separator)
        if not 1 <= max_uri_length <= _LONGEST_URI:
            raise TransportValueError(
                f"max_uri_length is 1 to {_LONGEST_URI:,} characters, not {max_uri_length}:"
                " mail programs cut longer links in the middle of an address. Leave it at 2000."
            )
        if max_windows < 1:
            raise TransportValueError(f"max_windows is at least 1, not {max_windows}. Leave it at 5.")
        self._separator = separator
        self._open_uri = opener_for(platform) if open_uri is None else open_uri
        self._drafts = DraftFolder(
            None if drafts is None else Path(drafts), clock=SystemClock() if clock is None else clock
        )
        self._max_uri_length = max_uri_length
        self._max_windows = max_windows
        self._text_without_html = text_without_html
        self._platform = platform
        self._one_thread = OneThread("MailtoTransport")
        self._closed = False

    def __repr__(self) -> str:
        return f"MailtoTransport(separator={self._separator!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """End. A second call does nothing; windows that are open stay open."""
        self._closed = True

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """Open one window for each email.

        When the mail program stops opening after the first window, or a draft file cannot be written, the
        run stops: that email and all that follow are NOT_ATTEMPTED, and the reply says why.

        Args:
            emails: any iterable; at most `max_windows` + 1 are pulled.

        Yields:
            One receipt for each email, in order, each after its window was opened.

        Raises:
            TransportError: the transport is closed, or delivers in another thread at this moment; there
                are more than `max_windows` emails (nothing is opened then); no mail program can be opened.
        """
        if self._closed:
            raise TransportError("This MailtoTransport is closed; make a new one.")
        return self._run(emails)

    def check_windows(self, count: int) -> None:
        """Say beforehand what `deliver` would say to so many emails.

        Raises:
            TransportError: they are more than `max_windows`.
        """
        if count > self._max_windows:
            raise TransportError(
                f"More than {self._max_windows} emails were to open a window each in the mail program;"
                " nothing was opened. Send fewer at once, write to all in one email with BCC, turn on"
                ' "Use built-in VETtrak email client", or raise max_windows.'
            )

    def _run(self, emails: Iterable[Email]) -> Iterator[Receipt]:
        with self._one_thread:
            # A ledger doubts what was taken and not answered, unless told which emails have left; here all
            # are taken before the first leaves.
            opens = announced(emails)
            self._drafts.sweep()
            batch = list(islice(emails, self._max_windows + 1))
            self.check_windows(len(batch))
            stopped = ""
            for number, ready in enumerate([self._prepared(email) for email in batch]):
                if not stopped:
                    if opens is not None and opens(ready.email) is False:
                        yield held_elsewhere(ready.email)
                        continue
                    try:
                        receipt = self._opened(ready)
                    except OSError as error:
                        stopped = (
                            f"The draft file could not be written: {error.strerror or error}."
                            " Check that the disk has room and that you may write to the drafts folder."
                        )
                    except TransportError as error:
                        # Whoever is raised at loses the receipts so far, and would open those windows again.
                        if not number:
                            if opens is not None:  # it was asked about: say that nothing came of it
                                yield not_attempted(ready.email, why=str(error))
                            raise
                        stopped = str(error)
                    else:
                        yield receipt
                        continue
                yield not_attempted(ready.email, why=stopped)

    def _prepared(self, email: Email) -> _Link | _Draft:
        why = obstacle(email) or self._preference_for_draft(email)
        if not why:
            uri = mailto_uri(email, separator=self._separator)
            if len(uri) <= self._max_uri_length:
                return _Link(email=email, uri=uri, warnings=tuple(self._warnings(email)))
            why = f"a link of {len(uri):,} characters ({self._max_uri_length:,} are allowed)"
        return _Draft(email=email, data=draft_bytes(email), why=why)

    def _preference_for_draft(self, email: Email) -> str:
        """What a link could leave out, in words that follow "it has"."""
        if email.content.html and not self._text_without_html:
            return "formatted text (HTML)"
        if email.reply_to:
            return "a Reply-To"
        if email.headers:
            return f"the header {next(iter(email.headers))}"
        return ""

    def _warnings(self, email: Email) -> Iterator[HandOverWarning]:
        recipients = email.recipients
        lists = any(len(group) > 1 for group in (recipients.to, recipients.cc, recipients.bcc))
        if lists and self._separator == ";" and self._platform != "win32":
            yield HandOverWarning.SEMICOLON_LIST
        if recipients.bcc:
            yield HandOverWarning.BCC_MAY_BE_IGNORED
        if any(mailbox.display_name for mailbox in recipients.all):
            yield HandOverWarning.NAMES_DROPPED
        if email.content.html:
            yield HandOverWarning.HTML_DROPPED

    def _opened(self, ready: _Link | _Draft) -> Receipt:
        if isinstance(ready, _Link):
            self._open(checked_uri(ready.uri))
            words = f"The mail program was given a mailto link of {len(ready.uri):,} characters."
            return handed_over(ready.email, how=words, warnings=ready.warnings)
        path = self._drafts.write(ready.data)
        try:
            self._open(path.as_uri())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        words = f"The mail program was given the draft file {path}, because the email has {ready.why}."
        return handed_over(ready.email, how=words, warnings=(HandOverWarning.DRAFT_FILE,))

    def _open(self, uri: str) -> None:
        try:
            self._open_uri(uri)
        except OSError as error:
            # Not chained: such an error shows the URI, which names people, in every traceback.
            raise TransportError(
                f"The mail program could not be opened: {error.strerror or type(error).__name__}."
                " Check that one is installed and set as the default, then try again."
            ) from None

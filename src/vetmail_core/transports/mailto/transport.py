"""Emails to the mail program of whoever sits at the machine.

Every email of a run is decided and checked before the first window opens, and a run that would open more
windows than a person can look through opens none.
"""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from vetmail_core.clock import SystemClock
from vetmail_core.errors import TransportError, TransportValueError
from vetmail_core.transports.base import DefaultAnswers
from vetmail_core.transports.calls import checked_call
from vetmail_core.transports.hand_over import handed_over, not_attempted, without
from vetmail_core.transports.handed_on import announced, held_elsewhere
from vetmail_core.transports.mailto.deciding import Link, Refusal, Rules
from vetmail_core.transports.mailto.desktop import Handlers, LinuxDesktop
from vetmail_core.transports.mailto.drafts import DraftFolder
from vetmail_core.transports.mailto.opening import opener_for
from vetmail_core.transports.mailto.problems import TooManyWindowsError
from vetmail_core.transports.mailto.uri import check_separator, checked_uri
from vetmail_core.transports.one_thread import OneThread

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vetmail_core.clock import Clock
    from vetmail_core.message import Email
    from vetmail_core.receipts import Receipt
    from vetmail_core.transports.mailto.deciding import Draft
    from vetmail_core.transports.mailto.opening import OpenUri

__all__ = ["MailtoTransport"]

_LONGEST_URI: Final = 8_000  # Claws Mail and Sylpheed cut at 8,189 characters, in the middle of an address
_LONGEST_ON_WINDOWS: Final = 2_000  # ShellExecute takes about 2,083
_WINDOWS_TO_LOOK_THROUGH: Final = 10
_NOT_ASKED: Final = frozenset({"win32", "darwin"})  # which program they have is not asked there


class MailtoTransport(DefaultAnswers):
    """The default mail program instead of a mail server; the outcome is HANDED_OVER.

    An email goes as a mailto link where a link can carry it. When it has attachments, HTML without a text
    or an address in quotes, or when the link would be longer than `max_uri_length`, it goes as a draft file
    (`.eml`). HTML beside a text and a Reply-To go as a draft file too, but as a link without them where
    drafts do not open. The receipt's reply says which it was and why; each of its warnings is a
    `HandOverWarning`.

    On Linux the desktop is asked which programs open links and drafts. What is known of a measured program
    decides: its separator is used, and what it is known to lose is NOT_ATTEMPTED with the reason, not opened.
    Of any other program the warnings say what may happen.

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
        max_uri_length: characters; None is 2,000 on Windows and 8,000 elsewhere, and no more is allowed.
        max_windows: how many emails one run may open; None is 10.
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
        max_uri_length: int | None = None,
        max_windows: int | None = None,
        text_without_html: bool = False,
        platform: str = sys.platform,
        clock: Clock | None = None,
    ) -> None:
        check_separator(separator)
        longest = _LONGEST_ON_WINDOWS if platform == "win32" else _LONGEST_URI
        limit = longest if max_uri_length is None else max_uri_length
        if not 1 <= limit <= longest:
            cut = "Windows" if platform == "win32" else "mail programs"
            raise TransportValueError(
                f"max_uri_length must be 1 to {longest:,} characters, got {limit}: {cut} cut longer links in"
                " the middle of an address. Leave it out."
            )
        windows = _WINDOWS_TO_LOOK_THROUGH if max_windows is None else max_windows
        if windows < 1:
            raise TransportValueError(f"max_windows must be at least 1, got {windows}. Leave it out for 10.")
        self._separator = separator
        self._desktop = None if open_uri is not None or platform in _NOT_ASKED else LinuxDesktop()
        self._open_uri = opener_for(platform) if open_uri is None else open_uri
        self._drafts = DraftFolder(
            None if drafts is None else Path(drafts), clock=SystemClock() if clock is None else clock
        )
        self._rules = Rules(
            separator=separator, limit=limit, text_without_html=text_without_html, platform=platform
        )
        self._max_windows = windows
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

    @property
    def chooses_sender(self) -> bool:
        """True; From, Reply-To and login are those of the mail program's account."""
        return True

    @checked_call
    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """Open one window for each email.

        An email that the mail program could not open whole is not opened: it is NOT_ATTEMPTED, its reply says
        why, and the others go on. When the program stops opening after the first window, or a draft file
        cannot be written, the run stops: that email and all that follow are NOT_ATTEMPTED.

        Args:
            emails: any iterable; at most `max_windows` + 1 are pulled.

        Yields:
            One receipt for each email, in order, each after its window was opened.

        Raises:
            TransportError: the transport is closed, or delivers in another thread at this moment. Or
                nothing is opened: there are more than `max_windows` emails, there is no screen or no mail
                program, or no email of the run can be opened.
            MessageError: a text has a control character that mail programs cut it at; nothing is opened.
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
            raise TooManyWindowsError(self._max_windows)

    def _run(self, emails: Iterable[Email]) -> Iterator[Receipt]:
        with self._one_thread:
            # A ledger doubts what was taken and not answered, unless told which emails have left; here all
            # are taken before the first leaves.
            opens = announced(emails)
            self._drafts.sweep()
            batch = list(islice(emails, self._max_windows + 1))
            self.check_windows(len(batch))
            decided = self._decided(batch)
            stopped = ""
            for number, ready in enumerate(decided):
                if isinstance(ready, Refusal):
                    yield not_attempted(ready.email, why=ready.why)
                    continue
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

    def _decided(self, batch: list[Email]) -> list[Link | Draft | Refusal]:
        """Decide every email of a run, or raise when none of them can be opened."""
        if not batch:
            return []
        handlers = Handlers() if self._desktop is None else self._desktop.handlers()
        decided = [self._rules.decide(email, handlers) for email in batch]
        refusals = [one for one in decided if isinstance(one, Refusal)]
        if len(refusals) == len(decided):
            raise TransportError(refusals[0].why)
        return decided

    def _opened(self, ready: Link | Draft) -> Receipt:
        if isinstance(ready, Link):
            self._open(checked_uri(ready.uri))
            words = f"The mail program was given a mailto link of {len(ready.uri):,} characters."
            receipt = handed_over(ready.email, how=words, warnings=ready.warnings)
            return without(receipt, ready.lost, why=ready.why_lost)
        path = self._drafts.write(ready.data, for_snap=ready.for_snap)
        try:
            self._open(path.as_uri())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        words = f"The mail program was given the draft file {path}, because the email {ready.why}."
        return handed_over(ready.email, how=words, warnings=ready.warnings)

    def _open(self, uri: str) -> None:
        try:
            self._open_uri(uri)
        except OSError as error:
            # Not chained: such an error shows the URI, which names people, in every traceback.
            raise TransportError(
                f"The mail program could not be opened: {error.strerror or type(error).__name__}."
                " Check that one is installed and set as the default, then try again."
            ) from None

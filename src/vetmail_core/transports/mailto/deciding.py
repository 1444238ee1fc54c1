"""Link, draft file or neither: the decision for one email, before anything is written or opened.

::

    what the email has                          the program opens drafts,    it does not,
                                                or nobody knows              or none is set
    recipients, subject, text, further headers  link                         link
    HTML beside a text, a Reply-To              draft file                   link, without them
    attachments, HTML alone, quotes, too long   draft file                   refused

On a Mac the second row goes by link: Apple Mail shows a draft file as a message received. What a link would
lose in a program that was measured is never called handed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.recipients import Recipients
from vetmail_core.transports.mailto.controls import refuse_control_characters
from vetmail_core.transports.mailto.desktop import DRAFTS
from vetmail_core.transports.mailto.drafts import draft_bytes
from vetmail_core.transports.mailto.problems import BUILT_IN
from vetmail_core.transports.mailto.programs import PROGRAMS
from vetmail_core.transports.mailto.uri import Obstacle, mailto_uri, obstacle
from vetmail_core.transports.mailto.warnings import HandOverWarning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vetmail_core.address import Mailbox
    from vetmail_core.message import Email
    from vetmail_core.transports.mailto.desktop import Handlers

__all__ = ["Draft", "Link", "Refusal", "Rules"]

_SUITABLE: Final = " or ".join(program.name for program in PROGRAMS if program.opens_drafts)


@attrs.frozen(kw_only=True)
class Link:
    """An email as a mailto link.

    Attributes:
        email: the caller's own.
        uri: the link.
        warnings: what the program may make of it.
        lost: blind copies that the program leaves out; they are not in the link.
        why_lost: the sentence for them.
    """

    email: Email
    uri: str
    warnings: tuple[HandOverWarning, ...]
    lost: tuple[Mailbox, ...] = ()
    why_lost: str = ""


@attrs.frozen(kw_only=True)
class Draft:
    """An email as a draft file, not yet written.

    Attributes:
        email: the caller's own.
        data: the file.
        why: why it is no link, as it follows "because the email".
        warnings: what to look at.
        for_snap: the program that opens it comes from a Snap.
    """

    email: Email
    data: bytes
    why: str
    warnings: tuple[HandOverWarning, ...]
    for_snap: bool


@attrs.frozen(kw_only=True)
class Refusal:
    """An email that is not opened.

    Attributes:
        email: the caller's own.
        why: the obstacle, the program and a way out.
    """

    email: Email
    why: str


@attrs.frozen(kw_only=True)
class Rules:
    """What decides, beside the email and the programs.

    Attributes:
        separator: the preferences'.
        limit: the longest link, in characters.
        text_without_html: the text may go as a link where there is HTML beside it.
        platform: as `sys.platform` says it.
    """

    separator: str
    limit: int
    text_without_html: bool
    platform: str

    def decide(self, email: Email, handlers: Handlers) -> Link | Draft | Refusal:
        """Decide how an email goes.

        Raises:
            MessageError: a control character in its text that mail programs cut it at.
        """
        refuse_control_characters(email.content)
        hindrance = obstacle(email)
        link: Link | None = None
        if hindrance is None:
            link = self._link(email, handlers)
            if len(link.uri) > self.limit:
                hindrance = Obstacle(
                    f"would be a link of {len(link.uri):,} characters, and {self.limit:,} are the limit",
                    "shorten the text or write to fewer people at once",
                )
                link = None
        why = self._lost_by_a_link(email) if hindrance is None else hindrance.why
        if why:
            closed = self._why_closed(handlers, links_will_do=link is not None)
            if not closed:
                return _draft(email, why, handlers)
            if hindrance is not None:
                return Refusal(email=email, why=_refused(hindrance, closed))
        assert link is not None  # noqa: S101 - a hindrance went as a draft, or was refused
        return self._opens(link, handlers)

    def _lost_by_a_link(self, email: Email) -> str:
        """What a draft file would carry beside the substance of the email."""
        if email.content.html and not self.text_without_html:
            return "has formatted text (HTML)"
        return "has a Reply-To" if email.reply_to else ""

    def _why_closed(self, handlers: Handlers, *, links_will_do: bool) -> str:
        """Why no draft file is opened; "" when it may be."""
        if self.platform == "darwin":
            # Apple Mail, which most Macs use, would show it as a message received. Others open it.
            return "Apple Mail does not open draft files for sending" if links_will_do else ""
        drafts = handlers.drafts
        if drafts is None:
            beside = f" ({handlers.links.name} opens its links)" if handlers.links.entry else ""
            return f"this desktop has no program for draft files (.eml, {DRAFTS}){beside}"
        program = drafts.program
        if program is not None and not program.opens_drafts:
            return f"{program.name}, to which a draft file (.eml) goes here, {program.drafts}"
        return ""

    def _link(self, email: Email, handlers: Handlers) -> Link:
        program = handlers.links.program
        recipients = email.recipients
        lists = any(len(group) > 1 for group in (recipients.to, recipients.cc, recipients.bcc))
        separator, warnings = self.separator, list[HandOverWarning]()
        if program is None:
            if lists and separator == ";" and self.platform != "win32":
                warnings.append(HandOverWarning.SEMICOLON_LIST)
            if recipients.bcc:
                warnings.append(HandOverWarning.BCC_MAY_BE_IGNORED)
        elif separator not in program.separators:
            separator = program.separators[0]
            if lists:
                warnings.append(HandOverWarning.SEPARATOR_CHANGED)
        warnings += _left_out_of_links(email)
        lost: tuple[Mailbox, ...] = ()
        shown = email
        if program is not None and not program.keeps_bcc and (recipients.to or recipients.cc):
            # Should a later version of the program keep them, whoever is answered for as not sent to must
            # not be sent to.
            lost = recipients.bcc
            shown = attrs.evolve(email, recipients=Recipients(recipients.to, recipients.cc))
        return Link(
            email=email,
            uri=mailto_uri(shown, separator=separator),
            warnings=tuple(warnings),
            lost=lost,
            why_lost=_bcc_lost(handlers.links.name) if lost else "",
        )

    def _opens(self, link: Link, handlers: Handlers) -> Link | Refusal:
        program, recipients = handlers.links.program, link.email.recipients
        if program is None or program.opens_bcc_alone or recipients.to or recipients.cc:
            return link
        return Refusal(
            email=link.email,
            why=f"Everybody is in BCC, and {program.name} opens no link without To or CC; nothing was opened."
            f" Write to them in To, choose another mail program such as {_SUITABLE}, or {BUILT_IN}.",
        )


def _left_out_of_links(email: Email) -> Iterator[HandOverWarning]:
    if any(mailbox.display_name for mailbox in email.recipients.all):
        yield HandOverWarning.NAMES_DROPPED
    if email.content.html:
        yield HandOverWarning.HTML_DROPPED
    if email.reply_to:
        yield HandOverWarning.REPLY_TO_DROPPED
    if email.headers:
        yield HandOverWarning.HEADERS_DROPPED


def _draft(email: Email, why: str, handlers: Handlers) -> Draft:
    warnings = [HandOverWarning.DRAFT_FILE]
    if email.headers:
        warnings.append(HandOverWarning.HEADERS_DROPPED)
    drafts = handlers.drafts
    if drafts is not None and not drafts.is_same(handlers.links):
        warnings.append(HandOverWarning.OTHER_PROGRAM)
    return Draft(
        email=email,
        data=draft_bytes(email),
        why=why,
        warnings=tuple(warnings),
        for_snap=drafts is not None and drafts.is_snap,
    )


def _refused(hindrance: Obstacle, closed: str) -> str:
    instead = f"{hindrance.instead[0].upper()}{hindrance.instead[1:]}"
    return (
        f"The email was not opened, because it {hindrance.why}, and {closed}."
        f" {instead}, choose a mail program that opens draft files, such as {_SUITABLE}, or {BUILT_IN}."
    )


def _bcc_lost(name: str) -> str:
    return (
        f"{name} leaves out blind copies (BCC) that come with a link, so this person was left out of it."
        f" Write to them separately in To, choose another mail program such as {_SUITABLE}, or {BUILT_IN}."
    )

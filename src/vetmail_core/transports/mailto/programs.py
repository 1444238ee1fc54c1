"""The table of measured mail programs, kept as data: what each does with a link and with a draft file.

Everything that `MailtoTransport` does differently for one program follows from its row here; no rule is
written for a single program. The rows were measured on Debian 12 from what each program would send: the
recipients at a mail server, the program's queue file, or what sendmail was given. A program that nobody
measured has no row, and is treated as one of which nothing is known.
"""

from __future__ import annotations

from typing import Final

import attrs

__all__ = ["PROGRAMS", "MailProgram", "desktop_name", "program_named"]

_ENDING: Final = ".desktop"


@attrs.frozen(kw_only=True)
class MailProgram:
    """What one mail program does.

    Attributes:
        name: as people know it.
        entries: its names on a desktop (freedesktop.org, Desktop Entry Specification), as `desktop_name`
            writes them.
        separators: which of ";" and "," join addresses in a link so that everybody is sent to.
        keeps_bcc: it keeps the blind copies of a link.
        opens_bcc_alone: it opens, with its recipients, a link that has neither To nor CC.
        opens_drafts: it opens a draft file (`.eml`) ready to send.
        drafts: what becomes of a draft file, as it follows the program's name.
    """

    name: str
    entries: frozenset[str]
    separators: str
    keeps_bcc: bool
    opens_bcc_alone: bool
    opens_drafts: bool
    drafts: str


PROGRAMS: Final = (
    MailProgram(
        name="Thunderbird",
        entries=frozenset(
            {
                "thunderbird",
                "thunderbird-esr",
                "mozilla-thunderbird",
                "org.mozilla.thunderbird",
                "thunderbird_thunderbird",  # from a Snap
                "net.thunderbird.thunderbird",
            }
        ),
        separators=";,",
        keeps_bcc=True,
        opens_bcc_alone=True,
        opens_drafts=True,
        drafts="opens it ready to send",
    ),
    MailProgram(
        name="Evolution",
        entries=frozenset({"org.gnome.evolution", "evolution"}),
        separators=",",
        keeps_bcc=True,
        opens_bcc_alone=True,
        opens_drafts=False,
        drafts="shows nothing of it",
    ),
    MailProgram(
        name="Claws Mail",
        entries=frozenset({"claws-mail", "org.claws_mail.claws-mail"}),
        separators=",",
        keeps_bcc=True,
        opens_bcc_alone=True,
        opens_drafts=False,
        drafts="shows nothing of it",
    ),
    MailProgram(
        name="Sylpheed",
        entries=frozenset({"sylpheed"}),
        separators=",",
        keeps_bcc=False,
        opens_bcc_alone=False,
        opens_drafts=False,
        drafts="shows it as a message received, which cannot be edited",
    ),
    MailProgram(
        name="mutt",
        entries=frozenset({"mutt"}),
        separators=";,",
        keeps_bcc=False,
        opens_bcc_alone=False,
        opens_drafts=False,
        drafts="opens it only when started by hand with mutt -H",
    ),
    MailProgram(
        name="NeoMutt",
        entries=frozenset({"neomutt"}),
        separators=";,",
        keeps_bcc=False,
        opens_bcc_alone=False,
        opens_drafts=False,
        drafts="opens it only when started by hand with neomutt -H",
    ),
)
"""One row for each program."""

_BY_ENTRY: Final = {entry: program for program in PROGRAMS for entry in program.entries}


def desktop_name(entry: str) -> str:
    """The form in which two names of one program are equal: lower case, without `.desktop`."""
    return entry.casefold().removesuffix(_ENDING)


def program_named(entry: str) -> MailProgram | None:
    """The measured program of that name on the desktop; None when nobody measured it.

    Args:
        entry: "org.gnome.Evolution.desktop".
    """
    return _BY_ENTRY.get(desktop_name(entry))

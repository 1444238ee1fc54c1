"""What a mail program may do with a link or a draft file.

A warning is its short name, which code compares, and has a sentence for people. What the sentences say of
programs comes from the table of measured programs.
"""

from __future__ import annotations

import enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from vetmail_core.transports.mailto.programs import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vetmail_core.transports.mailto.programs import MailProgram

__all__ = ["HandOverWarning"]


class HandOverWarning(enum.StrEnum):
    """A word of warning on a receipt; equal to its name as text: `"semicolon_list" in receipt.warnings`."""

    SEMICOLON_LIST = "semicolon_list"
    SEPARATOR_CHANGED = "separator_changed"
    BCC_MAY_BE_IGNORED = "bcc_may_be_ignored"
    NAMES_DROPPED = "names_dropped"
    HTML_DROPPED = "html_dropped"
    REPLY_TO_DROPPED = "reply_to_dropped"
    HEADERS_DROPPED = "headers_dropped"
    DRAFT_FILE = "draft_file"
    OTHER_PROGRAM = "other_program"

    @property
    def advice(self) -> str:
        """What may happen and what to do about it, in words for a help desk."""
        return _ADVICE[self]


def _names(programs: Iterable[MailProgram], *others: str) -> str:
    """Names in a sentence: "A, B and C"."""
    *most, last = (*others, *(program.name for program in programs))
    return f"{', '.join(most)} and {last}" if most else last


_COMMA_ALONE: Final = [program for program in PROGRAMS if ";" not in program.separators]
_DROP_BCC: Final = [program for program in PROGRAMS if not program.keeps_bcc]
_OPEN_DRAFTS: Final = [program for program in PROGRAMS if program.opens_drafts]
_CLOSED_TO_DRAFTS: Final = "; ".join(
    f"{program.name} {program.drafts}" for program in PROGRAMS if not program.opens_drafts
)

_ADVICE: Final[Mapping[HandOverWarning, str]] = MappingProxyType(
    {
        HandOverWarning.SEMICOLON_LIST: (
            f"The addresses are separated by semicolons. {_names(_COMMA_ALONE, 'Apple Mail')} send to nobody"
            " of such a list: look through the recipients before sending, or set"
            ' "Email address separator" in Email preferences > Settings to a comma.'
        ),
        HandOverWarning.SEPARATOR_CHANGED: (
            "The mail program sends to nobody of a list with the separator of the preferences, so the link"
            ' was written with the other one. Set "Email address separator" in Email preferences > Settings'
            " to the separator that the program takes."
        ),
        HandOverWarning.BCC_MAY_BE_IGNORED: (
            f"Some mail programs ({_names(_DROP_BCC)}) leave out blind copies that come with a link:"
            " look at BCC before sending."
        ),
        HandOverWarning.NAMES_DROPPED: (
            "A link holds addresses alone, so the names beside them are left out; the mail program may"
            " know them from its address book."
        ),
        HandOverWarning.HTML_DROPPED: (
            "A link holds plain text alone, so the formatted version of the text was left out."
        ),
        HandOverWarning.REPLY_TO_DROPPED: (
            "A link has no place for a Reply-To, so it was left out: answers go to the account that sends."
            " Enter the address for answers in the mail program where that matters."
        ),
        HandOverWarning.HEADERS_DROPPED: (
            "Mail programs leave out further headers, such as Importance or List-Unsubscribe, by link and by"
            ' draft file. Where they matter, turn on "Use built-in VETtrak email client".'
        ),
        HandOverWarning.DRAFT_FILE: (
            f"The email was opened as a draft file. {_names(_OPEN_DRAFTS)} and Outlook open it ready to send."
            f" Others do not: {_CLOSED_TO_DRAFTS}; Apple Mail shows it as a message received, which cannot be"
            " edited. Look at the window and its recipients before sending."
        ),
        HandOverWarning.OTHER_PROGRAM: (
            "The draft file was opened in another program than links are: look for the window there, and"
            " choose one program for both in the desktop's settings under default applications."
        ),
    }
)

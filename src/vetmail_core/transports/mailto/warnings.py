"""What a mail program may do with a link or a draft file.

What it is for: telling the sender what to look at before pressing Send. What it refuses: to guess which
program it is. Its law: a warning is its short name, which code compares, and has a sentence for people.
"""

from __future__ import annotations

import enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HandOverWarning"]


class HandOverWarning(enum.StrEnum):
    """A word of warning on a receipt; equal to its name as text: `"semicolon_list" in receipt.warnings`."""

    SEMICOLON_LIST = "semicolon_list"
    BCC_MAY_BE_IGNORED = "bcc_may_be_ignored"
    NAMES_DROPPED = "names_dropped"
    HTML_DROPPED = "html_dropped"
    DRAFT_FILE = "draft_file"

    @property
    def advice(self) -> str:
        """What may happen and what to do about it, in words for a help desk."""
        return _ADVICE[self]


_ADVICE: Final[Mapping[HandOverWarning, str]] = MappingProxyType(
    {
        HandOverWarning.SEMICOLON_LIST: (
            "The addresses are separated by semicolons, of which Apple Mail, Evolution, Claws Mail,"
            " Sylpheed and NeoMutt keep only some: look through the recipients before sending, or set"
            ' "Email address separator" in Email preferences > Settings to a comma.'
        ),
        HandOverWarning.BCC_MAY_BE_IGNORED: (
            "Some mail programs (mutt, NeoMutt, Sylpheed) leave out blind copies that come with a link:"
            " look at BCC before sending."
        ),
        HandOverWarning.NAMES_DROPPED: (
            "A link holds addresses alone, so the names beside them are left out; the mail program may"
            " know them from its address book."
        ),
        HandOverWarning.HTML_DROPPED: (
            "A link holds plain text alone, so the formatted version of the text was left out."
        ),
        HandOverWarning.DRAFT_FILE: (
            "The email was opened as a draft file. Thunderbird and classic Outlook show it ready to send;"
            " Evolution and Sylpheed show it as a message received (choose Edit as new there), and Claws Mail"
            " does not show it: look at the recipients before sending."
        ),
    }
)

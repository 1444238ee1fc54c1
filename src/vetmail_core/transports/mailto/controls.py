"""Control characters that mail programs cut a text at.

Thunderbird sends what comes before a NUL and drops the rest without a word, so such a text is refused before
anything is opened. Tabs and line ends are text. So are U+000B and U+000C, which word processors write for
a soft line break and a new page.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from vetmail_core.errors import MessageError

if TYPE_CHECKING:
    from vetmail_core.message import Content

__all__ = ["refuse_control_characters"]

_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


def refuse_control_characters(content: Content) -> None:
    """Make sure that a mail program shows the whole text.

    Raises:
        MessageError: a control character in the text or the HTML; names it and its place.
    """
    for place, text in (("text", content.text), ("HTML", content.html)):
        found = _CONTROL.search(text)
        if found is not None:
            raise MessageError(
                f'the {place} of "{content.subject}" has the control character U+{ord(found[0]):04X} at'
                f" character {found.start() + 1}, where mail programs cut a text off; remove it"
            )

"""An email as the standard library's object.

What it is for: hosts that go on with ``email.message.EmailMessage``. What it refuses: nothing beyond what
an email refuses. Its law: the headers are written by this library and the bodies by the standard one.

The standard library folds and encodes some headers wrongly (it opens encoded words inside quotes and
puts blanks between encoded words of a name), so it is given header lines that are ready, and told not to
touch them.
"""

from __future__ import annotations

from email import policy
from email.message import EmailMessage
from email.parser import Parser
from typing import TYPE_CHECKING, Final

from vetmail_core.message.bodies import encoded_text
from vetmail_core.message.wire import header_block

if TYPE_CHECKING:
    from vetmail_core.message.email import Email

__all__ = ["to_message"]

_POLICY: Final = policy.SMTP.clone(cte_type="7bit", refold_source="none")


def to_message(email: Email) -> EmailMessage:
    """Make the standard library's object; see ``Email.to_message``."""
    smtputf8 = email.needs_smtputf8
    block = header_block(email, date=None, message_id="", smtputf8=smtputf8)
    rules = _POLICY.clone(utf8=True) if smtputf8 else _POLICY
    message = Parser(EmailMessage, policy=rules).parsestr(block + "\r\n")
    content = email.content
    if content.text or not content.html:
        message.set_content(content.text, cte=encoded_text(content.text)[0])
        if content.html:
            message.add_alternative(content.html, subtype="html", cte=encoded_text(content.html)[0])
    else:
        message.set_content(content.html, subtype="html", cte=encoded_text(content.html)[0])
    for attachment in content.attachments:
        media_type, parameters = attachment.typed()
        maintype, _, subtype = media_type.partition("/")
        message.add_attachment(
            attachment.data,
            maintype=maintype,
            subtype=subtype,
            filename=attachment.filename,
            params=parameters,
        )
    return message

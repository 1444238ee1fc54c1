"""An email as the standard library's object.

For hosts that go on with ``email.message.EmailMessage``: this library writes the headers, the standard
library the bodies.

The standard library folds and encodes some headers wrongly (it opens encoded words inside quotes and
puts blanks between encoded words of a name), so it is given header lines that are ready, and told not to
touch them.
"""

from __future__ import annotations

from email import policy
from email.message import EmailMessage
from email.parser import BytesParser, Parser
from typing import TYPE_CHECKING, Final, cast

from vetmail_core.message.bodies import encoded_text
from vetmail_core.message.structure import attached_message, calendar_method
from vetmail_core.message.wire import header_block

if TYPE_CHECKING:
    from collections.abc import Callable

    from vetmail_core.message.attachment import Attachment
    from vetmail_core.message.email import Email

__all__ = ["to_message"]

_POLICY: Final = policy.SMTP.clone(cte_type="7bit", refold_source="none")


def to_message(email: Email) -> EmailMessage:
    """Make the standard library's object; see ``Email.to_message``."""
    if email.written is not None:
        return BytesParser(EmailMessage, policy=_POLICY).parsebytes(email.written)
    smtputf8 = email.needs_smtputf8
    block = header_block(email, date=None, message_id="", smtputf8=smtputf8)
    rules = _POLICY.clone(utf8=True) if smtputf8 else _POLICY
    message = Parser(EmailMessage, policy=rules).parsestr(block + "\r\n")
    content = email.content
    html = message
    if content.text or not (content.html or content.invitation):
        message.set_content(content.text, cte=encoded_text(content.text)[0])
        if content.html:
            message.add_alternative(content.html, subtype="html", cte=encoded_text(content.html)[0])
            html = cast("EmailMessage", message.get_body(("html",)))
    elif content.html:
        message.set_content(content.html, subtype="html", cte=encoded_text(content.html)[0])
    for attachment in content.attachments:
        if attachment.inline:
            _add(attachment, html.add_related, cid=f"<{attachment.inline}>", disposition="inline")
    if content.invitation is not None:
        _invite(message, content.invitation)
    for attachment in content.attached():
        _add(attachment, message.add_attachment)
    return message


def _add(attachment: Attachment, add: Callable[..., None], **facts: str) -> None:
    if attachment.is_message:
        octets = attached_message(attachment.data)
        inner = BytesParser(EmailMessage, policy=_POLICY).parsebytes(octets)
        add(inner, filename=attachment.filename)
        return
    media_type, parameters = attachment.typed()
    maintype, _, subtype = media_type.partition("/")
    add(
        attachment.data,
        maintype=maintype,
        subtype=subtype,
        filename=attachment.filename,
        params=parameters,
        **facts,
    )


def _invite(message: EmailMessage, invitation: bytes) -> None:
    text = invitation.decode()
    facts = {
        "subtype": "calendar",
        "cte": encoded_text(text)[0],
        "params": {"method": calendar_method(invitation)},
    }
    add = message.add_alternative if message.get("Content-Type") else message.set_content
    cast("Callable[..., None]", add)(text, **facts)

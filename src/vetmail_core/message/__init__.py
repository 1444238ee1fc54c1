"""What is read, and who gets it from whom, as the bytes that go on the wire.

``Content`` is the subject, text, HTML and attachments; ``Email`` is content with its sender and recipients.
Reading ``Email.as_bytes()`` back gives what ``Email.to_message()`` holds, and never a Bcc. Text that would
break out of a header is refused.

::

    merge.py       ${name} fields, compiled once for a whole run
    page.py        emails as a page to look at
    links.py       how a value is written where it stands in a link
    marks.py       what a reader would take for a merge field that was not filled in
    attachment.py  a file, encoded once and shared by every email that carries it
    content.py     what is read: subject, text, HTML, attachments -> a MIME entity
    bodies.py      one text as a MIME part: 7bit, quoted-printable or base64
    structure.py   the parts of a message, in the order that readers expect
    headers.py     header values: what is refused, and how it is folded
    email.py       content, sender and recipients together
    wire.py        Email -> bytes
    written.py     a message that another program has written
    standard.py    Email -> email.message.EmailMessage
"""

from __future__ import annotations

from vetmail_core.message.attachment import Attachment
from vetmail_core.message.content import Content
from vetmail_core.message.email import Email
from vetmail_core.message.headers import HeaderFields
from vetmail_core.message.wire import wire_bytes

__all__ = ["Attachment", "Content", "Email", "HeaderFields", "wire_bytes"]

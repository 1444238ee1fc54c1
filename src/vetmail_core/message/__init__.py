"""What is read, and who gets it from whom, as the bytes that go on the wire.

What it is for: ``Content`` (subject, text, HTML, attachments), ``Email`` (content with its sender and
recipients) and their wire form, ten and more times faster than the standard library writes it. What it
refuses: anything that would break out of a header, a character no charset can write, a second merge. Its
law: reading ``Email.as_bytes()`` back gives what ``Email.to_message()`` holds, and never a Bcc.

::

    merge.py       ${name} fields, compiled once for a whole run
    links.py       how a value is written where it stands in a link
    marks.py       what a reader would take for a merge field that is none
    attachment.py  a file, encoded once and shared by every email that carries it
    content.py     what is read: subject, text, HTML, attachments -> a MIME entity
    bodies.py      one text as a MIME part: 7bit, quoted-printable or base64
    headers.py     header values: what is refused, and how it is folded
    email.py       content, sender and recipients together
    wire.py        Email -> bytes
    standard.py    Email -> email.message.EmailMessage
"""

from __future__ import annotations

from vetmail_core.message.attachment import Attachment
from vetmail_core.message.content import Content
from vetmail_core.message.email import Email
from vetmail_core.message.headers import HeaderFields
from vetmail_core.message.wire import wire_bytes

__all__ = ["Attachment", "Content", "Email", "HeaderFields", "wire_bytes"]

"""Reports in the forms that mail servers write, made from what a test wants to vary."""

from __future__ import annotations

import base64

ENDS = "\r\n"
RETURNED = (
    'From: "Reception" <office@school.example>\nTo: lou@away.example\nMessage-ID: <m1@school.example>\n'
)


def report(
    about_one: str,
    *,
    about_all: str = "Reporting-MTA: dns; mx.school.example",
    status_type: str = "message/delivery-status",
    encoding: str = "",
    returned_type: str = "message/rfc822",
    returned: str = RETURNED,
    more_headers: str = "",
    closed: bool = True,
) -> bytes:
    """A delivery report about one email; `about_one` holds the block or blocks about recipients."""
    status = f"{about_all}\n\n{about_one}\n"
    if encoding == "base64":
        status = base64.encodebytes(status.encode()).decode()
    elif encoding == "quoted-printable":
        status = status.replace("=", "=3D")
    text = f"""From: MAILER-DAEMON@mx.school.example
To: office@school.example
Subject: Undelivered
{more_headers}MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
 boundary="part/1.a"

--part/1.a
Content-Type: text/plain

Your email did not arrive.

--part/1.a
Content-Type: {status_type}
"""
    if encoding:
        text += f"Content-Transfer-Encoding: {encoding}\n"
    text += f"\n{status}\n"
    if returned_type:
        text += f"--part/1.a\nContent-Type: {returned_type}\n\n{returned}\nRoom 7.\n"
    text += "--part/1.a--\n" if closed else ""
    return text.replace("\n", ENDS).encode("utf-8", "surrogateescape")


def failed(address: str = "lou@away.example", *, code: str = "5.1.1", words: str = "550 5.1.1 nobody") -> str:
    """The block about a recipient whose email came back."""
    return (
        f"Final-Recipient: rfc822; {address}\nAction: failed\nStatus: {code}\nDiagnostic-Code: smtp; {words}"
    )


def complaint(kind: str = "abuse", *, fields: str = "Original-Rcpt-To: <lou@away.example>\n") -> bytes:
    """A report of a provider whose user called an email spam (RFC 5965)."""
    return f"""From: feedback@provider.example
To: office@school.example
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary=fb

--fb
Content-Type: message/feedback-report

Feedback-Type: {kind}
{fields}Original-Envelope-Id: term+2F1

--fb
Content-Type: message/rfc822

{RETURNED}
Room 7.
--fb--
""".encode()


def by_qmail(paragraphs: str, *, copy: str = RETURNED) -> bytes:
    """A report as qmail writes it: no MIME at all."""
    return f"""From: MAILER-DAEMON@mx.school.example
To: office@school.example
Subject: failure notice

Hi. This is the qmail-send program at mx.school.example.
It did not work out.

{paragraphs}
--- Below this line is a copy of the message.

{copy}
<text@of-the-email.example>:
a line of its text
""".encode()

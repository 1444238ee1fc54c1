"""What a reply means: one table, by code, enhanced code, text and step."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetmail_core.receipts import Cause, Outcome, Phase, Reply, Status
from vetmail_core.transports import replies
from vetmail_core.transports.replies import Parties, Repeat, Retry, Scope, gist, meaning
from vetmail_core.transports.smtp.rules.protocol import read_reply


@pytest.mark.parametrize(
    ("code", "enhanced", "text", "phase", "cause", "scope", "retry"),
    [
        (
            550, "5.7.30", "Basic authentication is not supported",
            "AUTH", "BASIC_AUTH_RETIRED", "RUN", "NEVER",
        ),
        (535, "5.7.139", "Authentication unsuccessful", "AUTH", "AUTHENTICATION", "RUN", "NEVER"),
        (535, "5.7.3", "Authentication unsuccessful", "AUTH", "AUTHENTICATION", "RUN", "NEVER"),
        (535, "5.7.8", "Username and Password not accepted", "AUTH", "AUTHENTICATION", "RUN", "NEVER"),
        (530, "5.7.57", "Client not authenticated", "MAIL", "AUTHENTICATION", "RUN", "NEVER"),
        (530, "", "Must issue a STARTTLS command first", "MAIL", "TLS", "RUN", "NEVER"),
        (
            534, "5.7.9", "Application-specific password required",
            "AUTH", "APP_PASSWORD_NEEDED", "RUN", "NEVER",
        ),
        (454, "4.7.0", "Temporary authentication failure", "AUTH", "AUTHENTICATION", "RUN", "LATER"),
        (554, "5.2.252", "SendAsDenied; not allowed to send as", "DOT", "SENDER_NOT_ALLOWED", "RUN", "NEVER"),
        (554, "5.2.0", "STOREDRV.Submission; SendAsDenied", "DOT", "SENDER_NOT_ALLOWED", "RUN", "NEVER"),
        (550, "5.7.60", "Client does not have permissions", "DOT", "SENDER_NOT_ALLOWED", "RUN", "NEVER"),
        (
            554, "", "Message rejected: Email address is not verified.",
            "DOT", "SENDER_NOT_ALLOWED", "RUN", "NEVER",
        ),
        (550, "5.7.512", "malformed From", "DOT", "SENDER_NOT_ALLOWED", "RUN", "NEVER"),
        (432, "4.3.2", "Concurrent connections limit exceeded", "MAIL", "THROTTLED", "MESSAGE", "SLOWER"),
        (421, "4.7.0", "Try again later", "MAIL", "THROTTLED", "MESSAGE", "SLOWER"),
        (421, "4.3.0", "Temporary system problem", "DOT", "CONNECTION", "MESSAGE", "RECONNECT"),
        (421, "4.4.5", "Too many connections", "GREETING", "THROTTLED", "MESSAGE", "SLOWER"),
        (450, "4.2.1", "receiving mail too quickly", "RCPT", "RECIPIENT_THROTTLED", "RECIPIENT", "LATER"),
        (451, "4.3.0", "Mail server temporarily rejected", "DOT", "OTHER", "MESSAGE", "FRESH"),
        (451, "4.7.1", "Greylisted", "RCPT", "GREYLISTED", "RECIPIENT", "LATER"),
        (
            454, "", "Throttling failure: Maximum sending rate exceeded.",
            "DOT", "THROTTLED", "MESSAGE", "SLOWER",
        ),
        (450, "", "You send at too high a rate", "MAIL", "THROTTLED", "MESSAGE", "SLOWER"),
        (454, "", "Throttling failure: Daily message quota exceeded.", "DOT", "DAILY_QUOTA", "RUN", "NEVER"),
        (550, "5.1.90", "exceeded the daily limit", "RCPT", "DAILY_QUOTA", "RUN", "NEVER"),
        (550, "5.2.2", "Submission quota exceeded", "DOT", "DAILY_QUOTA", "RUN", "NEVER"),
        (550, "5.4.5", "Daily sending quota exceeded", "MAIL", "DAILY_QUOTA", "RUN", "NEVER"),
        (550, "5.7.232", "tenant limit", "DOT", "DAILY_QUOTA", "RUN", "NEVER"),
        (550, "5.7.233", "tenant limit", "DOT", "DAILY_QUOTA", "RUN", "NEVER"),
        (550, "5.1.8", "bad outbound sender", "DOT", "BLOCKED", "RUN", "NEVER"),
        (550, "5.7.501", "banned", "RCPT", "BLOCKED", "RUN", "NEVER"),
        (550, "5.7.705", "tenant has exceeded threshold", "DOT", "BLOCKED", "RUN", "NEVER"),
        (550, "5.7.708", "traffic from this IP not accepted", "MAIL", "BLOCKED", "RUN", "NEVER"),
        (550, "5.2.252", "throttled for repeating errors", "DOT", "THROTTLED", "RUN", "NEVER"),
        (550, "5.2.254", "too many for today", "DOT", "BLOCKED", "RUN", "NEVER"),
        (550, "5.1.1", "no such user", "RCPT", "BAD_RECIPIENT", "RECIPIENT", "NEVER"),
        (550, "5.1.10", "recipient not found", "RCPT", "BAD_RECIPIENT", "RECIPIENT", "NEVER"),
        (550, "5.4.1", "recipient address rejected", "RCPT", "BAD_RECIPIENT", "RECIPIENT", "NEVER"),
        (550, "5.5.0", "mailbox unavailable", "RCPT", "BAD_RECIPIENT", "RECIPIENT", "NEVER"),
        (550, "5.7.504", "recipient banned", "RCPT", "BAD_RECIPIENT", "RECIPIENT", "NEVER"),
        (550, "5.2.1", "account disabled", "RCPT", "BAD_RECIPIENT", "RECIPIENT", "NEVER"),
        (553, "", "mailbox name not allowed", "RCPT", "BAD_RECIPIENT", "RECIPIENT", "NEVER"),
        (452, "4.2.2", "over quota", "RCPT", "MAILBOX_FULL", "RECIPIENT", "LATER"),
        (552, "5.2.2", "over quota", "RCPT", "MAILBOX_FULL", "RECIPIENT", "LATER"),
        (552, "", "exceeded storage allocation", "RCPT", "MAILBOX_FULL", "RECIPIENT", "LATER"),
        (550, "5.2.2", "mailbox is full", "DOT", "MAILBOX_FULL", "RECIPIENT", "LATER"),
        (550, "5.2.121", "hourly receive limit", "RCPT", "RECIPIENT_THROTTLED", "RECIPIENT", "LATER"),
        (452, "4.2.122", "hourly receive limit", "RCPT", "RECIPIENT_THROTTLED", "RECIPIENT", "LATER"),
        (452, "4.5.3", "no more, please", "RCPT", "TOO_MANY_RECIPIENTS", "RECIPIENT", "LATER"),
        (452, "4.5.3", "domain limit", "MAIL", "TOO_MANY_RECIPIENTS", "MESSAGE", "SLOWER"),
        (550, "5.5.3", "too many recipients", "RCPT", "TOO_MANY_RECIPIENTS", "RECIPIENT", "LATER"),
        (552, "5.3.4", "message too big", "MAIL", "TOO_LARGE", "MESSAGE", "NEVER"),
        (552, "5.2.3", "message too big", "DOT", "TOO_LARGE", "MESSAGE", "NEVER"),
        (552, "", "size limit", "DATA", "TOO_LARGE", "MESSAGE", "NEVER"),
        (421, "4.3.2", "shutting down", "MAIL", "CONNECTION", "MESSAGE", "RECONNECT"),
        (503, "5.5.1", "nested MAIL", "MAIL", "PROTOCOL", "MESSAGE", "RECONNECT"),
        (554, "", "SMTP synchronization error", "MAIL", "PROTOCOL", "MESSAGE", "RECONNECT"),
        (501, "5.5.4", "Invalid arguments", "MAIL", "PROTOCOL", "MESSAGE", "RECONNECT"),
        (550, "5.2.3", "message length exceeds limit", "DOT", "TOO_LARGE", "MESSAGE", "NEVER"),
        (550, "5.7.30", "Basic auth is not supported", "MAIL", "BASIC_AUTH_RETIRED", "RUN", "NEVER"),
        (503, "5.5.1", "EHLO first", "GREETING", "PROTOCOL", "RUN", "NEVER"),
        (504, "5.5.4", "no such mechanism", "AUTH", "AUTHENTICATION", "RUN", "NEVER"),
        (451, "4.3.5", "later", "AUTH", "AUTHENTICATION", "RUN", "LATER"),
        (454, "4.7.0", "TLS not available", "STARTTLS", "TLS", "RUN", "LATER"),
        (554, "5.3.3", "no TLS today", "STARTTLS", "TLS", "RUN", "NEVER"),
        (554, "5.7.1", "blocked by a list", "GREETING", "BLOCKED", "RUN", "NEVER"),
        (451, "4.3.5", "later", "GREETING", "CONNECTION", "RUN", "LATER"),
        (550, "5.7.1", "Unable to relay", "RCPT", "AUTHENTICATION", "RUN", "NEVER"),
        (553, "5.7.1", "not owned by user", "MAIL", "SENDER_NOT_ALLOWED", "RUN", "NEVER"),
        (554, "5.7.1", "spam", "DOT", "CONTENT_REFUSED", "MESSAGE", "NEVER"),
        (451, "4.3.5", "later", "DOT", "OTHER", "MESSAGE", "FRESH"),
        # a login that is over, in other words and at other steps
        (550, "5.7.30", "retired", "AUTH", "BASIC_AUTH_RETIRED", "RUN", "NEVER"),
        (550, "", "Basic authentication is disabled", "AUTH", "BASIC_AUTH_RETIRED", "RUN", "NEVER"),
        (550, "5.7.1", "Basic auth is not supported", "AUTH", "BASIC_AUTH_RETIRED", "RUN", "NEVER"),
        (534, "5.7.9", "Please log in with a browser", "AUTH", "APP_PASSWORD_NEEDED", "RUN", "NEVER"),
        (534, "5.7.9", "Authentication mechanism is too weak", "AUTH", "AUTHENTICATION", "RUN", "NEVER"),
        (534, "", "Application-specific password needed", "AUTH", "APP_PASSWORD_NEEDED", "RUN", "NEVER"),
        (535, "", "Application-specific password needed", "AUTH", "APP_PASSWORD_NEEDED", "RUN", "NEVER"),
        (534, "5.7.14", "Please log in with a browser", "MAIL", "AUTHENTICATION", "RUN", "NEVER"),
        (535, "5.7.8", "no longer logged in", "DOT", "AUTHENTICATION", "RUN", "NEVER"),
        (538, "", "encryption needed", "MAIL", "TLS", "RUN", "NEVER"),
        (454, "4.7.0", "Too many login attempts", "AUTH", "AUTHENTICATION", "RUN", "LATER"),
        (550, "5.2.1", "account disabled", "AUTH", "AUTHENTICATION", "RUN", "NEVER"),
        # an address we may not use
        (554, "5.2.0", "not allowed to send as this", "DOT", "SENDER_NOT_ALLOWED", "RUN", "NEVER"),
        (554, "5.2.252", "not allowed", "DOT", "SENDER_NOT_ALLOWED", "RUN", "NEVER"),
        (550, "5.7.1", "SendAsDenied", "DOT", "SENDER_NOT_ALLOWED", "RUN", "NEVER"),
        (550, "5.1.1", "no such sender", "MAIL", "SENDER_NOT_ALLOWED", "RUN", "NEVER"),
        # a full mailbox or a day's quota
        (550, "5.2.2", "the mailbox is over quota", "DOT", "MAILBOX_FULL", "RECIPIENT", "LATER"),
        (550, "5.2.2", "mailbox size exceeded", "DOT", "MAILBOX_FULL", "RECIPIENT", "LATER"),
        (550, "5.2.2", "over quota", "RCPT", "MAILBOX_FULL", "RECIPIENT", "LATER"),
        (550, "5.2.2", "no room for this user", "RCPT", "MAILBOX_FULL", "RECIPIENT", "LATER"),
        (550, "5.2.2", "the recipient has no room", "RCPT", "MAILBOX_FULL", "RECIPIENT", "LATER"),
        (550, "5.2.2", "quota exceeded", "RCPT", "MAILBOX_FULL", "RECIPIENT", "LATER"),
        (550, "5.2.2", "user over submission quota", "RCPT", "DAILY_QUOTA", "RUN", "NEVER"),
        (550, "5.2.2", "user over sending quota", "RCPT", "DAILY_QUOTA", "RUN", "NEVER"),
        (550, "5.2.2", "user over daily quota", "RCPT", "DAILY_QUOTA", "RUN", "NEVER"),
        (550, "5.7.1", "Daily message limit reached", "DOT", "DAILY_QUOTA", "RUN", "NEVER"),
        (452, "", "no room", "RCPT", "MAILBOX_FULL", "RECIPIENT", "LATER"),
        (452, "", "insufficient system storage", "MAIL", "OTHER", "MESSAGE", "LATER"),
        # blocked
        (550, "5.7.502", "banned", "MAIL", "BLOCKED", "RUN", "NEVER"),
        (550, "5.7.503", "banned", "MAIL", "BLOCKED", "RUN", "NEVER"),
        (550, "5.2.251", "blocked", "DOT", "BLOCKED", "RUN", "NEVER"),
        (550, "5.2.253", "blocked", "DOT", "BLOCKED", "RUN", "NEVER"),
        (550, "5.2.255", "blocked", "DOT", "BLOCKED", "RUN", "NEVER"),
        # a recipient who is refused with the message, not with the content
        (550, "5.1.1", "no such user", "DOT", "BAD_RECIPIENT", "RECIPIENT", "NEVER"),
        (550, "5.1.10", "no such user", "DOT", "BAD_RECIPIENT", "RECIPIENT", "NEVER"),
        (550, "5.4.1", "no such user", "DOT", "BAD_RECIPIENT", "RECIPIENT", "NEVER"),
        (554, "5.5.0", "no such user", "DATA", "BAD_RECIPIENT", "RECIPIENT", "NEVER"),
        (550, "5.7.504", "banned", "DOT", "BAD_RECIPIENT", "RECIPIENT", "NEVER"),
        (550, "5.2.1", "disabled", "DOT", "BAD_RECIPIENT", "RECIPIENT", "NEVER"),
        (550, "5.4.1", "access denied", "RCPT", "BAD_RECIPIENT", "RECIPIENT", "NEVER"),
        # too many, too large, too fast
        (452, "", "Too many recipients", "RCPT", "TOO_MANY_RECIPIENTS", "RECIPIENT", "LATER"),
        (552, "", "Too many recipients", "RCPT", "TOO_MANY_RECIPIENTS", "RECIPIENT", "LATER"),
        (552, "5.5.3", "no more", "RCPT", "TOO_MANY_RECIPIENTS", "RECIPIENT", "LATER"),
        (452, "4.5.3", "too many", "DATA", "TOO_MANY_RECIPIENTS", "MESSAGE", "SLOWER"),
        (552, "5.5.3", "too many", "DATA", "TOO_MANY_RECIPIENTS", "MESSAGE", "SLOWER"),
        (552, "", "too big", "MAIL", "TOO_LARGE", "MESSAGE", "NEVER"),
        (552, "", "too big", "DOT", "TOO_LARGE", "MESSAGE", "NEVER"),
        (552, "5.3.4", "too big", "RCPT", "TOO_LARGE", "MESSAGE", "NEVER"),
        (523, "", "too big", "MAIL", "TOO_LARGE", "MESSAGE", "NEVER"),
        (452, "4.3.4", "too big for now", "MAIL", "TOO_LARGE", "MESSAGE", "NEVER"),
        (421, "4.4.5", "busy", "GREETING", "THROTTLED", "MESSAGE", "SLOWER"),
        (450, "", "too many messages", "MAIL", "THROTTLED", "MESSAGE", "SLOWER"),
        (450, "", "too much mail", "MAIL", "THROTTLED", "MESSAGE", "SLOWER"),
        (450, "", "sending too fast", "MAIL", "THROTTLED", "MESSAGE", "SLOWER"),
        (450, "", "please slow down", "MAIL", "THROTTLED", "MESSAGE", "SLOWER"),
        (450, "", "You are throttled", "MAIL", "THROTTLED", "MESSAGE", "SLOWER"),
        (450, "", "a corporate policy", "MAIL", "OTHER", "MESSAGE", "LATER"),
        # out of step
        (500, "5.5.2", "what", "DATA", "PROTOCOL", "MESSAGE", "RECONNECT"),
        (502, "5.5.1", "what", "RCPT", "PROTOCOL", "MESSAGE", "RECONNECT"),
        (503, "5.5.1", "RCPT first", "DATA", "PROTOCOL", "MESSAGE", "RECONNECT"),
        (503, "5.5.1", "MAIL first", "DOT", "PROTOCOL", "MESSAGE", "RECONNECT"),
        (504, "5.5.4", "no such parameter", "MAIL", "PROTOCOL", "MESSAGE", "RECONNECT"),
        (555, "5.5.4", "no such parameter", "RCPT", "PROTOCOL", "MESSAGE", "RECONNECT"),
        (554, "", "improper use of pipelining", "RCPT", "PROTOCOL", "MESSAGE", "RECONNECT"),
        (554, "", "synchronisation error", "DATA", "PROTOCOL", "MESSAGE", "RECONNECT"),
        # what no row names, step by step
        (554, "5.7.1", "no", "DATA", "OTHER", "MESSAGE", "NEVER"),
        (501, "5.5.2", "odd name", "GREETING", "PROTOCOL", "RUN", "NEVER"),
        (503, "5.5.1", "no", "AUTH", "AUTHENTICATION", "RUN", "NEVER"),
        (503, "5.5.1", "no", "STARTTLS", "TLS", "RUN", "NEVER"),
        (451, "4.3.5", "later", "RCPT", "OTHER", "MESSAGE", "FRESH"),
        (451, "4.3.5", "later", "MAIL", "OTHER", "MESSAGE", "FRESH"),
        (451, "4.5.0", "later", "DATA", "OTHER", "MESSAGE", "LATER"),
        (354, "", "go ahead", "MAIL", "PROTOCOL", "MESSAGE", "RECONNECT"),
    ],
)  # fmt: skip
def test_code_enhanced_code_text_and_step_decide_together(
    code: int, enhanced: str, text: str, phase: str, cause: str, scope: str, retry: str
) -> None:
    """One enhanced code may mean two things, so nothing is judged by one part alone."""
    found = meaning(Reply(code, enhanced, text), Phase[phase])
    assert (found.cause, found.scope, found.retry) == (Cause[cause], Scope[scope], Retry[retry])


SENDER, LOGIN, RECIPIENT = "office@college.example", "mailer-7@college.example", "kim@students.example"
PARTIES = Parties(
    sender=SENDER,
    login=LOGIN,
    ehlo_name="gate.college.example",
    address="192.0.2.9",
    recipients=[RECIPIENT, "old.office@college.example", "relay.blocked-daily@students.example"],
)


@pytest.mark.parametrize(
    ("reply", "phase", "cause"),
    [
        # late: what is held against the sender comes at RCPT, or after the text
        ("550 5.1.0 <office@college.example>: no user of that name", "RCPT", "SENDER_NOT_ALLOWED"),
        ("550 5.1.1 <OFFICE@College.example> zq", "RCPT", "SENDER_NOT_ALLOWED"),
        ("450 4.1.8 <office@college.example>: Sender address refused", "RCPT", "SENDER_NOT_ALLOWED"),
        ("553 relaying refused as office@college.example", "MAIL", "SENDER_NOT_ALLOWED"),
        ("550 Sender verification failed", "RCPT", "SENDER_NOT_ALLOWED"),
        ("554 This 'From' address has not been verified", "DOT", "SENDER_NOT_ALLOWED"),
        ("550 5.7.1 college.example has a DMARC policy of reject", "DOT", "SENDER_NOT_ALLOWED"),
        ("550 5.7.1 Mail of college.example is unwelcome", "DOT", "SENDER_NOT_ALLOWED"),
        ("550 5.7.1 office@college.example, kim@students.example: no", "RCPT", "SENDER_NOT_ALLOWED"),
        ("554 5.7.509 Access denied", "DOT", "SENDER_NOT_ALLOWED"),
        # our login
        ("550 Authentication is required first", "RCPT", "AUTHENTICATION"),
        ("554 mailer-7@college.example may not do this", "DOT", "AUTHENTICATION"),
        ("503 5.7.0 Not authenticated", "RCPT", "AUTHENTICATION"),
        ("553 that domain is none of my rcpthosts (#5.7.1)", "RCPT", "SENDER_NOT_ALLOWED"),
        ("554 5.7.1 <kim@students.example>: we do not relay", "RCPT", "SENDER_NOT_ALLOWED"),
        # how much and how fast
        ("550 college.example has sent its 100 emails of this hour", "RCPT", "THROTTLED"),
        ("550 5.7.1 Rate of messages exceeded", "MAIL", "THROTTLED"),
        ("450 4.7.1 End of data refused. Error:RATE_MSG", "DOT", "THROTTLED"),
        ("554 5.2.0 Submission.Exception; the submission quota was exceeded", "DOT", "DAILY_QUOTA"),
        ("550 The outgoing quota of this user is used up", "RCPT", "DAILY_QUOTA"),
        ("550 office@college.example has reached its 24 hour limit", "RCPT", "DAILY_QUOTA"),
        # a block, in the middle of a class
        ("550 5.3.2 Service not to be had", "RCPT", "BLOCKED"),
        ("554 5.7.1 Client host [203.0.113.5] is on a list", "RCPT", "BLOCKED"),
        ("550 5.7.1 192.0.2.9 may not come in", "RCPT", "BLOCKED"),
        ("554 Your account was suspended", "DOT", "BLOCKED"),
        ("554 Sending paused", "DOT", "BLOCKED"),
        ("550 5.7.1 on an RBL", "MAIL", "BLOCKED"),
        # the name that EHLO said
        ("504 5.5.2 <gate>: Helo refused", "RCPT", "EHLO_NAME"),
        ("550 5.7.1 who is gate.college.example", "RCPT", "EHLO_NAME"),
        ("421 4.7.1 this EHLO name is not yours", "MAIL", "EHLO_NAME"),
        # an unencrypted line; not an encrypted attachment
        ("523 5.7.10 not like this", "MAIL", "TLS"),
        ("554 5.7.1 Encrypt the session", "MAIL", "TLS"),
        ("554 5.7.1 Encrypted attachments are not taken", "DOT", "CONTENT_REFUSED"),
        # the recipient
        ("511 no mailbox of that name (#5.1.1)", "RCPT", "BAD_RECIPIENT"),
        ("501 5.1.3 Bad recipient syntax", "RCPT", "BAD_RECIPIENT"),
        ("556 5.1.10 the domain takes no mail", "RCPT", "BAD_RECIPIENT"),
        ("551 The user has moved", "RCPT", "BAD_RECIPIENT"),
        ("554 dd The user doesn't have a mail account here", "DOT", "BAD_RECIPIENT"),
        ("550 <kim@students.example>: refused", "RCPT", "BAD_RECIPIENT"),
        ("550 5.1.1 <old.office@college.example> no mailbox at college.example", "RCPT", "BAD_RECIPIENT"),
        ("550 5.1.1 no such user at college.example", "RCPT", "BAD_RECIPIENT"),
        ("550 5.1.1 <kim@students.example> (office@college.example): unknown user", "RCPT", "BAD_RECIPIENT"),
        ("550 5.1.1 <relay.blocked-daily@students.example>: User unknown", "RCPT", "BAD_RECIPIENT"),
        ("550 5.1.1 User unknown, see https://help.example/blocklist/daily-rate", "RCPT", "BAD_RECIPIENT"),
        ("550 5.2.1 This mailbox was suspended", "RCPT", "BAD_RECIPIENT"),
        ("550 5.7.133 authentication required to write to this group", "DOT", "OTHER"),
        ("552 5.2.2 <kim@students.example> quota of the mailbox exceeded", "DOT", "MAILBOX_FULL"),
        ("552-5.2.2 The inbox is out of storage\n552 5.2.2 mx", "RCPT", "MAILBOX_FULL"),
        ("450 4.2.1 receives mail at a rate that is too high", "RCPT", "RECIPIENT_THROTTLED"),
        # not yet
        ("450 4.2.0 <kim@students.example>: Greylisted for 300 s", "RCPT", "GREYLISTED"),
        ("451 4.7.1 graylisting in action", "DOT", "GREYLISTED"),
        ("451 4.7.1 Come back later", "DOT", "OTHER"),
        ("450 4.3.2 Service unavailable for now", "RCPT", "OTHER"),
        ("451 4.3.0 <office@college.example>: lookup failure", "MAIL", "OTHER"),
        ("421 4.7.0 too many errors", "RCPT", "CONNECTION"),
        ("421 4.4.2 smtp-relay.tls.example Error: timeout", "MAIL", "CONNECTION"),
        # the message
        ("554 5.7.1 A virus was found", "DOT", "CONTENT_REFUSED"),
        ("552 5.7.0 a potential security issue", "DOT", "CONTENT_REFUSED"),
        ("554 5.3.4 more than a message may have", "DOT", "TOO_LARGE"),
        ("554 Recipient count over 10", "DOT", "TOO_MANY_RECIPIENTS"),
        # whom it means nobody knows
        ("550 5.7.1 Access denied", "RCPT", "OTHER"),
        ("554 <kim@students.example>: 192.0.2.9 is not welcome", "RCPT", "OTHER"),
        ("571 Delivery refused", "DOT", "OTHER"),
        ("599", "RCPT", "OTHER"),
    ],
)  # fmt: skip
def test_a_reply_is_about_whom_it_names_and_what_its_words_say(reply: str, phase: str, cause: str) -> None:
    """Before the step it came at: Postfix refuses a sender at RCPT, a provider its quota after the text."""
    assert meaning(read_reply(reply.encode()), Phase[phase], PARTIES).cause is Cause[cause]


@pytest.mark.parametrize(
    ("reply", "parties", "cause"),
    [
        ("554 no relaying", Parties(login="anna"), "SENDER_NOT_ALLOWED"),
        ("554 no relaying", Parties(), "AUTHENTICATION"),
        ("550 no, user", Parties(login="user"), "OTHER"),
        ("550 no, user7", Parties(login="user7"), "AUTHENTICATION"),
        ("550 no, user7", Parties(login="user"), "OTHER"),
        ("550 5.7.1 no, [192.0.2.9]", Parties(ehlo_name="[192.0.2.9]"), "BLOCKED"),
        ("550 5.7.1 no, [2001:DB8::7]", Parties(ehlo_name="[IPv6:2001:db8::7]"), "BLOCKED"),
        ("550 5.7.1 no, 192.0.2.90", Parties(address="192.0.2.9"), "OTHER"),
        (
            "550 college.example has sent too many messages",
            Parties(sender="a@college.example", ehlo_name="college.example"),
            "THROTTLED",
        ),
        (
            "550 who is college.example",
            Parties(sender="a@college.example", ehlo_name="college.example"),
            "SENDER_NOT_ALLOWED",
        ),
        ("550 5.1.1 <a@b>: unknown user", Parties(sender="a@b", recipients=["a@b"]), "BAD_RECIPIENT"),
    ],
)  # fmt: skip
def test_what_is_ours_is_known_from_the_session(reply: str, parties: Parties, cause: str) -> None:
    """Whole names alone count: neither a part of another address nor a login that is an everyday word."""
    assert meaning(read_reply(reply.encode()), Phase.RCPT, parties).cause is Cause[cause]


WORDS = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "user unknown", "mailbox full", "greylisted", "too many recipients", "spam", "virus", "5.1.1",
                "message size", "no such", "moved", "attachment", "quota", "relay", "daily", "rate", "TLS",
            ]
        ),
        st.from_regex(r"[a-z]{1,8}", fullmatch=True),
    ),
    max_size=6,
)  # fmt: skip


@given(
    code=st.integers(500, 599),
    enhanced=st.from_regex(r"(5\.[0-7]\.[0-9]{1,3})?", fullmatch=True),
    before=WORDS,
    name=st.sampled_from([SENDER, f"<{SENDER}>:", LOGIN, "gate.college.example", "[192.0.2.9]"]),
    after=WORDS,
    phase=st.sampled_from([Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.DOT]),
)
def test_whatever_names_something_of_ours_and_no_recipient_is_open_and_ends_the_run(
    code: int, enhanced: str, before: list[str], name: str, after: list[str], phase: Phase
) -> None:
    """Else everybody behind is refused for good for what one setting would cure."""
    reply = Reply(code, enhanced, " ".join([*before, name, *after]))
    found = meaning(reply, phase, PARTIES)
    assert found.ends_run
    assert Outcome(RECIPIENT, Status.REFUSED, cause=found.cause, reply=reply).is_open


@given(st.binary(max_size=600), st.sampled_from(list(Phase)), st.booleans())
def test_octets_that_mean_nothing_are_never_final(octets: bytes, phase: Phase, hello: bool) -> None:  # noqa: FBT001 - drawn
    """Binary, empty or cut: no exception, and nobody is crossed off for it."""
    reply = read_reply(b"550 " + octets.replace(b"\n", b" "))
    found = meaning(reply, phase, PARTIES, hello=hello)
    said = any(word in reply.text.lower() for word in ("user", "recipient", "mailbox", "moved", "addressee"))
    numbered = reply.enhanced or "#" in reply.text
    final = not Outcome(RECIPIENT, Status.REFUSED, cause=found.cause).is_open
    assert not final or said or numbered or RECIPIENT in reply.text


@pytest.mark.parametrize(
    "cause",
    [cause for cause in Cause if cause.is_about_us and cause is not Cause.TOKEN],
    ids=lambda cause: cause.value,
)
def test_what_is_about_us_ends_the_run_whatever_the_reply(cause: Cause) -> None:
    """A later run tries such an email again, so it must not be one refusal of many in the same run."""
    scopes = {row.meaning.scope for row in replies._TABLE if row.meaning.cause is cause}
    assert scopes == {Scope.RUN}


@pytest.mark.parametrize(
    ("reply", "phase", "repeat"),
    [
        ("550 5.7.1 Access denied", "RCPT", Repeat.STOP),
        ("554 5.7.1 spam", "DOT", Repeat.STOP),
        ("550 5.1.1 unknown user", "RCPT", Repeat.NOTHING),
        ("552 5.3.4 too large", "DOT", Repeat.NOTHING),
        ("450 4.7.1 greylisted", "RCPT", Repeat.NOTHING),
        ("450 4.2.1 busy", "RCPT", Repeat.NOTHING),
        ("450 4.7.1 later", "RCPT", Repeat.SLOWER),
        ("450 later", "MAIL", Repeat.SLOWER),
    ],
)
def test_the_same_unclear_words_to_three_people_mean_more_than_to_one(
    reply: str, phase: str, repeat: Repeat
) -> None:
    """The run ends, or slows where the server only puts off; an unknown user never does that."""
    assert meaning(read_reply(reply.encode()), Phase[phase], PARTIES).repeat is repeat


def test_a_meaning_answers_the_questions_of_a_run() -> None:
    """Whether it ends, slows, or sends to fewer at once."""
    slow = meaning(Reply(450, "4.7.0", "slow down"), Phase.MAIL)
    many = meaning(Reply(554, "", "too many recipients"), Phase.DOT)
    us = meaning(Reply(550, "5.4.5", "enough"), Phase.DOT)
    assert (slow.ends_run, slow.slows, slow.splits) == (False, True, False)
    assert (many.ends_run, many.splits) == (False, True)
    assert (us.ends_run, us.slows, us.splits) == (True, False, False)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("554 5.7.1 <ann@x.example>: no (4F1A2B)", "554 5.7.1 <Bob@y.example>: no (99ZZ1C)", True),
        ("550 not taken (rule 1187)", "550 not taken (rule 1187)", True),
        ("550 not taken", "550 unknown", False),
        ("550 not taken", "554 not taken", False),
        ("554 5.7.1 no", "554 5.7.2 no", False),
    ],
)
def test_two_replies_are_alike_without_addresses_and_queue_ids(one: str, other: str, *, alike: bool) -> None:
    """Three people in a row get "the same words" although each reply names somebody else."""
    assert (gist(read_reply(one.encode())) == gist(read_reply(other.encode()))) is alike

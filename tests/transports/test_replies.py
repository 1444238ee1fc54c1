"""What a reply means: one table, by code, enhanced code, text and step."""

from __future__ import annotations

import pytest

from vetmail_core.receipts import Cause, Phase, Reply
from vetmail_core.transports import replies
from vetmail_core.transports.replies import Retry, Scope, meaning


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
        (530, "", "Must issue a STARTTLS command first", "MAIL", "AUTHENTICATION", "RUN", "NEVER"),
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
        (421, "4.3.0", "Temporary system problem", "DOT", "THROTTLED", "MESSAGE", "SLOWER"),
        (421, "4.4.5", "Too many connections", "GREETING", "THROTTLED", "MESSAGE", "SLOWER"),
        (450, "4.2.1", "receiving mail too quickly", "RCPT", "THROTTLED", "MESSAGE", "SLOWER"),
        (451, "4.3.0", "Mail server temporarily rejected", "DOT", "THROTTLED", "MESSAGE", "SLOWER"),
        (451, "4.7.1", "Greylisted", "RCPT", "THROTTLED", "MESSAGE", "SLOWER"),
        (
            454, "", "Throttling failure: Maximum sending rate exceeded.",
            "DOT", "THROTTLED", "MESSAGE", "SLOWER",
        ),
        (450, "", "You send at too high a rate", "MAIL", "THROTTLED", "MESSAGE", "SLOWER"),
        (454, "", "Throttling failure: Daily message quota exceeded.", "DOT", "DAILY_QUOTA", "RUN", "LATER"),
        (550, "5.1.90", "exceeded the daily limit", "RCPT", "DAILY_QUOTA", "RUN", "NEVER"),
        (550, "5.2.2", "Submission quota exceeded", "DOT", "DAILY_QUOTA", "RUN", "NEVER"),
        (550, "5.4.5", "Daily sending quota exceeded", "MAIL", "DAILY_QUOTA", "RUN", "NEVER"),
        (550, "5.7.232", "tenant limit", "DOT", "DAILY_QUOTA", "RUN", "NEVER"),
        (550, "5.7.233", "tenant limit", "DOT", "DAILY_QUOTA", "RUN", "NEVER"),
        (550, "5.1.8", "bad outbound sender", "DOT", "BLOCKED", "RUN", "NEVER"),
        (550, "5.7.501", "banned", "RCPT", "BLOCKED", "RUN", "NEVER"),
        (550, "5.7.705", "tenant has exceeded threshold", "DOT", "BLOCKED", "RUN", "NEVER"),
        (550, "5.7.708", "traffic from this IP not accepted", "MAIL", "BLOCKED", "RUN", "NEVER"),
        (550, "5.2.252", "throttled for repeating errors", "DOT", "BLOCKED", "RUN", "NEVER"),
        (550, "5.2.254", "too many recipients", "DOT", "BLOCKED", "RUN", "NEVER"),
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
        (550, "5.2.2", "mailbox is full", "DOT", "MAILBOX_FULL", "RECIPIENT", "NEVER"),
        (550, "5.2.121", "hourly receive limit", "RCPT", "RECIPIENT_THROTTLED", "RECIPIENT", "LATER"),
        (452, "4.2.122", "hourly receive limit", "RCPT", "RECIPIENT_THROTTLED", "RECIPIENT", "LATER"),
        (452, "4.5.3", "no more, please", "RCPT", "TOO_MANY_RECIPIENTS", "RECIPIENT", "LATER"),
        (452, "4.5.3", "domain limit", "MAIL", "TOO_MANY_RECIPIENTS", "MESSAGE", "SLOWER"),
        (550, "5.5.3", "too many recipients", "RCPT", "TOO_MANY_RECIPIENTS", "RECIPIENT", "NEVER"),
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
        (550, "5.7.1", "Unable to relay", "RCPT", "SENDER_NOT_ALLOWED", "RECIPIENT", "NEVER"),
        (553, "5.7.1", "not owned by user", "MAIL", "SENDER_NOT_ALLOWED", "MESSAGE", "NEVER"),
        (554, "5.7.1", "spam", "DOT", "CONTENT_REFUSED", "MESSAGE", "NEVER"),
        (451, "4.3.5", "later", "DOT", "OTHER", "MESSAGE", "LATER"),
        # a login that is over, in other words and at other steps
        (550, "5.7.30", "retired", "AUTH", "BASIC_AUTH_RETIRED", "RUN", "NEVER"),
        (550, "", "Basic authentication is disabled", "AUTH", "BASIC_AUTH_RETIRED", "RUN", "NEVER"),
        (550, "5.7.1", "Basic auth is not supported", "AUTH", "BASIC_AUTH_RETIRED", "RUN", "NEVER"),
        (534, "5.7.9", "Please log in with a browser", "AUTH", "APP_PASSWORD_NEEDED", "RUN", "NEVER"),
        (534, "", "Application-specific password needed", "AUTH", "APP_PASSWORD_NEEDED", "RUN", "NEVER"),
        (535, "", "Application-specific password needed", "AUTH", "APP_PASSWORD_NEEDED", "RUN", "NEVER"),
        (534, "5.7.14", "Please log in with a browser", "MAIL", "AUTHENTICATION", "RUN", "NEVER"),
        (535, "5.7.8", "no longer logged in", "DOT", "AUTHENTICATION", "RUN", "NEVER"),
        (538, "", "encryption needed", "MAIL", "AUTHENTICATION", "RUN", "NEVER"),
        (454, "4.7.0", "Too many login attempts", "AUTH", "AUTHENTICATION", "RUN", "LATER"),
        (550, "5.2.1", "account disabled", "AUTH", "AUTHENTICATION", "RUN", "NEVER"),
        # an address we may not use
        (554, "5.2.0", "not allowed to send as this", "DOT", "SENDER_NOT_ALLOWED", "RUN", "NEVER"),
        (554, "5.2.252", "not allowed", "DOT", "SENDER_NOT_ALLOWED", "RUN", "NEVER"),
        (550, "5.7.1", "SendAsDenied", "DOT", "SENDER_NOT_ALLOWED", "RUN", "NEVER"),
        (550, "5.1.1", "no such sender", "MAIL", "SENDER_NOT_ALLOWED", "MESSAGE", "NEVER"),
        # a full mailbox or a day's quota
        (550, "5.2.2", "the mailbox is over quota", "DOT", "MAILBOX_FULL", "RECIPIENT", "NEVER"),
        (550, "5.2.2", "mailbox size exceeded", "DOT", "MAILBOX_FULL", "RECIPIENT", "NEVER"),
        (550, "5.2.2", "over quota", "RCPT", "MAILBOX_FULL", "RECIPIENT", "NEVER"),
        (550, "5.2.2", "no room for this user", "RCPT", "MAILBOX_FULL", "RECIPIENT", "NEVER"),
        (550, "5.2.2", "the recipient has no room", "RCPT", "MAILBOX_FULL", "RECIPIENT", "NEVER"),
        (550, "5.2.2", "quota exceeded", "RCPT", "DAILY_QUOTA", "RUN", "NEVER"),
        (550, "5.2.2", "user over submission quota", "RCPT", "DAILY_QUOTA", "RUN", "NEVER"),
        (550, "5.2.2", "user over sending quota", "RCPT", "DAILY_QUOTA", "RUN", "NEVER"),
        (550, "5.2.2", "user over daily quota", "RCPT", "DAILY_QUOTA", "RUN", "NEVER"),
        (550, "5.7.1", "Daily message limit reached", "DOT", "DAILY_QUOTA", "RUN", "LATER"),
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
        (550, "5.4.1", "relaying to nobody", "RCPT", "BAD_RECIPIENT", "RECIPIENT", "NEVER"),
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
        (554, "5.7.1", "no", "DATA", "CONTENT_REFUSED", "MESSAGE", "NEVER"),
        (501, "5.5.2", "odd name", "GREETING", "PROTOCOL", "RUN", "NEVER"),
        (503, "5.5.1", "no", "AUTH", "AUTHENTICATION", "RUN", "NEVER"),
        (503, "5.5.1", "no", "STARTTLS", "TLS", "RUN", "NEVER"),
        (451, "4.3.5", "later", "RCPT", "OTHER", "MESSAGE", "LATER"),
        (451, "4.3.5", "later", "MAIL", "OTHER", "MESSAGE", "LATER"),
        (451, "4.3.5", "later", "DATA", "OTHER", "MESSAGE", "LATER"),
        (354, "", "go ahead", "MAIL", "PROTOCOL", "MESSAGE", "RECONNECT"),
    ],
)  # fmt: skip
def test_code_enhanced_code_text_and_step_decide_together(
    code: int, enhanced: str, text: str, phase: str, cause: str, scope: str, retry: str
) -> None:
    """One enhanced code may mean two things, so nothing is judged by one part alone."""
    found = meaning(Reply(code, enhanced, text), Phase[phase])
    assert (found.cause, found.scope, found.retry) == (Cause[cause], Scope[scope], Retry[retry])


@pytest.mark.parametrize(
    "cause", [cause for cause in Cause if cause.is_about_us], ids=lambda cause: cause.value
)
def test_what_is_about_us_ends_the_run_whatever_the_reply(cause: Cause) -> None:
    """A later run tries such an email again, so it must not be one refusal of many in the same run."""
    scopes = {row.meaning.scope for row in replies._TABLE if row.meaning.cause is cause}
    assert scopes == {Scope.RUN}

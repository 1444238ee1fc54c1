"""Hypothesis strategies for everything a host hands to the library.

What is drawn is valid, and small values come first, so that failures read well.
"""

from __future__ import annotations

import functools
import string
from typing import TYPE_CHECKING, Final

from hypothesis import strategies as st

from vetmail_core.address import Mailbox, format_mailbox_list
from vetmail_core.contexts import STANDARD_CONTEXTS, RecipientType
from vetmail_core.message import Content, Email
from vetmail_core.people import Person
from vetmail_core.preferences import BulkCopies, EmailPreferences, MailServer, Settings, TlsMethod
from vetmail_core.receipts import Phase, Reply
from vetmail_core.recipients import Recipients
from vetmail_core.testing.fault import Fault, FaultKind
from vetmail_core.testing.faults import Faults

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["contents", "emails", "faults", "mailbox_lists", "mailboxes", "people", "preferences"]

_ATEXT: Final = string.ascii_lowercase + string.digits + "!#$%&'*+-/=?^_`{|}~"
_LABEL: Final = st.text(string.ascii_lowercase, min_size=1, max_size=10)
_WORDS: Final = ("Sam", "Pat", "Zoë", "Łukasz", "O'Brien", "李", "Dr", "100%", '"Bo"', ";", "@", "\\")


def _local_parts() -> SearchStrategy[str]:
    atom = st.text(_ATEXT, min_size=1, max_size=12)
    return st.lists(atom, min_size=1, max_size=3).map(".".join).filter(_is_plain)


def _is_plain(local: str) -> bool:
    """No address holds what a mail program would read as an encoded word."""
    return "=?" not in local


def _names() -> SearchStrategy[str]:
    return st.lists(st.sampled_from(_WORDS), max_size=3).map(" ".join)


def _lines() -> SearchStrategy[str]:
    return st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=60).map(str.strip)


def _mailbox(local: str, at: str, name: str) -> Mailbox:
    return Mailbox(f"{local}@{at}", name)


def _client_code(number: int) -> str:
    return f"C{number:05}"


def _paragraph(text: str) -> str:
    return f"<p>{len(text)} letters</p>"


def _subdomain(label: str) -> str:
    return f"{label}.example.com"


def _reply(code: int, detail: int) -> Reply:
    return Reply(code, f"{code // 100}.1.{detail}", "Scripted")


def mailboxes() -> SearchStrategy[Mailbox]:
    """Mailboxes with and without a name, at example domains, some of them beyond ASCII."""
    domain = st.sampled_from(["example.com", "bücher.example", "例.example"]) | _LABEL.map(_subdomain)
    return st.builds(_mailbox, _local_parts(), domain, _names())


def mailbox_lists(*, separator: str = ";") -> SearchStrategy[str]:
    """Lists as people type them into a To box.

    Args:
        separator: the address separator of the preferences.
    """
    some = st.lists(mailboxes(), min_size=1, max_size=5)
    return some.map(functools.partial(format_mailbox_list, separator=separator))


def people() -> SearchStrategy[Person]:
    """People as records hold them: without an address too, archived, opted out."""
    return st.builds(
        Person,
        st.one_of(st.none(), st.just(""), mailboxes()),
        key=st.integers(1, 99_999).map(_client_code),
        name=_names(),
        active=st.booleans(),
        marketing=st.booleans(),
    )


def contents() -> SearchStrategy[Content]:
    """Subjects and texts in any writing; HTML now and then."""
    return st.builds(Content, _lines(), _lines(), html=st.just("") | _lines().map(_paragraph))


def emails() -> SearchStrategy[Email]:
    """Emails with one to three people in To and up to three in each of CC and BCC."""
    some = st.lists(mailboxes(), max_size=3)
    somebody = st.lists(mailboxes(), min_size=1, max_size=3)
    return st.builds(
        Email,
        sender=mailboxes(),
        recipients=st.builds(Recipients, somebody, some, some),
        content=contents(),
        key=st.just("") | _LABEL,
    )


def preferences() -> SearchStrategy[EmailPreferences]:
    """Preferences that can send: a server, a From address, any context rules that may be set."""
    public = {key: context for key, context in STANDARD_CONTEXTS.items() if not context.private}
    roles = st.sampled_from(["class_staff", "guardian"])
    rule = st.dictionaries(roles, st.sampled_from(RecipientType), max_size=2)
    return st.builds(
        EmailPreferences,
        use_built_in_client=st.just(value=True),
        mail_server=st.builds(
            MailServer,
            host=st.just("mail.example.com"),
            port=st.integers(1, 65_535),
            tls=st.sampled_from(TlsMethod),
        ),
        settings=st.builds(Settings, default_from=mailboxes(), bulk_copies=st.sampled_from(BulkCopies)),
        contexts=st.dictionaries(st.sampled_from(sorted(public)), rule, max_size=2),
    )


def faults() -> SearchStrategy[Faults]:
    """Scripts of up to three mishaps that pass, so that a run comes to its end."""
    times = st.integers(1, 2)
    answer = st.builds(
        Fault,
        kind=st.just(FaultKind.REPLY),
        phase=st.sampled_from([Phase.RCPT, Phase.DOT]),
        reply=st.builds(_reply, st.sampled_from([450, 451, 550, 554]), st.integers(1, 9)),
        times=times,
    )
    silence = st.builds(
        Fault,
        kind=st.sampled_from([FaultKind.DROP, FaultKind.STALL]),
        phase=st.sampled_from([Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.DOT]),
        times=times,
    )
    return st.lists(answer | silence, max_size=3).map(Faults)

"""Hypothesis strategies for everything a host hands to the library.

What it is for: testing a feature with addresses, people and mishaps nobody thought of. What it refuses:
values the library would refuse; what is drawn here is valid. Its law: small values come first, so that
failures read well.
"""

from __future__ import annotations

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
    return st.lists(atom, min_size=1, max_size=3).map(".".join)


def _names() -> SearchStrategy[str]:
    return st.lists(st.sampled_from(_WORDS), max_size=3).map(" ".join)


def _lines() -> SearchStrategy[str]:
    return st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=60).map(str.strip)


def mailboxes() -> SearchStrategy[Mailbox]:
    """Mailboxes with and without a name, at example domains."""
    domain = st.builds(lambda label: f"{label}.example.com", _LABEL) | st.just("example.com")
    return st.builds(lambda local, at, name: Mailbox(f"{local}@{at}", name), _local_parts(), domain, _names())


def mailbox_lists(*, separator: str = ";") -> SearchStrategy[str]:
    """Lists as people type them into a To box.

    Args:
        separator: the address separator of the preferences.
    """
    return st.lists(mailboxes(), min_size=1, max_size=5).map(
        lambda some: format_mailbox_list(some, separator=separator)
    )


def people() -> SearchStrategy[Person]:
    """People as records hold them: without an address too, archived, opted out."""
    return st.builds(
        Person,
        st.one_of(st.none(), st.just(""), mailboxes()),
        key=st.integers(1, 99_999).map(lambda number: f"C{number:05}"),
        name=_names(),
        active=st.booleans(),
        marketing=st.booleans(),
    )


def contents() -> SearchStrategy[Content]:
    """Subjects and texts in any writing; HTML now and then."""
    html = st.just("") | _lines().map(lambda text: f"<p>{len(text)} letters</p>")
    return st.builds(
        lambda subject, text, markup: Content(subject, text, html=markup), _lines(), _lines(), html
    )


def emails() -> SearchStrategy[Email]:
    """Emails with up to three people in each of To, CC and BCC, one at least."""
    some = st.lists(mailboxes(), max_size=3)
    recipients = st.builds(
        lambda first, to, cc, bcc: Recipients([first, *to], cc, bcc), mailboxes(), some, some, some
    )
    return st.builds(
        lambda sender, who, content, key: Email(sender=sender, recipients=who, content=content, key=key),
        mailboxes(),
        recipients,
        contents(),
        st.just("") | _LABEL,
    )


def preferences() -> SearchStrategy[EmailPreferences]:
    """Preferences that can send: a server, a From address, any context rules that may be set."""
    public = {key: context for key, context in STANDARD_CONTEXTS.items() if not context.private}
    rules = st.dictionaries(
        st.sampled_from(sorted(public)),
        st.dictionaries(
            st.sampled_from(["class_staff", "guardian"]), st.sampled_from(RecipientType), max_size=2
        ),
        max_size=2,
    )
    return st.builds(
        lambda tls, port, sender, copies, contexts: EmailPreferences(
            use_built_in_client=True,
            mail_server=MailServer(host="mail.example.com", port=port, tls=tls),
            settings=Settings(default_from=sender, bulk_copies=copies),
            contexts=contexts,
        ),
        st.sampled_from(TlsMethod),
        st.integers(1, 65_535),
        mailboxes(),
        st.sampled_from(BulkCopies),
        rules,
    )


def faults() -> SearchStrategy[Faults]:
    """Scripts of up to three mishaps that pass, so that a run comes to its end."""
    reply = st.builds(
        lambda code, detail: Reply(code, f"{code // 100}.1.{detail}", "Scripted"),
        st.sampled_from([450, 451, 550, 554]),
        st.integers(1, 9),
    )
    times = st.integers(1, 2)
    answer = st.builds(
        lambda at, said, often: Fault(kind=FaultKind.REPLY, phase=at, reply=said, times=often),
        st.sampled_from([Phase.RCPT, Phase.DOT]),
        reply,
        times,
    )
    silence = st.builds(
        lambda kind, at, often: Fault(kind=kind, phase=at, times=often),
        st.sampled_from([FaultKind.DROP, FaultKind.STALL]),
        st.sampled_from([Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.DOT]),
        times,
    )
    return st.lists(answer | silence, max_size=3).map(Faults)

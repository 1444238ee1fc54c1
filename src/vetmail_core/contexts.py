"""E-mail contexts: from where in the product a mail leaves, and who is written to or copied there.

The list is the product's data and grows: preferences keep rules for any context and role, and a host gives an
`EmailContext` of its own. A key that none of these knows is refused where mail is sent, as a slip in it would
drop the copies in silence. A private context (passwords, personal results) is never copied to anybody.

The names are VETtrak's where its pages show one: "Occurrence Class", "Class Staff", CC
(https://help-vettrak.readytech.io/support/solutions/articles/51000288226-email-preferences). The reference,
docs/reference/contexts.md, says of each context and role which page it is from, or that it is our reading.
"""

from __future__ import annotations

import enum
import functools
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core._shown import HALF_A_PAIR, has_surrogate
from vetmail_core.errors import PreferencesError, Problem, RecipientsError, Severity, wrong_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "ROLE_LABELS",
    "STANDARD_CONTEXTS",
    "EmailContext",
    "RecipientType",
    "find_context",
    "known_roles",
    "nearest_name",
    "refuse_unknown_context",
    "refuse_unknown_roles",
]


class RecipientType(enum.Enum):
    """In which field of the email a role's people stand."""

    TO = "to"
    CC = "cc"
    BCC = "bcc"
    NONE = "none"


_ALWAYS_PRIVATE: Final = frozenset({"account", "portal_notification"})
_NO_DEFAULTS: Final[Mapping[str, RecipientType]] = MappingProxyType({})


def _roles(roles: Iterable[str] | str) -> tuple[str, ...]:
    return (roles,) if isinstance(roles, str) else tuple(roles)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_recipient_type(value: object) -> bool:
    return isinstance(value, RecipientType)


def _read_only(defaults: Mapping[str, RecipientType]) -> Mapping[str, RecipientType]:
    return MappingProxyType(dict(defaults))


def _as_dict(defaults: Mapping[str, RecipientType]) -> str:
    return repr(dict(defaults))


@attrs.frozen
class EmailContext:
    """One place in the product that mail leaves from.

    A host's own can stand wherever a context's key can: in a plan, an expansion, `recipient_types`.

    Args:
        key: stable name, used in preferences: "occurrence_class".
        label: what a person reads: "Occurrence Class".
        to_roles: roles the mail is addressed to, one or several.
        roles: roles that may be added, as CC, BCC or To; likewise.
        defaults: recipient types in force until the preferences say otherwise; a role that is not named
            is NONE.
        private: mail with a password or personal results in it; nobody may be copied. "account" and
            "portal_notification" are.

    Raises:
        PreferencesError: the key or a role is empty or no text, a role stands twice, a default names a
            role that is not offered or is no recipient type, a private context offers or copies
            anybody, or one that must be private is not. All of these at once.
    """

    key: str
    label: str
    to_roles: tuple[str, ...] = attrs.field(converter=_roles, kw_only=True)
    roles: tuple[str, ...] = attrs.field(converter=_roles, kw_only=True, default=())
    defaults: Mapping[str, RecipientType] = attrs.field(
        repr=_as_dict, default=_NO_DEFAULTS, converter=_read_only, kw_only=True, hash=False
    )
    private: bool = attrs.field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        known = (*self.to_roles, *self.roles)
        faults: list[str] = []
        if not _is_text(self.key):
            faults.append("Its key must be text.")
        elif not self.key:
            faults.append("It needs a key.")
        elif self.key in _ALWAYS_PRIVATE and not self.private:
            faults.append("Its e-mail carries passwords or personal results, so it is private.")
        if not self.to_roles:
            faults.append("It has no role to write to (to_roles).")
        if "" in known:
            faults.append("One of its roles is an empty text.")
        texts = (one for one in (self.key, self.label, *known) if _is_text(one))
        if any(map(has_surrogate, texts)):
            faults.append(f"Its key, its label or a role holds {HALF_A_PAIR}.")
        if not all(map(_is_text, known)):
            faults.append("Every role must be text.")
        elif len(set(known)) != len(known):
            faults.append("It names one role twice.")
        faults.extend(
            f'Its defaults name "{role}", which is not among its roles.'
            for role in self.defaults
            if role not in known
        )
        faults.extend(
            f'Its default for "{role}" is no RecipientType.'
            for role, kind in self.defaults.items()
            if not _is_recipient_type(kind)
        )
        if self.private and (self.roles or self.defaults):
            faults.append("It is private, so it offers no roles to copy and has no defaults.")
        if faults:
            setting = f"contexts.{self.key}"
            raise PreferencesError(
                f'The email context "{self.key}" is not valid. {" ".join(faults)}',
                problems=tuple(
                    Problem(severity=Severity.ERROR, setting=setting, message=fault) for fault in faults
                ),
            )

    def __reduce__(self) -> tuple[functools.partial[EmailContext], tuple[()]]:
        # A read-only mapping cannot be pickled or deep-copied, so a plain one travels and is wrapped again.
        plain = functools.partial(
            EmailContext,
            self.key,
            self.label,
            to_roles=self.to_roles,
            roles=self.roles,
            defaults=dict(self.defaults),
            private=self.private,
        )
        return plain, ()


ROLE_LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "client": "Client",
        "class_staff": "Class Staff",
        "occurrence_staff": "Occurrence Staff",
        "enrolment_staff": "Enrolment Staff",
        "contract_staff": "Contract Staff",
        "event_staff": "Event Staff",
        "employer": "Employer",
        "employer_contact": "Employer Contact",
        "employer_primary_contact": "Employer Primary Contact",
        "host_employer_contact": "Host Employer Contact",
        "supervising_staff": "Supervising Staff Member",
        "guardian": "Parent/Guardian",
        "emergency_contact": "Emergency Contact",
        "invoicee": "Invoicee",
        "staff": "Staff Member",
        "sender": "Sender",
    }
)
"""Role key -> what a person reads. A role that only the preferences or a host's context name has no label."""


def _catalogue(*contexts: EmailContext) -> Mapping[str, EmailContext]:
    return MappingProxyType({context.key: context for context in contexts})


STANDARD_CONTEXTS: Final[Mapping[str, EmailContext]] = _catalogue(
    EmailContext(
        "occurrence_class",
        "Occurrence Class",
        to_roles=("client",),
        roles=("class_staff", "occurrence_staff", "employer_contact", "guardian"),
        # The one rule VETtrak's page shows: every e-mail to an occurrence class copies its staff.
        defaults={"class_staff": RecipientType.CC},
    ),
    EmailContext(
        "occurrence",
        "Occurrence",
        to_roles=("client",),
        roles=("occurrence_staff", "class_staff", "employer_contact", "guardian"),
    ),
    EmailContext(
        "client",
        "Client",
        to_roles=("client",),
        roles=("guardian", "emergency_contact", "employer_primary_contact"),
    ),
    EmailContext(
        "enrolment",
        "Enrolment",
        to_roles=("client",),
        roles=("enrolment_staff", "employer_primary_contact", "guardian"),
    ),
    EmailContext(
        "contract",
        "Contract",
        to_roles=("client",),
        roles=("contract_staff", "employer_primary_contact", "guardian"),
    ),
    EmailContext(
        "employer",
        "Employer",
        to_roles=("employer",),
        roles=("employer_primary_contact", "employer_contact"),
    ),
    EmailContext(
        "invoice",
        "Invoice",
        to_roles=("invoicee",),
        roles=("client", "employer_primary_contact", "guardian"),
    ),
    EmailContext("payment_plan", "Payment Plan", to_roles=("invoicee",), roles=("client",)),
    EmailContext("award", "Award", to_roles=("client",), roles=("employer_primary_contact", "guardian")),
    EmailContext(
        "attendance",
        "Attendance",
        to_roles=("client",),
        roles=("guardian", "employer_primary_contact", "class_staff"),
    ),
    EmailContext(
        "placement", "Placement", to_roles=("client",), roles=("host_employer_contact", "supervising_staff")
    ),
    EmailContext("event", "Event", to_roles=("client", "employer"), roles=("event_staff",)),
    EmailContext("task", "Task", to_roles=("client",), roles=("enrolment_staff",)),
    EmailContext("staff", "Staff Member", to_roles=("staff",)),
    EmailContext("web_enrolment", "Web Enrolment", to_roles=("client",), roles=("staff",)),
    EmailContext("waitlist", "Waiting List", to_roles=("client",), roles=("staff",)),
    EmailContext("portal_notification", "Portal Notification", to_roles=("client", "staff"), private=True),
    EmailContext("account", "Account and Password", to_roles=("client", "staff"), private=True),
)
"""The contexts known here, by key. The product may have more; preferences keep rules for those too."""

_STANDARD_ROLES: Final = frozenset(ROLE_LABELS).union(
    *((*context.to_roles, *context.roles) for context in STANDARD_CONTEXTS.values())
)
_BETWEEN_WORDS: Final = re.compile(r"[\s_-]+")


def find_context(context: EmailContext | str) -> EmailContext | None:
    """Find a context by its key; a host's own is itself.

    Returns:
        The context, or None for a key that is not in the catalogue.
    """
    return context if isinstance(context, EmailContext) else STANDARD_CONTEXTS.get(context)


def known_roles(
    context: EmailContext | str | None, rules: Mapping[str, Mapping[str, RecipientType]]
) -> frozenset[str]:
    """The roles that somebody may hold: the standard ones, those of the context and those of any rule.

    Args:
        context: a context's key, or a host's own context.
        rules: the preferences' contexts.
    """
    own = (*context.to_roles, *context.roles) if isinstance(context, EmailContext) else ()
    return _STANDARD_ROLES.union(own, *rules.values())


def refuse_unknown_context(
    context: EmailContext | str, rules: Mapping[str, Mapping[str, RecipientType]]
) -> None:
    """Make sure that a context is known, so that a slip in its key does not drop the copies in silence.

    Args:
        context: a context's key, or a host's own context, which is always known.
        rules: the preferences' contexts; a key they have a rule for is known.

    Raises:
        RecipientsError: nothing knows the key; the sentence has the nearest one.
        TypeError: it is neither a context nor a key.
    """
    if isinstance(context, EmailContext):
        return
    if not isinstance(context, str):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
        raise wrong_type(
            "context=", "a context's key or an EmailContext", context, 'Write context="occurrence_class".'
        )
    if context not in STANDARD_CONTEXTS and context not in rules:
        meant = _meant(context, (*STANDARD_CONTEXTS, *rules))
        raise RecipientsError(
            f'There is no email context "{context}". {meant} A context of your own is an '
            "EmailContext(key, label, to_roles=...)."
        )


def refuse_unknown_roles(roles: Iterable[str], known: frozenset[str], *, given: str) -> None:
    """Make sure that every role is known, so that a slip in one does not leave its people out in silence.

    Args:
        roles: role keys.
        known: from `known_roles`.
        given: where they were given, for the sentence: "people=".

    Raises:
        RecipientsError: nothing knows one of them; the sentence has the nearest one.
    """
    for role in roles:
        if role not in known:
            raise RecipientsError(
                f'{given} has people in a role "{role}", which is not known. {_meant(role, known)}'
            )


def nearest_name(name: str, names: Iterable[str]) -> str:
    """Find the name that was probably meant, without case, spaces, hyphens and underscores; "" for none."""
    import difflib  # noqa: PLC0415 - needed for a sentence only

    folded = {_BETWEEN_WORDS.sub("", one).casefold(): one for one in names}
    near = difflib.get_close_matches(_BETWEEN_WORDS.sub("", name).casefold(), folded, n=1)
    return folded[near[0]] if near else ""


def _meant(name: str, names: Iterable[str]) -> str:
    near = nearest_name(str(name), names)
    return f'Did you mean "{near}"?' if near else f"Known are: {', '.join(sorted(names))}."

"""The plan of a bulk send: decided purely, walked lazily.

Each person gives exactly one step, an email or an exclusion with its reason, and each walk gives the same
steps.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core._shown import HALF_A_PAIR, has_surrogate
from vetmail_core.bulk.headers import PlanHeaders
from vetmail_core.bulk.one_email import addressed, key_of_one_email, same_for_all
from vetmail_core.bulk.pace import Pace
from vetmail_core.bulk.personal import Letters, refuse_ungiven, who
from vetmail_core.bulk.seen import SeenKeys
from vetmail_core.bulk.summary import PlanSummary, Tally
from vetmail_core.contexts import (
    ROLE_LABELS,
    RecipientType,
    find_context,
    known_roles,
    refuse_unknown_context,
    refuse_unknown_roles,
)
from vetmail_core.errors import MessageError, RecipientsError, wrong_type
from vetmail_core.message import Content, Email
from vetmail_core.people import Person, by_role, no_person
from vetmail_core.preferences import BulkCopies, EmailPreferences
from vetmail_core.recipients import (
    Exclusion,
    ExclusionReason,
    PlacedRoles,
    Recipients,
    place_roles,
    refuse_private_copies,
    typed,
    why_excluded,
)
from vetmail_core.sender import Sender

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vetmail_core.address import Mailbox
    from vetmail_core.contexts import EmailContext

__all__ = ["BulkPlan", "plan_bulk"]

_NOBODY: Final = Recipients()
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
_NO_ROLES: Final[Mapping[str, tuple[Person, ...]]] = MappingProxyType({})


class _ReadOnce:
    """People that come from an iterator: it can be walked once, and says so the second time.

    Without this, a preview would use the people up and the run behind it would write to nobody.
    """

    __slots__ = ("_people", "_walked")

    def __init__(self, people: Iterator[Person]) -> None:
        self._people = people
        self._walked = False

    def __iter__(self) -> Iterator[Person]:
        if self._walked:
            raise RecipientsError(
                "The people of this plan came from a generator or another iterator, which can be read once, "
                "and it has been read. To preview and then send, give plan_bulk a list, or an object whose "
                "__iter__ reads the people anew each time."
            )
        self._walked = True
        return self._people


def _people(people: Iterable[Person] | Person) -> Iterable[Person]:
    if isinstance(people, Person):
        return (people,)
    if isinstance(people, str) or not isinstance(people, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance] - as below
        raise no_person(people)
    if isinstance(people, list):
        return tuple(people)  # so that the run finds whom the preview found
    return _ReadOnce(people) if isinstance(people, Iterator) else people


@attrs.frozen(kw_only=True, eq=False)
class BulkPlan:
    """Who gets an email, who gets a copy, and who is left out. Made by `plan_bulk`.

    ``iter(plan)`` gives the emails, each made when it is asked for and then forgotten. What a walk remembers
    of a person is 8 bytes, to know those who come twice.

    A list can be walked as often as you like. A generator can be read once: take its summary, or send it.

    Attributes:
        content: what is read, or the function that gives it for a person.
        people: who gets an email.
        sender: who the emails are from.
        typed: the CC and BCC that were typed.
        copies: which emails carry the typed copies.
        roles: the roles that are copied in the plan's context, and where they stand.
        shared: the people who hold such a role for the whole mailing.
        context_copies: which emails carry the shared people.
        marketing: whether those who opted out of marketing are left out.
        batch: the mailing's name, "" for none.
        headers: further headers of each email, and the link to unsubscribe.
        known_roles: what the related people of a person may hold; None without a context, where related
            people get nothing.
        private: whether its context is private, so that it is not to be kept longer than sending takes.
        suppressed: says of an address why it is no use writing there.
        most: how many emails a walk gives, the first ones; None for all.
        pace: how fast the emails leave, and what the mail server's provider takes.
    """

    content: Content | Callable[[Person], Content] = attrs.field(repr=False)
    people: Iterable[Person] = attrs.field(repr=False, converter=_people)
    sender: Sender
    typed: Recipients
    copies: BulkCopies
    roles: Mapping[str, RecipientType]
    shared: PlacedRoles
    context_copies: BulkCopies
    marketing: bool
    batch: str
    headers: PlanHeaders = attrs.field(factory=PlanHeaders)
    known_roles: frozenset[str] | None = attrs.field(default=None, repr=False)
    private: bool = False
    suppressed: Callable[[Mailbox], str | None] | None = attrs.field(default=None, repr=False)
    most: int | None = attrs.field(default=None, repr=False)
    pace: Pace = attrs.field(factory=Pace, repr=False)

    def __iter__(self) -> Iterator[Email]:
        for step in self.steps():
            if isinstance(step, Email):
                yield step

    def steps(self) -> Iterator[Email | Exclusion]:
        """Walk the people. Each gives one step: their email, or an exclusion that says why there is none.

        Raises:
            MergeError: a merge field's value is not allowed in its place, or the field is unknown; names the
                person. Of people who can be walked again, before the first email: nobody has the field.
            MessageError: the function that gives the content gave something else; names the person.
            RecipientsError: the people came from an iterator, and it has been read; or one is not a `Person`.
        """
        return self._walk(None)

    def first(self, emails: int) -> BulkPlan:
        """The same plan up to its first emails; whoever comes after them is not walked.

        Args:
            emails: how many, 1 or more.

        Raises:
            RecipientsError: it is less than 1.
        """
        if emails < 1:
            raise RecipientsError(f"BulkPlan.first() needs a number from 1, got {emails}.")
        return attrs.evolve(self, most=emails)

    def summary(self, *, seen: Callable[[Email], None] | None = None) -> PlanSummary:
        """Count what a run would do, by walking the plan as a run would.

        Args:
            seen: called with each email as it is counted.

        Raises:
            MergeError, MessageError: as `steps`; so a summary finds whoever's email cannot be made, and a
                field that is empty for everybody.
            RecipientsError: as `steps`.
        """
        tally = Tally(self.shared.exclusions)
        for step in self._walk(tally.add_related, tally.add_letter):
            tally.add(step)
            if seen is not None and isinstance(step, Email):
                seen(step)
        if self.most is None:  # of some people only, a field may be empty for all
            tally.refuse_ungiven()
        tally.add_mailboxes(self.sender.mailbox, self.typed)
        # Not those in To: the person themself is in it, so a role that adds nobody to them misses nobody.
        copied = [role for role, kind in self.roles.items() if kind is not RecipientType.TO]
        return tally.summary(
            wanted=copied,
            filled=self.shared.filled,
            marketing=self.marketing,
            unsubscribe=bool(self.headers.unsubscribe),
            pace=self.pace,
        )

    def copy_exclusions(self) -> Iterator[Exclusion]:
        """Who holds a role that is copied, and cannot be written to; a guardian without an address.

        They take nothing away from the person's own email, so they are no steps. Walks the people.

        Raises:
            RecipientsError: as `steps`.
        """
        yield from self.shared.exclusions
        lost: list[Exclusion] = []
        for _ in self._walk(lambda related: lost.extend(related.exclusions)):
            yield from lost
            lost.clear()

    def as_one_email(self, *, hidden: bool = True) -> Email:
        """Make one email to everybody of the plan, with its exclusions and copies.

        For a mail program, where each email is a window. Walks the people. With a batch the email has a key
        that no person's email has, the same each time.

        Example:
            >>> from vetmail_core import Content, Person, plan_bulk
            >>> people = [Person("sam@example.com"), Person("pat@example.com"), Person(None, name="Lee")]
            >>> notice = Content("Your class moved", "It is in room 7 now.")
            >>> email = plan_bulk(notice, people, sender="office@example.com").as_one_email()
            >>> [mailbox.addr_spec for mailbox in email.recipients.bcc]
            ['sam@example.com', 'pat@example.com']

        Args:
            hidden: everybody stands in BCC, the people of related and shared roles too; False: the people
                stand in To and see each other, and roles stand where the preferences put them. Typed
                copies stay where they were typed.

        Raises:
            MergeError: the content has merge fields or is a function, so it differs from person to person.
            RecipientsError: nobody is left, or the plan's context is private; otherwise as `steps`.
        """
        if self.private:
            raise RecipientsError(
                "This plan's context is private: its email carries passwords or personal results and is for"
                " one person. Send the plan itself, one email for each."
            )
        content = same_for_all(self.content)
        roles: list[Recipients] = []
        people = [
            step.recipients.to[0]
            for step in self._walk(lambda related: roles.append(related.recipients))
            if isinstance(step, Email)
        ]
        if not people:
            raise RecipientsError(
                "One email to everybody needs somebody to write to, and everybody of this plan is left out."
                " Its steps() say who and why."
            )
        return Email(
            sender=self.sender.mailbox,
            reply_to=self.sender.reply_to,
            recipients=addressed(people, [*roles, self.shared.recipients], self.typed, hidden=hidden),
            content=content,
            headers=self.headers.for_one_email(),
            key=key_of_one_email(self._escaped_batch()),
        )

    def person_key(self, email: Email) -> str:
        """The key of the person whose email this is; "" without a batch, when emails have no keys.

        Args:
            email: one of this plan's.
        """
        return email.key.removeprefix(self._prefix())

    @property
    def can_be_walked_again(self) -> bool:
        """True unless the people came from an iterator."""
        return not isinstance(self.people, _ReadOnce)

    @property
    def key_prefix(self) -> str:
        """What the key of each email begins with; the person's key follows."""
        return self._prefix()

    def _prefix(self) -> str:
        return self._escaped_batch() + "/"

    def _escaped_batch(self) -> str:
        # Escaped, so that no batch and key can come to the email key of another pair.
        return self.batch.replace("%", "%25").replace("/", "%2F")

    def _walk(
        self,
        note: Callable[[PlacedRoles], None] | None,
        note_letter: Callable[[Person, Content, Mapping[str, object]], None] | None = None,
    ) -> Iterator[Email | Exclusion]:
        sender, reply_to = self.sender.mailbox, self.sender.reply_to
        marketing = self.marketing
        again = self.can_be_walked_again
        if again and isinstance(self.content, Content):
            refuse_ungiven(self.content, self.people, marketing=marketing)
        letters = Letters(self.content, looked_over=again)
        headers_for = self.headers.for_everybody()
        prefix = self._prefix()
        first, every = self._copies()
        copies, seen, left = first, SeenKeys(), self.most
        for person in self.people:
            if not isinstance(person, Person):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
                raise no_person(person)
            if person.key and not seen.meet(person.key):
                yield _met_before(person)
                continue
            exclusion = why_excluded(person, marketing=marketing, suppressed=self.suppressed)
            if exclusion is not None:
                yield exclusion
                continue
            recipients = copies
            if person.related and self.known_roles is not None:
                _check_related(person, self.known_roles)
            if person.related and self.roles:
                related = place_roles(
                    person.related, self.roles, marketing=marketing, suppressed=self.suppressed
                )
                recipients = related.recipients | copies
                if note is not None:
                    note(related)
            content, template, fields = letters.of(person)
            if note_letter is not None:
                note_letter(person, template, fields)
            yield Email(
                sender=sender,
                recipients=recipients.addressed_to(person.mailbox()),
                content=content,
                reply_to=reply_to,
                # Without a batch there is no telling this mailing from the next one: so no key.
                key=prefix + person.key if self.batch else "",
                headers=headers_for(person),
            )
            copies = every
            if left is not None:
                left -= 1
                if not left:
                    return

    def _copies(self) -> tuple[Recipients, Recipients]:
        """What goes with the first email made, and what with every later one."""
        shared = self.shared.recipients
        every = self.typed if self.copies is BulkCopies.EVERY_RECIPIENT else _NOBODY
        if self.context_copies is BulkCopies.EVERY_RECIPIENT:
            every |= shared
        return self.typed | shared, every


def _met_before(person: Person) -> Exclusion:
    detail = f"{person.name or person.key} comes again: key {person.key} was met before in this list"
    if "@" in person.key:
        detail += "; two people who share an address each need a key of their own, such as a client code"
    return Exclusion(person, ExclusionReason.DUPLICATE_PERSON, detail)


def plan_bulk(
    content: Content | Callable[[Person], Content],
    people: Iterable[Person] | Person,
    *,
    sender: Sender | Mailbox | str,
    cc: Iterable[Mailbox | str] | Mailbox | str | None = (),
    bcc: Iterable[Mailbox | str] | Mailbox | str | None = (),
    copies: BulkCopies = BulkCopies.FIRST_RECIPIENT,
    context: EmailContext | str | None = None,
    shared: Mapping[str, Iterable[Person] | Person] = _NO_ROLES,
    preferences: EmailPreferences | None = None,
    context_copies: BulkCopies | None = None,
    marketing: bool = False,
    batch: str | int | None = "",
    headers: Mapping[str, str] | Callable[[Person], Mapping[str, str]] = _NO_HEADERS,
    unsubscribe: str | Callable[[Person], str] = "",
    suppressed: Callable[[Mailbox], str | None] | None = None,
) -> BulkPlan:
    """Plan one email for each person.

    Nobody is copied on an email that is To them. When the first person is left out, the copies of "only the
    first recipient" go with the first email that is made.

    Args:
        content: what is read, or a function that gives it for a person. Either way the person's merge fields
            go in; a content that the function has merged itself stays as it is.
        people: who gets an email, walked lazily; an endless iterator is fine, and so is one person.
        sender: who the emails are from.
        cc: typed copies ("legacy CC"): an iterable of mailboxes, or one string, a list at the preferences'
            address separator, ";" without preferences.
        bcc: typed blind copies, likewise.
        copies: whether the typed copies go with the first email made or with every one; `Mailer.plan_bulk`
            takes the choice from the preferences.
        context: where in the product the mail leaves from, "occurrence_class" or a host's own context;
            None for nowhere in particular. Its related roles go with each person's own email.
        shared: role -> the people who hold it for the whole mailing, one or several: {"class_staff":
            [...]}. A private context copies none of them.
        preferences: say which role is To, CC or BCC in the context, and what separates typed addresses;
            None for VETtrak's defaults. The rest of them is for `Mailer.plan_bulk` to hand over.
        context_copies: as `copies`, for the shared roles; None for the same choice as `copies`.
        marketing: whether this is marketing, which leaves out those who opted out of it.
        batch: the mailing's name, "2026-T1 results"; a number is taken by its digits. With it, an email has
            the same key and Message-ID in every run and on every machine; without it ("" or None), none, as
            the next mailing would have the same.
        headers: further headers, name -> value, or a function that gives them for a person. Merge fields go
            in: {"X-Course": "${course}"}.
        unsubscribe: where a person leaves the mailing, an https or mailto URI, or a function that gives a
            person's, "" for none: "https://example.com/leave?who=${address}". Merge fields go in,
            percent-encoded. Written as List-Unsubscribe (RFC 2369), and for https with List-Unsubscribe-Post
            (RFC 8058): mail programs then show a button that calls it.
        suppressed: asked about each person who would get an email, and of related and shared roles. A
            sentence leaves them out as `ExclusionReason.SUPPRESSED`, with that sentence; None or "" does not.
            Typed copies are not asked about, as somebody wants them. ``ledger.suppressed`` is one.

    Raises:
        AddressError: the sender or a typed copy is not a mailbox.
        MergeError: a ``${`` in a header is never closed.
        MessageError: the content is neither a `Content` nor a function; a header that the email writes
            itself, or that holds a line break; a link to unsubscribe that is no https or mailto URI.
        RecipientsError: the preferences set nobody whom the context's mail is addressed to to To; nothing
            knows the context or a role; typed copies of a private context; shared roles without a context, or
            of the very role that the context's mail is addressed to; people who are not `Person` values;
            a choice of copies that is not a `BulkCopies`.
        TypeError: the sender is neither a `Sender` nor a mailbox; headers or unsubscribe are of another kind.
    """
    if not (isinstance(content, Content) or callable(content)):
        raise wrong_type(
            "plan_bulk()",
            "a Content, or a function that returns one for a person",
            content,
            "Write Content(subject, text).",
            error=MessageError,
        )
    _check_choice("copies", copies)
    if context_copies is None:
        context_copies = copies
    _check_choice("context_copies", context_copies)
    preferences = EmailPreferences() if preferences is None else preferences
    separator = preferences.settings.address_separator
    copied = Recipients(cc=typed(cc, separator), bcc=typed(bcc, separator))
    refuse_private_copies(context, copied)
    roles = _copied_roles(context, shared, preferences)
    roles_known = None if context is None else known_roles(context, preferences.contexts)
    if roles_known is not None and isinstance(people, Collection):
        # Known before anything is sent. Of people who are read as they come, when their turn comes.
        for person in people:
            if isinstance(person, Person) and person.related:  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
                _check_related(person, roles_known)
    known = None if context is None else find_context(context)
    # None by its name would be one batch for all mailings, and the second would be held for sent.
    named = "" if batch is None else str(batch)
    if has_surrogate(named):
        raise RecipientsError(f"The batch {named!r} holds {HALF_A_PAIR}. Read its source as UTF-8.")
    return BulkPlan(
        content=content,
        people=people,
        sender=sender if isinstance(sender, Sender) else Sender(sender),
        typed=copied,
        copies=copies,
        roles=roles,
        shared=place_roles(shared, roles, marketing=marketing, suppressed=suppressed),
        context_copies=context_copies,
        marketing=marketing,
        batch=named,
        headers=PlanHeaders(headers, unsubscribe),
        known_roles=roles_known,
        private=known is not None and known.private,
        suppressed=suppressed,
        pace=Pace.of(preferences),
    )


def _check_related(person: Person, known: frozenset[str]) -> None:
    refuse_unknown_roles(person.related, known, given=f"Person(related=...) of {who(person)}")


def _check_choice(name: str, choice: object) -> None:
    if not isinstance(choice, BulkCopies):
        raise wrong_type(
            f"{name}=",
            "BulkCopies.FIRST_RECIPIENT or BulkCopies.EVERY_RECIPIENT",
            choice,
            error=RecipientsError,
        )


def _check_written_to(context: EmailContext, types: Mapping[str, RecipientType]) -> None:
    """Refuse a mailing whose own people the preferences do not write to."""
    if any(types[role] is RecipientType.TO for role in context.to_roles):
        return
    settings = " and ".join(
        f'contexts.{context.key}.{role} to "{types[role].value}"' for role in context.to_roles
    )
    first = context.to_roles[0]
    raise RecipientsError(
        f'A mailing by the context "{context.label}" writes to {ROLE_LABELS.get(first, first)}, and the '
        f"preferences set {settings}. Set contexts.{context.key}.{first} to To (Email preferences > Email "
        "Context), or leave the context out."
    )


def _copied_roles(
    context: EmailContext | str | None, shared: Mapping[str, object], preferences: EmailPreferences
) -> Mapping[str, RecipientType]:
    """The roles that get copies in a context; "the people" hold the role that the mail is addressed to."""
    if context is None:
        if shared:
            raise RecipientsError(
                f"shared names the roles {', '.join(shared)}, but no context says whether they are CC or "
                'BCC. Name one, such as context="occurrence_class", or use cc and bcc.'
            )
        return {}
    refuse_unknown_context(context, preferences.contexts)
    refuse_unknown_roles(by_role(shared), known_roles(context, preferences.contexts), given="shared=")
    types = preferences.recipient_types(context)
    known = find_context(context)
    addressed: set[str] = set()
    if known is not None:
        _check_written_to(known, types)
        if known.private:
            return {}
        addressed = {role for role in known.to_roles if types[role] is RecipientType.TO}
        for role in addressed.intersection(shared):
            raise RecipientsError(
                f'"{known.label}" e-mail is addressed to the role {ROLE_LABELS.get(role, role)}: its people '
                "belong in `people`, one email each. As a shared role they would all stand in one To and see "
                "each other."
            )
    return {
        role: kind for role, kind in types.items() if kind is not RecipientType.NONE and role not in addressed
    }

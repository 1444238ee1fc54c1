"""What is read: subject, text, HTML and attachments.

What is the same for many emails is encoded once, and that encoded form belongs to the value it was made
from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, final

import attrs

from vetmail_core.errors import MessageError, wrong_type
from vetmail_core.message.attachment import Attachment
from vetmail_core.message.bodies import text_part
from vetmail_core.message.headers import check_text
from vetmail_core.message.marks import folded
from vetmail_core.message.merge import STANDARD_FIELDS, Template
from vetmail_core.message.structure import (
    boundary,
    calendar_part,
    check_inline,
    check_invitation,
    joined,
    multipart,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Content"]

_FINISHED: Final = True
_TEXT: Final = 1  # places in the templates: subject, text, HTML
_HTML: Final = 2


def _checked_subject(_instance: object, _attribute: attrs.Attribute[str], value: object) -> None:
    if not isinstance(value, str):
        raise wrong_type("the subject", "text", value, error=MessageError)
    check_text(value, place="the subject")


def _checked_body(_instance: object, attribute: attrs.Attribute[str], value: object) -> None:
    if not isinstance(value, str):
        raise wrong_type(f"the {attribute.name}", "text", value, error=MessageError)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise MessageError(
                f"the {attribute.name} holds half of a surrogate pair (U+{ord(value[error.start]):04X}) at "
                f"character {error.start + 1}, which no charset can write; read its source as UTF-8"
            ) from None


def _attachments(value: Iterable[Attachment]) -> tuple[Attachment, ...]:
    try:
        kept = tuple(value)
    except TypeError:
        raise wrong_type(
            "attachments=",
            "a list of attachments",
            value,
            "put a single one in brackets: attachments=[attachment]",
            error=MessageError,
        ) from None
    for one in kept:
        if not isinstance(one, Attachment):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
            raise wrong_type(
                "attachments=",
                "a list of attachments",
                one,
                "use Attachment.from_path(path)",
                error=MessageError,
            )
    return kept


def _checked_invitation(_instance: object, _attribute: attrs.Attribute[bytes | None], value: object) -> None:
    if value is not None:
        check_invitation(value)


@final
@attrs.frozen
class Content:
    """What is read.

    Args:
        subject: one line, any language.
        text: the plain text.
        html: the HTML form of the same; with both, the reader's program chooses.
        attachments: files to go with it; those with an ``inline`` id are shown by the html.
        invitation: a calendar, the octets of an .ics file with a METHOD, which the reader's program shows as
            an invitation, an update or a cancellation (RFC 5546).

    Raises:
        MessageError: a line break or control character in the subject, or a lone surrogate anywhere; an
            inline attachment without its ``cid:`` in the html, or the other way round; an invitation that
            is not a calendar.
    """

    subject: str = attrs.field(validator=_checked_subject)
    text: str = attrs.field(
        default="", validator=_checked_body, repr=lambda text: f"<{len(text)} characters>"
    )
    html: str = attrs.field(
        default="", kw_only=True, validator=_checked_body, repr=lambda html: f"<{len(html)} characters>"
    )
    attachments: tuple[Attachment, ...] = attrs.field(default=(), kw_only=True, converter=_attachments)
    invitation: bytes | None = attrs.field(
        default=None, kw_only=True, validator=_checked_invitation, repr=False
    )
    _templates: tuple[Template, Template, Template] | None = attrs.field(
        init=False, default=None, eq=False, repr=False
    )
    _parts: tuple[bytes, ...] | None = attrs.field(init=False, default=None, eq=False, repr=False)
    _marked: bool = attrs.field(init=False, default=False, eq=False, repr=False)
    _merged: bool = attrs.field(init=False, default=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        # Merge fields may stand in a link, so an html that has some is looked at once they are filled.
        if "${" not in self.html:
            self._check_inline()

    def _check_inline(self) -> None:
        html, attachments = self.html, self.attachments
        if "cid:" in html or "CID:" in html or (attachments and any(one.inline for one in attachments)):
            check_inline(html, attachments)

    @classmethod
    def as_read(cls, subject: str, text: str, html: str, attachments: Iterable[Attachment]) -> Content:
        """Say what is seen of a message that another program has written, which is sent as that wrote it.

        It is finished, and no rule is asked about its parts: its writer has decided on them.
        """
        made = cls(subject, text)
        object.__setattr__(made, "html", html)
        object.__setattr__(made, "attachments", tuple(attachments))
        object.__setattr__(made, "_merged", _FINISHED)
        return made

    def merge(self, fields: Mapping[str, object]) -> Content:
        """Put a person's values in the place of ``${name}`` in subject, text and HTML.

        Values are text, or are made text by ``str``; None is nothing. In HTML they are escaped, in a link
        percent-encoded. ``${name|default}`` becomes the default where the field is unknown, None or blank.
        A merged content is finished: merging it again gives it back as it is, whatever its values hold.

        Args:
            fields: name -> value.

        Returns:
            The content with its values; the attachments are shared.

        Raises:
            MergeError: a field is unknown (the error names it and its place), a value is not valid where it
                goes, such as a line break in the subject, or a reader would see the mark of a field:
                ``{{first_name}}``, or ``${first_name}`` with a tag within it.
        """
        if self._merged:
            return self
        templates = self._compiled()
        if self._marked:
            self.refuse_marks(fields if isinstance(fields, Mapping) else ())  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
        subject, text, html = templates
        if subject.untouched and text.untouched and html.untouched:
            return self
        # The template's own text has been checked, and each value is: nothing is left to check again.
        return self._made(subject.fill(fields), text.fill(fields), html.fill(fields))

    def finished(self) -> Content:
        """Give the same content with every ``${`` in it as text, for what was merged before it came here."""
        if self._merged:
            return self
        made = self._made(self.subject, self.text, self.html)
        object.__setattr__(made, "_templates", None)  # they would write the text as merged
        return made

    @property
    def asked(self) -> frozenset[str]:
        """The fields that are asked for without a default, at least once; none of a merged content.

        Raises:
            MergeError: a ``${`` is never closed.
        """
        return self._slots(with_default=False)

    @property
    def defaulted(self) -> frozenset[str]:
        """The fields that are asked for with a default, at least once; none of a merged content.

        Raises:
            MergeError: a ``${`` is never closed.
        """
        return self._slots(with_default=True)

    @property
    def plain(self) -> bool:
        """True if a merge gives it back as it is, as there is no field in it and no mark of one.

        Raises:
            MergeError: a ``${`` is never closed.
        """
        return self._merged or (all(one.untouched for one in self._compiled()) and not self._marked)

    @property
    def marked(self) -> bool:
        """True if it holds marks that are an error where a field has their name."""
        return not self._merged and any(mark.certain for one in self._compiled() for mark in one.marks)

    @property
    def marks_something(self) -> bool:
        """True if it holds anything that looks like a field and is not one, ordinary text or not."""
        return not self._merged and any(one.marks for one in self._compiled())

    def refuse_marks(self, fields: Iterable[str]) -> None:
        """Look for marks that would be read as an unfilled field; `merge` does so for its own fields.

        Args:
            fields: the names of those that are given.

        Raises:
            MergeError: there is one.
        """
        known = _known(fields)
        for template in self._compiled():
            template.refuse_marks(known)

    def place_of(self, field: str) -> str:
        """Say where a field is asked for first: "the text, in line 1, character 6"."""
        template = next(one for one in self._compiled() if any(field == slot[1] for slot in one.slots))
        return f"the {template.place} {template.place_of(field)}"

    def doubtful_marks(self, fields: Iterable[str]) -> tuple[str, ...]:
        """Say what may have been meant as a merge field and may be ordinary text: ``[name]``, ``%name%``.

        Args:
            fields: the names of those that are given; the standard ones count as given.
        """
        if self._merged:
            return ()
        known = _known(fields)
        return tuple(said for template in self._compiled() for said in template.doubtful_marks(known))

    def _slots(self, *, with_default: bool) -> frozenset[str]:
        if self._merged:
            return frozenset()
        return frozenset(
            name
            for template in self._compiled()
            for _, name, default, _ in template.slots
            if (default is not None) is with_default
        )

    def _compiled(self) -> tuple[Template, Template, Template]:
        templates = self._templates
        if templates is None:
            templates = (
                Template.compile(self.subject, place="subject"),
                Template.compile(self.text, place="text"),
                Template.compile(self.html, place="html"),
            )
            object.__setattr__(self, "_templates", templates)
            marked = any(mark.certain for template in templates for mark in template.marks)
            object.__setattr__(self, "_marked", marked)
        return templates

    def _made(self, subject: str, text: str, html: str) -> Content:
        """Make a finished content of texts that need no second look."""
        made = object.__new__(Content)
        put = object.__setattr__
        put(made, "subject", subject)
        put(made, "text", text)
        put(made, "html", html)
        put(made, "attachments", self.attachments)
        put(made, "invitation", self.invitation)
        put(made, "_templates", self._templates)
        put(made, "_parts", None)
        put(made, "_marked", False)  # noqa: FBT003 - a field's value
        put(made, "_merged", _FINISHED)
        made._check_inline()
        return made

    def mime_parts(self) -> tuple[bytes, ...]:
        """The content as a MIME entity, in pieces to be joined: its headers, an empty line, its body.

        Pure: boundaries come from the text, not from chance. Kept for a content that is sent as it is;
        a merged one is read once and keeps nothing. An attachment's piece is the attachment's own.
        """
        parts = self._parts
        if parts is None:
            parts = self._rendered()
            if not self._merged:
                object.__setattr__(self, "_parts", parts)
        return parts

    def attached(self) -> tuple[Attachment, ...]:
        """The attachments that are files of their own, as they are written.

        Beside an invitation an attached calendar is ``application/ics``, as Google and Exchange write it: a
        second ``text/calendar`` would be taken for a second invitation.
        """
        return tuple(
            attrs.evolve(one, media_type="application/ics")
            if self.invitation is not None and one.media_type.lower() == "text/calendar"
            else one
            for one in self.attachments
            if not one.inline
        )

    def _part(self, place: int) -> bytes:
        text, subtype = (self.text, "plain") if place == _TEXT else (self.html, "html")
        if self._templates is None or not self._merged:
            return text_part(text, subtype)
        return self._templates[place].part(text)  # what everybody gets is written once

    def _rendered(self) -> tuple[bytes, ...]:
        attachments = self.attachments
        inline = [one for one in attachments if one.inline] if attachments else []
        parts: list[bytes] = []
        if self.text or not (self.html or self.invitation):
            parts.append(self._part(_TEXT))
        if self.html:
            parts.append(joined("related", [self._part(_HTML), *(one.mime_part() for one in inline)]))
        if self.invitation is not None:
            parts.append(calendar_part(self.invitation))
        body = joined("alternative", parts)
        if len(inline) == len(attachments):
            return (body,)
        attached = self.attached()
        # An attached email is not encoded, so a boundary could stand in it.
        mark = boundary("mixed", body, *(one.mime_part() for one in attached if one.is_message))
        between = b"\r\n--" + mark + b"\r\n"
        pieces = [multipart("mixed", mark), body]
        for attachment in attached:
            pieces += (between, attachment.mime_part())
        pieces.append(b"\r\n--" + mark + b"--\r\n")
        return tuple(pieces)


def _known(fields: Iterable[str]) -> dict[str, str]:
    """The names of the fields, by what marks are compared with."""
    return {folded(str(name)): str(name) for name in (*fields, *STANDARD_FIELDS)}

"""An email as JSON, and back: equal in value and in bytes.

A value that could not be given back exactly is refused. What everybody gets is kept once; of each email,
only what differs.

An email is told as its difference to the first of its mailing. Texts are told line by line: where two have
as many lines, those that differ. Files are kept by their digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, cast

import attrs

from vetmail_core.address import Mailbox
from vetmail_core.errors import LedgerError, VetmailError
from vetmail_core.message import Attachment, Content, Email
from vetmail_core.recipients import Recipients

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SCHEMA", "Shared", "decoded", "encoded"]

SCHEMA: Final = 1
_KINDS: Final[Mapping[str, type[attrs.AttrsInstance]]] = {
    kind.__name__: kind for kind in (Email, Content, Attachment, Recipients)
}
_TEXTS: Final = ("subject", "text", "html")
_KIND: Final = "is"
_FILES_OF_ALL: Final = 10  # as many are held; where each person has a file of their own, the rest come and go


class Shared:
    """What the emails of a mailing have in common.

    Args:
        base: the first email, encoded; None before it came.
        load: gives a file by its digest.
    """

    def __init__(
        self, base: Mapping[str, Any] | None = None, load: Callable[[str], bytes] | None = None
    ) -> None:
        self.base = base
        self.files: dict[str, bytes] = {}  # those that are not written down yet
        self._load = load
        self._at_hand: dict[str, bytes] = {}  # those of the email that is being encoded
        self._pinned: dict[str, bytes] = {}  # those of the base
        self._seen: dict[int, tuple[bytes, str]] = {}  # a file of all is kept once
        self._attachments: dict[str, Attachment] = {}  # and its attachment made once

    def become(self, base: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take the first email as what the others are told by."""
        self.base = base
        self._pinned = self._at_hand
        return base

    def begin(self) -> None:
        """Forget the files of the email before."""
        self._at_hand = {}

    def digest(self, data: bytes) -> str:
        """Keep a file; what it is asked for by."""
        seen = self._seen.get(id(data))
        if seen is None:
            digest = blake2b(data, digest_size=16).hexdigest()
            self.files[digest] = data
            if len(self._seen) < _FILES_OF_ALL:
                self._seen[id(data)] = (data, digest)
        else:
            digest = seen[1]
        self._at_hand[digest] = data
        return digest

    def data(self, digest: str) -> bytes:
        """A file that was kept."""
        for kept in (self._at_hand, self._pinned):
            if digest in kept:
                return kept[digest]
        assert self._load is not None  # noqa: S101 - made for reading
        return self._load(digest)

    def attachment(self, told: Mapping[str, Any]) -> Attachment:
        """An attachment, made once where many emails have the same."""
        name = repr(told)
        found = self._attachments.get(name)
        if found is None:
            found = Attachment(**{field: _decoded(one, self) for field, one in told.items()})
            if len(self._attachments) < _FILES_OF_ALL:
                self._attachments[name] = found
        return found


def encoded(email: Email, shared: Shared) -> dict[str, Any]:
    """Tell an email by what differs from the first of its mailing.

    Args:
        email: of a plan.
        shared: what its mailing has in common; the first email becomes its base.

    Raises:
        LedgerError: it holds something that could not be given back as it is.
    """
    shared.begin()
    told = _encoded(email, shared)
    del told[_KIND]
    kept_id = told.pop("message_id", None)
    base = shared.base
    if base is None:
        base = shared.become(told)
    for own_id in (False, True):  # as a rule the Message-ID is made from key and sender
        if own_id:
            told["message_id"] = kept_id
        short = _shortened(told, base)
        try:
            same = decoded(short, shared) == email
        except VetmailError:
            same = False
        if same:
            return short
    raise LedgerError(
        f"The email of the key {email.key!r} cannot be written down so that it comes out as it went in; "
        "nothing was written. Send it without a mailing."
    )


def decoded(told: Mapping[str, Any], shared: Shared) -> Email:
    """Make an email of what `encoded` told of it."""
    base: Mapping[str, Any] = {} if shared.base is None else shared.base
    full: dict[str, Any] = {**base, **told}
    content = full["content"]
    if "lines" in content:
        texts = {
            name: _patched(base["content"].get(name, ""), lines) for name, lines in content["lines"].items()
        }
        full["content"] = {**base["content"], **texts}
    for gone in full.pop("without", ()):
        del full[gone]
    fields = {name: _decoded(value, shared) for name, value in full.items()}
    fields["content"] = fields["content"].finished()
    return Email(**fields)


def _encoded(value: object, shared: Shared) -> Any:  # noqa: ANN401 - JSON
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, bytes):
        return {_KIND: "file", "digest": shared.digest(value)}
    if isinstance(value, Mailbox):
        return [value.addr_spec, value.display_name] if value.display_name else value.addr_spec
    if isinstance(value, datetime):
        return {_KIND: "moment", "at": value.isoformat()}
    if isinstance(value, tuple):
        many = cast("tuple[object, ...]", value)
        return {_KIND: "many", "all": [_encoded(one, shared) for one in many]}
    if isinstance(value, Mapping):
        entries = cast("Mapping[str, object]", value)
        return {_KIND: "map", "all": {name: _encoded(one, shared) for name, one in entries.items()}}
    kind = type(value).__name__
    if kind not in _KINDS:
        raise LedgerError(
            f"A {kind} cannot be written down with an email; nothing was written. Send it without a mailing."
        )
    told: dict[str, Any] = {_KIND: kind}
    for field in attrs.fields(type(value)):  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - one of the kinds
        if field.init:
            one = getattr(value, field.name)
            if one != field.default:
                told[field.name] = _encoded(one, shared)
    return told


def _decoded(told: Any, shared: Shared) -> Any:  # noqa: ANN401 - JSON
    if isinstance(told, list):
        return Mailbox(*cast("list[str]", told))
    return _made(cast("dict[str, Any]", told), shared) if isinstance(told, dict) else told


def _made(told: dict[str, Any], shared: Shared) -> Any:  # noqa: ANN401 - one of several kinds
    kind: str = told[_KIND]
    match kind:
        case "file":
            return shared.data(told["digest"])
        case "moment":
            return datetime.fromisoformat(told["at"])
        case "many":
            return tuple(_decoded(one, shared) for one in told["all"])
        case "map":
            return {name: _decoded(one, shared) for name, one in told["all"].items()}
        case "Attachment":
            return shared.attachment({name: one for name, one in told.items() if name != _KIND})
        case _:
            fields = {name: _decoded(one, shared) for name, one in told.items() if name != _KIND}
            return _KINDS[kind](**fields)


def _shortened(told: dict[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    short = {name: one for name, one in told.items() if one != base.get(name, _MISSING)}
    gone = [name for name in base if name not in told]
    if gone:
        short["without"] = gone
    content = short.get("content")
    if content is not None:
        lines = _lines(content, base["content"])
        if lines is not None:
            short["content"] = {"lines": lines}
    return short


def _lines(content: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any] | None:
    """The lines of subject, text and HTML that differ; None where something else does."""
    if any(content.get(name) != base.get(name) for name in {*content, *base}.difference(_TEXTS)):
        return None
    return {
        name: _difference(content.get(name, ""), base.get(name, ""))
        for name in _TEXTS
        if content.get(name, "") != base.get(name, "")
    }


def _difference(text: str, base: str) -> str | dict[str, str]:
    ours, theirs = text.split("\n"), base.split("\n")
    if len(ours) != len(theirs):
        return text
    return {
        str(number): mine
        for number, (mine, common) in enumerate(zip(ours, theirs, strict=True))
        if mine != common
    }


def _patched(base: str, lines: str | Mapping[str, str]) -> str:
    if isinstance(lines, str):
        return lines
    texts = base.split("\n")
    for number, line in lines.items():
        texts[int(number)] = line
    return "\n".join(texts)


_MISSING: Final = object()

"""One mailbox: an address that can be used, and the name people see with it.

Every address travels through the library in this form, so a mailbox that exists is valid.
"""

from __future__ import annotations

from typing import Final

import attrs

from vetmail_core.address.addr_spec import checked_address, in_quotes
from vetmail_core.address.advice import advised, tested
from vetmail_core.address.faults import Fault, as_text, shown_text
from vetmail_core.address.header import name_in_header
from vetmail_core.address.names import checked_name, dropped_comment, name_warnings
from vetmail_core.address.slips import address_warnings
from vetmail_core.errors import AddressError, AddressErrorCode

__all__ = ["Mailbox", "mailbox_of_checked"]

_set: Final = object.__setattr__
"""How a frozen value settles its own fields, once."""


@attrs.frozen(init=False)
class Mailbox:
    """An e-mail address and the name shown with it.

    Two mailboxes are equal when address and name are; two spellings of one address have the same
    ``address_key``.

    Args:
        addr_spec: the address alone, ``anna@example.com``, without blanks or comments
            (RFC 5322 section 3.4.1).
        display_name: the name alone, without quotes; "" for none.

    Attributes:
        addr_spec: in NFC, its local part in quotes only where it must be, an international domain in
            U-labels; an ASCII domain keeps the case it was typed in.
        display_name: in NFC.
        address_key: equal for two spellings of one address: the exact local part, the domain in
            lower-case A-labels.

    Raises:
        AddressError: when the address or the name is not valid.
        TypeError: when one of them is not text.

    >>> anna = Mailbox("anna@example.com", "Anna Berg")
    >>> str(anna)
    '"Anna Berg" <anna@example.com>'
    """

    addr_spec: str
    display_name: str = ""
    address_key: str = attrs.field(init=False, eq=False, repr=False)
    _comments: str = attrs.field(init=False, eq=False, repr=False)

    def __init__(self, addr_spec: str, display_name: str = "") -> None:
        addr_spec = as_text(addr_spec, "The address of a mailbox")
        display_name = as_text(display_name, "The display name of a mailbox")
        try:
            address, key = checked_address(addr_spec)
        except Fault as fault:
            error = fault.as_error(addr_spec, advice=_advice(fault, addr_spec))
            if addr_spec.rstrip().endswith(">"):
                error.args = (f"{error}; a name and an address in one text are read by parse_mailbox(text)",)
            raise error from None
        if display_name:
            try:
                display_name = checked_name(display_name)
            except Fault as fault:
                advice = tested(fault, display_name, checked_name)
                raise fault.as_error(display_name, part="display name", advice=advice) from None
        _set(self, "addr_spec", address)
        _set(self, "display_name", display_name)
        _set(self, "address_key", key)
        _set(self, "_comments", "")

    @property
    def local_part(self) -> str:
        """The part before the @, as it is written, in quotes where it must be."""
        return self.addr_spec.rpartition("@")[0]

    @property
    def domain(self) -> str:
        """The part after the @, international labels as people read them."""
        return self.addr_spec.rpartition("@")[2]

    @property
    def ascii_domain(self) -> str:
        """The domain as it goes onto the wire, in A-labels (IDNA 2008, UTS 46)."""
        domain = self.addr_spec.rpartition("@")[2]
        return domain if domain.isascii() else self.address_key.rpartition("@")[2]

    @property
    def needs_smtputf8(self) -> bool:
        """Whether its local part is not ASCII, so that only a server with SMTPUTF8 (RFC 6531) takes it."""
        return not self.local_part.isascii()

    @property
    def note(self) -> str:
        """The comment that gave the name when it was read, as in ``a@example.com (Ann)``, else ""."""
        return self._comments if self._comments == self.display_name else ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is allowed but is often a slip or a deception, in plain sentences."""
        said = name_warnings(self.display_name, self.addr_spec) if self.display_name else ()
        said += tuple(address_warnings(self.addr_spec))
        if self._comments and self._comments != self.display_name:
            said += (dropped_comment(self._comments, self.addr_spec),)
        return said

    def __str__(self) -> str:
        if not self.display_name:
            return self.addr_spec
        return f"{in_quotes(self.display_name)} <{self.addr_spec}>"

    def header(self, *, smtputf8: bool = False) -> str:
        r"""The form for a message header (RFC 5322, RFC 2047).

        Args:
            smtputf8: the message will travel with SMTPUTF8 (RFC 6531), so UTF-8 may stay as it is.

        Returns:
            ASCII unless ``smtputf8``; the domain in A-labels. A long one is folded, in lines joined by
            ``"\r\n "``, at most 78 characters each where the text allows it, the first leaving room for
            the field name.

        Raises:
            AddressError: a non-ASCII local part without ``smtputf8``.
        """
        address = self.addr_spec
        if not address.isascii():
            local = self.local_part
            if not (smtputf8 or local.isascii()):
                raise self._needs_smtputf8(local)
            address = f"{local}@{self.ascii_domain}"
        if not self.display_name:
            return address
        return name_in_header(self.display_name, address, utf8=smtputf8)

    def _needs_smtputf8(self, local: str) -> AddressError:
        first = next(offset for offset, character in enumerate(local) if not character.isascii())
        return Fault(
            AddressErrorCode.NEEDS_SMTPUTF8,
            first,
            len(local),
            f'"{shown_text(local)}" before the @ is not plain ASCII, and this message goes out as ASCII',
            "ask for an address in plain letters, or send through a server that offers SMTPUTF8",
        ).as_error(self.addr_spec)


def _advice(fault: Fault, addr_spec: str) -> tuple[str, str | None]:
    def read(text: str) -> tuple[Mailbox, ...] | None:
        try:
            return (mailbox_of_checked(*checked_address(text), ""),)
        except Fault:
            return None

    return advised(fault, addr_spec, 0, len(addr_spec), read=read)


def mailbox_of_checked(address: str, key: str, name: str, comments: str = "") -> Mailbox:
    """Make a mailbox of parts the parser has just checked, so that they are not checked twice.

    Args:
        address: its written form.
        key: its key.
        name: the display name.
        comments: what was read as comments: the name itself when they gave it, else the name with them.
    """
    made = object.__new__(Mailbox)
    _set(made, "addr_spec", address)
    _set(made, "display_name", name)
    _set(made, "address_key", key)
    _set(made, "_comments", comments)
    return made

"""Runs against the misbehaving server, and the judge of what a transport says about them."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import attrs
from tests.transports.misbehaving.rogue import Copy, Rogue

from vetmail_core import Attachment, Content, Email, MailServer, Receipt, Recipients, SmtpTransport, Status
from vetmail_core.address import Mailbox
from vetmail_core.preferences import AuthenticationType, TlsMethod
from vetmail_core.receipts import Cause, Phase
from vetmail_core.testing.clock import FakeClock
from vetmail_core.transports.smtp import Deadlines, Limits, Pipelining

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Sequence


def an_email(
    number: int, *, to: str = "", cc: str = "", bcc: str = "", attachment: Attachment | None = None
) -> Email:
    """An email whose sender tells the server its number."""
    return Email(
        sender=Mailbox(f"office+{number}@example.com"),
        recipients=Recipients(to=(to or f"p{number}@example.com").split(), cc=cc.split(), bcc=bcc.split()),
        content=Content(
            f"number {number}",
            f"This is email <{number}>.\n.\n..\nEnd",
            attachments=() if attachment is None else (attachment,),
        ),
    )


@attrs.frozen(kw_only=True)
class Trial:
    """What came of a run."""

    emails: Sequence[Email]
    receipts: Sequence[Receipt]
    server: Rogue
    seconds: float
    slept: tuple[float, ...] = ()
    hung: bool = False
    error: BaseException | None = None
    mode: Pipelining = Pipelining.AUTO
    several: bool = False  # connections at once

    def statuses(self) -> list[str]:
        """One word for each email whose recipients agree."""
        return ["/".join(sorted({o.status.value for o in receipt.outcomes})) for receipt in self.receipts]


WATCHDOG_SECONDS = 40.0


def deliver(
    server: Rogue,
    emails: Sequence[Email],
    *,
    mode: Pipelining = Pipelining.AUTO,
    deadlines: Deadlines | None = None,
    limits: Limits | None = None,
    source: Iterable[Email] | None = None,
    wait_ms: int = 0,
    authentication: AuthenticationType = AuthenticationType.NONE,
    client_context: ssl.SSLContext | None = None,
    host: str = "localhost",
    token: Callable[[], str] | None = None,
    clock: FakeClock | None = None,
    **more: object,
) -> Trial:
    """Send emails to the server, as any host would, and come back in any case."""
    clock = FakeClock() if clock is None else clock
    receipts: list[Receipt] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            transport = SmtpTransport(
                MailServer(
                    host=host if server.tls is not TlsMethod.NONE else "127.0.0.1",
                    port=server.port,
                    tls=server.tls,
                    authentication=authentication,
                    wait_between_emails_ms=wait_ms,
                    **more,  # type: ignore[arg-type]
                ),
                pipelining=mode,
                deadlines=deadlines or Deadlines(quit=1),
                limits=limits or Limits(),
                ssl_context=client_context,
                token=token,
                clock=clock,
            )
            with transport:
                receipts.extend(transport.deliver(emails if source is None else source))
        except BaseException as error:  # noqa: BLE001 - whatever it is, the judge must see it
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    begun = time.monotonic()
    thread.start()
    thread.join(WATCHDOG_SECONDS)
    return Trial(
        several=limits is not None and limits.connections > 1,
        emails=emails,
        receipts=tuple(receipts),
        server=server,
        seconds=time.monotonic() - begun,
        slept=clock.slept,
        hung=thread.is_alive(),
        error=errors[0] if errors else None,
        mode=mode,
    )


def causes(receipts: Iterable[Receipt]) -> set[tuple[Status, Cause | None, Phase | None]]:
    """How it ended, why and where, for all of them."""
    return {(o.status, o.cause, o.phase) for receipt in receipts for o in receipt.outcomes}


def complaints(trial: Trial, *, error_expected: bool = False, at_most: float = WATCHDOG_SECONDS) -> list[str]:
    """Everything that is not as promised: lost, duplicated, hung, unclear or untrue."""
    if trial.hung:
        return ["hung"]
    found: list[str] = []
    if trial.error is not None and not error_expected:
        found.append(f"raised {trial.error!r}")
    if trial.seconds > at_most:
        found.append(f"took {trial.seconds:.1f} s")
    if [id(receipt.email) for receipt in trial.receipts] != [
        id(email) for email in trial.emails[: None if not error_expected else len(trial.receipts)]
    ]:
        found.append(f"{len(trial.receipts)} receipts for {len(trial.emails)} emails, or out of order")
        return found
    copies = trial.server.copies
    for number, receipt in enumerate(trial.receipts):
        mine = [copy for copy in copies if copy.number == number]
        found += [f"email {number}: {text}" for text in _about(trial, number, receipt, mine)]
    # What was never answered for must not be there either: nothing arrives that nobody was told of.
    if not error_expected:
        numbers = {copy.number for copy in copies}
        found += [f"the server has an unknown email {n}" for n in numbers if not 0 <= n < len(trial.emails)]
    return found


def _about(trial: Trial, number: int, receipt: Receipt, copies: list[Copy]) -> Iterable[str]:
    mailboxes = receipt.email.recipients.all
    if [id(outcome.mailbox) for outcome in receipt.outcomes] != [id(mailbox) for mailbox in mailboxes]:
        yield "not exactly one outcome for each recipient in order"
    for copy in copies:
        if f"This is email <{number}>.\r\n.\r\n..\r\nEnd".encode() not in copy.data:
            yield f"the server took other octets: {copy.data[-80:]!r}"
        for mailbox in receipt.email.recipients.bcc:
            if mailbox.addr_spec.encode() in copy.data:
                yield f"the blind copy {mailbox.addr_spec} stands in the message"
    for outcome in receipt.outcomes:
        address = outcome.mailbox.addr_spec
        status = outcome.status
        got = [copy for copy in copies if address in copy.recipients]
        # Of several connections, the one made last need not be the one used last: there the copy that was
        # taken counts as the last, and a second one that was taken shows.
        got.sort(key=(lambda copy: copy.said < 400) if trial.several else (lambda copy: copy.line))
        *earlier, last = got or [Copy(number, (), b"", 999)]
        if any(copy.said < 400 for copy in earlier):
            yield f"{address} got {len(got)} copies, answered {[copy.said for copy in got]}"
        taken = bool(got) and last.said < 400
        if status is Status.ACCEPTED:
            if not any(200 <= copy.said < 300 for copy in got):
                yield f"{address} is accepted, but the server has answered {[copy.said for copy in got]}"
            if outcome.cause is not None or outcome.reply is None or not 200 <= outcome.reply.code < 300:
                yield f"{address} is accepted with {outcome}"
            continue
        if outcome.cause is None or outcome.phase is None or not outcome.advice:
            yield f"{address} is unclear: {outcome}"
        if status is Status.UNKNOWN:
            if number not in trial.server.invited and trial.mode is not Pipelining.CHUNKING:
                yield f"{address} is unknown, though the server never asked for the message"
            if got and not taken and last.clear:
                yield f"{address} is unknown, though the server has answered {last.said}"
            if outcome.reply is not None or outcome.phase is not Phase.DOT:
                yield f"{address} is unknown with {outcome}"
            if not receipt.warnings:
                yield f"{address} is unknown without a word why"
            continue
        if taken:
            yield f"{address} is {status.value}, but the server has the message and said {last.said}"
        code = 0 if outcome.reply is None else outcome.reply.code
        if status is Status.REFUSED and code and code < 500:
            yield f"{address} is refused with {outcome.reply}"
        if status is Status.DEFERRED and code >= 500 and code != 503:
            yield f"{address} is deferred with {outcome.reply}"
        if status is Status.HANDED_OVER:
            yield f"{address} is handed over, by a mail server"
        if outcome.reply is None and not receipt.warnings:
            yield f"{address} is {status.value} without a reply and without a word why"

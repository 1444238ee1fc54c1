"""A web application that sends: the event loop serves requests while mail waits for its server."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import httpx
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from vetmail_core import Content, EmailPreferences, Receipt, Settings, Status
from vetmail_core.aio import AsyncMailer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from starlette.requests import Request

    from vetmail_core import Email

SECONDS = 20.0


class Slow:
    """A transport whose server says nothing until the test lets it."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.count = 0

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """One receipt for each email, in order."""
        for email in emails:
            assert self.answers.wait(SECONDS)
            self.count += 1
            yield Receipt.for_all(email, Status.ACCEPTED)

    def close(self) -> None:
        """Nothing to end."""


def test_a_request_every_five_milliseconds_is_served_while_sixty_sends_wait() -> None:
    """All of them are answered before the mail server says a word; then every send has its receipt."""
    slow = Slow()
    preferences = EmailPreferences(
        use_built_in_client=True, settings=Settings(default_from="office@example.com")
    )

    async def scene() -> None:
        async with AsyncMailer(preferences, transport=slow, connections=3) as mailer:

            async def notify(request: Request) -> PlainTextResponse:
                receipt = await mailer.send(Content("Hello", "Room 4"), to=request.query_params["to"])
                return PlainTextResponse(receipt.accepted[0].addr_spec)

            async def ping(_request: Request) -> PlainTextResponse:
                return PlainTextResponse("pong")

            app = Starlette(routes=[Route("/notify", notify), Route("/ping", ping)])
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://portal") as client:
                addresses = [f"p{number}@example.com" for number in range(60)]
                sends = [
                    asyncio.create_task(client.get("/notify", params={"to": address}))
                    for address in addresses
                ]
                for _ in range(20):
                    assert (await client.get("/ping")).text == "pong"
                    await asyncio.sleep(0.005)
                assert not any(send.done() for send in sends)
                slow.answers.set()
                assert [answer.text for answer in await asyncio.gather(*sends)] == addresses
        assert slow.count == 60

    asyncio.run(asyncio.wait_for(scene(), SECONDS))

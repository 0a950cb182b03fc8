"""Saying no to a client that is still sending.

A server that answers early and closes resets the connection under the client's hands, and many clients then report a
broken connection instead of the answer. So the answer goes out whole, but is not ended before the client has stopped
sending, or has sent enough.
"""

import asyncio
from contextlib import suppress

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

LINGER_SECONDS = 10.0
LINGER_BYTES = 64 * 1024 * 1024


class Lingering(Response):
    """An answer to a request whose body may not have been read to its end.

    What still comes is thrown away, for ten seconds and 64 MiB at most: the time bounds what a slow client can hold,
    the bytes what a fast one can waste.
    """

    def __init__(self, response: Response) -> None:
        self._response = response
        self.status_code = response.status_code
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_without_end(message: Message) -> None:
            await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)

        await self._response(scope, receive, send_without_end)
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                await _discard(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _discard(receive: Receive) -> None:
    discarded = 0
    while discarded < LINGER_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return
        discarded += len(message.get("body", b""))

"""How much a request may send: every body but an upload's or a recording's is a few words of JSON."""

from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tonetouch_gateway.multipart import TooLarge

SMALL_BODY_BYTES = 64 * 1024
FORMS = frozenset({("POST", "/api/v1/tracks"), ("POST", "/api/v1/search/voice")})
"""The requests with a large body; the reader of their forms counts for itself."""

_SCOPE_KEY = "tonetouch.body"


@dataclass
class _Body:
    ended: bool
    limit_bytes: int | None
    announced_bytes: int
    seen_bytes: int = 0

    def check(self) -> None:
        if self.limit_bytes is not None and max(self.announced_bytes, self.seen_bytes) > self.limit_bytes:
            raise TooLarge("the body", max_bytes=self.limit_bytes)


class Bounding:
    """ASGI middleware: reading more than the limit raises TooLarge, and it is known whether a body was read out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            receive = _bounded(scope, receive)
        await self._app(scope, receive, send)


def give_up_body(request: Request) -> bool:
    """Nobody wants the rest of the body, however long it is; says whether the client may still be sending it."""
    body: _Body | None = request.scope.get(_SCOPE_KEY)
    if body is None:
        return False
    body.limit_bytes = None
    return not body.ended


def _bounded(scope: Scope, receive: Receive) -> Receive:
    headers = Headers(scope=scope)
    announced = headers.get("content-length", "")
    body = scope[_SCOPE_KEY] = _Body(
        ended="transfer-encoding" not in headers and announced in ("", "0"),
        limit_bytes=None if (scope["method"], scope["path"]) in FORMS else SMALL_BODY_BYTES,
        announced_bytes=int(announced) if announced.isdecimal() and len(announced) < 19 else 0,
    )

    async def receive_bounded() -> Message:
        body.check()
        message = await receive()
        body.seen_bytes += len(message.get("body", b""))
        body.ended = not message.get("more_body", False)
        body.check()
        return message

    return receive_bounded

"""How much a request may send: every body but an upload's is a few words of JSON."""

from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tonetouch_gateway.multipart import TooLarge

SMALL_BODY_BYTES = 64 * 1024
UPLOAD = ("POST", "/api/v1/tracks")
"""The one request with a large body; the reader of its form counts for itself."""

_SCOPE_KEY = "tonetouch.body"


@dataclass
class _Body:
    ended: bool
    seen_bytes: int = 0


class Bounding:
    """ASGI middleware: reading more than the limit raises TooLarge, and it is known whether a body was read out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            receive = _bounded(scope, receive)
        await self._app(scope, receive, send)


def has_more(request: Request) -> bool:
    """Whether the client may still be sending the body of this request."""
    body: _Body | None = request.scope.get(_SCOPE_KEY)
    return body is not None and not body.ended


def _bounded(scope: Scope, receive: Receive) -> Receive:
    headers = Headers(scope=scope)
    announced = headers.get("content-length", "")
    body = _Body(ended="transfer-encoding" not in headers and announced in ("", "0"))
    scope[_SCOPE_KEY] = body
    check = _unbounded if (scope["method"], scope["path"]) == UPLOAD else _small
    size = int(announced) if announced.isdecimal() and len(announced) < 19 else 0

    async def receive_bounded() -> Message:
        check(size)
        message = await receive()
        if message["type"] == "http.request":
            body.seen_bytes += len(message.get("body", b""))
            body.ended = not message.get("more_body", False)
            check(body.seen_bytes)
        else:
            body.ended = True
        return message

    return receive_bounded


def _unbounded(_: int) -> None:
    return


def _small(size: int) -> None:
    if size > SMALL_BODY_BYTES:
        raise TooLarge("the body", max_bytes=SMALL_BODY_BYTES)

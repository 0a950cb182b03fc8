"""One id from the client's request to the last event it causes.

`X-Request-Id` is taken over where it is a plain word, else made; it is in the answer, in every log line, and the
correlation of whatever is asked and appended on behalf of the request. A W3C `traceparent` is the trace it belongs to.
"""

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tonetouch_runtime import SystemClock
from tonetouch_runtime._telemetry import Cause
from tonetouch_runtime.telemetry.requests import serving_request

HEADER = "X-Request-Id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class Tracing:
    """ASGI middleware around everything, so that even an answer to a bug carries the id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = _plain(headers.get(HEADER), _REQUEST_ID) or SystemClock().new_id()
        trace = _plain(headers.get("traceparent"), _TRACEPARENT)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
                hop.began_to_answer(message["status"])
            await send(message)

        scope["request_id"] = request_id
        with serving_request(scope, Cause(correlation=request_id, traceparent=trace)) as hop:
            await self._app(scope, receive, send_with_id)


def _plain(value: str | None, shape: re.Pattern[str]) -> str | None:
    return value if value is not None and shape.fullmatch(value) else None

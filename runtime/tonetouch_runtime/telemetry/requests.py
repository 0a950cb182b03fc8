"""A request over HTTP: one span from its first byte to its last, and the time until its answer begins.

The time to the end says how long somebody listened to a track; the time to the beginning is what they waited for.
"""

import time
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any

from tonetouch_runtime._telemetry import Cause
from tonetouch_runtime.telemetry import switch
from tonetouch_runtime.telemetry.hops import DONE, Hop
from tonetouch_runtime.telemetry.names import HTTP, Key
from tonetouch_runtime.telemetry.spans import Kind

UNKNOWN = "none"
"""The route of a path that there is none for: paths are made up by clients, and so are no labels."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Request(Hop):
    """Around answering one request. The route is known once the router has found it, so it is read when needed."""

    __slots__ = ("_method", "_scope", "_status", "_waited")

    def __init__(self, scope: MutableMapping[str, Any], cause: Cause) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        super().__init__(method, Kind.SERVER, cause, metric=None, labels=())
        self._method = method
        self._scope = scope
        self._status = 0
        self._waited = 0.0

    def began_to_answer(self, status: int) -> None:
        """The answer is on its way, with this status."""
        self._status = status
        self._waited = time.perf_counter() - self._began

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        route = _route(self._scope)
        if switch.counts and self._status:
            switch.counts.time(HTTP, (self._method, route, str(self._status)), self._waited)
        if self.span is not None:
            self.span.name = f"{self._method} {route}"
            self.note(Key.METHOD, self._method).note(Key.ROUTE, route).note(Key.STATUS, self._status or None)
        if error is None:
            self.outcome = str(self._status) if self._status >= 500 else DONE
        super().__exit__(kind, error, trace)


def _route(scope: MutableMapping[str, Any]) -> str:
    # FastAPI keeps a route's path beyond the prefix it was included under; with it, it stands here.
    whole = scope.get("fastapi", {}).get("effective_route_context")
    return str(getattr(whole or scope.get("route"), "path", UNKNOWN))


def serving_request(scope: MutableMapping[str, Any], cause: Cause) -> Request:
    """Around answering a request of this ASGI scope; the cause has its id, and its trace where it brought one."""
    return Request(scope, cause)

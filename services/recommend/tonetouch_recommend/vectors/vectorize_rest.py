"""The way to Vectorize and back: REST v2 over httpx, what is tried again, and what a refusal says.

The token goes into a header and nowhere else. Cloudflare lets an account make 1,200 calls to its API in five minutes.
"""

from collections.abc import Awaitable, Mapping
from typing import Any, Final

import httpx
import msgspec

from .collection import VectorsError
from .retrying import AgainError, retrying

CONNECTIONS: Final = httpx.Limits(max_connections=32, max_keepalive_connections=16)

_BUSY = 429
_NDJSON = {"content-type": "application/x-ndjson"}
_JSON = {"content-type": "application/json"}


class VectorizeRefusedError(VectorsError):
    """Vectorize understood and said no."""

    def __init__(self, status: int, code: int | None, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class VectorizeRest:
    """The indexes of an account. `url` is Cloudflare's API, as ``https://api.cloudflare.com/client/v4``.

    A 429, a 5xx, a broken connection and an answer that is none are tried again for at most `patience_seconds`. Then
    each call raises `UnreachableError`; what is refused raises `VectorizeRefusedError`.
    """

    def __init__(self, url: str, *, account: str, token: str, patience_seconds: float = 30.0) -> None:
        self._patience = patience_seconds
        self._http = httpx.AsyncClient(
            base_url=f"{url.rstrip('/')}/accounts/{account}/vectorize/v2/indexes",
            headers={"authorization": f"Bearer {token}"},
            timeout=min(30.0, patience_seconds),
            limits=CONNECTIONS,
        )

    async def get(self, path: str, **query: str | int) -> Any:
        """What stands there."""
        return await self._ask("GET", path, query=query)

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The answer to a question, or the id of a mutation."""
        return await self._ask("POST", path, content=msgspec.json.encode(body), headers=_JSON)

    async def write(self, path: str, lines: bytes) -> Any:
        """The id of the mutation that vectors, one in each line of JSON, become."""
        return await self._ask("POST", path, content=lines, headers=_NDJSON)

    async def delete(self, path: str) -> None:
        """Remove what stands there."""
        await self._ask("DELETE", path)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        def attempt() -> Awaitable[Any]:
            return self._attempt(self._http.build_request(method, path, params=query, content=content, headers=headers))

        return await retrying(attempt, seconds=self._patience, what=f"{method} {path or '/'} at Vectorize")

    async def _attempt(self, request: httpx.Request) -> Any:
        try:
            answer = await self._http.send(request)
        except httpx.TransportError as error:
            raise AgainError(f"{type(error).__name__} {error}".rstrip()) from None
        envelope = _envelope(answer)
        if answer.is_success and envelope.get("success") is True:
            return envelope.get("result")
        code, message = _problem(envelope)
        told = f"{answer.status_code}{f' ({code})' if code is not None else ''} {message}".rstrip()
        if answer.status_code == _BUSY or answer.is_server_error or answer.is_success:
            raise AgainError(told, _retry_after(answer))
        raise VectorizeRefusedError(
            answer.status_code, code, f"Vectorize refused {request.method} {request.url.path}: {told}"
        )


def _envelope(answer: httpx.Response) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(answer.content)
    except msgspec.DecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _problem(envelope: Mapping[str, Any]) -> tuple[int | None, str]:
    errors = envelope.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    if not isinstance(first, dict):
        return None, "and nothing that Cloudflare's API would say"
    code, message = first.get("code"), first.get("message")
    return code if isinstance(code, int) else None, str(message)[:300]


def _retry_after(answer: httpx.Response) -> float | None:
    try:
        seconds = float(answer.headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds < 3600 else None

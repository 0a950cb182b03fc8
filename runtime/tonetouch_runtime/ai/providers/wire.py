"""The way to a provider and back: one HTTP request, its answer or its stream, and what can break in between.

Nothing is tried twice here. A key goes into a header and into nothing else.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, lru_cache
from http.cookiejar import CookieJar
from types import MappingProxyType
from typing import Self

import httpx
import msgspec

from tonetouch_runtime.ai.errors import AIUnavailable, ProviderFailed
from tonetouch_runtime.ai.providers.failing import Door, failed

LARGEST_ANSWER = 64 << 20
LIMITS = httpx.Limits(max_connections=64, max_keepalive_connections=32, keepalive_expiry=30.0)
CONNECT_SECONDS = 10.0

# What is left after the last event is the end of the body; a server that holds the line open loses it.
_DRAIN_SECONDS = 0.25
_REQUEST_IDS = ("cf-ai-req-id", "request-id", "x-request-id", "cf-aig-request-id")
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request as bytes, below a provider's address."""

    path: str
    body: bytes
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, path: str, document: object, headers: Mapping[str, str] = _NOTHING) -> Self:
        """A JSON document."""
        return cls(path=path, body=msgspec.json.encode(document), headers=headers)


@dataclass(frozen=True, kw_only=True)
class Headed:
    """What an answer says before its body."""

    provider: str
    status: int
    headers: Mapping[str, str]

    @property
    def media_type(self) -> str:
        """Lower-case and without parameters; empty where the answer does not say."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower()

    @property
    def is_json(self) -> bool:
        """Whether it says that it is JSON."""
        return self.media_type == "application/json" or self.media_type.endswith("+json")

    @property
    def request_id(self) -> str | None:
        """What the provider calls this request."""
        return next((self.headers[name] for name in _REQUEST_IDS if name in self.headers), None)

    @property
    def gateway_log_id(self) -> str | None:
        """Where AI Gateway keeps its log of this request."""
        return self.headers.get("cf-aig-log-id")

    @property
    def from_gateway_cache(self) -> bool:
        """Whether AI Gateway answered from its own cache, so that no provider was asked."""
        return self.headers.get("cf-aig-cache-status", "").upper() == "HIT"

    def nonsense(self, why: str) -> ProviderFailed:
        """The failure of an answer that cannot be read."""
        return ProviderFailed(
            "nonsense", f"{self.provider}: {why}", http_status=self.status, request_id=self.request_id
        )


@dataclass(frozen=True, kw_only=True)
class Answered(Headed):
    """A whole answer with a good status."""

    body: bytes

    def json(self) -> object:
        """The document. Raises ProviderFailed where it is none or says to be something else."""
        if self.media_type and not self.is_json:
            raise self.nonsense(f"JSON was expected and {self.media_type[:80]} came")
        try:
            document: object = msgspec.json.decode(self.body)
        except (ValueError, RecursionError):
            raise self.nonsense("the body is not JSON") from None
        return document


class Opened:
    """An answer whose body has not been read yet."""

    def __init__(self, headed: Headed, response: httpx.Response) -> None:
        self.headed = headed
        self._response = response
        self._chunks = response.aiter_bytes()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises ProviderFailed ``cut`` where it breaks off."""
        while (chunk := await self._next()) is not None:
            yield chunk

    async def whole(self) -> Answered:
        """All of the body."""
        parts, size = [], 0
        async for chunk in self.chunks():
            size += len(chunk)
            if size > LARGEST_ANSWER:
                raise self.headed.nonsense(f"the answer is larger than {LARGEST_ANSWER >> 20} MiB")
            parts.append(chunk)
        headed = self.headed
        return Answered(provider=headed.provider, status=headed.status, headers=headed.headers, body=b"".join(parts))

    async def drain(self) -> None:
        """Read what is left, so that the connection can be used again."""
        with suppress(TimeoutError, ProviderFailed):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while await self._next() is not None:
                    pass

    async def _next(self) -> bytes | None:
        headed = self.headed
        try:
            return await anext(self._chunks, None)
        except httpx.DecodingError:
            raise headed.nonsense("the body is not compressed the way it says") from None
        except httpx.TimeoutException:
            raise ProviderFailed("timeout", f"{headed.provider} fell silent", http_status=headed.status) from None
        except httpx.TransportError as error:
            raise ProviderFailed(
                "cut", f"{headed.provider}: the answer broke off ({type(error).__name__})", http_status=headed.status
            ) from None


class Wire:
    """The one connection pool to a provider, with the headers every request to it carries."""

    def __init__(
        self, door: Door, *, url: str, headers: Mapping[str, str] = _NOTHING, client: httpx.AsyncClient | None = None
    ) -> None:
        self.door = door
        self._url = url.rstrip("/")
        self._client = client or httpx.AsyncClient(
            http2=False, limits=LIMITS, follow_redirects=False, verify=_trust(), cookies=_NoCookies()
        )
        self._headers = {**self._client.headers, **headers}
        self._address = lru_cache(maxsize=256)(httpx.URL)

    async def ask(self, asked: Asked, *, seconds: float) -> Answered:
        """The whole answer within so many seconds. Raises AIUnavailable, AIInputRefused or ProviderFailed."""
        try:
            async with asyncio.timeout(seconds), self.opened(asked, seconds=seconds) as opened:
                return await opened.whole()
        except TimeoutError:
            raise ProviderFailed("timeout", f"{self.door.provider} did not answer within {seconds:g} s") from None

    @asynccontextmanager
    async def opened(self, asked: Asked, *, seconds: float) -> AsyncIterator[Opened]:
        """An answer with a good status, to be read; `seconds` bounds the wait for its head and for each chunk."""
        response = await self._send(asked, seconds)
        try:
            headed = Headed(provider=self.door.provider, status=response.status_code, headers=response.headers)
            opened = Opened(headed, response)
            if not response.is_success:
                body = (await opened.whole()).body
                raise failed(self.door, status=response.status_code, headers=response.headers, body=body)
            yield opened
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def _send(self, asked: Asked, seconds: float) -> httpx.Response:
        door = self.door
        try:
            request = httpx.Request(
                "POST",
                self._address(f"{self._url}/{asked.path}"),
                content=asked.body,
                headers={"content-type": asked.media_type, **self._headers, **asked.headers},
                extensions={"timeout": _patience(seconds)},
            )
            return await self._client.send(request, stream=True)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, UnicodeError):
            # The message of such an error repeats the header, and with it the key.
            raise AIUnavailable(f"{door.setting}, or the address with it, is not well formed") from None
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            why = f"{door.provider} cannot be reached ({type(error).__name__})"
            raise ProviderFailed("unreachable", why, reached=False) from None
        except httpx.TimeoutException:
            raise ProviderFailed("timeout", f"{door.provider} did not answer within {seconds:g} s") from None
        except httpx.TransportError as error:
            why = f"{door.provider} hung up before it answered ({type(error).__name__})"
            raise ProviderFailed("unreachable", why) from None


class _NoCookies(CookieJar):
    """Nothing is remembered of one call in the next."""

    def extract_cookies(self, *_: object) -> None:
        pass


@cache
def _patience(seconds: float) -> dict[str, float | None]:
    return httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS)).as_dict()


@cache
def _trust() -> ssl.SSLContext:
    # Reading the certificates of the world takes longer than a call: once for all providers of a process.
    return httpx.create_ssl_context()

"""Asking a process whether it is ready."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import httpx

from tonetouch_deploy.ports import LOOPBACK

Probe = Callable[[], Awaitable[str | None]]
"""None when ready, else a few words on what is missing. It neither raises nor takes longer than a few seconds."""

_BOUND_SECONDS = 3.0


def tcp_probe(port: int) -> Probe:
    """Ready when something accepts a connection on the loopback port."""

    async def probe() -> str | None:
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(LOOPBACK, port), _BOUND_SECONDS)
        except (OSError, TimeoutError):
            return f"nothing listens on port {port}"
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return None

    return probe


def http_probe(url: str, *, any_answer: bool = False) -> Probe:
    """Ready when a GET is answered with 200, or (`any_answer`) with anything below 500."""

    # One client for the life of the probe, because making one costs more than asking. No proxies: this is loopback.
    client = httpx.AsyncClient(
        trust_env=False,
        verify=False,  # noqa: S501 - plain HTTP, and reading the certificates is slow
        timeout=_BOUND_SECONDS,
        limits=httpx.Limits(max_keepalive_connections=0),
    )

    async def probe() -> str | None:
        try:
            response = await client.get(url)
        except httpx.ConnectError:
            return "nothing listens there"
        except httpx.HTTPError as error:
            return f"does not answer ({type(error).__name__})"
        if response.status_code == 200 or (any_answer and response.status_code < 500):
            return None
        return _reason(response)

    return probe


def _reason(response: httpx.Response) -> str:
    """What a readiness answer says is not well (`{"checks": {part: words}}`), else its status code."""
    with contextlib.suppress(ValueError):
        body = response.json()
        checks = body.get("checks") if isinstance(body, dict) else None
        if isinstance(checks, dict):
            ill = [f"{part} {words}" for part, words in checks.items() if not str(words).startswith("ok")]
            if ill:
                return "; ".join(ill)[:160]
    return f"answers {response.status_code}"

"""The HTTP server, as a part of the service that opens and closes with it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI

from tonetouch_gateway.bounding import Bounding
from tonetouch_gateway.identifying import required_token
from tonetouch_gateway.tracing import Tracing
from tonetouch_runtime import Floor
from tonetouch_runtime._health import listen_on

GRACE_SECONDS = 5
"""How long a request under way may still take after the service was told to stop; an upload then begins again."""


@dataclass(frozen=True, kw_only=True)
class Door:
    """Where the API can be reached; the port is the real one where the setting is 0."""

    host: str
    port: int


def serving(make_api: Callable[[], FastAPI]) -> Callable[[Floor], AbstractAsyncContextManager[Door]]:
    """A resource that serves the API for as long as it is open.

    Raises Misconfigured for a missing token or a port in use.
    """

    @contextlib.asynccontextmanager
    async def serve(floor: Floor) -> AsyncIterator[Door]:
        required_token(floor.settings)
        host, leaving = floor.settings.http_host, asyncio.Event()
        api = make_api()
        api.state.floor, api.state.leaving = floor, leaving
        with contextlib.closing(listen_on(host, floor.settings.http_port, "TONETOUCH_HTTP_PORT")) as listening:
            server = uvicorn.Server(_config(api))
            # `serve` would take the signals, which are the service's own to handle.
            turning = asyncio.create_task(server._serve([listening]))
            try:
                while not server.started and not turning.done():  # noqa: ASYNC110 - uvicorn has no event for it
                    await asyncio.sleep(0.01)
                yield Door(host=host, port=listening.getsockname()[1])
            finally:
                leaving.set()
                server.should_exit = True
                await turning
                if cut_off := list(server.server_state.tasks):
                    # They take back what they have stored, which they can only while there is a store.
                    await asyncio.wait(cut_off, timeout=GRACE_SECONDS)

    return serve


def _config(api: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        Tracing(Bounding(api)),
        log_config=None,
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )

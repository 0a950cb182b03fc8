"""Whether a process lives and can do its work, said over HTTP on loopback.

Alive means that the event loop turns. Ready means that the bus is there, the consumers exist, the tables can be
written, and every projection moves while its stream does.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

import nats.errors
import nats.js.errors
import uvicorn
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tonetouch_contracts.message import Health
from tonetouch_contracts.operating import ServiceLag
from tonetouch_runtime._bus import Bus
from tonetouch_runtime._keeping import Keeper
from tonetouch_runtime._parking import Lot
from tonetouch_runtime._pulling import Pull
from tonetouch_runtime._tables import Database
from tonetouch_runtime.errors import Misconfigured
from tonetouch_runtime.telemetry.scraping import metrics_routes

STALLED_SECONDS = 15.0
_DATABASE_SECONDS = 3.0


class Probe:
    """What a process says of itself: that it is starting, until there is something to `ask`.

    `lag` says how far its parts are, once there is somebody who knows.
    """

    def __init__(self, service: str) -> None:
        self.ask: Callable[[], Awaitable[Health]] | None = None
        self.lag: Callable[[], Awaitable[ServiceLag]] | None = None
        self.service = service

    async def __call__(self) -> Health:
        if self.ask is not None:
            return await self.ask()
        return Health(service=self.service, ready=False, checks={"bus": "waiting for the bus and its streams"})


class HealthCheck:
    """Asks every part how it is."""

    def __init__(
        self,
        service: str,
        bus: Bus,
        keepers: Mapping[str, Keeper],
        pulls: Sequence[Pull],
        databases: Sequence[Database],
        lot: Lot | None = None,
    ) -> None:
        self._service = service
        self._bus = bus
        self._keepers = keepers
        self._pulls = pulls
        self._databases = databases
        self._lot = lot
        self._progress: dict[str, tuple[int, float]] = {}

    async def __call__(self) -> Health:
        checks = {"bus": "ok" if self._bus.is_connected else "not connected"}
        for number, database in enumerate(self._databases):
            checks[("read", "state")[number] + " tables"] = await _database(database)
        for stream, keeper in self._keepers.items():
            checks[f"keeps {stream}"] = await self._keeper(stream, keeper)
        for pull in self._pulls:
            checks[pull.consumer.name] = pull.problem or ("ok" if pull.gate.is_open else "ok, paused")
        checks["parked"] = await self._parked()
        ready = all(said == "ok" or said.startswith("ok,") for said in checks.values())
        return Health(service=self._service, ready=ready, checks=checks)

    async def _keeper(self, stream: str, keeper: Keeper) -> str:
        """'The head moves, the position does not' is the failure that looks like health: compare the two."""
        if keeper.problem:
            return keeper.problem
        if not self._bus.is_connected:
            return "the bus is away"
        try:
            head = (await self._bus.jetstream.stream_info(stream, subjects_filter=None)).state.last_seq
        except (TimeoutError, nats.errors.Error, nats.js.errors.Error) as error:
            return f"the stream does not answer ({type(error).__name__})"
        if keeper.still and keeper.still == keeper.parts.keys():
            return "ok, paused"
        position, now = keeper.position, time.monotonic()
        before, since = self._progress.get(stream, (-1, now))
        if position != before or position >= head:
            self._progress[stream] = (position, now)
            return f"ok, at {position} of {head}" if position < head else "ok"
        stalled = now - since
        return (
            "ok, catching up" if stalled < STALLED_SECONDS else f"stalled at {position} of {head} for {stalled:.0f} s"
        )

    async def _parked(self) -> str:
        """A parked event holds up its own entity and nobody else: somebody should look, and the service is ready."""
        if self._lot is None:
            return "ok"
        try:
            ages = await asyncio.to_thread(self._lot.ages)
        except Exception as error:
            return f"cannot be read ({type(error).__name__})"
        if not ages:
            return "ok"
        many, oldest = sum(many for many, _ in ages.values()), max(age for _, age in ages.values())
        return f"ok, {many} parked, the oldest for {oldest.total_seconds():.0f} s ({', '.join(sorted(ages))})"


async def _database(database: Database) -> str:
    try:
        async with asyncio.timeout(_DATABASE_SECONDS):
            await database.write(lambda connection: connection.execute(text("select 1")))
    except Exception as error:
        return f"cannot be written ({type(error).__name__})"
    return "ok"


@contextlib.asynccontextmanager
async def serving_health(port: int, probe: Probe) -> AsyncIterator[None]:
    """Serve ``/healthz`` and ``/readyz`` on loopback, and ``/metrics`` where something is counted.

    Port 0 serves nothing. Raises Misconfigured for a taken port.
    """
    if port == 0:
        yield
        return

    async def alive(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> JSONResponse:
        said = await probe()
        return JSONResponse({"ready": said.ready, "checks": said.checks}, status_code=200 if said.ready else 503)

    listening = listen_on("127.0.0.1", port, "TONETOUCH_HEALTH_PORT")
    app = Starlette(routes=[Route("/healthz", alive), Route("/readyz", ready), *metrics_routes(probe)])
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    serving = asyncio.create_task(server._serve([listening]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


def listen_on(host: str, port: int, setting: str) -> socket.socket:
    """A bound socket, or Misconfigured with the setting to change."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise Misconfigured(f"port {port} on {host} cannot be used ({error.strerror}): set {setting}") from None
    return listening

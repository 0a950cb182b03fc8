"""Composing a service and running it: connect, check, open, listen; and all of it in reverse at the end."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import msgspec
import nats.errors
import structlog
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tonetouch_contracts import manifest
from tonetouch_contracts.message import Event, Health, ShowHealth
from tonetouch_contracts.operating import StepThrough
from tonetouch_runtime._answering import answer_on
from tonetouch_runtime._bus import Bus
from tonetouch_runtime._clock import Clock, SystemClock
from tonetouch_runtime._composing import check_composition
from tonetouch_runtime._floor import Floor
from tonetouch_runtime._health import HealthCheck, Probe, serving_health
from tonetouch_runtime._hearing import Listener
from tonetouch_runtime._keeping import Keeper
from tonetouch_runtime._log import Log
from tonetouch_runtime._memory import settle_memory
from tonetouch_runtime._objects import Objects
from tonetouch_runtime._parking import Lot
from tonetouch_runtime._router import Router
from tonetouch_runtime._standing import Tables, standing
from tonetouch_runtime._stepping import Nouns, stepping
from tonetouch_runtime._tables import Database, positions
from tonetouch_runtime._telemetry import configure_logs
from tonetouch_runtime._working import Worker
from tonetouch_runtime.ai.client import AIClient
from tonetouch_runtime.ai.composing import connect
from tonetouch_runtime.errors import Misconfigured, TonetouchError
from tonetouch_runtime.operating import Heard, Operating, Parts, bound, one_per_name
from tonetouch_runtime.provisioning import check
from tonetouch_runtime.rebuilding.answering import Answers
from tonetouch_runtime.rebuilding.making import Ground
from tonetouch_runtime.rebuilding.rebuilding import Rebuilding
from tonetouch_runtime.settings import Settings
from tonetouch_runtime.telemetry.switch import turned_on

log = structlog.get_logger()

_CONFIGURATION = 78
_TRY_AGAIN = 75
"""Exit codes as in sysexits.h: somebody has to change a setting; or the same start may succeed later."""

_PAUSE_SECONDS = 0.5

Resource = Callable[[Floor], AbstractAsyncContextManager[object]]


class App(msgspec.Struct, frozen=True, kw_only=True):
    """A service: its name, its slices, and what it opens beside the floor (an index, a pool of processes).

    A resource is a function from the floor to an async context manager; handlers get it by `Floor.get`. The nouns, each
    with the stream it is told on, are what an operator may step through.
    """

    name: str
    routers: tuple[Router, ...] = ()
    resources: tuple[Resource, ...] = ()
    nouns: Nouns = {}

    def __post_init__(self) -> None:
        check_composition(self.name, self.routers)

    @property
    def consumers(self) -> list[manifest.Consumer]:
        """The durable consumers this service reads from."""
        hearing = [part.consumer for router in self.routers for part in router.hearing]
        working = [part.consumer for router in self.routers for part in router.working]
        names = hearing + working
        return [manifest.consumer(name) for name in dict.fromkeys(names)]

    @property
    def heard_by_consumer(self) -> dict[str, Heard]:
        """What hears which event, by the consumer that brings it."""
        found: dict[str, dict[type[Event], Callable[..., Awaitable[None]]]] = {}
        for entry in (entry for router in self.routers for entry in router.hearing):
            found.setdefault(entry.consumer, {}).update(dict.fromkeys(entry.events, entry.handler))
        return dict(found)


@contextlib.asynccontextmanager
async def running(app: App, settings: Settings, *, clock: Clock | None = None) -> AsyncIterator[Floor]:
    """Run a service for as long as the block lasts. If a part of it dies, so does the block.

    It waits for a bus that is not up yet. Raises Misconfigured or ManifestDiffers where it cannot work.
    """
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        # What only depends on this machine comes first: waiting for the bus would hide that it is wrong.
        databases = _open_databases(app, settings, stack)
        tables = _open_tables(app, databases[0])
        probe = Probe(app.name)
        stack.enter_context(turned_on(app.name, settings))
        await stack.enter_async_context(serving_health(settings.health_port, probe))
        bus = await Bus.join(settings, app.name)
        stack.push_async_callback(bus.close)
        await _check_manifest(app, bus)
        floor, lot = await _lay_floor(app, settings, clock, bus, databases, tables, stack)
        rebuilding = _rebuilding(app, floor, lot)
        floor.keep(rebuilding)
        for resource in app.resources:
            floor.keep(await stack.enter_async_context(resource(floor)))
        listeners, workers = _listeners(app, floor, lot), _workers(app, floor)
        pulls = [listener.pull for listener in listeners.values()] + [worker.pull for worker in workers]
        health = HealthCheck(app.name, bus, floor.keepers, pulls, databases, lot)
        parts = Parts(
            keepers=floor.keepers, listeners=listeners, workers=one_per_name(workers), heard=app.heard_by_consumer
        )
        operating = Operating(floor, parts, lot)
        running_parts = [
            *(keeper.run() for keeper in floor.keepers.values()),
            *(listener.run() for listener in listeners.values()),
            *(worker.run() for worker in workers),
            operating.run(),
            rebuilding.run(),
        ]
        await stack.enter_async_context(_running_together(running_parts))
        _answer(app, floor, health)
        for command, answer in (*operating.answers.items(), *Answers(rebuilding, operating.note).all.items()):
            answer_on(bus, app.name, command, answer, floor.seen)
        await bus.broker.start()
        # Once this returns the server knows what we answer: whoever asks from now on finds somebody. Twice, because
        # the client's ping overtakes what still waits to be sent (nats-py 2.16).
        await bus.nats.flush()
        await bus.nats.flush()
        # The first thing to end: an answer needs all the rest.
        stack.push_async_callback(bus.stop_answering)
        probe.ask, probe.lag = health, operating.lag
        log.info("service_started", name=app.name)
        yield floor
        log.info("service_stopping", name=app.name)


def _open_databases(app: App, settings: Settings, stack: AsyncExitStack) -> tuple[Database, Database]:
    read, state = Database.open(settings, app.name, "read"), Database.open(settings, app.name, "state")
    stack.callback(read.close)
    stack.callback(state.close)
    return read, state


def _open_tables(app: App, read: Database) -> Tables:
    """The read models as they stand; those that are not there, or have other columns than declared, are made."""
    read.create(positions, standing)
    tables = Tables(read)
    tables.refresh()
    for entry in (entry for router in app.routers for entry in router.keeping):
        stand = [tables.live(model) for model in (entry.model, *entry.beside)]
        if read.drop_if_changed(*stand):
            log.warning("table_begins_anew", table=stand[0].name, reason="its columns are not the declared ones")
        read.create(*stand)
    return tables


async def _check_manifest(app: App, bus: Bus) -> None:
    """Compare the server with the manifest, as soon as it says how it is."""
    while True:
        try:
            await check(bus.jetstream, manifest.STREAMS, manifest.QUEUES, app.consumers)
        except (TimeoutError, nats.errors.Error) as error:
            log.warning("log_not_ready", error=repr(error))
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            return


async def _lay_floor(
    app: App,
    settings: Settings,
    clock: Clock,
    bus: Bus,
    databases: tuple[Database, Database],
    tables: Tables,
    stack: AsyncExitStack,
) -> tuple[Floor, Lot]:
    read, state = databases
    lot = Lot(state, clock)
    keepers = _keepers(app, bus, read, tables, lot)
    objects = Objects(settings.object_store)
    stack.push_async_callback(objects.close)
    event_log = Log(bus, clock, service=app.name, settle_seconds=settings.settle_seconds)
    upstream = connect(settings, bus=bus, log=event_log, clock=clock)
    ai = AIClient(service=app.name, bus=bus, log=event_log, objects=objects, clock=clock, upstream=upstream)
    stack.push_async_callback(ai.close)
    floor = Floor(
        service=app.name,
        settings=settings,
        clock=clock,
        bus=bus,
        log=event_log,
        objects=objects,
        ai=ai,
        read=read,
        state=state,
        tables=tables,
        keepers=keepers,
    )
    return floor, lot


def _keepers(app: App, bus: Bus, read: Database, tables: Tables, lot: Lot) -> dict[str, Keeper]:
    projections = [
        entry.projection([tables.live(model) for model in (entry.model, *entry.beside)])
        for router in app.routers
        for entry in router.keeping
    ]
    streams = sorted({stream for projection in projections for stream in projection.streams})
    return {
        stream: Keeper(bus, stream, [part for part in projections if stream in part.streams], read, lot)
        for stream in streams
    }


def _rebuilding(app: App, floor: Floor, lot: Lot) -> Rebuilding:
    entries = [entry for router in app.routers for entry in router.keeping if not entry.is_list_of_work]
    ground = Ground(
        service=app.name,
        settings=floor.settings,
        bus=floor.bus,
        read=floor.read,
        lot=lot,
        tables=floor.tables,
        keepers=floor.keepers,
        clock=floor.clock,
    )
    return Rebuilding(entries, ground)


def _listeners(app: App, floor: Floor, lot: Lot) -> dict[str, Listener]:
    return {
        name: Listener(floor.bus, manifest.consumer(name), bound(heard, floor), lot)
        for name, heard in app.heard_by_consumer.items()
    }


def _workers(app: App, floor: Floor) -> list[Worker]:
    return [
        Worker(
            floor.bus,
            manifest.consumer(entry.consumer),
            _with(entry.handler, floor),
            parallel=entry.parallel,
            at_most=entry.at_most,
        )
        for router in app.routers
        for entry in router.working
    ]


def _answer(app: App, floor: Floor, health: Callable[[], Any]) -> None:
    async def show_health(_: ShowHealth) -> Health:
        said: Health = await health()
        return said

    answer_on(floor.bus, app.name, ShowHealth, show_health, floor.seen)
    answer_on(floor.bus, app.name, StepThrough, stepping(app.name, app.nouns, floor.log), floor.seen)
    for router in app.routers:
        for command, handler in router.answering.items():
            answer_on(floor.bus, app.name, command, _with(handler, floor), floor.seen)


def _with(handler: Callable[..., Any], floor: Floor) -> Callable[[Any], Any]:
    async def run(message: Any) -> Any:
        return await handler(message, floor)

    return run


@contextlib.asynccontextmanager
async def _running_together(parts: Sequence[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run the parts beside the block. One that dies takes the block with it: half a service is worse than none."""
    me = asyncio.current_task()
    failure: list[BaseException] = []

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) and me is not None:
            failure.append(error)
            me.cancel()

    tasks = [asyncio.create_task(part) for part in parts]
    for task in tasks:
        task.add_done_callback(ended)
    try:
        yield
    except asyncio.CancelledError:
        if failure:
            if me is not None:
                me.uncancel()
            raise failure[0] from None
        raise
    finally:
        for task in tasks:
            task.remove_done_callback(ended)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def serve(app: App) -> None:
    """The main function of a service's process: runs until SIGTERM or Ctrl-C. Exits 78 where it cannot start."""
    try:
        settings = Settings()
    except ValidationError as error:
        print(f"{app.name} cannot start: {'; '.join(map(_in_words, error.errors()))}", file=sys.stderr)
        sys.exit(_CONFIGURATION)
    configure_logs(app.name, settings.log_level)
    try:
        asyncio.run(_until_told(app, settings))
    except TonetouchError as error:
        log.error("service_refused_to_start", reason=str(error))
        print(f"{app.name} cannot start: {error}", file=sys.stderr)
        sys.exit(_CONFIGURATION if isinstance(error, Misconfigured) else _TRY_AGAIN)


def _in_words(error: ErrorDetails) -> str:
    """One wrong setting, without its value: it may be a secret."""
    said = error["msg"].removeprefix("Value error, ")
    return f"TONETOUCH_{'_'.join(map(str, error['loc'])).upper()}: {said}" if error["loc"] else said


async def _until_told(app: App, settings: Settings) -> None:
    me = asyncio.current_task()
    stopping = asyncio.Event()

    def stop() -> None:
        # The first signal ends the block in order; before there is a block, it ends the waiting for the bus.
        if started.is_set():
            stopping.set()
        elif me is not None:
            me.cancel()

    started = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    with contextlib.suppress(asyncio.CancelledError):
        async with running(app, settings):
            started.set()
            settle_memory()
            await stopping.wait()

"""Order and acknowledgement: what a service has heard, through kills, lost tables, hanging handlers and stops."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import event as database_event

from tests.runtime.installation import provision
from tests.runtime.processes import service as process
from tests.runtime.processes import variables
from tests.runtime.test_app import Service, parked, until, until_empty, upload, uploaded
from tonetouch_contracts.manifest import consumer
from tonetouch_contracts.track import TrackUploaded
from tonetouch_runtime import Decision, Floor, NotNow, Recorded, Settings, Task, running
from tonetouch_runtime._hearing import Listener
from tonetouch_runtime._parking import Lot
from tonetouch_runtime._working import Worker

STUCK = """
import asyncio
from tonetouch_runtime import App, Router, serve
from tonetouch_contracts.track import TrackUploaded

router = Router()

@router.hears(TrackUploaded, consumer="ingest-starting")
async def hear(fact, floor):
    print("began", fact.event.track_id, fact.event.file_name, flush=True)
    await asyncio.Event().wait()

serve(App(name="tiny", routers=(router,)))
"""


@pytest.fixture(name="service")
def _service() -> Service:
    return Service()


@pytest.fixture(name="floor")
async def _floor(service: Service, settings: Settings) -> AsyncIterator[Floor]:
    await provision(settings)
    async with running(service.app, settings) as floor:
        yield floor


async def _quiet(settings: Settings) -> AsyncIterator[Floor]:
    """An installation in which nobody hears anything yet."""
    from tonetouch_runtime import App

    await provision(settings)
    async with running(App(name="quiet"), settings) as floor:
        yield floor


quiet = pytest.fixture(name="quiet")(_quiet)


async def name_uploads(floor: Floor, track: str, *names: str) -> None:
    for name in names:
        event = msgspec.structs.replace(uploaded(track), file_name=name)
        await floor.log.append(Decision(entity_id=track, events=(event,), expected=None))


async def test_order_holds_across_a_kill_with_events_unfinished(
    quiet: Floor, settings: Settings, tmp_path: Path
) -> None:
    """A killed process had the first events in its hands; the next one hears them before the later ones."""
    await name_uploads(quiet, "a", "1", "2")
    await name_uploads(quiet, "b", "1")
    with process(tmp_path, variables(settings), STUCK) as stuck:
        await asyncio.to_thread(stuck.until, lambda: {"began a 1", "began b 1"} <= set(stuck.said))
        stuck.tell(signal.SIGKILL)
        stuck.ended()
    assert "began a 2" not in stuck.said
    await name_uploads(quiet, "a", "3")
    with process(tmp_path, variables(settings)) as tiny:
        await asyncio.to_thread(tiny.until, lambda: sum(line.startswith("heard") for line in tiny.said) >= 4)
        assert [line for line in tiny.said if line.startswith("heard a")] == ["heard a 1", "heard a 2", "heard a 3"]


async def test_a_lone_event_is_heard_at_once(service: Service, floor: Floor) -> None:
    """Nobody waits for a batch to be full: five events one by one take a fraction of one wait for a batch."""
    await upload(floor, "first")
    await until(lambda: len(service.heard) == 1)
    began = time.monotonic()
    for number in range(5):
        await upload(floor, f"t{number}")
        await until(lambda wanted=number + 2: len(service.heard) == wanted)  # type: ignore[misc]
    assert time.monotonic() - began < 4.0, "each would have waited about two seconds"


async def test_many_who_wait_do_not_keep_one_from_running(service: Service, floor: Floor) -> None:
    """Forty entities are told 'not now' for an hour; the next one is heard at once."""
    service.fail_hearing = lambda name: NotNow(3600) if name == "early" else None
    for number in range(40):
        await upload(floor, f"t{number}", "early")
    await upload(floor, "b", "fine")
    await until(lambda: service.heard == [("b", "fine")])


async def test_an_event_is_not_acknowledged_before_it_can_be_parked(
    service: Service, floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the state tables are full a broken event waits, and is parked as soon as there is room."""
    monkeypatch.setattr("tonetouch_runtime._hearing.FIRST_DELAY_SECONDS", 0.001)
    monkeypatch.setattr("tonetouch_runtime._hearing._TABLES_SECONDS", 0.01)
    monkeypatch.setattr("tonetouch_runtime._hearing.ATTEMPTS", 2)
    service.fail_hearing = lambda name: RuntimeError("always") if name == "bad" else None
    with full(floor.state) as refused:
        await upload(floor, "a", "bad")
        await until(lambda: len(refused) >= 2)
        info = await floor.bus.jetstream.consumer_info("CATALOG", "ingest-starting")
        assert info.num_ack_pending == 1
    await until(lambda: parked(floor) == [("a", "RuntimeError('always')")])


async def test_a_projection_waits_while_its_tables_are_full(service: Service, floor: Floor) -> None:
    """A full disk is no event's fault: nothing is parked, the position stays, and the rows come when there is room."""
    keeper = floor.keepers["CATALOG"]
    with full(floor.read) as refused:
        positions = await upload(floor, "a")
        await until(lambda: len(refused) >= 3)
        assert keeper.position == 0
        assert keeper.problem is not None
    await floor.seen(positions, 20.0)
    assert parked(floor) == []
    assert keeper.problem is None


@contextlib.contextmanager
def full(database: object) -> Iterator[list[str]]:
    """The database refuses to write, as SQLite does on a full disk, until the end of the block."""
    import sqlite3

    engine = database.engine  # type: ignore[attr-defined]
    refused: list[str] = []

    def refuse(_c: object, _cursor: object, statement: str, _p: object, _x: object, _m: bool) -> None:
        if statement.lower().startswith(("insert", "update")):
            refused.append(statement)
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorname = "SQLITE_FULL"
            raise error

    database_event.listen(engine, "before_cursor_execute", refuse)
    try:
        yield refused
    finally:
        database_event.remove(engine, "before_cursor_execute", refuse)


async def test_a_handler_that_hangs_is_given_up(quiet: Floor) -> None:
    """It is cancelled after its bound, which counts as a failure: it is called again."""
    calls: list[str] = []

    async def hang_once(fact: Recorded[TrackUploaded]) -> None:
        calls.append(fact.event.file_name)
        if len(calls) == 1:
            await asyncio.Event().wait()

    lot = Lot(quiet.state, quiet.clock)
    handlers = {TrackUploaded: hang_once}
    listener = Listener(quiet.bus, consumer("ingest-starting"), handlers, lot, longest_seconds=0.2)  # type: ignore[arg-type]
    async with beside(listener.run()):
        await name_uploads(quiet, "a", "1", "2")
        await until(lambda: calls == ["1", "1", "2"])


async def test_work_that_hangs_is_given_up(quiet: Floor) -> None:
    """The hand is free again, and the task comes back."""
    deliveries: list[int] = []

    async def hang_once(tasks: "list[Task]") -> None:
        deliveries.append(tasks[0].deliveries)
        if len(deliveries) == 1:
            await asyncio.Event().wait()

    worker = Worker(quiet.bus, consumer("ingest-stage"), hang_once, longest_seconds=0.2)  # type: ignore[arg-type]
    async with beside(worker.run()):
        assert await quiet.enqueue("INGEST_Q", "stage", "a")
        await until(lambda: deliveries == [1, 2])
        await until_empty(quiet, "INGEST_Q")


async def test_stopping_finishes_what_was_begun_and_hands_back_the_rest(quiet: Floor) -> None:
    """The running handler comes to its end and is acknowledged; the event behind it is heard by the next listener."""
    began, may_end = asyncio.Event(), asyncio.Event()
    heard: list[str] = []

    async def hear(fact: Recorded[TrackUploaded]) -> None:
        began.set()
        await may_end.wait()
        heard.append(fact.event.file_name)

    lot = Lot(quiet.state, quiet.clock)
    handlers = {TrackUploaded: hear}
    await name_uploads(quiet, "a", "1", "2")
    listener = Listener(quiet.bus, consumer("ingest-starting"), handlers, lot)  # type: ignore[arg-type]
    listening = asyncio.create_task(listener.run())
    await asyncio.wait_for(began.wait(), 20)
    listening.cancel()
    await until(listener._stopping.is_set)
    may_end.set()
    await asyncio.wait({listening}, timeout=20)
    assert heard == ["1"]
    async with beside(Listener(quiet.bus, consumer("ingest-starting"), handlers, lot).run()):  # type: ignore[arg-type]
        await until(lambda: heard[-1] == "2")
    # Its acknowledgement may have been on its way still, then the first is heard again: at least once, and in order.
    assert list(dict.fromkeys(heard)) == ["1", "2"]


async def test_what_is_delivered_again_while_it_is_out_runs_once(quiet: Floor) -> None:
    """A busy loop may miss its heartbeats: the server delivers again, and the event is not run beside itself."""
    may_end = asyncio.Event()
    heard: list[str] = []

    async def hear(fact: Recorded[TrackUploaded]) -> None:
        heard.append(fact.event.file_name)
        await may_end.wait()

    declared = consumer("ingest-starting")
    handlers = {TrackUploaded: hear}
    listener = Listener(quiet.bus, declared, handlers, Lot(quiet.state, quiet.clock))  # type: ignore[arg-type]
    async with beside(listener.run()):
        await name_uploads(quiet, "a", "1", "2")
        await until(lambda: heard == ["1"])
        await quiet.bus.jetstream.reset_consumer(declared.stream, declared.name, seq=1)
        await name_uploads(quiet, "b", "later")
        await until(lambda: "later" in heard)
        assert heard == ["1", "later"]
        may_end.set()
        await until(lambda: heard == ["1", "later", "2"])
    async with asyncio.timeout(20):
        while (await quiet.bus.jetstream.consumer_info(declared.stream, declared.name)).num_ack_pending:
            await asyncio.sleep(0.02)


async def test_a_step_that_has_no_room_is_not_taken_for_one_that_waits(quiet: Floor) -> None:
    """The server says both with one code; only one of them means that the work is queued."""
    from tonetouch_contracts.manifest import QUEUES
    from tonetouch_runtime import Unavailable
    from tonetouch_runtime.provisioning import queue_config

    config = queue_config(QUEUES[0])
    config.max_msgs = 1
    await quiet.bus.jetstream.update_stream(config)
    assert await quiet.enqueue("INGEST_Q", "stage", "a")
    assert not await quiet.enqueue("INGEST_Q", "stage", "a")
    with pytest.raises(Unavailable):
        await quiet.enqueue("INGEST_Q", "stage", "b")


@contextlib.asynccontextmanager
async def beside(part: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(part)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=20)

"""Appending, deciding, keeping, hearing and parking against a model, whatever comes after what.

The model is a list of events per entity. Hypothesis chooses appends that are right, stale, unanswered or lost, writers
that race, events that break a table or a handler, bodies nobody can read, full tables and restarts; in between, and in
the end, log, rows, positions, parked events and what was heard are what the model says.
"""

import asyncio
import contextlib
import uuid
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import hypothesis
import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from sqlalchemy import select
from sqlmodel import Field, SQLModel

from tests.runtime.installation import provision
from tests.runtime.test_app import uploaded
from tests.runtime.test_log import Counted
from tests.runtime.test_order import full
from tonetouch_contracts.envelope import Envelope
from tonetouch_contracts.message import Command, Event
from tonetouch_contracts.operating import PausePart, RedriveParked, ResumePart
from tonetouch_contracts.track import TrackUploaded
from tonetouch_runtime import App, ConflictError, Decision, Floor, Recorded, Router, Settings, Writer, running
from tonetouch_runtime._tables import parked

T = TypeVar("T")

ENTITIES = ("a", "b", "c")
UNREADABLE = "z"
"""An entity of its own: whoever loads it cannot decide on it any more."""

TEARS, HURTS = "tears", "hurts"
"""Names of events that break the table, and of those that break the handler."""

NAMES = st.sampled_from(("plain", "plain", "plain", TEARS, HURTS))


class LivedRow(SQLModel, table=True):
    """How many events of an entity the table has taken in, and the last: each one twice would show."""

    __tablename__ = "test_lived"
    id: str = Field(primary_key=True)
    times: int | None = None
    last: str | None = None


class Service:
    """A service that keeps and hears what is said of the entities of one example; the log holds others' as well."""

    def __init__(self, example: str) -> None:
        self.example = example
        self.heard: dict[str, list[str]] = defaultdict(list)
        self.mended: set[str] = set()
        """Names of events that would break something and do not any more."""
        router = Router()
        router.keeps(LivedRow, hears=(TrackUploaded,))(self.keep)
        router.hears(TrackUploaded, consumer="ingest-starting")(self.hear)
        self.app = App(name="lived", routers=(router,))

    def keep(self, facts: Sequence[Recorded[TrackUploaded]], rows: Writer) -> None:
        for fact in facts:
            event = fact.event
            if event.track_id.startswith(self.example):
                row = rows.get([event.track_id]).get(event.track_id)
                times = 1 + (row["times"] if row else 0)
                rows.upsert([{"id": event.track_id, "times": times, "last": event.file_name}])
                if event.file_name.startswith(TEARS) and event.file_name not in self.mended:
                    raise ValueError("this event breaks the table, after its row was written")

    async def hear(self, fact: Recorded[TrackUploaded], floor: Floor) -> None:
        if fact.event.track_id.startswith(self.example):
            if fact.event.file_name.startswith(HURTS) and fact.event.file_name not in self.mended:
                raise ValueError("this event breaks the handler")
            self.heard[fact.event.track_id].append(fact.event.file_name)


class Living(RuleBasedStateMachine):
    """One example: a service on an installation that others have used before."""

    def __init__(self, runner: asyncio.Runner, settings: Settings, folder: Path) -> None:
        super().__init__()
        self.example = f"{uuid.uuid4().hex[:8]}-"
        self.said: dict[str, list[str]] = {self.example + entity: [] for entity in ENTITIES}
        self.versions = dict.fromkeys(self.said, 0)
        self.unreadable = 0
        self.delivered_again = False
        self.reached = 0
        self._settings = settings.model_copy(update={"data": folder / self.example})
        self._runner = runner
        self.service = Service(self.example)
        self._stack = AsyncExitStack()
        self._start()

    def _start(self) -> None:
        self.floor: Floor = self._run(self._stack.enter_async_context(running(self.service.app, self._settings)))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        async def bounded() -> T:
            async with asyncio.timeout(30):
                return await work

        return self._runner.run(bounded())

    def _new(self, entity: str, name: str) -> TrackUploaded:
        said = f"{name} {uuid.uuid4().hex[:6]}"
        return msgspec.structs.replace(uploaded(self.example + entity), file_name=said)

    def _append(self, *events: TrackUploaded, stale: int = 0) -> None:
        decisions = [
            Decision(entity_id=event.track_id, events=(event,), expected=self.versions[event.track_id] + stale)
            for event in events
        ]
        head = self._run(self.floor.log.append(*decisions))["CATALOG"]
        for place, event in enumerate(reversed(events)):
            self._note(event, head - place)

    def _note(self, event: TrackUploaded, sequence: int) -> None:
        self.said[event.track_id].append(event.file_name)
        self.versions[event.track_id] = sequence

    @rule(entity=st.sampled_from(ENTITIES), name=NAMES)
    def append(self, entity: str, name: str) -> None:
        """Who has seen the entity as it is may append."""
        self._append(self._new(entity, name))

    @rule(entity=st.sampled_from(ENTITIES), stale=st.sampled_from((-1, 1)))
    def append_stale(self, entity: str, stale: int) -> None:
        """Who has not, may not: an older version and one that nobody has seen are refused alike."""
        if self.versions[self.example + entity] + stale >= 0:
            with pytest.raises(ConflictError):
                self._append(self._new(entity, "stale"), stale=stale)

    @rule(entity=st.sampled_from(ENTITIES), name=NAMES, arrives=st.booleans())
    def append_unanswered(self, entity: str, name: str, arrives: bool) -> None:
        """Whether the answer was lost or the request: it is appended once."""
        with _losing_one(self.floor, arrives=arrives) as lost:
            self._append(self._new(entity, name))
        assert lost

    @rule(pair=st.permutations(ENTITIES), name=NAMES)
    def append_together(self, pair: list[str], name: str) -> None:
        """Two entities in one append: both events are there, one after the other."""
        self._append(self._new(pair[0], name), self._new(pair[1], "plain"))

    @rule(pair=st.permutations(ENTITIES))
    def append_together_stale(self, pair: list[str]) -> None:
        """Where one of the two has moved on, neither is there."""
        first, second = self._new(pair[0], "plain"), self._new(pair[1], "stale")
        decisions = [
            Decision(entity_id=first.track_id, events=(first,), expected=self.versions[first.track_id]),
            Decision(entity_id=second.track_id, events=(second,), expected=self.versions[second.track_id] + 1),
        ]
        with pytest.raises(ConflictError):
            self._run(self.floor.log.append(*decisions))

    @rule(entity=st.sampled_from(ENTITIES), name=NAMES)
    def ask_twice(self, entity: str, name: str) -> None:
        """What is asked twice under one key happens once, though it is decided twice."""
        event, key = self._new(entity, name), uuid.uuid4().hex
        for _ in range(2):
            outcome = self._run(self._decided(entity, lambda _: event, key=key))
        self._note(event, outcome["CATALOG"])

    @rule(entity=st.sampled_from(ENTITIES), writers=st.integers(2, 4))
    def race(self, entity: str, writers: int) -> None:
        """Several decide at once: each sees those before it, and all are there."""
        before = len(self.said[self.example + entity])

        def decide(state: Counted) -> Event:
            return msgspec.structs.replace(uploaded(self.example + entity), file_name=f"race {len(state.seen)}")

        async def all_at_once() -> int:
            outcomes = await asyncio.gather(*(self._decided(entity, decide) for _ in range(writers)))
            return max(positions["CATALOG"] for positions in outcomes)

        head = self._run(all_at_once())
        self.said[self.example + entity] += [f"race {before + number}" for number in range(writers)]
        self.versions[self.example + entity] = head

    async def _decided(
        self, entity: str, decide: Callable[[Counted], Event], *, key: str | None = None
    ) -> dict[str, int]:
        log, name = self.floor.log, self.example + entity
        return (await log.transact("CATALOG", name, Counted(), decide, key=key)).positions

    @precondition(lambda self: self.unreadable < 2)
    @rule()
    def say_what_nobody_can_read(self) -> None:
        """It is there, under a name everybody knows, and its body is none."""
        self._run(self._publish("track.uploaded", b"not json"))
        self.unreadable += 1

    @rule()
    def say_what_nobody_knows(self) -> None:
        """An event of a type that will exist one day: passed over."""
        self._run(self._publish("track.sung-v2", b'{"event": "track.sung-v2"}'))

    async def _publish(self, wire_name: str, body: bytes) -> None:
        name, identity = self.example + UNREADABLE, uuid.uuid4().hex
        headers = Envelope(id=identity, type=wire_name, source="/test", subject=name, time="2026-01-01T00:00:00Z")
        await self.floor.bus.jetstream.publish(f"track.uploaded.{name}", body, headers=headers.to_headers())

    @rule(entity=st.sampled_from(ENTITIES))
    def append_while_the_tables_are_full(self, entity: str) -> None:
        """Nothing is written for a while; the keeper waits, and so does whoever wants to park."""
        with full(self.floor.read) as rows, full(self.floor.state) as parking:
            self._append(self._new(entity, "plain"))
            self._run(_until(lambda: bool(rows or parking)))

    @rule()
    def deliver_again(self) -> None:
        """All that was ever acknowledged comes again: at least once is what a handler is promised."""
        self._settle()
        self.delivered_again = True
        self._run(self.floor.bus.jetstream.reset_consumer("CATALOG", "ingest-starting", seq=self._first()))

    def _first(self) -> int:
        """Somewhere before the last few events: redelivering everything of all examples would only take longer."""
        return max(1, max(self.versions.values()) - 5)

    @rule(is_mended=st.booleans())
    def redrive(self, is_mended: bool) -> None:
        """What is parked is tried again: mended, all of it is taken in; else it breaks again, and stays."""
        self._settle()
        if is_mended:
            self.service.mended.update(name for names in self.said.values() for name in names)
        self._ask(RedriveParked(operator="ada", reason="tried again", at_most=1000))

    @rule(part=st.sampled_from(("test_lived", "ingest-starting")), entity=st.sampled_from(ENTITIES))
    def pause(self, part: str, entity: str) -> None:
        """While a part stands still events are appended as ever; resumed, it takes them in."""
        self._settle()
        self._ask(PausePart(operator="ada", reason="a look", part=part))
        self._append(self._new(entity, "plain"))
        self._ask(ResumePart(operator="ada", reason="looked", part=part))

    def _ask(self, command: Command[Any]) -> None:
        self._run(self.floor.bus.ask(command, service="lived"))

    @precondition(lambda self: any(self.said.values()))
    @rule()
    def restart(self) -> None:
        """In order, and at once."""
        self._run(self._stack.aclose())
        self._stack = AsyncExitStack()
        self._start()

    @rule()
    def look(self) -> None:
        """Everything is as the model says."""
        self._settle()
        for entity, names in self.said.items():
            history = self._run(self.floor.log.history("CATALOG", entity))
            assert [recorded.event.file_name for recorded in history] == names  # type: ignore[attr-defined]
        self._look_at_rows()
        self._look_at_the_parked()
        for entity, names in self.said.items():
            heard = list(dict.fromkeys(self.service.heard[entity]))
            assert heard == self._before_break(names, HURTS), "in the order of the log, and nothing behind what broke"

    def _look_at_rows(self) -> None:
        table = self.floor.tables.live(LivedRow)
        found = self._run(self.floor.tables.all(select(table)))
        kept = {entity: self._before_break(names, TEARS) for entity, names in self.said.items()}
        assert {row["id"]: (row["times"], row["last"]) for row in found} == {
            entity: (len(names), names[-1]) for entity, names in kept.items() if names
        }
        position = self.floor.keepers["CATALOG"].position
        assert position >= max(self.reached, *self.versions.values())
        self.reached = position

    def _look_at_the_parked(self) -> None:
        of_table, of_handler = self._parked("test_lived"), self._parked("ingest-starting")
        for entity, names in self.said.items():
            assert of_table[entity] == len(names) - len(self._before_break(names, TEARS))
            waiting = len(names) - len(self._before_break(names, HURTS))
            # Of a parked entity even what was handled before is parked when it comes again: it would be run once more.
            assert of_handler[entity] == waiting or (self.delivered_again and of_handler[entity] > waiting > 0)
        unreadable = self.example + UNREADABLE
        assert of_table[unreadable] == of_handler[unreadable] == self.unreadable

    def _parked(self, listener: str) -> dict[str, int]:
        found: dict[str, int] = defaultdict(int)
        with self.floor.state.engine.connect() as connection:
            for (entity,) in connection.execute(select(parked.c.entity_id).where(parked.c.listener == listener)):
                found[entity] += 1
        return found

    def _before_break(self, names: Sequence[str], breaking: str) -> list[str]:
        """What was taken in: all before the first that breaks it."""
        broken = [
            number for number, name in enumerate(names) if name.startswith(breaking) and name not in self.service.mended
        ]
        return list(names[: broken[0]] if broken else names)

    def _settle(self) -> None:
        """Wait until the table shows the head, and the listener owes nothing."""

        async def settled() -> None:
            jetstream = self.floor.bus.jetstream
            head = (await jetstream.stream_info("CATALOG")).state.last_seq
            await self.floor.seen({"CATALOG": head}, 20.0)
            while True:
                info = await jetstream.consumer_info("CATALOG", "ingest-starting")
                if info.num_pending == info.num_ack_pending == 0:
                    return
                await asyncio.sleep(0.005)

        self._run(settled())

    def teardown(self) -> None:
        try:
            self.look()
        finally:
            self._run(self._stack.aclose())


@contextlib.contextmanager
def _losing_one(floor: Floor, *, arrives: bool) -> Iterator[list[str]]:
    """The next append is not answered; its request has arrived, or has not."""
    original, lost = floor.bus.nats.request, list[str]()

    async def request(subject: str, *arguments: Any, **named: Any) -> Any:
        if not subject.startswith("track.") or lost:
            return await original(subject, *arguments, **named)
        lost.append(subject)
        if arrives:
            await original(subject, *arguments, **named)
        raise TimeoutError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(floor.bus.nats, "request", request)
        yield lost


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


@pytest.fixture(name="quick")
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits longer than a moment before trying again."""
    monkeypatch.setattr("tonetouch_runtime._hearing.FIRST_DELAY_SECONDS", 0.001)
    monkeypatch.setattr("tonetouch_runtime._hearing.ATTEMPTS", 2)
    for module, name in (("_hearing", "_TABLES_SECONDS"), ("_keeping", "_TABLES_SECONDS"), ("_log", "_PAUSE_SECONDS")):
        monkeypatch.setattr(f"tonetouch_runtime.{module}.{name}", 0.005)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("examples", "steps"), [(8, 12), pytest.param(300, 40, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])]
)
def test_whatever_comes_after_what_everything_is_as_the_model_says(
    settings: Settings, tmp_path: Path, examples: int, steps: int
) -> None:
    """No event is lost, kept twice or out of order; what breaks is parked with what is behind it, and nobody else."""
    asyncio.run(provision(settings))
    with asyncio.Runner() as runner:

        class LivingHere(Living):
            def __init__(self) -> None:
                super().__init__(runner, settings, tmp_path)

        run_state_machine_as_test(
            LivingHere,
            settings=hypothesis.settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                # An example is short as it is; to make it shorter takes minutes, for each attempt is a life of its own.
                phases=(hypothesis.Phase.explicit, hypothesis.Phase.reuse, hypothesis.Phase.generate),
                suppress_health_check=list(hypothesis.HealthCheck),
            ),
        )

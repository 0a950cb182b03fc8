"""Every projection of every service: handled twice, or in other portions, the same events give the same rows.

The events are the golden samples of all types a projection hears, their ids drawn from a few so that they meet, in an
order that is drawn as well: also one in which nobody would say them, since a table must bear any order across streams.
"""

import random
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NewType

import msgspec
import pytest
from sqlalchemy import Connection, Table, create_engine, select

from tests.contracts.golden import EVENT_SAMPLES, wire_name
from tonetouch_agents.app import app as agents
from tonetouch_ai_ledger.app import app as ai_ledger
from tonetouch_catalog.app import app as catalog
from tonetouch_contracts.identity import uuid7
from tonetouch_contracts.job import JobRecorded, JobRepriced, JobStarted
from tonetouch_contracts.manifest import EVENTS, VOCABULARY, stream_of
from tonetouch_contracts.message import Event
from tonetouch_ingest.app import app as ingest
from tonetouch_recommend.app import app as recommend
from tonetouch_runtime import App, Recorded, Settings, SystemClock, Writer
from tonetouch_runtime._keeping import Keeper
from tonetouch_runtime._parking import Lot
from tonetouch_runtime._router import Keeping
from tonetouch_runtime._tables import Database, positions, table_of

APPS: tuple[App, ...] = (catalog, ingest, recommend, agents, ai_ledger)
KEEPING = [
    pytest.param(entry, id=f"{app.name}:{table_of(entry.model).name}")
    for app in APPS
    for router in app.routers
    for entry in router.keeping
]
SAMPLES: dict[type[Event], list[Event]] = {
    event: [
        VOCABULARY.decode(event.wire_name(), sample.read_bytes())
        for sample in EVENT_SAMPLES
        if wire_name(sample) == event.wire_name()
    ]
    for event in EVENTS
}
LENGTH, FEW = 60, 4

SEEDS = range(2)

BY_POSITION = ("catalog:catalog_playlists",)
"""Projections that add to numbers by each event: only the position, in the same transaction, keeps these right."""

Rows = dict[str, list[str]]


def varied(event: Event, chance: random.Random) -> Event:
    """The event with other ids, numbers and flags: what makes rows meet, and makes them differ."""
    hints = typing.get_type_hints(type(event))
    changes = {name: _other(hints[name], name, getattr(event, name), chance) for name in event.__struct_fields__}
    return msgspec.structs.replace(event, **changes)


def _other(hint: Any, name: str, value: Any, chance: random.Random) -> Any:
    kind = next((kind for kind in (hint, *typing.get_args(hint)) if isinstance(kind, NewType)), None)
    if isinstance(value, str) and (kind is not None or name.endswith("_id")):
        return uuid7(chance.randrange(FEW), (getattr(kind, "__name__", name) * 10).encode()[:10])
    if isinstance(value, tuple) and value and kind is not None:
        return tuple(dict.fromkeys(_other(kind, name, one, chance) for one in value))
    choices = next((typing.get_args(part) for part in _parts(hint) if typing.get_origin(part) is typing.Literal), ())
    if choices and isinstance(value, str):
        return chance.choice(choices)
    if isinstance(value, bool):
        return chance.random() < 0.5
    if type(value) is int and value > 1:
        return chance.randint(1, 2 * value)
    return value


def _parts(hint: Any) -> Iterator[Any]:
    yield hint
    for part in typing.get_args(hint):
        yield from _parts(part)


def lived_through(entry: Keeping, seed: int) -> list[Recorded[Event]]:
    """A log of what the projection hears."""
    chance = random.Random(seed)
    events = lives_of_jobs(chance) if JobRecorded in entry.hears else anything(entry, chance)
    return [
        Recorded(
            event=event,
            stream=stream_of(type(event)).name,
            sequence=sequence,
            id=f"event-{sequence}",
            time=f"2026-01-01T00:{sequence:02}:00.000000Z",
        )
        for sequence, event in enumerate(events, start=1)
    ]


def anything(entry: Keeping, chance: random.Random) -> Iterator[Event]:
    for _ in range(LENGTH):
        yield varied(chance.choice(SAMPLES[chance.choice(entry.hears)]), chance)


def lives_of_jobs(chance: random.Random) -> Iterator[Event]:
    """A job has one writer: it begins once, may end, and is priced anew only after that. Several live side by side."""
    lives: list[list[Event]] = []
    for number in range(LENGTH // 4):
        same = {"job_id": uuid7(number, b"0123456789"), "attempt": 1}
        end = msgspec.structs.replace(varied(chance.choice(SAMPLES[JobRecorded]), chance), **same)
        begin = JobStarted(**{name: getattr(end, name) for name in JobStarted.__struct_fields__})
        again = [msgspec.structs.replace(varied(SAMPLES[JobRepriced][0], chance), **same) for _ in range(2)]
        lives.append([begin, end, *again][: chance.randint(1, 4)])
    while lives:
        life = chance.choice(lives)
        yield life.pop(0)
        lives = [one for one in lives if one]


def kept(entry: Keeping, *portions: Sequence[Recorded[Event]]) -> Rows:
    """The rows after the handler was given these portions, each in a transaction of its own."""
    engine = create_engine("sqlite://")
    tables = [table_of(model) for model in (entry.model, *entry.beside)]
    for table in tables:
        table.create(engine)
    for portion in portions:
        with engine.begin() as connection:
            entry.handler(portion, *(Writer(connection, table) for table in tables))
    with engine.connect() as connection:
        rows = rows_of(connection, tables)
    engine.dispose()
    return rows


def rows_of(connection: Connection, tables: Sequence[Table]) -> Rows:
    return {table.name: sorted(map(repr, connection.execute(select(table)))) for table in tables}


def in_portions(log: Sequence[Recorded[Event]], size: int) -> list[Sequence[Recorded[Event]]]:
    return [log[start : start + size] for start in range(0, len(log), size)]


def test_every_projection_is_looked_at() -> None:
    """Every service but the gateway keeps something, and a sample of every event there is."""
    assert len(KEEPING) >= 25
    assert all(SAMPLES.values())


@pytest.mark.parametrize("entry", [one for one in KEEPING if one.id not in BY_POSITION])
def test_each_event_twice_gives_the_same_rows(entry: Keeping) -> None:
    """Event by event, and each again at once, with no position to stop it."""
    for seed in SEEDS:
        log = lived_through(entry, seed)
        once = kept(entry, *in_portions(log, 1))
        assert any(once.values())
        assert kept(entry, *(portion for portion in in_portions(log, 1) for _ in range(2))) == once


@pytest.mark.parametrize("entry", KEEPING)
def test_other_portions_give_the_same_rows(entry: Keeping) -> None:
    """One by one while living, a thousand at once while rebuilding: the rows are the same."""
    for seed in SEEDS:
        log = lived_through(entry, seed)
        assert kept(entry, *in_portions(log, 7)) == kept(entry, *in_portions(log, 1)) == kept(entry, log)


@pytest.mark.parametrize("entry", KEEPING)
def test_with_its_position_a_projection_takes_each_event_in_once(entry: Keeping, tmp_path: Path) -> None:
    """Two replicas that read the same, each portion twice and at last the whole log: the rows are those of once."""
    lived = lived_through(entry, 7)
    log = [fact for fact in lived if fact.stream == lived[0].stream]
    tables = [table_of(model) for model in (entry.model, *entry.beside)]
    settings = Settings(data=tmp_path)
    read, state = Database.open(settings, "twice", "read"), Database.open(settings, "twice", "state")
    projection = entry.projection(tables)
    read.create(positions, *tables)
    lot = Lot(state, SystemClock())
    keepers = [Keeper(Nowhere(), log[0].stream, [projection], read, lot) for _ in range(2)]  # type: ignore[arg-type]
    with read.engine.begin() as connection:
        keepers[0]._load_positions(connection)
    for portion in [*in_portions(log, 7), log]:
        for keeper in keepers:
            with read.engine.begin() as connection:
                reached = keeper._project_all(connection, [projection], portion, portion[-1].sequence)
    assert reached == {tables[0].name: log[-1].sequence}
    with read.engine.connect() as connection:
        assert rows_of(connection, tables) == kept(entry, *in_portions(log, 7))
    read.close()
    state.close()


class Nowhere:
    """No bus: what is projected here was read before."""

"""The indexes hold what the tables say, in whatever order it was said and whatever happened on the way."""

import asyncio
import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import msgspec
import numpy as np
import pytest
from pydantic import SecretStr
from sqlalchemy import func, select

from tests.recommend.saying import (
    created,
    deleted,
    duplicate,
    extended,
    fingerprinted,
    on_shelf,
    played,
    playlist_id,
    reduced,
    related,
    ruled,
    say,
    sounding,
    track_id,
)
from tests.runtime.installation import provision
from tests.servers import NatsServer
from tonetouch_contracts.finding import FindSimilar, FindSounds, MakeForYou, SearchTracks
from tonetouch_contracts.identity import UserId
from tonetouch_contracts.message import Event, Positions, same_positions
from tonetouch_recommend.app import app
from tonetouch_recommend.indexes.gathering import PlaylistRow, PlaylistTrackRow
from tonetouch_recommend.indexes.indexing import Indexes
from tonetouch_recommend.learning import AsideRow, DirtyRow, EmbeddingRow, HeardRow, Kind, ShelfRow, SoundRow
from tonetouch_recommend.vectors.collection import Point
from tonetouch_recommend.vectors.qdrant_edge import QdrantEdgeEngine
from tonetouch_runtime import Floor, Log, Misconfigured, NotNow, Settings, running
from tonetouch_runtime._bus import Bus
from tonetouch_runtime._clock import SystemClock

Contents = Mapping[str, Mapping[str, tuple[Any, bytes]]]

TABLES = (EmbeddingRow, SoundRow, ShelfRow, AsideRow, HeardRow, PlaylistRow, PlaylistTrackRow)


def story(tracks: int = 12) -> dict[str, list[Event]]:
    """What the three streams say of some tracks and of two listeners.

    One track is a duplicate, one was never published, one was called a duplicate by a person afterwards.
    """
    said: dict[str, list[Event]] = {"INGEST": [], "CATALOG": [], "LIBRARY": []}
    for number in range(tracks):
        name = f"tune {number}"
        sound, going_on = (sounding(number), sounding(100 + number)) if number % 4 else (None, None)
        said["INGEST"].append(fingerprinted(name, sound, progression=going_on))
        *vectors, shelf = on_shelf(
            name, f"{name}: slow, {60 + number} bpm, sad", [f"{name} la la"], explicit=number > 6
        )
        said["INGEST"].extend(vectors)
        if number != 5:
            said["CATALOG"].append(shelf)
        said["LIBRARY"].append(played(f"user{number % 2}", name, number, share=(number % 3) / 2))
    said["INGEST"] += [duplicate("tune 3", "tune 2"), ruled("tune 9", "duplicate", "tune 8")]
    said["CATALOG"].append(related("tune 9", "duplicate", "tune 8"))
    said["LIBRARY"] += [
        created("quiet", "user0"),
        extended("quiet", "user0", "tune 1", "tune 5", "tune 2"),
        reduced("quiet", "user0", "tune 1"),
        extended("quiet", "user0", "tune 8"),
        created("empty", "user1"),
        created("gone", "user1"),
        extended("gone", "user1", "tune 3"),
        deleted("gone", "user1"),
    ]
    return said


async def caught_up(floor: Floor, at: Positions, seconds: float = 60.0) -> None:
    """Return when tables and indexes are there, within a bound."""
    async with asyncio.timeout(seconds):
        # In turns: a wait that begins before the tables were opened is not told when they turn out to be there already.
        while not all(floor.keepers[stream].position >= sequence for stream, sequence in at.items()):
            with contextlib.suppress(NotNow):
                await floor.seen(at, 0.1)
    for kind in get_args(Kind):
        await floor.get(Indexes).caught_up(kind, at, seconds)


async def contents(floor: Floor) -> Contents:
    """Every point of every index."""
    return {each.name: await _points(floor, each) for each in floor.get(Indexes).collections.all}


async def _points(floor: Floor, collection: Any) -> dict[str, tuple[Any, bytes]]:
    engine, found, cursor = floor.get(Indexes).engine, list[Point](), None
    while True:
        page = await engine.scroll(collection, cursor=cursor)
        found.extend(page.points)
        if (cursor := page.next_cursor) is None:
            return {point.id: (dict(point.payload), point.vector.tobytes()) for point in found}


async def rows(floor: Floor) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table that comes from the log."""
    tables = {model.__tablename__: floor.tables.live(model) for model in TABLES}
    return {
        str(name): [dict(row) for row in await floor.tables.all(select(table).order_by(*table.primary_key))]
        for name, table in tables.items()
    }


async def answers(floor: Floor) -> list[Any]:
    """What is answered to one question of each kind."""
    asked: list[Any] = [
        FindSounds(track_id=track_id("me"), vector=sounding(99, near=2), duration_seconds=200.0, before=10_000),
        SearchTracks(query="tune 7 la la"),
        FindSimilar(track_id=track_id("tune 1")),
        MakeForYou(user_id=UserId("user1"), region="GB", explicit_allowed=True),
    ]
    head = (await floor.bus.jetstream.stream_info("INGEST")).state.last_seq
    asked[0] = FindSounds(track_id=track_id("me"), vector=sounding(99, near=2), duration_seconds=200.0, before=head + 1)
    *others, made = [(await floor.ask(question)).value for question in asked]
    # Each time a list is served it is another list, whatever is in it.
    return [*others, *(msgspec.structs.replace(mix, list_id="") for mix in made.items)]


async def test_the_order_of_the_streams_does_not_matter(
    settings: Settings, nats_server: NatsServer, tmp_path: Path
) -> None:
    """Each stream read first, in the middle and last gives the same rows and the same points."""
    lived = []
    for number, order in enumerate((("INGEST", "CATALOG", "LIBRARY"), ("LIBRARY", "CATALOG", "INGEST"))):
        here = settings.model_copy(update={**nats_server.fresh_installation().settings, "data": tmp_path / f"{number}"})
        await provision(here)
        async with running(app, here) as floor:
            for stream in order:
                await caught_up(floor, await say(floor.log, *story()[stream]))
            kept = await rows(floor)
            for row in (*kept["recommend_shelf"], *kept["recommend_aside"]):
                assert row.pop("published_at")  # each installation published at its own time
            lived.append((kept, await contents(floor)))
    assert lived[0] == lived[1]
    assert len(lived[0][1]["tracks"]) == 10
    assert len(lived[0][1]["lyrics"]) == 10
    assert len(lived[0][1]["fingerprints"]) == 2 * 7
    assert {point_id.partition(":")[0] for point_id in lived[0][1]["taste"]} == {"user0", "user1"}
    assert set(lived[0][1]["playlists"]) == {playlist_id("quiet")}


async def everything(log: Log) -> Positions:
    """The whole story, the streams side by side."""
    at: Positions = {}
    for positions in await asyncio.gather(*(say(log, *events) for events in story().values())):
        at = same_positions(at, positions)
    return at


def _tables(data: Path) -> None:
    for file in (data / "tables" / "recommend").glob("read.db*"):
        file.unlink()


def _vectors(data: Path) -> None:
    shutil.rmtree(data / "vectors")


def _both(data: Path) -> None:
    _tables(data)
    _vectors(data)


def _one_index(data: Path) -> None:
    shutil.rmtree(data / "vectors" / "fingerprints")


def _half_an_index(data: Path) -> None:
    [copy] = (data / "vectors" / "tracks").glob("copy-*")
    shutil.rmtree(copy)


async def test_whatever_is_lost_is_made_again(installed: Settings) -> None:
    """Tables, indexes, both, one index, half of one: the same rows, the same points, the same answers afterwards."""
    async with running(app, installed) as floor:
        at = await everything(floor.log)
        await caught_up(floor, at)
        lived = (await rows(floor), await contents(floor), await answers(floor))
    losses: Sequence[Callable[[Path], None]] = (_tables, _vectors, _both, _one_index, _half_an_index)
    for lose in losses:
        lose(installed.data)
        async with running(app, installed) as floor:
            await caught_up(floor, at)
            assert (await rows(floor), await contents(floor), await answers(floor)) == lived, lose.__name__


async def test_a_restart_makes_nothing_again(installed: Settings) -> None:
    """Tables and indexes that belong together are left as they are."""
    async with running(app, installed) as floor:
        await caught_up(floor, await everything(floor.log))
        lived = await contents(floor)
    async with running(app, installed) as floor:
        assert await _dirty(floor) == 0
        assert await contents(floor) == lived


async def test_an_index_of_another_model_is_made_again(installed: Settings) -> None:
    """What the old model left is gone, and the vectors of ours are back."""
    async with running(app, installed) as floor:
        at = await everything(floor.log)
        await caught_up(floor, at)
        lived = await contents(floor)
        older = msgspec.structs.replace(floor.get(Indexes).collections.tracks, model="older@1")
    engine = QdrantEdgeEngine(installed.data / "vectors")
    await engine.drop("tracks")
    await engine.open(older)
    await engine.upsert(older, [Point(track_id("old"), np.ones(1024, np.float32))])
    await engine.close()
    async with running(app, installed) as floor:
        await caught_up(floor, at)
        assert await contents(floor) == lived


async def test_one_process_holds_the_indexes(installed: Settings) -> None:
    """A second service over the same folder refuses to start, and says who has it."""
    async with running(app, installed):
        with pytest.raises(Misconfigured, match=str(os.getpid())):
            async with running(app, installed):
                pass


@pytest.mark.timeout(300)
async def test_killed_at_any_moment_nothing_is_missing(installed: Settings) -> None:
    """A process killed with work half done is followed by one that ends where one that lived would have."""
    bus = await Bus.connect(installed.nats_url, "storyteller")
    log = Log(bus, SystemClock(), service="storyteller")
    said = [story(60)[stream] for stream in ("INGEST", "CATALOG", "LIBRARY")]
    at: Positions = {}
    for kill in range(3):
        service = _start(installed)
        try:
            for events in said:
                part = events[kill * len(events) // 3 : (kill + 1) * len(events) // 3]
                poured = await asyncio.gather(*(log.pour(event) for event in part))
                for positions in poured:
                    at = same_positions(at, positions)
            await _until_half_done(installed, random.Random(kill).random())
        finally:
            service.kill()
            service.wait()
    await bus.close()
    async with running(app, installed) as floor:
        await caught_up(floor, at, 120)
        survived = (await rows(floor), await contents(floor))
    _both(installed.data)
    async with running(app, installed) as floor:
        await caught_up(floor, at, 120)
        assert (await rows(floor), await contents(floor)) == survived
    assert len(survived[1]["tracks"]) == 58


def _start(settings: Settings) -> "subprocess.Popen[bytes]":
    environment = {
        f"TONETOUCH_{name.upper()}": value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in settings.model_dump(exclude_none=True).items()
    }
    return subprocess.Popen(
        [sys.executable, "-m", "tonetouch_recommend"],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


async def _until_half_done(settings: Settings, share: float) -> None:
    """Wait until some is dirty, and then until less than a share of the most there was is left."""
    most = 0
    async with asyncio.timeout(60):
        while most == 0 or _dirty_on_disk(settings) > share * most:
            most = max(most, _dirty_on_disk(settings))
            await asyncio.sleep(0.005)


def _dirty_on_disk(settings: Settings) -> int:
    try:
        with closing(sqlite3.connect(settings.data / "tables" / "recommend" / "read.db")) as connection:
            return int(connection.execute("select count(*) from recommend_dirty").fetchone()[0])
    except sqlite3.OperationalError:  # the service has not made it yet
        return 0


async def _dirty(floor: Floor) -> int:
    table = floor.tables.live(DirtyRow)
    row = await floor.tables.one(select(func.count().label("n")).select_from(table))
    return int(row["n"]) if row else 0

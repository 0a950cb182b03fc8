"""An index is made anew beside the live one, which answers until the new one takes its place."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.recommend.indexes.test_indexing import _start, caught_up, contents, everything
from tests.recommend.saying import on_shelf, played, say, track_id
from tonetouch_contracts.finding import FindSimilar
from tonetouch_contracts.indexing import CancelRebuild, IndexesView, ListIndexes, RebuildIndexes
from tonetouch_recommend.app import app
from tonetouch_recommend.indexes.indexing import Indexes
from tonetouch_recommend.indexes.inspecting import NAMES
from tonetouch_recommend.indexes.twins import StandingEngine
from tonetouch_recommend.vectors.collection import Collection, Point
from tonetouch_runtime import Floor, Refused, Settings, running
from tonetouch_runtime._bus import Bus

SECONDS = 60.0


class Gate(StandingEngine):
    """The same engine, where whoever writes into one collection waits until the gate is open."""

    def __init__(self, engine: StandingEngine, name: str) -> None:
        super().__init__(engine.inner, {})
        self.name = name
        self.reached, self.opened = asyncio.Event(), asyncio.Event()

    async def upsert(self, collection: Collection, points: Sequence[Point]) -> None:
        """Wait there, the first time and every other."""
        if collection.name == self.name:
            self.reached.set()
            await self.opened.wait()
        await super().upsert(collection, points)


def standing_engine(floor: Floor) -> StandingEngine:
    engine = floor.get(Indexes).engine
    assert isinstance(engine, StandingEngine)
    return engine


async def held_up_at(floor: Floor, name: str) -> Gate:
    """Return when somebody writes into the copy of this name, and has to wait there."""
    engine = standing_engine(floor)
    gate = Gate(engine, name)
    engine.inner = gate
    floor.get(Indexes).wake()
    async with asyncio.timeout(SECONDS):
        await gate.reached.wait()
    return gate


async def held_up(floor: Floor, name: str, *names: str) -> Gate:
    """A rebuild that has come to its first write into the copy of this name, and waits there."""
    waiting = asyncio.create_task(held_up_at(floor, name))
    await asyncio.sleep(0)
    await floor.ask(RebuildIndexes(names=names))  # type: ignore[arg-type]
    return await waiting


async def listed(floor: Floor) -> IndexesView:
    return (await floor.ask(ListIndexes())).value


async def ended(floor: Floor) -> str:
    """How the rebuild ended, once what it replaced is gone as well."""
    rebuilding = floor.get(Indexes).rebuilding
    assert rebuilding.current is not None
    async with asyncio.timeout(SECONDS):
        await rebuilding.current.ended.wait()
        await rebuilding.tidied()
    return rebuilding.current.phase


def on_disk(settings: Settings) -> set[str]:
    return {folder.name for folder in (settings.data / "vectors").iterdir() if folder.is_dir()} - {"pairing"}


def twins(*names: str) -> set[str]:
    """Every index once, these as their twins."""
    return {f"{name}-2" if name in names else name for name in NAMES}


async def test_a_rebuild_gives_the_same_ids_and_the_same_vectors(installed: Settings) -> None:
    """Once and again, there and back: the points are the same, and of each index there is one copy on the disk."""
    async with running(app, installed) as floor:
        await caught_up(floor, await everything(floor.log))
        lived = await contents(floor)
        await floor.ask(RebuildIndexes(names=("tracks",)))
        assert await ended(floor) == "done"
        assert (await contents(floor), on_disk(installed)) == (lived, twins("tracks"))
        await floor.ask(RebuildIndexes(names=("tracks", "fingerprints")))
        assert await ended(floor) == "done"
        assert (await contents(floor), on_disk(installed)) == (lived, twins("fingerprints"))
    async with running(app, installed) as floor:
        assert await contents(floor) == lived


async def test_what_is_said_during_a_rebuild_is_in_the_new_index(installed: Settings) -> None:
    """A track that comes, a play and a track that changes, while questions are answered from the old copy."""
    async with running(app, installed) as floor:
        await caught_up(floor, await everything(floor.log))
        gate = await held_up(floor, "tracks-2")
        assert (await floor.ask(FindSimilar(track_id=track_id("tune 1")))).value.items
        later = (
            *on_shelf("tune 99", "fast, 170 bpm, late"),
            *on_shelf("tune 1", "slow no more"),
            played("u", "tune 1", 1),
        )
        at = await say(floor.log, *later)
        gate.opened.set()
        assert await ended(floor) == "done"
        await caught_up(floor, at)
        rebuilt = await contents(floor)
        await floor.ask(RebuildIndexes(names=("tracks", "taste")))
        assert await ended(floor) == "done"
        assert await contents(floor) == rebuilt
    assert track_id("tune 99") in rebuilt["tracks"]
    assert "u" in rebuilt["taste"]


async def test_a_cancelled_rebuild_leaves_everything_as_it_was(installed: Settings) -> None:
    """The live copies answer on, and the unfinished ones are gone."""
    async with running(app, installed) as floor:
        await caught_up(floor, await everything(floor.log))
        lived = await contents(floor)
        gate = await held_up(floor, "tracks-2", "tracks", "lyrics")
        assert "tracks-2" in on_disk(installed)
        cancelling = asyncio.create_task(floor.ask(CancelRebuild()))
        async with asyncio.timeout(SECONDS):
            while not (current := floor.get(Indexes).rebuilding.current) or not current.is_unwanted:
                await asyncio.sleep(0)
        gate.opened.set()
        view = (await cancelling).value
        assert view.rebuild is not None
        assert (view.rebuild.phase, view.rebuild.names) == ("cancelled", ("tracks", "lyrics"))
        assert (await contents(floor), on_disk(installed)) == (lived, twins())
        with pytest.raises(Refused, match="No index is being made anew"):
            await floor.ask(CancelRebuild())


async def test_one_rebuild_at_a_time(installed: Settings) -> None:
    """Asking for what is under way is asking once; other indexes have to wait, and the answer names which."""
    async with running(app, installed) as floor:
        await caught_up(floor, await everything(floor.log))
        gate = await held_up(floor, "tracks-2", "tracks")
        first, again = (await listed(floor)).rebuild, (await floor.ask(RebuildIndexes(names=("tracks",)))).value.rebuild
        assert first is not None
        assert again is not None
        assert (first.id, first.phase, first.done) == (again.id, "filling", 0)
        assert first.total == len((await contents(floor))["tracks"])
        with pytest.raises(Refused, match="tracks are being made anew"):
            await floor.ask(RebuildIndexes(names=("taste",)))
        gate.opened.set()
        assert await ended(floor) == "done"


async def test_a_rebuild_that_was_interrupted_is_begun_again(installed: Settings) -> None:
    """The next start removes the unfinished copy, and the rebuild is done under the id it was asked under."""
    async with running(app, installed) as floor:
        at = await everything(floor.log)
        await caught_up(floor, at)
        lived = await contents(floor)
        await held_up(floor, "lyrics-2", "lyrics")
        before = (await listed(floor)).rebuild
    async with running(app, installed) as floor:
        await caught_up(floor, at)
        assert await ended(floor) == "done"
        after = (await listed(floor)).rebuild
        assert before is not None
        assert after is not None
        assert after.id == before.id
        assert (await contents(floor), on_disk(installed)) == (lived, twins("lyrics"))


class _FailingError(Exception):
    """What the disk said."""


class _Failing(StandingEngine):
    """An engine over a disk that has no room for the twins, for as long as it is full."""

    def __init__(self, engine: StandingEngine) -> None:
        super().__init__(engine.inner, {})
        self.is_full = True

    async def upsert(self, collection: Collection, points: Sequence[Point]) -> None:
        """Fail where a twin is written to."""
        if collection.name.endswith("-2") and self.is_full:
            raise _FailingError("no space left")
        await super().upsert(collection, points)


@pytest.mark.parametrize("most_failures", [0, 1000])
async def test_a_rebuild_that_fails_harms_nobody_and_is_done_in_the_end(
    installed: Settings, monkeypatch: pytest.MonkeyPatch, most_failures: int
) -> None:
    """Whether it tries the page or the whole copy again: plays are followed meanwhile, and why it waits is said."""
    monkeypatch.setattr("tonetouch_recommend.indexes.rebuilding.AGAIN_SECONDS", 0.1)
    monkeypatch.setattr("tonetouch_recommend.indexes.rebuilding.MOST_FAILURES", most_failures)
    async with running(app, installed) as floor:
        await caught_up(floor, await everything(floor.log))
        failing = standing_engine(floor).inner = _Failing(standing_engine(floor))
        await floor.ask(RebuildIndexes(names=("tracks",)))
        async with asyncio.timeout(SECONDS):
            while not (shown := (await listed(floor)).rebuild) or "no space left" not in shown.waiting:
                assert shown is None or shown.phase != "done"
        await caught_up(floor, await say(floor.log, played("later", "tune 1", 1)))
        lived = await contents(floor)
        failing.is_full = False
        assert await ended(floor) == "done"
        assert (await contents(floor), on_disk(installed)) == (lived, twins("tracks"))
        assert "later" in lived["taste"]


async def test_what_is_listed(installed: Settings) -> None:
    """Size, model, engine, position and lag of each, bytes on the disk, and no rebuild where none was."""
    async with running(app, installed) as floor:
        at = await everything(floor.log)
        await caught_up(floor, at)
        view, held = await listed(floor), await contents(floor)
    assert [item.name for item in view.items] == list(NAMES)
    by_name = {item.name: item for item in view.items}
    tracks, sounds = by_name["tracks"], by_name["fingerprints"]
    assert (tracks.points, tracks.dimension, tracks.engine) == (len(held["tracks"]), 1024, "qdrant-edge")
    assert (sounds.points, sounds.dimension) == (len(held["fingerprints"]), 256)
    assert sounds.model == "chromaprint-1+fourier-256@1"
    assert {item.name: (item.behind, item.dirty, item.refused) for item in view.items} == dict.fromkeys(
        NAMES, (0, 0, 0)
    )
    assert all(tracks.positions[stream] >= sequence for stream, sequence in at.items())
    assert all((item.disk_bytes or 0) > 0 for item in view.items)
    assert (view.rebuild, view.search) == (None, "")
    assert view.resident_bytes is None or view.resident_bytes > 10_000_000


@pytest.mark.timeout(180)
async def test_killed_while_rebuilding_nothing_is_missing_and_nothing_is_twice(installed: Settings) -> None:
    """A process that is killed in the middle is followed by one that ends where an undisturbed one would have."""
    async with running(app, installed) as floor:
        at = await everything(floor.log)
        await caught_up(floor, at)
        lived = await contents(floor)
    bus = await Bus.connect(installed.nats_url, "operator")
    service = _start(installed)
    try:
        async with asyncio.timeout(SECONDS):
            while not _has_asked(await _asked(bus)):
                await asyncio.sleep(0.05)
    finally:
        service.kill()
        service.wait()
    await bus.close()
    async with running(app, installed) as floor:
        await caught_up(floor, at)
        if floor.get(Indexes).rebuilding.current is not None:  # it was not faster than the kill
            assert await ended(floor) == "done"
        assert await contents(floor) == lived
        assert {name.removesuffix("-2") for name in on_disk(installed)} == set(NAMES)
        assert len(on_disk(installed)) == len(NAMES)


def _has_asked(view: IndexesView | None) -> bool:
    return view is not None and view.rebuild is not None


async def _asked(bus: Bus) -> IndexesView | None:
    try:
        return (await bus.ask(RebuildIndexes(), timeout=5.0)).value
    except Exception:  # the service is on its way
        return None

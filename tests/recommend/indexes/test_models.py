"""The indexes are of the model that the routing table gives: with an account of the cloud's, without one of ours."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from sqlalchemy import func, select

from tests.cloud import Account
from tests.recommend.indexes.test_indexing import Contents, caught_up, contents
from tests.recommend.saying import embedded, fingerprinted, on_shelf, played, published, say, sounding, track_id
from tests.runtime.ai.clients import in_the_cloud
from tonetouch_contracts.finding import Found, SearchTracks
from tonetouch_contracts.message import Event, Positions, ShowHealth
from tonetouch_ingest.embedding import FEATURE as INGEST_EMBEDS
from tonetouch_recommend.app import app
from tonetouch_recommend.indexes.index import EMBEDDED_FOR, Collections
from tonetouch_recommend.indexes.indexing import Indexes
from tonetouch_recommend.indexes.pairing import pair
from tonetouch_recommend.learning import DirtyRow
from tonetouch_recommend.vectors.qdrant_edge import QdrantEdgeEngine
from tonetouch_runtime import App, Floor, Misconfigured, Settings, running
from tonetouch_runtime.ai import TextToEmbed, Whose
from tonetouch_runtime.ai.local.models import EMBEDDING
from tonetouch_runtime.ai.routing import PACKAGED

BGE = "@cf/baai/bge-m3"
RAIN, RAIN_SUNG = "slow, 62 bpm; sad, calm; Solo Piano", "the last tram left and rain wrote your name"
TIDE, TIDE_SUNG = "slow, 70 bpm; peaceful; Folk", "sleep, little lighthouse, the sea is calm tonight"
LIBRARY: Sequence[Event] = (
    fingerprinted("Rain", sounding(1)),
    fingerprinted("Snow", sounding(2)),
    *on_shelf("Rain", RAIN, [RAIN_SUNG]),
    *on_shelf("Snow", "fast, 128 bpm; happy; Dance", ["dance until the colours find the water"]),
    played("ann", "Rain", 0),
)
"""Two tracks as they were embedded without an account."""


@pytest.fixture(name="abroad")
def _abroad(installed: Settings, cloud: Account) -> Settings:
    """The same installation, data and all, with an account."""
    return in_the_cloud(installed, cloud)


async def embedded_by(floor: Floor, name: str, text: str, **changes: Any) -> Event:
    """A text about a track with the vector that ingest would be given now."""
    [answer] = await floor.ai.embed([TextToEmbed(text=text, subject=name)], Whose(feature=INGEST_EMBEDS, subject=name))
    vector = answer.vector.astype(np.dtype("<f2")).tobytes()
    return embedded(name, text, model=answer.model, dimension=answer.dimension, vector=vector, **changes)


async def tide(floor: Floor) -> list[Event]:
    """A third track, embedded by the model of the moment."""
    sung = await embedded_by(floor, "Tide", TIDE_SUNG, kind="lyrics")
    return [fingerprinted("Tide", sounding(3)), sung, await embedded_by(floor, "Tide", TIDE), published("Tide")]


async def found(floor: Floor, query: str) -> list[Found]:
    return list((await floor.ask(SearchTracks(query=query))).value.items)


async def named(floor: Floor, query: str) -> list[str]:
    return [one.track_id for one in await found(floor, query)]


async def ready(floor: Floor) -> bool:
    return (await floor.bus.ask(ShowHealth(), service="recommend")).value.ready


async def lives(settings: Settings, at: Positions) -> Contents:
    """What the indexes hold once a service with these settings has started and caught up."""
    async with running(app, settings) as floor:
        await caught_up(floor, at)
        return await contents(floor)


def ids(held: Contents, name: str) -> set[str]:
    return set(held[name])


def test_the_indexes_are_of_the_model_that_ingest_is_given() -> None:
    """Both services look up the same feature in the routing table."""
    assert EMBEDDED_FOR == INGEST_EMBEDS


async def test_with_an_account_the_clouds_vectors_are_indexed_and_found(abroad: Settings, cloud: Account) -> None:
    """Descriptions, passages and tastes are of its model, and a question is embedded by it too."""
    async with running(app, abroad) as floor:
        await caught_up(floor, await say(floor.log, *await tide(floor), played("ann", "Tide", 0)))
        by_meaning, by_lyrics = (await found(floor, TIDE))[0], (await found(floor, TIDE_SUNG))[0]
        assert (by_meaning.track_id, by_meaning.where) == (track_id("Tide"), "description")
        assert (by_lyrics.where, by_lyrics.passage) == ("lyrics", TIDE_SUNG)
        assert "ann" in ids(await contents(floor), "taste")
        assert floor.get(Indexes).collections.tracks.model == BGE
    assert cloud.counts()[BGE].texts == 4  # two of the track, two questions


async def test_only_what_is_of_another_model_begins_anew(installed: Settings, abroad: Settings) -> None:
    """How tracks sound depends on no account: uploads do not wait until all of that is indexed again."""
    async with running(app, installed) as floor:
        await caught_up(floor, await say(floor.log, *LIBRARY))
    async with running(_without_indexes(), abroad) as floor:
        engine = QdrantEdgeEngine(abroad.data / "vectors")
        await pair(engine, Collections.of(BGE), floor)
        await engine.close()
        assert await _marked(floor) == {"track": 2, "user": 1}


class _KilledError(Exception):
    """Where the process ended."""


class _Killed(QdrantEdgeEngine):
    """An engine whose process ends after so many drops."""

    drops = 0

    async def drop(self, name: str) -> None:
        if self.drops == 0:
            raise _KilledError
        self.drops -= 1
        await super().drop(name)


@pytest.mark.parametrize("drops", range(4))
async def test_killed_while_indexes_begin_anew_nothing_is_missing(installed: Settings, drops: int) -> None:
    """Whichever indexes were dropped already, the next start ends where an undisturbed one would have."""
    async with running(app, installed) as floor:
        at = await say(floor.log, *LIBRARY)
        await caught_up(floor, at)
        lived = await contents(floor)
    async with running(_without_indexes(), installed) as floor:
        engine = _Killed(installed.data / "vectors")
        engine.drops = 100
        await pair(engine, Collections.of(BGE), floor)  # on the way back an index that should not be empty is
        engine.drops = drops
        with pytest.raises(_KilledError):
            await pair(engine, Collections.of(EMBEDDING), floor)
        await engine.close()
    assert await lives(installed, at) == lived


async def test_a_question_is_embedded_by_the_model_of_the_tracks(
    abroad: Settings, cloud: Account, tmp_path: Path
) -> None:
    """Whatever model a routing table has for questions: a distance means something within one model only."""
    routes = _routes(tmp_path, 'task = "embeddings"\nfeature = "search"')
    async with running(app, abroad.model_copy(update={"ai_routes": routes})) as floor:
        await caught_up(floor, await say(floor.log, *await tide(floor)))
        assert (await found(floor, TIDE))[0].where == "description"
    assert cloud.counts()[BGE].texts == 3  # two of the track, and the question


async def test_without_any_embedding_model_it_says_so_and_does_not_start(installed: Settings, tmp_path: Path) -> None:
    """No account, and a routing table that does without the embedded engine."""
    routes = _routes(tmp_path, 'task = "embeddings"\nfeature = "ingest.*"\ncandidates = ["bge-m3"]\nembedded = false')
    with pytest.raises(Misconfigured, match="TONETOUCH_CLOUDFLARE_ACCOUNT"):
        async with running(app, installed.model_copy(update={"ai_routes": routes})):
            pass


def _routes(folder: Path, first: str) -> Path:
    """The packaged routing table with one more route before the others."""
    packaged = resources.files("tonetouch_runtime.ai").joinpath(PACKAGED).read_text("utf-8")
    path = folder / "routing.toml"
    path.write_text(packaged.replace("\n[[routes]]\n", f"\n[[routes]]\n{first}\n\n[[routes]]\n", 1), "utf-8")
    return path


def _without_indexes() -> App:
    """The service with its tables, and nobody who opens the indexes."""
    return msgspec.structs.replace(app, resources=())


async def _marked(floor: Floor) -> dict[str, int]:
    dirty = floor.tables.live(DirtyRow)
    counted = select(dirty.c.kind, func.count().label("number")).group_by(dirty.c.kind)
    return {row["kind"]: row["number"] for row in await floor.tables.all(counted)}

"""Another embedding model: every text is embedded again, and the indexes change over when all of them are."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.cloud import Account
from tests.recommend.indexes.test_indexing import caught_up, contents
from tests.recommend.indexes.test_models import BGE, LIBRARY, RAIN, RAIN_SUNG, found, ids, named, tide
from tests.recommend.indexes.test_rebuilding import ended, held_up_at, listed, on_disk, twins
from tests.recommend.saying import on_shelf, say, track_id
from tests.runtime.ai.clients import in_the_cloud, rows
from tonetouch_contracts.indexing import CancelRebuild, EmbedAgain, ListIndexes, RebuildView
from tonetouch_contracts.message import Positions
from tonetouch_ingest import reembedding
from tonetouch_ingest.embedding import FEATURE
from tonetouch_recommend.app import app
from tonetouch_recommend.indexes.index import Collections
from tonetouch_recommend.indexes.indexing import Indexes
from tonetouch_runtime import App, Floor, Refused, Settings, running
from tonetouch_runtime.ai.local.models import EMBEDDING

SECONDS = 60.0
FOUR = ("tracks", "lyrics", "taste", "playlists")


@pytest.fixture(autouse=True)
def _soon_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was replaced need not wait for anybody here."""
    monkeypatch.setattr("tonetouch_recommend.indexes.rebuilding.LINGERING_SECONDS", 0.2)


@pytest.fixture(name="abroad")
def _abroad(installed: Settings, cloud: Account) -> Settings:
    """The same installation, data and all, with an account."""
    return in_the_cloud(installed, cloud)


@asynccontextmanager
async def ingesting(settings: Settings) -> AsyncIterator[Floor]:
    """The part of ingest that embeds again, for as long as the block lasts."""
    async with running(App(name="ingest", routers=(reembedding.router,)), settings) as floor:
        yield floor


async def lived(settings: Settings) -> Positions:
    """A library that was embedded without an account."""
    async with running(app, settings) as floor:
        at = await say(floor.log, *LIBRARY)
        await caught_up(floor, at)
        return at


async def rebuild(floor: Floor) -> RebuildView:
    view = (await listed(floor)).rebuild
    assert view is not None
    return view


async def shows(floor: Floor, words: str) -> RebuildView:
    """The rebuild, once it says that it waits for this."""
    async with asyncio.timeout(SECONDS):
        while words not in (view := await rebuild(floor)).waiting:
            await asyncio.sleep(0.05)
    return view


async def test_the_old_model_answers_until_every_text_is_embedded_again(
    installed: Settings, abroad: Settings, cloud: Account
) -> None:
    """Search goes on by meaning meanwhile, and what it waits for is said: ingest is away, or has another routing table.

    Then all is in the new model, from the stored texts, each asked for once.
    """
    at = await lived(installed)
    async with running(app, abroad) as floor:
        await caught_up(floor, at)
        local = await contents(floor)
        view = await shows(floor, "ingest does not take the texts")
        assert (view.names, view.reason, view.phase, view.model) == (FOUR, "model", "embedding", BGE)
        assert (view.done, view.total) == (0, 4)
        assert (await found(floor, RAIN))[0].track_id == track_id("Rain")
        with pytest.raises(Refused, match="because the routing table says so"):
            await floor.ask(CancelRebuild())
        async with ingesting(installed):
            view = await shows(floor, "routing table")
            assert (BGE in view.waiting, EMBEDDING in view.waiting) == (True, True)
        assert cloud.counts() == {}
        async with ingesting(abroad):
            assert await ended(floor) == "done"
        cloudy = await contents(floor)
        assert {name: ids(cloudy, name) for name in cloudy} == {name: ids(local, name) for name in local}
        assert cloudy["fingerprints"] == local["fingerprints"]
        assert cloudy["tracks"] != local["tracks"]
        assert floor.get(Indexes).collections == Collections.of(BGE)
        by_meaning, by_lyrics = (await found(floor, RAIN))[0], (await found(floor, RAIN_SUNG))[0]
        assert (by_meaning.track_id, by_lyrics.passage) == (track_id("Rain"), RAIN_SUNG)
        assert on_disk(abroad) == twins(*FOUR)
    assert cloud.counts()[BGE].texts == 4 + 2  # the texts, and two questions


async def test_what_was_embedded_once_by_a_model_is_not_paid_for_again(
    installed: Settings, abroad: Settings, cloud: Account
) -> None:
    """Back and forth: only what came meanwhile is embedded, and the points are those of the first time."""
    at = await lived(installed)
    async with running(app, installed) as floor:
        await caught_up(floor, at)
        local = await contents(floor)
    async with running(app, abroad) as floor, ingesting(abroad):
        assert await ended(floor) == "done"
        at = {**at, **await say(floor.log, *await tide(floor))}
        await caught_up(floor, at)
        cloudy = await contents(floor)
    async with running(app, installed) as floor, ingesting(installed):
        view = await rebuild(floor)
        assert view.total == 6
        assert await ended(floor) == "done"
        back = await contents(floor)
        assert ids(back, "tracks") == ids(cloudy, "tracks")
        assert {key: back["tracks"][key] for key in local["tracks"]} == local["tracks"]
    paid = cloud.counts()[BGE].texts
    async with running(app, abroad) as floor:  # nobody has to embed anything
        assert await ended(floor) == "done"
        assert await contents(floor) == cloudy
    assert cloud.counts()[BGE].texts == paid


async def test_where_the_old_model_is_gone_names_are_searched_and_that_is_said(
    installed: Settings, abroad: Settings
) -> None:
    """Without the account its model cannot be asked: until all is embedded again there is no search by meaning."""
    async with running(app, abroad) as floor:
        at = await say(floor.log, *await tide(floor))
        await caught_up(floor, at)
    async with running(app, installed) as floor:
        await caught_up(floor, at)
        view = (await listed(floor)).search
        assert BGE in view
        assert "TONETOUCH_CLOUDFLARE_ACCOUNT" in view
        assert await named(floor, "Tide") == [track_id("Tide")]
        async with ingesting(installed):
            assert await ended(floor) == "done"
        assert (await listed(floor)).search == ""
        assert (await found(floor, "calm folk, a lighthouse"))[0].track_id == track_id("Tide")
        assert floor.get(Indexes).collections.tracks.model == EMBEDDING


async def test_what_is_uploaded_meanwhile_is_found_by_name_and_then_by_meaning(
    installed: Settings, abroad: Settings
) -> None:
    """It has a vector of the new model only, which the old index refuses."""
    at = await lived(installed)
    async with running(app, abroad) as floor:
        at = {**at, **await say(floor.log, *await tide(floor))}
        await caught_up(floor, at)
        by_name = {item.name: item for item in (await floor.ask(ListIndexes())).value.items}
        assert (by_name["tracks"].points, by_name["tracks"].refused, by_name["lyrics"].refused) == (2, 1, 1)
        assert (await named(floor, "Tide"))[0] == track_id("Tide")
        async with ingesting(abroad):
            assert await ended(floor) == "done"
        assert ids(await contents(floor), "tracks") == {track_id(name) for name in ("Rain", "Snow", "Tide")}
        assert {item.refused for item in (await floor.ask(ListIndexes())).value.items} == {0}


async def test_a_service_that_ends_in_the_middle_goes_on(installed: Settings, abroad: Settings, cloud: Account) -> None:
    """What was embedded stays embedded; the copies are begun again; nothing is missing and nothing is twice."""
    at = await lived(installed)
    async with running(app, abroad) as floor, ingesting(abroad):
        before, local = await rebuild(floor), await contents(floor)
        await held_up_at(floor, "taste-2")
    paid = cloud.counts()[BGE].texts
    async with running(app, abroad) as floor:
        await caught_up(floor, at)
        assert (await rebuild(floor)).id == before.id
        assert await ended(floor) == "done"
        held = await contents(floor)
        assert {name: ids(held, name) for name in FOUR} == {name: ids(local, name) for name in FOUR}
        assert on_disk(abroad) == twins(*FOUR)
    assert (paid, cloud.counts()[BGE].texts) == (4, 4)


async def test_a_text_that_the_new_model_refuses_holds_nothing_up(installed: Settings, abroad: Settings) -> None:
    """Its track is found by name, the list says one was refused, and all others change over."""
    epic = on_shelf("Epic", "a saga; " * 8_000)
    async with running(app, installed) as floor:
        await caught_up(floor, await say(floor.log, *LIBRARY, *epic))
    async with running(app, abroad) as floor, ingesting(abroad):
        assert await ended(floor) == "done"
        assert ids(await contents(floor), "tracks") == {track_id("Rain"), track_id("Snow")}
        by_name = {item.name: item.refused for item in (await floor.ask(ListIndexes())).value.items}
        assert by_name["tracks"] == 1
        assert (await named(floor, "Epic"))[0] == track_id("Epic")


async def test_it_goes_through_the_queue_in_batches_behind_whoever_waits(
    installed: Settings, abroad: Settings, cloud: Account
) -> None:
    """At most 25 texts to a call, each a row in the ledger under the feature of every embedding, as a refresh."""
    async with running(app, installed) as floor:
        events = [event for number in range(30) for event in on_shelf(f"tune {number}", f"slow, {number} bpm")]
        await caught_up(floor, await say(floor.log, *events))
    async with running(app, abroad) as floor, ingesting(abroad) as ingest:
        assert await ended(floor) == "done"
        await ingest.ai.settled()
        started, _ = await rows(ingest.bus)
    assert sum(cloud.batches(BGE)) == 30
    assert max(cloud.batches(BGE)) <= 25
    assert {(job.feature, job.priority, job.type) for job in started} == {(FEATURE, "refresh", "embeddings")}
    assert len(started) == 30


async def test_texts_without_a_vector_of_the_model_are_embedded_into_the_index_as_it_is(
    installed: Settings, abroad: Settings
) -> None:
    """After a loss of the tables nothing says which model the indexes were of: what lacks its vector gets one."""
    async with running(app, abroad) as floor:
        at = await say(floor.log, *LIBRARY)
        await caught_up(floor, at)
        assert ids(await contents(floor), "tracks") == set()
    async with running(app, abroad) as floor, ingesting(abroad):
        view = await rebuild(floor)
        assert (view.names, view.phase, view.total) == ((), "embedding", 4)
        assert await ended(floor) == "done"
        async with asyncio.timeout(SECONDS):
            while ids(await contents(floor), "tracks") != {track_id("Rain"), track_id("Snow")}:
                await asyncio.sleep(0.05)


async def test_odd_requests_to_embed_again(abroad: Settings) -> None:
    """Too many tracks are refused, for a request is one message; one without texts just leaves the queue."""
    async with ingesting(abroad) as floor:
        with pytest.raises(Refused, match="501 tracks are more than the 500"):
            await floor.ask(EmbedAgain(track_ids=tuple(track_id(f"{number}") for number in range(501))))
        assert (await floor.ask(EmbedAgain(track_ids=(track_id("nobody"),)))).value.queued == 1
        async with asyncio.timeout(SECONDS):
            while (await floor.bus.jetstream.stream_info("INGEST_Q")).state.messages:
                await asyncio.sleep(0.05)
        assert (await floor.bus.jetstream.stream_info("INGEST")).state.messages == 0

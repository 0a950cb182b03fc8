"""The service with its indexes in Vectorize, which sees what is written a moment later and forgets no name."""

import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from tests.cloud import Account, Fault
from tests.recommend.indexes.test_indexing import Contents, _tables, caught_up, contents, everything
from tests.recommend.indexes.test_rebuilding import ended, twins
from tests.recommend.saying import fingerprinted, on_shelf, played, say, sounding, track_id
from tonetouch_contracts.finding import FindSimilar, FindSounds, MakeForYou, SearchTracks
from tonetouch_contracts.identity import UserId
from tonetouch_contracts.indexing import ListIndexes, RebuildIndexes
from tonetouch_recommend.app import app
from tonetouch_recommend.indexes.indexing import Indexes
from tonetouch_runtime import Floor, Misconfigured, NotNow, Refused, Settings, Unavailable, running
from tonetouch_runtime.ai.routing import PACKAGED

AWAY = Fault(status=429, message="away", retry_after=60)
"""Longer than anybody waits for an answer."""

Held = Mapping[str, Mapping[str, Any]]


@pytest.fixture(name="over_vectorize")
def _over_vectorize(installed: Settings, cloud: Account, tmp_path: Path) -> Settings:
    """The installation with its indexes in the simulated account, and the embedded models."""
    cloud.write_delay_seconds = 0.05
    cloud.indexes.absent_is_unequal = False
    return installed.model_copy(
        update={
            "vectors": "vectorize",
            "cloudflare_account": cloud.id,
            "cloudflare_token": SecretStr(cloud.token),
            "cloudflare_api_url": cloud.api_url,
            "ai_routes": embedded_models(tmp_path),
        }
    )


def embedded_models(folder: Path) -> Path:
    """The packaged routing table without a word about the models of the account."""
    packaged = resources.files("tonetouch_runtime.ai").joinpath(PACKAGED).read_text("utf-8")
    path = folder / "routing.toml"
    path.write_text(re.sub("^candidates.*$", "", packaged, flags=re.MULTILINE), "utf-8")
    return path


def payloads(held: Contents) -> Held:
    """Every id of every index with its payload; of a number the engine in the process may change the last digit."""

    def plain(payload: Mapping[str, Any]) -> dict[str, Any]:
        return {field: round(value, 12) if isinstance(value, float) else value for field, value in payload.items()}

    return {name: {own: plain(payload) for own, (payload, _) in points.items()} for name, points in held.items()}


async def found(floor: Floor) -> list[list[str]]:
    """Which tracks are the answer to one question of each kind."""
    here: dict[str, Any] = {"region": "GB", "explicit_allowed": False}
    similar = (await floor.ask(FindSimilar(track_id=track_id("tune 1"), **here))).value
    searched = (await floor.ask(SearchTracks(query="tune 7 la la", **here))).value
    [mix] = (await floor.ask(MakeForYou(user_id=UserId("user1"), **here))).value.items[:1]
    head = (await floor.bus.jetstream.stream_info("INGEST")).state.last_seq
    heard = FindSounds(track_id=track_id("me"), vector=sounding(99, near=2), duration_seconds=200.0, before=head + 1)
    sounds = (await floor.ask(heard)).value
    lists: list[Any] = [similar.items, searched.items, mix.tracks, sounds.items]
    return [[one.track_id for one in each] for each in lists]


def standing(cloud: Account) -> set[str]:
    """The collections in the account, without prefix and ending."""
    return {index.name.removeprefix("tonetouch-")[:-13] for index in cloud.indexes.all()} - {"pairing"}


async def test_it_holds_and_finds_what_the_engine_in_the_process_does(
    installed: Settings, over_vectorize: Settings
) -> None:
    """Another engine over the same tables: the same points and answers, after a rebuild and a restart as well."""
    async with running(app, installed) as floor:
        at = await everything(floor.log)
        await caught_up(floor, at)
        held, answered = payloads(await contents(floor)), await found(floor)
    async with running(app, over_vectorize) as floor:
        await caught_up(floor, at)
        lived = await contents(floor)
        assert payloads(lived) == held
        assert await found(floor) == answered
        await floor.ask(RebuildIndexes())
        assert await ended(floor) == "done"
        assert (await contents(floor), await found(floor)) == (lived, answered)
        [tracks, *_] = (await floor.ask(ListIndexes())).value.items
        assert (tracks.engine, tracks.points, tracks.indexed) == ("vectorize", len(held["tracks"]), len(held["tracks"]))
    async with running(app, over_vectorize) as floor:
        assert await contents(floor) == lived


async def test_what_is_written_counts_once_it_is_seen(over_vectorize: Settings, cloud: Account) -> None:
    """Until Vectorize has processed it the index says that it is behind; nothing is forgotten meanwhile."""
    async with running(app, over_vectorize) as floor:
        await caught_up(floor, await say(floor.log, *on_shelf("Rain", "slow, 62 bpm; sad"), played("ann", "Rain", 0)))
        cloud.clock.freeze()
        at = await say(floor.log, *on_shelf("Snow", "slow, 64 bpm; sad"))
        await floor.seen(at)
        with pytest.raises(NotNow, match="index of tracks"):
            await floor.get(Indexes).caught_up("track", at, 0.3)
        assert (await floor.ask(FindSimilar(track_id=track_id("Rain")))).value.items == ()
        cloud.clock.resume()
        await caught_up(floor, at)
        [similar] = (await floor.ask(FindSimilar(track_id=track_id("Rain")))).value.items
        assert similar.track_id == track_id("Snow")


async def test_with_tables_that_were_lost_it_begins_anew(over_vectorize: Settings, cloud: Account) -> None:
    """Under names that were never used, as those of deleted indexes are gone for ever."""
    async with running(app, over_vectorize) as floor:
        at = await everything(floor.log)
        await caught_up(floor, at)
        lived, names = await contents(floor), {index.name for index in cloud.indexes.all()}
    _tables(over_vectorize.data)
    async with running(app, over_vectorize) as floor:
        await caught_up(floor, at)
        assert await contents(floor) == lived
    renewed = {index.name for index in cloud.indexes.all()}
    assert (standing(cloud), len(renewed)) == (twins(), len(names))
    assert len(renewed & names) < len(names)


async def test_while_vectorize_is_away_nothing_is_lost(over_vectorize: Settings, cloud: Account) -> None:
    """Asked meanwhile the service says so, it does not start, drops nothing, and goes on where it was."""
    async with running(app, over_vectorize) as floor:
        await caught_up(floor, await say(floor.log, *on_shelf("Rain", "slow, 62 bpm; sad")))
        cloud.fail("vectorize", AWAY, times=10_000)
        at = await say(floor.log, *on_shelf("Snow", "slow, 64 bpm; sad"), fingerprinted("Snow", sounding(2)))
        with pytest.raises(Refused, match=r"429.*away") as refused:
            await floor.ask(FindSimilar(track_id=track_id("Rain")))
        assert refused.value.problem.code == "unavailable"
        cloud.recover("vectorize")
        await caught_up(floor, at)
        lived = await contents(floor)
    names = {index.name for index in cloud.indexes.all()}
    with pytest.raises(Misconfigured, match="TONETOUCH_CLOUDFLARE_TOKEN"):
        async with running(app, over_vectorize.model_copy(update={"cloudflare_token": SecretStr("cf-wrong")})):
            pass
    cloud.fail("vectorize", AWAY, times=10_000, after=4)  # in the middle of opening
    with pytest.raises(Unavailable, match=r"429.*away"):
        async with running(app, over_vectorize):
            pass
    cloud.recover("vectorize")
    async with running(app, over_vectorize) as floor:
        await caught_up(floor, at)
        assert await contents(floor) == lived
    assert {index.name for index in cloud.indexes.all()} == names

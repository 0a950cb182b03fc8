"""Vectorize keeps the promises, as far as a strict simulator of its REST API can tell."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import numpy as np
import pytest
from msgspec.structs import replace

from tests.cloud import Account, Fault
from tests.recommend.vectors.behaviour import EAST, NORTH, TRACKS, VectorEngineBehaviour
from tonetouch_recommend.vectors.collection import (
    AnyOf,
    Between,
    Collection,
    Is,
    NoneOf,
    OtherModelError,
    Payload,
    Point,
    UnfitPointError,
    UnreachableError,
    VectorsError,
)
from tonetouch_recommend.vectors.vectorize import VectorizeEngine
from tonetouch_recommend.vectors.vectorize_metadata import space_of
from tonetouch_recommend.vectors.vectorize_rest import VectorizeRefusedError, VectorizeRest

Opens = Callable[..., VectorizeEngine]


@pytest.fixture(name="opens")
async def _opens(cloud: Account) -> AsyncIterator[Opens]:
    """Opens engines over the account, which see their writes soon, and closes them in the end."""
    cloud.write_delay_seconds = 0.002
    opened = []

    def opens(*, patience: float = 10.0, settle: float = 10.0, token: str = cloud.token) -> VectorizeEngine:
        rest = VectorizeRest(cloud.api_url, account=cloud.id, token=token, patience_seconds=patience)
        opened.append(VectorizeEngine(rest, prefix="test", settle_seconds=settle, look_seconds=0.002))
        return opened[-1]

    yield opens
    cloud.clock.resume()
    cloud.clock.advance(60)
    for engine in opened:
        await engine.close()


@pytest.fixture(name="engine")
def _engine(opens: Opens, cloud: Account) -> VectorizeEngine:
    """An engine over an account without indexes, where `$nin` does not hold for what is absent."""
    cloud.indexes.absent_is_unequal = False
    return opens()


class TestVectorizeEngine(VectorEngineBehaviour):
    """Every promise of a vector engine, over REST, seen later than written."""

    __test__ = True


async def opened(engine: VectorizeEngine, points: Sequence[Point], collection: Collection = TRACKS) -> VectorizeEngine:
    """The engine with these points, which are seen."""
    await engine.open(collection)
    await engine.upsert(collection, points)
    await engine.flush()
    return engine


def circle(number: int, payload: Callable[[int], Payload] = lambda _: {}) -> list[Point]:
    """Points that turn from the east to the north, the first one nearest to the east."""
    angles = np.linspace(0.0, np.pi / 2, number)
    return [
        Point(f"p{at}", EAST * np.cos(angle) + NORTH * np.sin(angle), payload(at)) for at, angle in enumerate(angles)
    ]


async def test_a_write_is_seen_when_a_flush_returns(engine: VectorizeEngine, cloud: Account) -> None:
    """Until Vectorize has processed it, the flush waits and queries know nothing of it."""
    await engine.open(TRACKS)
    cloud.clock.freeze()
    await engine.upsert(TRACKS, [Point("east", EAST)])
    await engine.upsert(TRACKS, [Point("north", NORTH)])
    flushing = asyncio.create_task(engine.flush())
    looked = cloud.indexes.requests["info"]
    await until(lambda: cloud.indexes.requests["info"] >= looked + 3)
    assert not flushing.done()
    assert await engine.query(TRACKS, EAST, limit=5) == []
    cloud.clock.advance(1)
    await asyncio.wait_for(flushing, 10)
    assert [hit.id for hit in await engine.query(TRACKS, EAST, limit=5)] == ["east", "north"]
    asked = cloud.indexes.requests.total()
    await engine.flush()
    assert cloud.indexes.requests.total() == asked  # nothing was written since


async def test_a_flush_gives_up_and_says_where_it_stands(opens: Opens, cloud: Account) -> None:
    """After its bound it names what was processed and what it waits for; a later one succeeds."""
    engine = await opened(opens(settle=0.05), [Point("east", EAST)])
    cloud.clock.freeze()
    await engine.upsert(TRACKS, [Point("north", NORTH)])
    with pytest.raises(UnreachableError, match=r"test-tracks-\w+: .* not seen after 0.05 s.*processed up to .*-"):
        await engine.flush()
    cloud.clock.advance(1)
    await engine.flush()
    assert await engine.count(TRACKS) == 2


async def test_a_write_hidden_behind_another_s_is_seen(opens: Opens) -> None:
    """Vectorize names the last processed mutation only: who waits in vain writes once more."""
    ours, theirs = opens(), opens()
    await opened(ours, [Point("east", EAST)])
    await theirs.open(TRACKS)
    await ours.upsert(TRACKS, [Point("north", NORTH)])
    await theirs.upsert(TRACKS, [Point("west", -EAST)])
    await asyncio.gather(ours.flush(), theirs.flush())
    assert await ours.count(TRACKS) == await theirs.count(TRACKS) == 3


async def test_a_dropped_collection_is_waited_for_by_nobody(engine: VectorizeEngine, cloud: Account) -> None:
    """What was written to it will never be seen."""
    await engine.open(TRACKS)
    cloud.clock.freeze()
    await engine.upsert(TRACKS, [Point("east", EAST)])
    flushing = asyncio.create_task(engine.flush())
    await engine.drop("tracks")
    await asyncio.wait_for(flushing, 10)
    await engine.flush()


async def test_what_is_stored_is_found_by_the_next_process(opens: Opens) -> None:
    """Points, fields and model; another model is refused, and so is a collection without a field that is there."""
    grown = replace(TRACKS, fields={**TRACKS.fields, "year": "integer"})
    first = await opened(opens(), [Point("east", EAST, {"region": "DE", "moods": ["calm"]})])
    await first.open(grown)
    second = opens()
    with pytest.raises(OtherModelError, match="year"):
        await second.open(TRACKS)
    with pytest.raises(OtherModelError, match=r"letters-8.*numbers-8"):
        await second.open(replace(grown, model="numbers-8"))
    await second.open(grown)
    [point] = await second.get(grown, ["east"])
    assert point.payload == {"region": "DE", "moods": ["calm"]}


async def test_two_that_create_the_same_collection_share_one_index(opens: Opens, cloud: Account) -> None:
    """And the index of a collection whose name only begins alike is another's."""
    engines = [opens() for _ in range(4)]
    await engines[0].open(replace(TRACKS, name="tracks-0123456789ab"))
    await asyncio.gather(*(engine.open(TRACKS) for engine in engines))
    await engines[1].upsert(TRACKS, [Point("east", EAST)])
    await engines[1].flush()
    assert [await engine.count(TRACKS) for engine in engines] == [1, 1, 1, 1]
    names = sorted(index.name for index in cloud.indexes.all())
    assert [name[: len("test-tracks-")] for name in names] == ["test-tracks-"] * 2


@pytest.mark.parametrize(("with_payload", "queries"), [(True, 16), (False, 17)])
async def test_more_than_one_query_brings_are_found_in_parts(
    engine: VectorizeEngine, cloud: Account, with_payload: bool, queries: int
) -> None:
    """The hundred nearest behind three hundred that are excluded, exactly; where one may do, one is tried first."""
    await opened(engine, circle(600))
    excluded = [f"p{at}" for at in range(300)]
    hits = await engine.query(TRACKS, EAST, limit=100, exclude=excluded, with_payload=with_payload)
    assert [hit.id for hit in hits] == [f"p{at}" for at in range(300, 400)]
    assert cloud.indexes.requests["query"] == queries


async def test_one_query_is_enough_where_nothing_is_left_out(engine: VectorizeEngine, cloud: Account) -> None:
    """With what a filter can say, and a few excluded."""
    await opened(engine, circle(200, lambda at: {"region": "DE" if at % 2 else "FR"}))
    hits = await engine.query(TRACKS, EAST, limit=50, where=[Is("region", "DE")], exclude=["p1"], with_payload=False)
    assert [hit.id for hit in hits] == [f"p{at}" for at in range(3, 103, 2)]
    assert cloud.indexes.requests["query"] == 1


async def test_at_its_bound_fewer_come_back_and_none_that_is_excluded(engine: VectorizeEngine, cloud: Account) -> None:
    """A query brings a hundred of each namespace, and all that is left of those is told."""
    names = [f"p{at}" for at in range(20_000) if space_of(f"p{at}") == "0"][:130]
    await opened(engine, [replace(point, id=own) for point, own in zip(circle(130), names, strict=True)])
    hits = await engine.query(TRACKS, EAST, limit=20, exclude=names[:95], with_payload=False)
    assert [hit.id for hit in hits] == names[95:100]
    assert cloud.indexes.requests["query"] == 17


async def test_ten_fields_are_filtered_by(engine: VectorizeEngine) -> None:
    """As many as an index has metadata indexes; what was written before the last came is still there."""
    nine = replace(TRACKS, fields={f"f{number}": "integer" for number in range(9)})
    ten = replace(nine, fields={**nine.fields, "moods": "keywords"})
    await opened(engine, [Point("east", EAST, {"f1": 7})], nine)
    await opened(engine, [Point("north", NORTH, {"f1": 7, "moods": ["calm"]})], ten)
    assert [hit.id for hit in await engine.query(ten, EAST, limit=5, where=[Is("f1", 7)])] == ["east", "north"]
    assert [hit.id for hit in await engine.query(ten, EAST, limit=5, where=[Is("moods", "calm")])] == ["north"]


async def test_a_word_further_down_a_list_is_found_too(engine: VectorizeEngine) -> None:
    """The first entry by a filter, the others by looking; among many that have neither."""
    lists = {20: ["rare"], 150: ["calm", "rare"], 190: ["calm", "sad", "rare"]}
    await opened(engine, circle(200, lambda at: {"moods": lists.get(at, ["calm", "sad"])}))
    for word in (Is("moods", "rare"), AnyOf("moods", ("rare", "never"))):
        assert [hit.id for hit in await engine.query(TRACKS, EAST, limit=9, where=[word])] == ["p20", "p150", "p190"]
    hits = await engine.query(TRACKS, EAST, limit=2, where=[NoneOf("moods", ("calm",)), Is("moods", "rare")])
    assert [hit.id for hit in hits] == ["p20"]


@pytest.mark.parametrize("absent_is_unequal", [True, False])
async def test_what_is_absent_is_none_of_them(engine: VectorizeEngine, cloud: Account, absent_is_unequal: bool) -> None:
    """Whatever Vectorize makes of `$nin` where there is no such property, which it does not document."""
    cloud.indexes.absent_is_unequal = absent_is_unequal
    await opened(engine, [Point("bare", EAST), Point("full", NORTH, {"region": "DE", "explicit": 1, "moods": ["sad"]})])
    for term in (NoneOf("region", ("DE",)), NoneOf("explicit", (1,)), NoneOf("moods", ("sad",))):
        assert [hit.id for hit in await engine.query(TRACKS, EAST, limit=2, where=[term])] == ["bare"]
    assert [hit.id for hit in await engine.query(TRACKS, EAST, limit=2, where=[Between("explicit", low=0)])] == ["full"]


async def test_uploads_and_questions_stay_within_their_bounds(engine: VectorizeEngine, cloud: Account) -> None:
    """A thousand vectors a write, a hundred ids a deletion, twenty a look."""
    await opened(engine, circle(2_100))
    assert (await engine.info(TRACKS)).points == 2_100
    await engine.delete(TRACKS, [f"p{at}" for at in range(250)])
    await engine.flush()
    names = [f"p{at}" for at in range(240, 285)]
    assert [point.id for point in await engine.get(TRACKS, names)] == names[10:]
    asked = cloud.indexes.requests
    assert (asked["upsert"], asked["delete_by_ids"], asked["get_by_ids"]) == (3, 3, 3)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=429, code=971, retry_after=0),
        Fault(status=503),
        Fault(status=502, html=True),
        Fault(nonsense=True),
        Fault(abrupt=True),
    ],
    ids=["busy", "unavailable", "html", "nonsense", "lost"],
)
async def test_what_may_pass_is_tried_again(engine: VectorizeEngine, cloud: Account, fault: Fault) -> None:
    """Creating, writing, looking and asking; also where the work was done and only the answer was lost."""
    cloud.fail("vectorize", fault, after=1)  # the first after the listing
    await engine.open(TRACKS)
    cloud.fail("vectorize", fault)
    await engine.upsert(TRACKS, [Point("east", EAST), Point("north", NORTH)])
    cloud.fail("vectorize", fault)
    await engine.flush()
    cloud.fail("vectorize", fault)
    assert [hit.id for hit in await engine.query(TRACKS, EAST, limit=5)] == ["east", "north"]
    assert len(cloud.indexes.all()) == 1


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault(status=429, code=971, message="slow down", retry_after=60), r"429 \(971\) slow down"),
        (Fault(status=500, html=True), "500"),
        (Fault(delay_seconds=0.5), "ReadTimeout"),
    ],
)
async def test_patience_has_an_end(opens: Opens, cloud: Account, fault: Fault, told: str) -> None:
    """Sooner where the answer says that it takes longer; what is said holds no token."""
    engine = await opened(opens(patience=0.2), [Point("east", EAST)])
    cloud.fail("vectorize", fault, times=100)
    with pytest.raises(
        UnreachableError, match=rf"POST /test-tracks-\w+/query at Vectorize was not answered within 0.2 s: {told}"
    ) as raised:
        await engine.query(TRACKS, EAST, limit=1)
    assert cloud.token not in str(raised.value)
    cloud.reset()


async def test_nobody_there_is_told_so(cloud: Account) -> None:
    """A server that does not answer at all."""
    rest = VectorizeRest("http://127.0.0.1:9", account=cloud.id, token=cloud.token, patience_seconds=0.1)
    with pytest.raises(UnreachableError, match="ConnectError"):
        await VectorizeEngine(rest, prefix="test").open(TRACKS)
    await rest.close()


async def test_a_wrong_token_is_refused_once(opens: Opens, cloud: Account) -> None:
    """It is not tried again, and no message holds it."""
    with pytest.raises(VectorizeRefusedError, match=r"401 \(10000\) Authentication error") as raised:
        await opens(token="cf-wrong").open(TRACKS)
    assert cloud.indexes.requests.total() == 1
    assert "cf-wrong" not in repr(raised.value)


async def test_what_vectorize_cannot_hold_is_refused_before_it_is_sent(engine: VectorizeEngine) -> None:
    """A payload of more than 10 KiB, and a name of more than 64 letters."""
    await engine.open(TRACKS)
    with pytest.raises(UnfitPointError, match="10240"):
        await engine.upsert(TRACKS, [Point("east", EAST, {"moods": [f"{at:064}" for at in range(200)]})])
    with pytest.raises(VectorsError, match="64 small letters"):
        await engine.open(replace(TRACKS, name="t" * 60))
    await engine.flush()
    assert await engine.count(TRACKS) == 0


async def until(condition: Callable[[], bool]) -> None:
    """Return when it holds, within a bound."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)

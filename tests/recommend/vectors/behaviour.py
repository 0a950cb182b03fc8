"""What every vector engine promises, written once and run against each of them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tonetouch_contracts.identity import uuid7
from tonetouch_recommend.vectors.collection import (
    All,
    AnyOf,
    Between,
    Collection,
    Is,
    NoneOf,
    NotOpenError,
    OtherModelError,
    Point,
    Term,
    UnfitPointError,
    UnfitQueryError,
    Vector,
)
from tonetouch_recommend.vectors.engine import VectorEngine
from tonetouch_recommend.vectors.memory import MemoryEngine

TRACKS = Collection(
    name="tracks",
    dimension=8,
    model="letters-8",
    fields={"region": "keyword", "moods": "keywords", "explicit": "integer", "energy": "float"},
)
EAST, NORTH, WEST = np.eye(8, dtype=np.float32)[0], np.eye(8, dtype=np.float32)[1], -np.eye(8, dtype=np.float32)[0]

KEYWORDS = st.sampled_from(["DE", "FR", "日本", ""])
NUMBERS = st.integers(-3, 3)
PAYLOADS = st.fixed_dictionaries(
    {},
    optional={
        "region": KEYWORDS,
        "moods": st.lists(KEYWORDS, max_size=3),
        "explicit": NUMBERS,
        "energy": st.sampled_from([-1.5, 0.0, 0.25, 2.0]),
    },
)
KEYWORD_FIELDS = st.sampled_from(["region", "moods"])
LISTS_OF_KEYWORDS, LISTS_OF_NUMBERS = (
    st.lists(KEYWORDS, max_size=2).map(tuple),
    st.lists(NUMBERS, max_size=2).map(tuple),
)
ENDS = st.none() | st.sampled_from([-2.0, 0.0, 0.25, 1.0])
CONDITIONS = st.one_of(
    st.builds(Is, KEYWORD_FIELDS, KEYWORDS),
    st.builds(Is, st.just("explicit"), NUMBERS),
    st.builds(AnyOf, KEYWORD_FIELDS, LISTS_OF_KEYWORDS),
    st.builds(NoneOf, KEYWORD_FIELDS, LISTS_OF_KEYWORDS),
    st.builds(AnyOf, st.just("explicit"), LISTS_OF_NUMBERS),
    st.builds(NoneOf, st.just("explicit"), LISTS_OF_NUMBERS),
    st.builds(Between, st.sampled_from(["explicit", "energy"]), ENDS, ENDS),
)
TERMS: st.SearchStrategy[list[Term]] = st.lists(
    CONDITIONS | st.builds(All, st.lists(CONDITIONS, max_size=2).map(tuple)), max_size=3
)


class VectorEngineBehaviour:
    """Inherit, and give a fixture `engine`."""

    __test__: ClassVar[bool] = False

    @pytest.fixture
    async def tracks(self, engine: VectorEngine) -> AsyncIterator[VectorEngine]:
        """The engine with three tracks: to the east, a little north of it, and to the west."""
        await engine.open(TRACKS)
        points = [
            Point("east", EAST, {"region": "DE", "moods": ["calm", "sad"], "explicit": 0, "energy": 0.25}),
            Point("north-east", EAST + NORTH / 4, {"region": "FR", "explicit": 1, "energy": 0.5}),
            Point("west", WEST, {"region": "FR", "moods": ["sad"], "explicit": 0}),
        ]
        await engine.upsert(TRACKS, points)
        await engine.flush()
        yield engine

    async def test_the_nearest_come_first_with_their_cosine(self, tracks: VectorEngine) -> None:
        """Hits are ordered by cosine: 1 in the same direction, -1 in the opposite one."""
        hits = await tracks.query(TRACKS, EAST * 7, limit=10)
        assert [hit.id for hit in hits] == ["east", "north-east", "west"]
        assert [hit.score for hit in hits] == pytest.approx([1.0, 1 / np.sqrt(1 + 1 / 16), -1.0], abs=1e-5)
        assert all(-1 <= hit.score <= 1 for hit in hits)

    async def test_a_hit_carries_the_payload_as_given(self, tracks: VectorEngine) -> None:
        """The payload comes back with its types and nothing added; the vector only when it is asked for."""
        (hit,) = await tracks.query(TRACKS, EAST, limit=1)
        assert hit.payload == {"region": "DE", "moods": ["calm", "sad"], "explicit": 0, "energy": 0.25}
        assert hit.vector is None
        (hit,) = await tracks.query(TRACKS, EAST * 3, limit=1, with_vectors=True)
        assert hit.vector is not None and hit.vector.dtype == np.float32
        np.testing.assert_allclose(hit.vector, EAST, atol=1e-6)

    async def test_hits_are_named_without_their_payload_too(self, tracks: VectorEngine) -> None:
        """Whatever their ids look like: of an entity, of a passage of one, or anything else."""
        entity = uuid7(1, b"0123456789")
        await tracks.upsert(TRACKS, [Point(entity, NORTH, {"region": "DE"}), Point(f"{entity}:3", -NORTH)])
        await tracks.flush()
        hits = await tracks.query(TRACKS, NORTH, limit=10, with_payload=False)
        assert [hit.id for hit in hits][:2] == [entity, "north-east"]
        assert {hit.id for hit in hits} == {entity, f"{entity}:3", "east", "north-east", "west"}
        assert [hit.payload for hit in hits] == [{}] * 5

    async def test_at_most_the_limit_is_returned(self, tracks: VectorEngine) -> None:
        """A limit of two gives the nearest two."""
        assert [hit.id for hit in await tracks.query(TRACKS, EAST, limit=2)] == ["east", "north-east"]

    @pytest.mark.parametrize(
        ("where", "expected"),
        [
            ([Is("region", "FR")], {"north-east", "west"}),
            ([Is("moods", "sad")], {"east", "west"}),
            ([Is("explicit", 0)], {"east", "west"}),
            ([AnyOf("region", ("DE", "IT"))], {"east"}),
            ([AnyOf("moods", ())], set()),
            ([NoneOf("moods", ("calm",))], {"north-east", "west"}),
            ([NoneOf("region", ())], {"east", "north-east", "west"}),
            ([Between("energy", 0.25, 0.5)], {"east", "north-east"}),
            ([Between("energy", low=0.3)], {"north-east"}),
            ([Between("explicit", high=0.5)], {"east", "west"}),
            ([All((Is("region", "FR"), Is("explicit", 0)))], {"west"}),
            ([Is("region", "FR"), Between("energy")], {"north-east"}),
        ],
    )
    async def test_filters(self, tracks: VectorEngine, where: list[Term], expected: set[str]) -> None:
        """Terms are joined by AND; a point without the field passes NoneOf only."""
        assert {hit.id for hit in await tracks.query(TRACKS, EAST, limit=10, where=where)} == expected
        assert {point.id for point in (await tracks.scroll(TRACKS, where=where)).points} == expected
        assert await tracks.count(TRACKS, where=where) == len(expected)

    async def test_excluded_ids_never_come_back(self, tracks: VectorEngine) -> None:
        """Others move up in the place of what is excluded; unknown ids are nothing."""
        hits = await tracks.query(TRACKS, EAST, limit=2, exclude=["east", "nobody"])
        assert [hit.id for hit in hits] == ["north-east", "west"]
        everything = ["east", "north-east", "west"]
        assert await tracks.query(TRACKS, EAST, limit=2, where=[Is("region", "FR")], exclude=everything) == []

    async def test_a_second_upsert_replaces_vector_and_payload(self, tracks: VectorEngine) -> None:
        """Nothing of the earlier payload remains, and of two with one id in a batch the later counts."""
        await tracks.upsert(TRACKS, [Point("west", EAST, {"explicit": 0}), Point("west", NORTH, {"region": "IT"})])
        await tracks.flush()
        (west,) = await tracks.get(TRACKS, ["west"])
        assert west.payload == {"region": "IT"}
        np.testing.assert_allclose(west.vector, NORTH, atol=1e-6)
        assert (await tracks.info(TRACKS)).points == 3
        assert await tracks.count(TRACKS, where=[Is("moods", "sad")]) == 1

    async def test_deleting_twice_is_deleting_once(self, tracks: VectorEngine) -> None:
        """A deleted point is gone from every answer; an unknown id is nothing."""
        for _ in range(2):
            await tracks.delete(TRACKS, ["east", "nobody"])
            await tracks.flush()
        assert [hit.id for hit in await tracks.query(TRACKS, EAST, limit=10)] == ["north-east", "west"]
        assert await tracks.get(TRACKS, ["east"]) == []
        assert await tracks.count(TRACKS) == 2

    async def test_getting_keeps_the_order_asked(self, tracks: VectorEngine) -> None:
        """Unknown ids are left out, known ones come in the order of the question."""
        assert [point.id for point in await tracks.get(TRACKS, ["west", "nobody", "east"])] == ["west", "east"]

    async def test_ids_with_a_passage_are_points_of_their_own(self, tracks: VectorEngine) -> None:
        """`uuid:1` and `uuid:2` stand beside each other."""
        track = "0192f0c1-2f6e-7b7e-9d1c-0123456789ab"
        await tracks.upsert(TRACKS, [Point(f"{track}:{passage}", NORTH) for passage in (1, 2)])
        await tracks.flush()
        assert {hit.id for hit in await tracks.query(TRACKS, NORTH, limit=2)} == {f"{track}:1", f"{track}:2"}

    async def test_scrolling_sees_every_point_once(self, tracks: VectorEngine) -> None:
        """Pages of two cover five hundred points without a repetition, vectors included."""
        more = [f"t{number}" for number in range(497)]
        await tracks.upsert(TRACKS, [Point(name, NORTH, {"explicit": 1}) for name in more])
        await tracks.flush()
        seen, cursor = list[str](), None
        while True:
            page = await tracks.scroll(TRACKS, limit=60, cursor=cursor)
            assert len(page.points) <= 60 and all(point.vector.shape == (8,) for point in page.points)
            seen += [point.id for point in page.points]
            if (cursor := page.next_cursor) is None:
                break
        assert sorted(seen) == sorted([*more, "east", "north-east", "west"])

    async def test_info_names_the_model(self, tracks: VectorEngine) -> None:
        """Points, dimension and model are known of every collection."""
        info = await tracks.info(TRACKS)
        assert (info.points, info.dimension, info.model) == (3, 8, "letters-8")

    @pytest.mark.parametrize(
        "vector",
        [
            np.ones(7, dtype=np.float32),
            np.ones((1, 8), dtype=np.float32),
            np.zeros(8, dtype=np.float32),
            np.array([np.nan, 1, 1, 1, 1, 1, 1, 1], dtype=np.float32),
            np.array([1, 1, 1, 1, 1, 1, 1, -np.inf], dtype=np.float32),
        ],
        ids=["shorter", "two axes", "zero", "nan", "infinity"],
    )
    async def test_a_vector_without_a_direction_is_refused(self, tracks: VectorEngine, vector: Vector) -> None:
        """Refused in writing and asking, and nothing of the batch it came in is written."""
        with pytest.raises(UnfitPointError, match="tracks"):
            await tracks.upsert(TRACKS, [Point("good", NORTH), Point("bad", vector)])
        with pytest.raises(UnfitPointError, match="tracks"):
            await tracks.query(TRACKS, vector, limit=1)
        await tracks.flush()
        assert await tracks.count(TRACKS) == 3

    @pytest.mark.parametrize("scale", [1e-30, 1e30])
    async def test_the_length_of_a_vector_does_not_matter(self, tracks: VectorEngine, scale: float) -> None:
        """Very short and very long vectors keep their direction."""
        await tracks.upsert(TRACKS, [Point("north", (NORTH * scale).astype(np.float32))])
        await tracks.flush()
        (hit,) = await tracks.query(TRACKS, NORTH, limit=1)
        assert hit.id == "north"
        assert hit.score == pytest.approx(1.0, abs=1e-5)

    @pytest.mark.parametrize(
        "payload",
        [
            {"colour": "red"},
            {"region": 1},
            {"region": "x" * 65},
            {"moods": "sad"},
            {"moods": [1]},
            {"explicit": True},
            {"explicit": 0.5},
            {"explicit": 2**60},
            {"energy": float("nan")},
            {"energy": None},
        ],
    )
    async def test_a_payload_that_could_not_be_filtered_is_refused(
        self, tracks: VectorEngine, payload: dict[str, Any]
    ) -> None:
        """Undeclared fields and values of another type are refused, naming the field."""
        with pytest.raises(UnfitPointError, match=next(iter(payload))):
            await tracks.upsert(TRACKS, [Point("bad", NORTH, payload)])

    @pytest.mark.parametrize("point_id", ["", "x" * 65, "ü" * 33])
    async def test_ids_have_1_to_64_bytes(self, tracks: VectorEngine, point_id: str) -> None:
        """Longer ids would not fit every engine."""
        with pytest.raises(UnfitPointError, match="64 bytes"):
            await tracks.upsert(TRACKS, [Point(point_id, NORTH)])

    @pytest.mark.parametrize(
        "term",
        [
            Is("colour", "red"),
            Is("region", 1),
            Is("explicit", True),
            Is("energy", 1),
            AnyOf("explicit", ("1",)),
            Between("region", 1, 2),
            Between("energy", low=float("inf")),
            All((Is("colour", "red"),)),
        ],
    )
    async def test_a_filter_that_means_nothing_is_refused(self, tracks: VectorEngine, term: Term) -> None:
        """It would silently find nothing; it is refused, naming the field, wherever a filter is taken."""
        field = "colour" if isinstance(term, All) else term.field
        with pytest.raises(UnfitQueryError, match=field):
            await tracks.query(TRACKS, EAST, limit=1, where=[term])
        with pytest.raises(UnfitQueryError, match=field):
            await tracks.count(TRACKS, where=[term])
        with pytest.raises(UnfitQueryError, match=field):
            await tracks.scroll(TRACKS, where=[term])

    @pytest.mark.parametrize("limit", [0, -1, 101])
    async def test_a_limit_is_between_1_and_100(self, tracks: VectorEngine, limit: int) -> None:
        """More than a hundred at once is more than every engine can give."""
        with pytest.raises(UnfitQueryError, match="100"):
            await tracks.query(TRACKS, EAST, limit=limit)

    async def test_another_model_is_refused(self, tracks: VectorEngine) -> None:
        """Vectors of two models are not comparable: opening, writing and asking for another one all fail."""
        other = Collection(name="tracks", dimension=8, model="numbers-8", fields=TRACKS.fields)
        with pytest.raises(OtherModelError, match=r"letters-8.*numbers-8"):
            await tracks.open(other)
        with pytest.raises(OtherModelError, match=r"letters-8.*numbers-8"):
            await tracks.upsert(other, [Point("a", EAST)])
        with pytest.raises(OtherModelError, match=r"letters-8.*numbers-8"):
            await tracks.query(other, EAST, limit=1)

    async def test_fields_are_added_and_never_changed(self, tracks: VectorEngine) -> None:
        """A new field can be filtered on once the collection is opened with it; a changed type is refused."""
        grown = Collection(name="tracks", dimension=8, model="letters-8", fields={**TRACKS.fields, "year": "integer"})
        with pytest.raises(NotOpenError, match="fields"):
            await tracks.upsert(grown, [Point("new", NORTH, {"year": 1999})])
        await tracks.open(grown)
        await tracks.upsert(grown, [Point("new", NORTH, {"year": 1999})])
        await tracks.flush()
        assert [hit.id for hit in await tracks.query(grown, EAST, limit=9, where=[Is("year", 1999)])] == ["new"]
        changed = Collection(name="tracks", dimension=8, model="letters-8", fields={**grown.fields, "year": "keyword"})
        with pytest.raises(OtherModelError, match="year"):
            await tracks.open(changed)

    async def test_dropping_makes_room_for_another_model(self, tracks: VectorEngine) -> None:
        """After a drop the name is free, and the collection of that name is empty."""
        other = Collection(name="tracks", dimension=4, model="numbers-4")
        await tracks.drop("tracks")
        await tracks.drop("tracks")
        with pytest.raises(NotOpenError, match="tracks"):
            await tracks.count(TRACKS)
        await tracks.open(other)
        assert await tracks.count(other) == 0

    async def test_collections_do_not_see_each_other(self, tracks: VectorEngine) -> None:
        """The same id may stand in two collections."""
        taste = Collection(name="taste", dimension=2, model="pairs")
        await tracks.open(taste)
        await tracks.upsert(taste, [Point("east", np.array([1, 0], dtype=np.float32))])
        await tracks.flush()
        assert (await tracks.count(taste), await tracks.count(TRACKS)) == (1, 3)

    async def test_a_closed_engine_answers_with_a_clear_error(self, tracks: VectorEngine) -> None:
        """Closing twice is nothing; asking afterwards is refused."""
        await tracks.close()
        await tracks.close()
        with pytest.raises(NotOpenError, match="not open"):
            await tracks.query(TRACKS, EAST, limit=1)

    async def test_every_filter_agrees_with_the_exact_answer(self, engine: VectorEngine) -> None:
        """Whatever payloads and terms there are, exactly the points that pass are found."""
        exact = MemoryEngine()
        runner = asyncio.get_running_loop()

        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.lists(PAYLOADS, max_size=6), st.lists(TERMS, min_size=1, max_size=4))
        def agrees(payloads: list[dict[str, Any]], filters: list[list[Term]]) -> None:
            coroutine = _same_answers(engine, exact, payloads, filters)
            asyncio.run_coroutine_threadsafe(coroutine, runner).result(timeout=60)

        await engine.open(TRACKS)
        await exact.open(TRACKS)
        await asyncio.to_thread(agrees)


async def _same_answers(
    engine: VectorEngine, exact: VectorEngine, payloads: Sequence[dict[str, Any]], filters: Sequence[list[Term]]
) -> None:
    known = [f"p{number}" for number in range(6)]
    points = [
        Point(name, EAST + NORTH * number, p) for number, (name, p) in enumerate(zip(known, payloads, strict=False))
    ]
    for each in (engine, exact):
        await each.delete(TRACKS, known)
        await each.upsert(TRACKS, points)
        await each.flush()
    for where in filters:
        expected = [hit.id for hit in await exact.query(TRACKS, EAST, limit=6, where=where)]
        assert [hit.id for hit in await engine.query(TRACKS, EAST, limit=6, where=where)] == expected
        assert await engine.count(TRACKS, where=where) == len(expected)

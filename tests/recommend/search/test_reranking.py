"""The top of a page is put in order by a model that reads it, where there is one and it gives something."""

from collections.abc import AsyncIterator

import pytest

from tests.cloud import Account, Fault
from tests.cloud.models import RERANKER
from tests.recommend.indexes.test_models import embedded_by
from tests.recommend.saying import published, say, track_id
from tests.runtime.ai.clients import in_the_cloud
from tonetouch_contracts.finding import Found, Results, SearchTracks
from tonetouch_contracts.identity import TrackId
from tonetouch_recommend.app import app
from tonetouch_recommend.indexes.indexing import Indexes
from tonetouch_recommend.search.reranking import TOP, in_order, is_worth_asking, texts_of
from tonetouch_recommend.search.searching import find, meaning
from tonetouch_runtime import Floor, Settings, running
from tonetouch_runtime.ai.local.models import EMBEDDING

TEXTS = {
    "Rain": "slow, sad, calm; solo piano in the rain",
    "Tide": "slow, peaceful; folk by the sea at night",
    "Forge": "fast, angry; metal for a workout",
    "Lamp": "slow, sad; piano for a workout at night by the sea",
}


def found(own: str, score: float, **changes: object) -> Found:
    return Found(**{"track_id": TrackId(own), "id": own, "score": score, "where": "description", **changes})  # type: ignore[arg-type]


PAGE = Results(items=(found("a", 0.9), found("b", 0.5), found("c", 0.2)))
SENTENCE = SearchTracks(query="something sad and slow")


@pytest.fixture(name="floor")
async def _floor(installed: Settings, cloud: Account) -> AsyncIterator[Floor]:
    async with running(app, in_the_cloud(installed, cloud)) as floor:
        for name, text in TEXTS.items():
            await floor.seen(await say(floor.log, await embedded_by(floor, name, text), published(name)))
        await floor.get(Indexes).settled("track", 10.0)
        yield floor


def test_an_order_moves_items_and_leaves_the_scores_in_place() -> None:
    """So they fall down the list; what the model leaves out, names twice or makes up does no harm."""
    assert [one.id for one in in_order(PAGE.items, 3, [2, 0, 1])] == ["c", "a", "b"]
    assert [one.score for one in in_order(PAGE.items, 3, [2, 0, 1])] == [0.9, 0.5, 0.2]
    assert [one.id for one in in_order(PAGE.items, 2, [1, 1, 7, -1])] == ["b", "a", "c"]
    assert in_order(PAGE.items, 3, []) == PAGE.items


def test_a_model_is_asked_where_it_may_give_something() -> None:
    """About a first page of a sentence; not about names, lines that are sung so, or by the embedded engine."""
    assert is_worth_asking(SENTENCE, PAGE, "another")
    assert not is_worth_asking(SENTENCE, PAGE, EMBEDDING)
    assert not is_worth_asking(SearchTracks(query="sad music"), PAGE, "another")
    assert not is_worth_asking(SearchTracks(query=SENTENCE.query, cursor="x"), PAGE, "another")
    assert not is_worth_asking(SENTENCE, Results(items=PAGE.items[:2]), "another")
    for first in (found("a", 0.9, where="title"), found("a", 0.9, where="lyrics", sung=(0, 9))):
        assert not is_worth_asking(SENTENCE, Results(items=(first, *PAGE.items)), "another")


def test_it_reads_ten_passages_and_descriptions() -> None:
    """Of what has neither the name."""
    items = [found(str(number), 0.5) for number in range(12)]
    assert texts_of(items, {"0": "slow"})[:2] == ["slow", ""]
    assert len(texts_of(items, {})) == TOP
    sung, named = found("a", 0.5, passage="la la"), found("b", 0.4, kind="artist", name="Maren")
    assert texts_of([sung, named], {"a": "slow"}) == ["la la slow", "Maren"]


async def test_the_top_stands_in_the_models_order(floor: Floor, cloud: Account) -> None:
    """One call for a sentence, none for a name."""
    page = (await floor.ask(SENTENCE)).value
    assert sorted(one.id for one in page.items) == sorted(track_id(name) for name in TEXTS)
    assert [one.score for one in page.items] == sorted((one.score for one in page.items), reverse=True)
    assert len(cloud.calls(RERANKER)) == 1
    await floor.ask(SearchTracks(query="Forge"))
    assert len(cloud.calls(RERANKER)) == 1


@pytest.mark.parametrize("fault", [Fault(status=500), Fault(nonsense=True), Fault(delay_seconds=5.0)])
async def test_a_model_that_fails_changes_nothing(floor: Floor, cloud: Account, fault: Fault) -> None:
    """Neither the order nor what is said."""
    cloud.fail(RERANKER, fault, times=9)
    plain = await find(SENTENCE, await meaning(SENTENCE.query, floor), floor)
    assert (await floor.ask(SENTENCE)).value == plain
    assert len(cloud.calls(RERANKER)) >= 1

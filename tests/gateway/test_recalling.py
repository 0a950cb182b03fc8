"""A listener sees what they were given, and why."""

import json
from pathlib import Path

import msgspec
import pytest

import tonetouch_contracts
from tests.gateway.standins import Installation
from tonetouch_contracts.identity import UserId
from tonetouch_contracts.serving import ListServed, ListServedLists, ReplayServedList, ShowServedList

pytestmark = pytest.mark.asyncio(loop_scope="package")

SAMPLE = (Path(tonetouch_contracts.__file__).parents[1] / "samples/events/list.served.json").read_bytes()


@pytest.fixture(name="given")
def _given(installed: Installation) -> Installation:
    installed.services.served.append(msgspec.json.decode(SAMPLE, type=ListServed))
    return installed


async def test_the_lists_of_a_listener(given: Installation) -> None:
    """Of one surface where that is asked, with a cursor for more."""
    answer = (await given.client.get("/api/v1/me/lists?surface=radio&limit=3&cursor=c")).json()
    names = ("list_id", "surface", "title", "reason", "at", "tracks")
    assert answer == {"items": [{name: json.loads(SAMPLE)[name] for name in names}], "next_cursor": "more"}
    assert given.services.last(ListServedLists) == ListServedLists(
        user_id=UserId("admin"), surface="radio", limit=3, cursor="c"
    )


async def test_a_list_is_explained(given: Installation) -> None:
    """Everything that is recorded of it is in the answer."""
    answer = (await given.client.get("/api/v1/me/lists/l")).json()
    hidden = {"event", "user_id"}
    said = {name: value for name, value in json.loads(SAMPLE).items() if name not in hidden}
    weights = {weight["name"]: weight["value"] for weight in said["weights"]}
    assert answer == {**said, "weights": weights}
    assert given.services.last(ShowServedList).list_id == "l"


async def test_a_list_is_made_again(given: Installation) -> None:
    """What the same seeds give now."""
    answer = (await given.client.get("/api/v1/me/lists/l/replay")).json()
    assert answer == {"list_id": "l", "tracks": json.loads(SAMPLE)["tracks"], "differs": None}
    assert given.services.last(ReplayServedList).user_id == "admin"

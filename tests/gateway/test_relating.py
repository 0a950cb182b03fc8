"""A person says what one track is to another."""

from typing import Any

import pytest

from tests.gateway.standins import Installation, uploaded
from tonetouch_contracts.track import RelateTrack
from tonetouch_runtime import Refused

pytestmark = pytest.mark.asyncio(loop_scope="package")

PATH = "/api/v1/tracks/live/version-of"


async def test_a_word_is_passed_on_and_the_track_is_answered(installed: Installation) -> None:
    """With who said it; `of` may be left out where nothing is to be linked."""
    installed.services.tracks["live"] = uploaded("live", status="published")
    said = {"relation": "version", "of": "song", "reason": "Recorded live."}
    answer = await installed.client.post(PATH, json=said)
    assert (answer.status_code, answer.json()["id"]) == (200, "live")
    asked = installed.services.last(RelateTrack)
    assert (asked.track_id, asked.relation, asked.of) == ("live", "version", "song")
    assert (asked.reason, asked.said_by) == ("Recorded live.", "admin")
    assert (await installed.client.post(PATH, json={"relation": "none", "reason": "No."})).status_code == 200
    assert installed.services.last(RelateTrack).of is None


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"relation": "remix", "of": "song", "reason": "Odd."},
        {"relation": "version", "of": "a.b", "reason": "Odd."},
        {"relation": "version", "of": "song", "reason": ""},
        {"relation": "version", "of": "song", "reason": "x" * 501},
    ],
)
async def test_what_cannot_be_meant_is_refused_here(installed: Installation, said: dict[str, Any]) -> None:
    """Catalog is not asked."""
    answer = await installed.client.post(PATH, json=said)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert not [one for one in installed.services.asked if isinstance(one, RelateTrack)]


async def test_what_catalog_refuses_is_told_in_its_words(installed: Installation) -> None:
    """With what can be done."""
    installed.services.refusing[RelateTrack] = [Refused("conflict", "The track song is a duplicate.", "Name another.")]
    answer = await installed.client.post(PATH, json={"relation": "version", "of": "song", "reason": "Live."})
    assert answer.status_code == 409
    assert (answer.json()["detail"], answer.json()["next_step"]) == ("The track song is a duplicate.", "Name another.")

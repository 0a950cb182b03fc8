"""Mixes come with their tracks."""

import pytest

from tests.gateway.standins import Installation, uploaded
from tonetouch_contracts.finding import MakeForYou, Mix, MixTrack
from tonetouch_contracts.identity import TrackId

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_a_mix_has_its_reason_and_each_track_what_speaks_for_it(installed: Installation) -> None:
    """It is asked for with the listener's region and explicit setting."""
    installed.services.tracks["a"] = uploaded("a", title="A", status="published")
    mixed = [MixTrack(track_id=TrackId(track), score=0.5, because=(TrackId("heard"),)) for track in ("a", "gone")]
    installed.services.mixes.append(Mix(id="m", name="Made for you", reason="You like A.", tracks=tuple(mixed)))
    answer = (await installed.client.get("/api/v1/me/made-for-you?limit=9")).json()
    mix = answer["items"][0]
    assert {name: mix[name] for name in ("id", "name", "reason")} == {
        "id": "m",
        "name": "Made for you",
        "reason": "You like A.",
    }
    assert [(each["track"]["title"], each["score"], each["because"]) for each in mix["tracks"]] == [
        ("A", 0.5, ["heard"])
    ]
    asked = installed.services.last(MakeForYou)
    assert (asked.user_id, asked.region, asked.explicit_allowed, asked.limit) == ("admin", "GB", True, 9)


async def test_nothing_heard_makes_no_mix(installed: Installation) -> None:
    """An empty list, and catalog is not asked for anything."""
    assert (await installed.client.get("/api/v1/me/made-for-you")).json() == {"items": [], "next_cursor": None}
    assert len(installed.services.asked) == 1

"""Mixes come with their tracks."""

from typing import Any

import pytest

from tests.gateway.standins import Installation, uploaded
from tonetouch_contracts.finding import (
    Filters,
    FindPath,
    MakeBecause,
    MakeForYou,
    MakeMoodMix,
    MakeNewForYou,
    Mix,
    MixAlchemy,
    MixTrack,
    Selection,
    TuneRadio,
)
from tonetouch_contracts.identity import ListId, TrackId, UserId
from tonetouch_contracts.message import Command

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


WHO: Any = {"user_id": UserId("admin"), "region": "GB", "explicit_allowed": True}


def selected(*track_ids: str, next_cursor: str | None = None) -> Selection:
    tracks = tuple(MixTrack(track_id=TrackId(track), score=0.5, because=(TrackId("seed"),)) for track in track_ids)
    return Selection(list_id=ListId("l"), name="Calm", reason="Calm tracks.", tracks=tracks, next_cursor=next_cursor)


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("/me/because/t?limit=9", MakeBecause(track_id=TrackId("t"), limit=9, **WHO)),
        ("/me/new-for-you", MakeNewForYou(**WHO)),
        (
            "/radio?seed=genre:Trip-Hop&cursor=c&mood=calm&year_from=1990&bpm_to=100&energy_from=0.2",
            TuneRadio(
                seed="genre:Trip-Hop",
                cursor="c",
                filters=Filters(mood="calm", year_from=1990, bpm_to=100.0, energy_from=0.2),
                **WHO,
            ),
        ),
        (
            "/mixes/mood/calm?genre=Folk&language=eng",
            MakeMoodMix(mood="calm", filters=Filters(genre="Folk", language="eng"), **WHO),
        ),
        ("/path?from=a&to=b&limit=5", FindPath(start=TrackId("a"), end=TrackId("b"), limit=5, **WHO)),
        (
            "/alchemy?add=track:a,%20artist:b&subtract=track:c",
            MixAlchemy(add=("track:a", "artist:b"), subtract=("track:c",), **WHO),
        ),
    ],
)
async def test_a_list_is_asked_for_as_the_listener_said(
    installed: Installation, path: str, command: Command[Selection]
) -> None:
    """With their region, explicit setting and filters; what catalog does not show is left out of the answer."""
    installed.services.tracks["a"] = uploaded("a", title="A", status="published")
    installed.services.selections.append(selected("a", "gone", next_cursor="more"))
    answer = (await installed.client.get(f"/api/v1{path}")).json()
    assert installed.services.last(type(command)) == command
    assert {name: answer[name] for name in ("list_id", "name", "reason", "next_cursor")} == {
        "list_id": "l",
        "name": "Calm",
        "reason": "Calm tracks.",
        "next_cursor": "more",
    }
    assert [(each["track"]["title"], each["score"], each["because"]) for each in answer["tracks"]] == [
        ("A", 0.5, ["seed"])
    ]


async def test_an_empty_list_keeps_its_reason(installed: Installation) -> None:
    """It is an answer, not an error, and catalog is not asked for anything."""
    installed.services.selections.append(selected())
    answer = await installed.client.get("/api/v1/mixes/mood/calm")
    assert (answer.status_code, answer.json()["reason"], answer.json()["tracks"]) == (200, "Calm tracks.", [])
    assert len(installed.services.asked) == 1


@pytest.mark.parametrize(
    "path", ["/radio", "/radio?seed=mood:calm&energy_from=2", "/path?from=a", "/path?from=a&to=b&limit=2", "/alchemy"]
)
async def test_what_cannot_be_asked_is_invalid(installed: Installation, path: str) -> None:
    """A missing seed or end, and bounds outside their range."""
    assert (await installed.client.get(f"/api/v1{path}")).status_code == 400

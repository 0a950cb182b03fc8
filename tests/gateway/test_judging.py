"""What listeners say of tracks and artists reaches catalog in its words."""

from typing import get_args

import pytest

from tests.gateway.standins import Installation, uploaded
from tonetouch_contracts.feedback import GiveFeedback, LikeView, ListLikes, Said
from tonetouch_contracts.identity import TrackId
from tonetouch_runtime import Refused

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_every_word_can_be_said_of_a_track(installed: Installation) -> None:
    """201 with an id of its own, and the position it has in the log."""
    ids = set()
    for said in get_args(Said):
        answer = await installed.client.post("/api/v1/tracks/t1/feedback", json={"said": said})
        assert answer.status_code == 201
        asked = installed.services.last(GiveFeedback)
        assert (asked.user_id, asked.about, asked.said, asked.at) == ("admin", "track:t1", said, None)
        assert answer.json() == {"id": asked.feedback_id}
        assert answer.headers["tonetouch-position"].startswith("LIBRARY=")
        ids.add(asked.feedback_id)
    assert len(ids) == len(get_args(Said))


async def test_an_artist_can_be_kept_away(installed: Installation) -> None:
    """And let in again; other words are for tracks."""
    for said in ("never_again", "allow_again"):
        answer = await installed.client.post("/api/v1/artists/a1/feedback", json={"said": said})
        asked = installed.services.last(GiveFeedback)
        assert (answer.status_code, asked.about, asked.said) == (201, "artist:a1", said)
    refused = await installed.client.post("/api/v1/artists/a1/feedback", json={"said": "like"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "body.said")


async def test_the_same_key_is_the_same_feedback(installed: Installation) -> None:
    """Of the same word about the same thing; everything else is another feedback."""
    ids = []
    for track, said, key in (("a", "skip", "k"), ("a", "skip", "k"), ("a", "like", "k"), ("b", "skip", "k")):
        answer = await installed.client.post(
            f"/api/v1/tracks/{track}/feedback", json={"said": said}, headers={"Idempotency-Key": key}
        )
        ids.append(answer.json()["id"])
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


async def test_what_nobody_can_say_is_refused(installed: Installation) -> None:
    """A word that is none, a body that has none, an id that is none; and what catalog refuses is passed on."""
    for path, body, field in (
        ("/api/v1/tracks/t1/feedback", {"said": "meh"}, "body.said"),
        ("/api/v1/tracks/t1/feedback", {}, "body.said"),
        ("/api/v1/tracks/t1/feedback", {"said": "like", "stars": 5}, "body.stars"),
        ("/api/v1/tracks/a.b/feedback", {"said": "like"}, "path.track_id"),
    ):
        answer = await installed.client.post(path, json=body)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, field)
    installed.services.refusing[GiveFeedback] = [Refused("conflict", "The track is not published.")]
    answer = await installed.client.post("/api/v1/tracks/t1/feedback", json={"said": "like"})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


async def test_likes_come_with_their_tracks(installed: Installation) -> None:
    """In the order catalog has them, without those that are not shown."""
    installed.services.tracks["a"] = uploaded("a", title="A", status="published")
    installed.services.library.likes += [LikeView(track_id=TrackId(track), at="then") for track in ("gone", "a")]
    answer = (await installed.client.get("/api/v1/me/likes?said=save&limit=9&cursor=c")).json()
    assert [(like["track"]["title"], like["at"]) for like in answer["items"]] == [("A", "then")]
    assert answer["next_cursor"] == "more"
    asked = installed.services.last(ListLikes)
    assert (asked.user_id, asked.said, asked.limit, asked.cursor) == ("admin", "save", 9, "c")

"""Playlists over HTTP."""

from typing import Any

import pytest

from tests.gateway.standins import Installation, uploaded
from tonetouch_contracts.playlist import AddToPlaylist, CreatePlaylist, RemoveFromPlaylist, RenamePlaylist
from tonetouch_runtime import Refused

pytestmark = pytest.mark.asyncio(loop_scope="package")

PLAYLISTS = "/api/v1/playlists"


async def made(installed: Installation, *tracks: str) -> str:
    """The path of a new playlist with these published tracks."""
    answer = await installed.client.post(PLAYLISTS, json={"name": "Søndag"})
    path = answer.headers["location"]
    assert answer.status_code == 201
    for track in tracks:
        installed.services.tracks[track] = uploaded(track, title=track.upper(), status="published")
    if tracks:
        await installed.client.post(f"{path}/tracks", json={"track_ids": tracks})
    return str(path)


async def test_a_playlist_is_made_filled_and_shown(installed: Installation) -> None:
    """Each answer shows it as it is after the change, and says how far the log was."""
    path = await made(installed)
    for track in ("a", "b", "c"):
        installed.services.tracks[track] = uploaded(track, title=track.upper(), status="published")
    added = await installed.client.post(f"{path}/tracks", json={"track_ids": ["c", "a", "b", "gone"]})
    assert (added.status_code, added.json()["tracks"]) == (200, 4)
    assert added.headers["tonetouch-position"].startswith("LIBRARY=")
    taken = await installed.client.delete(f"{path}/tracks?track_id=a&track_id=x")
    assert (taken.status_code, taken.json()["tracks"]) == (200, 3)
    assert installed.services.last(RemoveFromPlaylist).track_ids == ("a", "x")
    renamed = await installed.client.patch(path, json={"name": "Mandag"})
    assert renamed.json()["name"] == "Mandag"
    first = (await installed.client.get(path, params={"limit": 2})).json()
    second = (await installed.client.get(path, params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert (first["name"], first["tracks"]) == ("Mandag", 3)
    assert [track["title"] for page in (first, second) for track in page["items"]] == ["C", "B"]
    assert second["next_cursor"] is None
    assert installed.services.last(RenamePlaylist).user_id == "admin"


async def test_playlists_are_listed_until_they_are_deleted(installed: Installation) -> None:
    """204, and then there is no such playlist."""
    path = await made(installed, "a")
    listed = (await installed.client.get(PLAYLISTS)).json()
    assert [(one["name"], one["tracks"]) for one in listed["items"]] == [("Søndag", 1)]
    gone = await installed.client.delete(path)
    assert (gone.status_code, gone.content) == (204, b"")
    assert gone.headers["tonetouch-position"].startswith("LIBRARY=")
    assert (await installed.client.get(PLAYLISTS)).json()["items"] == []
    for answer in (await installed.client.get(path), await installed.client.patch(path, json={"name": "x"})):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_the_same_key_is_the_same_playlist(installed: Installation) -> None:
    """A client that got no answer may ask again; without a key each is a playlist of its own."""
    ids = []
    for key in ("k", "k", "other", None, None):
        headers = {"Idempotency-Key": key} if key else {}
        ids.append((await installed.client.post(PLAYLISTS, json={"name": "x"}, headers=headers)).json()["id"])
    assert ids[0] == ids[1]
    assert len(set(ids)) == 4


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "", {}, "body.name"),
        ("POST", "", {"name": ""}, "body.name"),
        ("POST", "", {"name": "x" * 1_001}, "body.name"),
        ("POST", "", {"name": "x", "public": True}, "body.public"),
        ("PATCH", "/p", {"title": "x"}, "body.name"),
        ("GET", "/a.b", None, "path.playlist_id"),
        ("POST", "/p/tracks", {"track_ids": []}, "body.track_ids"),
        ("POST", "/p/tracks", {"track_ids": ["a.b"]}, "body.track_ids.0"),
        ("POST", "/p/tracks", {"track_ids": ["a"] * 1_001}, "body.track_ids"),
        ("DELETE", "/p/tracks", None, "query.track_id"),
        ("DELETE", "/p/tracks?track_id=", None, "query.track_id.0"),
        ("DELETE", "/p/tracks?" + "&".join(["track_id=a"] * 101), None, "query.track_id"),
    ],
)
async def test_what_cannot_be_meant_is_refused(
    installed: Installation, method: str, path: str, body: dict[str, Any] | None, field: str
) -> None:
    """The problem says where it is wrong, and nobody is asked."""
    answer = await installed.client.request(method, f"{PLAYLISTS}{path}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert field in [error["field"] for error in answer.json()["errors"]]
    assert installed.services.asked == []


async def test_what_catalog_refuses_is_passed_on(installed: Installation) -> None:
    """A full playlist, somebody else's, a name that cannot be seen."""
    path = await made(installed)
    for command, refusal, status in (
        (CreatePlaylist, Refused("invalid", "A playlist has a name."), 400),
        (AddToPlaylist, Refused("too_large", "It is full."), 413),
        (AddToPlaylist, Refused("conflict", "It is somebody else's."), 409),
    ):
        installed.services.refusing[command] = [refusal]
        if command is CreatePlaylist:
            answer = await installed.client.post(PLAYLISTS, json={"name": "\u200b"})
        else:
            answer = await installed.client.post(f"{path}/tracks", json={"track_ids": ["a"]})
        assert (answer.status_code, answer.json()["detail"]) == (status, refusal.problem.detail)

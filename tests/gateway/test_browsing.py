"""Tracks as the API shows them, and their bytes."""

import hashlib
from typing import Any

import msgspec
import pytest

from tests.gateway.standins import Installation, uploaded
from tonetouch_contracts.identity import ContentHash, TrackId
from tonetouch_contracts.track import Audio, Cover, ListTracks, TrackView, VersionView

pytestmark = pytest.mark.asyncio(loop_scope="package")

SONG, PICTURE = bytes(range(256)) * 3000, b"a picture"
PUBLISHED = TrackView(
    id=TrackId("song"),
    status="published",
    file_name="song.flac",
    title="Song",
    artist="Somebody",
    genres=("folk",),
    moods=("calm",),
    duration_seconds=61.5,
    bpm=120.0,
    bpm_candidates=(120.0, 60.0),
    key="A minor",
    key_strength=0.8,
    energy=0.4,
    loudness_lufs=-14.0,
    region="GB",
    audio=Audio(
        sha256=ContentHash(hashlib.sha256(SONG).hexdigest()),
        size_bytes=len(SONG),
        content_type="audio/flac",
        codec="flac",
    ),
    cover=Cover(
        sha256=ContentHash(hashlib.sha256(PICTURE).hexdigest()),
        content_type="image/png",
        width=10,
        height=10,
        alt="a red square",
    ),
    about="About it.",
    lyrics="la la",
    guessed=("title", "genres"),
    uploaded_at="2026-01-01T00:00:00.000000Z",
    published_at="2026-01-02T00:00:00.000000Z",
    versions=(VersionView(id=TrackId("live"), title="Song (live)", artist="Somebody"),),
)


@pytest.fixture(name="published")
def _published(installed: Installation) -> Installation:
    installed.services.tracks["song"] = PUBLISHED
    return installed


async def keep_bytes(installed: Installation) -> None:
    await installed.gateway.objects.put(f"audio/{hashlib.sha256(SONG).hexdigest()}", SONG)
    await installed.gateway.objects.put(f"image/{hashlib.sha256(PICTURE).hexdigest()}", PICTURE)


async def test_a_track_has_exactly_these_fields(published: Installation) -> None:
    """Those that other programs count on, and what helps a person: guessed, version_of, reason, file_name."""
    assert (await published.client.get("/api/v1/tracks/song")).json() == {
        "id": "song",
        "title": "Song",
        "artist": "Somebody",
        "artist_id": None,
        "album": None,
        "album_id": None,
        "genre": ["folk"],
        "moods": ["calm"],
        "duration_seconds": 61.5,
        "bpm": 120.0,
        "bpm_candidates": [120.0, 60.0],
        "key": "A minor",
        "key_strength": 0.8,
        "energy": 0.4,
        "loudness_lufs": -14.0,
        "explicit": False,
        "region": "GB",
        "cover_url": "/api/v1/tracks/song/cover",
        "cover_alt": "a red square",
        "about": "About it.",
        "lyrics": "la la",
        "status": "published",
        "duplicate_of": None,
        "published_at": "2026-01-02T00:00:00.000000Z",
        "guessed": ["title", "genre", "about"],
        "version_of": None,
        "versions": [{"id": "live", "title": "Song (live)", "artist": "Somebody"}],
        "reason": None,
        "file_name": "song.flac",
    }


async def test_a_list_goes_on_at_its_cursor(installed: Installation) -> None:
    """Every track once, and no cursor on the last page."""
    installed.services.tracks |= {f"t{number}": uploaded(f"t{number}") for number in range(5)}
    seen: list[str] = []
    cursor, pages = None, 0
    while pages < 9:
        query: dict[str, Any] = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await installed.client.get("/api/v1/tracks", params=query)).json()
        assert page.keys() == {"items", "next_cursor"}
        seen, cursor, pages = [*seen, *(item["id"] for item in page["items"])], page["next_cursor"], pages + 1
        if cursor is None:
            break
    assert (seen, pages) == ([f"t{number}" for number in range(5)], 3)


async def test_a_list_can_be_of_one_status(installed: Installation) -> None:
    """The status goes to catalog; one that there is not is refused here."""
    await installed.client.get("/api/v1/tracks?status=failed")
    assert installed.services.last(ListTracks).status == "failed"
    assert (await installed.client.get("/api/v1/tracks?status=odd")).status_code == 400


async def test_audio_comes_whole_or_in_ranges(published: Installation) -> None:
    """With its hash as ETag; a range that starts behind the end says how many bytes there are."""
    await keep_bytes(published)
    path = "/api/v1/tracks/song/audio"
    whole = await published.client.get(path)
    assert (whole.status_code, whole.content, whole.headers["content-type"]) == (200, SONG, "audio/flac")
    etag = f'"{hashlib.sha256(SONG).hexdigest()}"'
    assert (whole.headers["etag"], whole.headers["accept-ranges"]) == (etag, "bytes")

    async def asked(**headers: str) -> Any:
        return await published.client.get(path, headers={name.replace("_", "-"): v for name, v in headers.items()})

    some = await asked(range="bytes=300000-300099")
    assert (some.status_code, some.content) == (206, SONG[300000:300100])
    assert some.headers["content-range"] == f"bytes 300000-300099/{len(SONG)}"
    assert (await asked(range="bytes=0-9", if_range='"other"')).status_code == 200
    assert (await asked(if_none_match=etag)).status_code == 304
    behind = await asked(range="bytes=9999999-")
    assert (behind.status_code, behind.headers["content-range"]) == (416, f"bytes */{len(SONG)}")
    assert behind.json()["code"] == "out_of_range"
    assert (await asked(if_match='"other"')).json()["code"] == "not_fulfilled"


async def test_head_tells_of_the_audio_without_it(published: Installation) -> None:
    """Length, type and ETag as for GET, and no bytes: those need not even be there."""
    head = await published.client.head("/api/v1/tracks/song/audio")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(SONG))
    assert head.headers["etag"] == f'"{hashlib.sha256(SONG).hexdigest()}"'


async def test_a_cover_comes_with_its_type(published: Installation) -> None:
    """And may be kept for a while."""
    await keep_bytes(published)
    cover = await published.client.get("/api/v1/tracks/song/cover")
    assert (cover.status_code, cover.content, cover.headers["content-type"]) == (200, PICTURE, "image/png")
    assert "max-age" in cover.headers["cache-control"]


@pytest.mark.parametrize("what", ["audio", "cover"])
@pytest.mark.parametrize(
    ("said", "word"),
    [
        ({"status": "uploaded"}, "ingest"),
        ({"status": "processing"}, "ingest"),
        ({"status": "duplicate", "duplicate_of": "song"}, "the track song instead"),
        ({"status": "rejected", "reason": "it is text"}, "it is text"),
        ({"status": "failed"}, "failed"),
    ],
)
async def test_what_is_not_published_cannot_be_had(
    installed: Installation, what: str, said: dict[str, Any], word: str
) -> None:
    """The problem says why, and what to do instead."""
    installed.services.tracks["t"] = uploaded("t", **said)
    answer = await installed.client.get(f"/api/v1/tracks/t/{what}")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert word in answer.json()["detail"] + answer.json().get("next_step", "")


async def test_a_track_without_a_cover_has_none(installed: Installation) -> None:
    """404, and null where its path would be."""
    installed.services.tracks["song"] = msgspec.structs.replace(PUBLISHED, cover=None)
    assert (await installed.client.get("/api/v1/tracks/song/cover")).status_code == 404
    track = (await installed.client.get("/api/v1/tracks/song")).json()
    assert (track["cover_url"], track["cover_alt"]) == (None, None)


@pytest.mark.parametrize("path", ["", "/audio", "/cover"])
async def test_an_unknown_track_is_not_found(installed: Installation, path: str) -> None:
    """One shape for all of them."""
    answer = await installed.client.get(f"/api/v1/tracks/nobody{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

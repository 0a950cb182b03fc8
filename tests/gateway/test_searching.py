"""Found tracks come with what there is to see of them."""

import pytest

from tests.gateway.standins import Installation, uploaded
from tonetouch_contracts.finding import FindSimilar, Found, SearchByVoice, SearchTracks
from tonetouch_contracts.identity import TrackId
from tonetouch_gateway.searching import VOICE_BYTES
from tonetouch_runtime import Refused

pytestmark = pytest.mark.asyncio(loop_scope="package")


@pytest.fixture(name="finding")
def _finding(installed: Installation) -> Installation:
    """Three tracks are found, of which catalog shows two."""
    for name in ("a", "b"):
        installed.services.tracks[name] = uploaded(name, title=name.upper(), status="published")
    installed.services.found += [
        Found(track_id=TrackId("b"), score=0.9, where="lyrics", passage="la la"),
        Found(track_id=TrackId("gone"), score=0.8, where="description"),
        Found(track_id=TrackId("a"), score=0.7, where="description"),
    ]
    return installed


@pytest.mark.parametrize("path", ["search?q=sad+piano", "tracks/t/similar?"])
async def test_found_tracks_come_in_order_with_score_place_and_passage(finding: Installation, path: str) -> None:
    """What catalog does not show is left out."""
    answer = (await finding.client.get(f"/api/v1/{path}&limit=3")).json()
    assert [(item["track"]["title"], item["score"], item["where"], item["passage"]) for item in answer["items"]] == [
        ("B", 0.9, "lyrics", "la la"),
        ("A", 0.7, "description", None),
    ]
    assert answer["next_cursor"] == "more"
    assert all(item.keys() >= {"track", "score", "where", "passage"} for item in answer["items"])


async def test_what_is_no_track_comes_with_its_name(finding: Installation) -> None:
    """Artists, albums and playlists are asked for; tracks are what there is without."""
    artist = Found(track_id=TrackId(""), score=1.0, where="title", kind="artist", id="x", name="Maren Vesterlund")
    finding.services.found.insert(0, artist)
    answer = (await finding.client.get("/api/v1/search?q=maren&in=artists,%20tracks,lyrics")).json()
    assert finding.services.last(SearchTracks).kinds == ("tracks", "lyrics", "artists")
    assert [(item["kind"], item["id"], item["name"], item["track"] is None) for item in answer["items"]] == [
        ("artist", "x", "Maren Vesterlund", True),
        ("track", "b", None, False),
        ("track", "a", None, False),
    ]
    await finding.client.get("/api/v1/search?q=maren")
    assert finding.services.last(SearchTracks).kinds == ("tracks", "lyrics")


async def test_what_cannot_be_searched_in_is_refused_by_name(finding: Installation) -> None:
    """With what there is to choose from."""
    answer = await finding.client.get("/api/v1/search?q=maren&in=tracks,podcasts")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert "'podcasts'" in answer.json()["detail"]
    assert "playlists" in answer.json()["detail"]


async def test_what_is_spoken_is_answered_with_its_words_and_kept_nowhere(finding: Installation) -> None:
    """The recording is there while it is listened to, and gone after the answer."""
    said = {"file": ("question.wav", b"something sad", "audio/wav")}
    answer = await finding.client.post("/api/v1/search/voice?in=tracks&limit=5&language=en", files=said)
    assert (answer.status_code, answer.json()["transcript"]) == (200, "something sad")
    assert [item["track"]["title"] for item in answer.json()["items"]] == ["B", "A"]
    asked = finding.services.last(SearchByVoice)
    assert (asked.media_type, asked.language, asked.kinds, asked.limit) == ("audio/wav", "en", ("tracks",), 5)
    assert [found async for found in finding.gateway.objects.list("incoming/")] == []


async def test_a_recording_that_is_refused_is_kept_nowhere(finding: Installation) -> None:
    """Nor one that is too large, and one that is missing says so."""
    finding.services.refusing[SearchByVoice] = [Refused("unsupported", "This cannot be heard.")]
    said = {"file": ("question.wav", b"hm", "audio/wav")}
    answer = await finding.client.post("/api/v1/search/voice", files=said)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported")
    large = {"file": ("question.wav", bytes(VOICE_BYTES + 1), "audio/wav")}
    assert (await finding.client.post("/api/v1/search/voice", files=large)).status_code == 413
    assert (await finding.client.post("/api/v1/search/voice", files={"other": b"x"})).status_code == 400
    assert [found async for found in finding.gateway.objects.list("incoming/")] == []


async def test_the_question_reaches_recommend_as_it_was_meant(
    finding: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, with the listener's explicit setting."""
    monkeypatch.setattr(finding.gateway.settings, "explicit_allowed", False)
    await finding.client.get("/api/v1/search", params={"q": " ein  trauriges\nKlavier "})
    asked = finding.services.last(SearchTracks)
    assert (asked.query, asked.limit, asked.cursor, asked.explicit_allowed) == (
        "ein trauriges Klavier",
        20,
        None,
        False,
    )
    await finding.client.get("/api/v1/tracks/t/similar")
    assert finding.services.last(FindSimilar).track_id == "t"


@pytest.mark.parametrize("query", ["", "?q=", "?q=%20%00", "?q=" + "x" * 501, "?q=a&limit=0", "?q=a&cursor=%25"])
async def test_a_question_without_words_is_refused(finding: Installation, query: str) -> None:
    """So is one that is too long, and a page there cannot be."""
    answer = await finding.client.get(f"/api/v1/search{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")

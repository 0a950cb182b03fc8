"""Found tracks come with what there is to see of them."""

import pytest

from tests.gateway.standins import Installation, uploaded
from tonetouch_contracts.finding import FindSimilar, Found, SearchTracks
from tonetouch_contracts.identity import TrackId

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
    assert all(item.keys() == {"track", "score", "where", "passage"} for item in answer["items"])


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

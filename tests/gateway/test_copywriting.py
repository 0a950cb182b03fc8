"""Texts come with what they stand on."""

import pytest

from tests.gateway.standins import Installation
from tonetouch_contracts.copy import CitedFact, CopySentence, CopyView, DroppedSentence, ListCopy, WriteCopy
from tonetouch_contracts.identity import JobId
from tonetouch_runtime import Refused

pytestmark = pytest.mark.asyncio(loop_scope="package")

REVIEW = CopyView(
    id="copy-1",
    kind="album_review",
    subject="album:a",
    status="written",
    text="It dates from 1998.",
    sentences=(CopySentence(text="It dates from 1998.", facts=("F5",)),),
    facts=(CitedFact(id="F5", name="year", value="1998", source="track.published.t"),),
    dropped=(DroppedSentence(text="It won.", facts=(), because="it cites no fact"),),
    job_id=JobId("asked"),
    written_by=JobId("job"),
    prompt="album-review@1",
)


async def test_a_sentence_leads_to_its_facts_and_the_text_to_its_job(installed: Installation) -> None:
    """Why it says so, and what was dropped and why."""
    installed.services.copies.append(REVIEW)
    (item,) = (await installed.client.get("/api/v1/albums/a/copy")).json()["items"]
    assert item["sentences"] == [{"text": "It dates from 1998.", "facts": ["F5"]}]
    assert item["facts"] == [{"id": "F5", "name": "year", "value": "1998", "source": "track.published.t"}]
    assert item["dropped"][0]["because"] == "it cites no fact"
    assert (item["written_by"], item["prompt"], item["status"]) == ("job", "album-review@1", "written")
    assert installed.services.last(ListCopy).subject == "album:a"


async def test_where_nobody_has_asked_there_is_an_empty_list(installed: Installation) -> None:
    """Of one kind or of all."""
    for path in ("artists/x/copy", "tracks/x/copy", "albums/x/copy?kind=track_notes"):
        answer = await installed.client.get(f"/api/v1/{path}")
        assert (answer.status_code, answer.json()) == (200, {"items": [], "next_cursor": None})
    assert installed.services.last(ListCopy).kind == "track_notes"


async def test_texts_are_asked_for_and_come_later(installed: Installation) -> None:
    """All there can be about the subject, or one."""
    answer = await installed.client.post("/api/v1/albums/a/copy")
    assert answer.status_code == 202
    assert [(item["kind"], item["status"]) for item in answer.json()["items"]] == [
        ("album_review", "asked"),
        ("track_notes", "asked"),
    ]
    for path, kind, subject in (
        ("artists/b/copy", "artist_bio", "artist:b"),
        ("albums/a/copy?kind=track_notes", "track_notes", "album:a"),
        ("tracks/t/copy", "about_track", "track:t"),
    ):
        await installed.client.post(f"/api/v1/{path}")
        asked = installed.services.last(WriteCopy)
        assert (asked.kind, asked.subject) == (kind, subject)


async def test_what_is_no_subject_is_refused(installed: Installation) -> None:
    """In words, and before anybody is asked where it can be."""
    assert (await installed.client.post("/api/v1/planets/a/copy")).status_code == 404
    assert (await installed.client.get("/api/v1/albums/a.b/copy")).status_code == 400
    assert (await installed.client.get("/api/v1/albums/a/copy", params={"kind": "poem"})).status_code == 400
    installed.services.refusing[WriteCopy] = [Refused("not_found", "There is no album a.")]
    assert (await installed.client.post("/api/v1/albums/a/copy")).status_code == 404

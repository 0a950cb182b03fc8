"""A play is kept once."""

from typing import Any

import pytest

from tests.gateway.standins import Installation
from tonetouch_contracts.play import RecordPlay

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_a_play_is_taken_with_its_time_in_utc(installed: Installation) -> None:
    """201 with the play's id, and the position it has in the log."""
    play = {"track_id": "t", "heard_seconds": 12.5, "at": "2026-02-01T01:30:00+02:00"}
    answer = await installed.client.post("/api/v1/plays", json=play)
    assert answer.status_code == 201
    asked = installed.services.last(RecordPlay)
    assert answer.json() == {"id": asked.play_id}
    assert (asked.user_id, asked.track_id, asked.heard_seconds) == ("admin", "t", 12.5)
    assert asked.at == "2026-01-31T23:30:00.000000Z"
    assert answer.headers["tonetouch-position"].startswith("LIBRARY=")


async def test_the_same_key_is_the_same_play(installed: Installation) -> None:
    """A client that does not know whether it was heard can ask again; without a key each is a play of its own."""
    ids = []
    for key in ("k", "k", "other", None, None):
        headers = {"Idempotency-Key": key} if key else {}
        answer = await installed.client.post(
            "/api/v1/plays", json={"track_id": "t", "heard_seconds": 1}, headers=headers
        )
        ids.append(answer.json()["id"])
    assert ids[0] == ids[1]
    assert len(set(ids)) == 4


@pytest.mark.parametrize(
    ("play", "field"),
    [
        ({}, "body.track_id"),
        ({"track_id": "a.b", "heard_seconds": 1}, "body.track_id"),
        ({"track_id": "t", "heard_seconds": -1}, "body.heard_seconds"),
        ({"track_id": "t", "heard_seconds": 1e9}, "body.heard_seconds"),
        ({"track_id": "t", "heard_seconds": 1, "at": "yesterday"}, "body.at"),
        ({"track_id": "t", "heard_seconds": 1, "at": "2026-01-01T00:00:00"}, "body.at"),
        ({"track_id": "t", "heard_seconds": 1, "at": "0001-01-01T00:00:00+14:00"}, "body.at"),
        ({"track_id": "t", "heard_seconds": 1, "when": "now"}, "body.when"),
    ],
)
async def test_what_cannot_have_been_heard_is_refused(
    installed: Installation, play: dict[str, Any], field: str
) -> None:
    """The problem says where it is wrong."""
    answer = await installed.client.post("/api/v1/plays", json=play)
    assert answer.status_code == 400
    assert field in [error["field"] for error in answer.json()["errors"]]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[" * 60_000, b'{"track_id": "t", "heard_seconds": NaN}', b'{"\\ud800": 1}', b"1" * 5000, b"\xff"],
)
async def test_a_body_that_is_no_play_is_refused(installed: Installation, body: bytes) -> None:
    """Cut short, nested without end, not a number, not Unicode: never our bug."""
    answer = await installed.client.post("/api/v1/plays", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


async def test_a_body_as_large_as_a_song_is_too_large(installed: Installation) -> None:
    """By its length, and by counting."""

    async def without_length() -> Any:
        for _ in range(10):
            yield b" " * 10_000

    for content in (b" " * 100_000, without_length()):
        answer = await installed.client.post(
            "/api/v1/plays", content=content, headers={"Content-Type": "application/json"}
        )
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

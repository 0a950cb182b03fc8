"""A file that is sent becomes objects in the store and a track of catalog's, or nothing at all."""

import asyncio
import hashlib
import json
from typing import Any

import httpx
import pytest

from tests.gateway.standins import AUTHORIZED, Installation
from tests.gateway.wire import FORM_TYPE, exchange, form, part, pieces, request_head
from tests.servers import ObjectStoreServer
from tonetouch_contracts.track import TrackUploaded, UploadTrack
from tonetouch_runtime import Refused, Unavailable

pytestmark = pytest.mark.asyncio(loop_scope="package")

SONG = b"not really music" * 1000


async def upload(installed: Installation, **parts: Any) -> httpx.Response:
    files: dict[str, Any] = {"file": ("a song.mp3", SONG, "audio/mpeg")} | parts.pop("files", {})
    return await installed.client.post("/api/v1/tracks", files=files, data=parts)


async def kept(installed: Installation) -> list[str]:
    return [facts.key async for facts in installed.gateway.objects.list()]


async def test_an_upload_is_stored_and_becomes_a_track(installed: Installation) -> None:
    """The bytes lie under the new id, catalog knows what was said, and the answer says where to look."""
    answer = await upload(
        installed,
        files={"cover": ("c.png", b"picture")},
        title="  Blå \u202estue ",
        artist="A",
        album="B",
        genre="folk",
        explicit="Yes",
        region="dk",
        lyrics="[00:01.00]la",
    )
    assert answer.status_code == 202
    track_id = answer.json()["id"]
    assert answer.json() == {"id": track_id, "status": "uploaded"}
    assert answer.headers["location"] == f"/api/v1/tracks/{track_id}"
    event = (await installed.gateway.log.history("CATALOG", track_id))[0].event
    assert event == TrackUploaded(
        track_id=track_id,
        uploaded_by="admin",  # type: ignore[arg-type]
        object_key=f"incoming/{track_id}",
        size_bytes=len(SONG),
        sha256=hashlib.sha256(SONG).hexdigest(),  # type: ignore[arg-type]
        file_name="a song.mp3",
        title="Blå stue",
        artist="A",
        album="B",
        genre="folk",
        explicit=True,
        region="DK",
        cover_key=f"incoming/{track_id}.cover",
        lyrics_key=f"incoming/{track_id}.lyrics",
    )
    objects = installed.gateway.objects
    assert await objects.get(f"incoming/{track_id}", max_bytes=len(SONG)) == SONG
    assert await objects.get(f"incoming/{track_id}.cover", max_bytes=99) == b"picture"
    assert await objects.get(f"incoming/{track_id}.lyrics", max_bytes=99) == b"[00:01.00]la"


async def test_what_is_not_said_is_left_to_the_file(installed: Installation) -> None:
    """Only the region has a default, the uploader's; empty fields are not said."""
    await upload(installed, title=" ", explicit="")
    command = installed.services.last(UploadTrack)
    assert (command.title, command.explicit, command.region) == (None, None, "GB")
    assert (command.cover_key, command.lyrics_key) == (None, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [("title", "x" * 301), ("genre", "x" * 101), ("explicit", "perhaps"), ("region", "GBR"), ("region", "ß")],
)
async def test_a_field_that_cannot_be_meant_is_refused(installed: Installation, field: str, value: str) -> None:
    """The problem names the field, and nothing is left in the store."""
    answer = await upload(installed, **{field: value})
    assert answer.status_code == 400
    assert field in answer.json()["detail"]
    assert await kept(installed) == []
    assert installed.services.asked == []


async def test_what_catalog_refuses_is_not_kept(installed: Installation) -> None:
    """Its words reach the uploader; file, cover and lyrics are gone."""
    installed.services.refusing[UploadTrack] = [Refused("conflict", "There is no room.", "Come back tomorrow.")]
    answer = await upload(installed, files={"cover": ("c", b"picture")}, lyrics="la")
    assert answer.status_code == 409
    assert (answer.json()["detail"], answer.json()["next_step"]) == ("There is no room.", "Come back tomorrow.")
    assert await kept(installed) == []


async def test_what_catalog_refuses_in_the_end_is_not_kept_either(
    installed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A no is a no, however late it comes."""
    monkeypatch.setattr("tonetouch_gateway.uploading.ASK_AGAIN_SECONDS", (0.01,))
    installed.services.refusing[UploadTrack] = [Unavailable("down"), Refused("conflict", "No.")]
    assert (await upload(installed)).status_code == 409
    assert await kept(installed) == []


async def test_a_catalog_that_is_away_for_a_moment_costs_nobody_an_upload(installed: Installation) -> None:
    """The bytes are here already: catalog is asked again, about the same track."""
    installed.services.refusing[UploadTrack] = [Unavailable("restarting")]
    assert (await upload(installed)).status_code == 202
    asked = [command for command in installed.services.asked if isinstance(command, UploadTrack)]
    assert len(asked) == 2
    assert asked[0] == asked[1]


async def test_when_nobody_knows_what_became_of_it_the_bytes_stay(
    installed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catalog may have taken the track and not been able to say so: its bytes must not go."""
    monkeypatch.setattr("tonetouch_gateway.uploading.ASK_AGAIN_SECONDS", (0.01,))
    installed.services.refusing[UploadTrack] = [Unavailable("down"), Unavailable("down")]
    answer = await upload(installed)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert len(await kept(installed)) == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (form(part("title", b"T")), 400, "invalid"),
        (form(part("file", b"", filename="a.mp3")), 400, "invalid"),
        (form(part("file", b"abc", filename="a.mp3"))[:-9], 400, "invalid"),
        (b"", 400, "invalid"),
        (form(part("file", bytes(2 << 20), filename="a.mp3")), 413, "too_large"),
        (form(part("file", b"abc", filename="a"), part("lyrics", bytes(600_000))), 413, "too_large"),
    ],
)
async def test_a_form_that_cannot_be_taken_is_a_problem(
    installed: Installation, monkeypatch: pytest.MonkeyPatch, body: bytes, status: int, code: str
) -> None:
    """No file, an empty one, a form cut short, nothing at all, and too much of something."""
    monkeypatch.setattr(installed.gateway.settings, "upload_limit_bytes", 1 << 20)
    for headers in ({"content-length": str(len(body))}, {}):
        reply = await exchange(
            installed.port,
            "POST",
            "/api/v1/tracks",
            headers={**AUTHORIZED, "content-type": FORM_TYPE, **headers},
            body=pieces(body),
        )
        assert (reply.status, json.loads(reply.body)["code"]) == (status, code)
        assert reply.headers["content-type"] == "application/problem+json"
    assert await kept(installed) == []


async def test_without_a_token_a_large_upload_is_answered_and_not_read(installed: Installation) -> None:
    """The client gets to read its 401 although it is still sending."""
    body = form(part("file", bytes(8 << 20), filename="a.mp3"))
    headers = {"content-type": FORM_TYPE, "content-length": str(len(body))}
    reply = await exchange(installed.port, "POST", "/api/v1/tracks", headers=headers, body=pieces(body))
    assert reply.status == 401
    assert await kept(installed) == []


async def test_a_client_that_leaves_in_the_middle_leaves_nothing(
    installed: Installation, s3: ObjectStoreServer
) -> None:
    """After parts were stored: no object, no unfinished upload, and catalog never hears of it."""
    _, writer = await asyncio.open_connection("127.0.0.1", installed.port)
    headers = {**AUTHORIZED, "content-type": FORM_TYPE, "content-length": str(30 << 20)}
    writer.write(request_head("POST", "/api/v1/tracks", headers))
    writer.write(form(part("file", bytes(20 << 20), filename="a.mp3"))[: 20 << 20])
    async with asyncio.timeout(30):
        await writer.drain()
        while not s3.leftovers():
            await asyncio.sleep(0.01)
        writer.transport.abort()
        while s3.leftovers():
            await asyncio.sleep(0.01)
    assert await kept(installed) == []
    assert installed.services.asked == []

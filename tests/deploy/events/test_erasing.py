"""Erasing a person: nothing they said can be read, no table shows what they did, and everybody else is as before."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import nats
import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from tests.catalog.music import ingest_started, publishing, uploading
from tests.runtime.installation import provision
from tonetouch_catalog import app as catalog
from tonetouch_catalog.gathering import PlaylistRow
from tonetouch_catalog.playing import PlayRow
from tonetouch_contracts.envelope import Envelope
from tonetouch_contracts.feedback import GiveFeedback
from tonetouch_contracts.identity import FeedbackId, PlayId, PlaylistId, TrackId, UserId
from tonetouch_contracts.message import Command, Positions, same_positions
from tonetouch_contracts.play import RecordPlay
from tonetouch_contracts.playlist import AddToPlaylist, CreatePlaylist
from tonetouch_contracts.track import ShowTrack
from tonetouch_deploy.commands import app
from tonetouch_deploy.events.erasing import Erased, erased
from tonetouch_ingest import app as ingest
from tonetouch_recommend import app as recommend
from tonetouch_runtime import Floor, Settings, SystemClock, running
from tonetouch_runtime.people import ERASED
from tonetouch_runtime.people.keys import Erasure

ADA, BOB = UserId("ada-7"), UserId("bob-8")
FILE, PLAYLIST = "Adas Hochzeit.flac", "Regen über Åland"
ERASURE = Erasure(at="2026-11-22T22:00:00Z", operator="olga", reason="asked for it")


class HurriedClock(SystemClock):
    """Each look at it is a minute later: replaced tables, which are kept for a while, can go at once."""

    def __init__(self) -> None:
        self._looks = 0

    def now(self) -> datetime:
        self._looks += 1
        return super().now() + timedelta(minutes=self._looks)


@pytest.fixture(name="floor")
async def _floor(settings: Settings) -> AsyncIterator[Floor]:
    """Catalog's, with the other services that show what people say and do beside it."""
    await provision(settings)
    async with AsyncExitStack() as stack:
        floors = [
            await stack.enter_async_context(running(each.app, settings, clock=HurriedClock()))
            for each in (catalog, ingest, recommend)
        ]
        yield floors[0]


async def done(floor: Floor, *commands: Command[Any]) -> None:
    """Do all of it; returns when catalog's tables show it."""
    positions: Positions = {}
    for command in commands:
        positions = same_positions(positions, (await floor.ask(command)).positions)
    await floor.seen(positions)


async def lived(floor: Floor) -> None:
    """Both upload, gather, hear and like something."""
    await done(floor, uploading("t1", uploaded_by=ADA, file_name=FILE), uploading("t2", uploaded_by=BOB))
    await done(floor, publishing("t1"), publishing("t2"))
    for user in (ADA, BOB):
        playlist, track = PlaylistId(f"of-{user}"), TrackId("t1")
        await done(
            floor,
            CreatePlaylist(playlist_id=playlist, user_id=user, name=PLAYLIST if user == ADA else "of another"),
            AddToPlaylist(playlist_id=playlist, user_id=user, track_ids=(track,)),
            RecordPlay(play_id=PlayId(f"by-{user}"), user_id=user, track_id=track, heard_seconds=200.0),
            GiveFeedback(feedback_id=FeedbackId(f"by-{user}"), user_id=user, about="track:t1", said="like"),
        )


async def erase(settings: Settings) -> Erased:
    """As the command does it."""
    client = await nats.connect(settings.nats_url)
    try:
        return await erased(client, settings, ADA, ERASURE, quiet=True)
    finally:
        await client.close()


async def column(floor: Floor, model: Any, name: str) -> set[Any]:
    """The values of a column."""
    table = floor.tables.live(model)
    return {row[name] for row in await floor.tables.all(select(table.c[name]))}


async def test_an_erased_person_is_found_nowhere(floor: Floor, settings: Settings) -> None:
    """In no row of any table of any service; what they said cannot be read, and nobody else misses anything."""
    await lived(floor)
    assert await column(floor, PlaylistRow, "name") == {PLAYLIST, "of another"}
    found = await erase(settings)
    assert (found.before, found.in_clear, found.traces, found.proven) == (False, (), (), True)
    assert found.words >= 2
    assert {"catalog.catalog_playlists", "catalog.catalog_plays", "catalog.catalog_tracks"} <= set(found.tables)
    assert await column(floor, PlaylistRow, "user_id") == await column(floor, PlayRow, "user_id") == {BOB}
    assert (await floor.ask(ShowTrack(track_id=TrackId("t1")))).value.file_name == ERASED
    assert (await floor.ask(ShowTrack(track_id=TrackId("t2")))).value.file_name == "t2.flac"
    again = await erase(settings)
    assert (again.before, again.proven) == (True, True)


async def test_words_that_were_never_sealed_are_named(floor: Floor, settings: Settings) -> None:
    """A log from before there were keys: then it is not proven, and it is said where they stand."""
    said = msgspec.structs.replace(ingest_started("t3"), uploaded_by=ADA, file_name=FILE)
    envelope = Envelope(id="before", type=said.wire_name(), source="/ingest/ingest", subject="t3", time=ERASURE.at)
    body = msgspec.json.encode(said)
    await floor.bus.jetstream.publish("ingest.started.t3", body, headers=envelope.to_headers())
    found = await erase(settings)
    assert (found.in_clear, found.proven) == (("INGEST@1",), False)


async def test_keys_have_commands_of_their_own(tmp_path: Path) -> None:
    """They are in no other backup; what is not there yet is no key."""
    where = {"TONETOUCH_DATA": str(tmp_path / "data"), "COLUMNS": "250"}
    (tmp_path / "data" / "keys").mkdir(parents=True)
    (tmp_path / "data" / "keys" / ("a" * 32)).write_bytes(bytes(32))

    async def keys(*arguments: str, **environment: str) -> Any:
        result = await asyncio.to_thread(
            CliRunner().invoke, app, ["events", *arguments, "--json"], env=where | environment
        )
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    assert (await keys("backup-keys", str(tmp_path / "safe")))["new"] == 1
    back = await keys("restore-keys", str(tmp_path / "safe"), TONETOUCH_DATA=str(tmp_path / "other"))
    assert (back["keys"], back["new"], back["different"]) == (1, 1, 0)

"""What of an event is sealed, and what tables leave out of a person who was erased, on a running catalog."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select

from tests.catalog.music import publishing, uploading
from tests.runtime.installation import provision
from tonetouch_catalog.app import app
from tonetouch_catalog.browsing import TrackRow
from tonetouch_catalog.gathering import PlaylistRow
from tonetouch_catalog.playing import PlayRow
from tonetouch_contracts import manifest
from tonetouch_contracts.identity import PlayId, PlaylistId, TrackId, UserId
from tonetouch_contracts.message import Command, Positions, same_positions
from tonetouch_contracts.operating import ListRebuilds, RebuildTables
from tonetouch_contracts.play import RecordPlay
from tonetouch_contracts.playlist import CreatePlaylist, PlaylistRenamed, RenamePlaylist
from tonetouch_contracts.track import ShowTrack
from tonetouch_runtime import Floor, Settings, running
from tonetouch_runtime.people import ERASED, NOBODY
from tonetouch_runtime.people.keys import Erasure

ADA, BOB = UserId("ada"), UserId("bob")
FILE, PLAYLIST, RENAMED = "wedding of ada.flac", "crying over bob", "no more crying"


@pytest.fixture(name="floor")
async def _floor(settings: Settings) -> AsyncIterator[Floor]:
    await provision(settings)
    async with running(app, settings) as floor:
        yield floor


def hearing(play: str, user: UserId) -> RecordPlay:
    """The command of a play."""
    return RecordPlay(play_id=PlayId(play), user_id=user, track_id=TrackId("t1"), heard_seconds=9.0)


async def done(floor: Floor, *commands: Command[Any]) -> None:
    """Do all of it; returns when the tables show it."""
    positions: Positions = {}
    for command in commands:
        positions = same_positions(positions, (await floor.ask(command)).positions)
    await floor.seen(positions)


async def said(floor: Floor) -> None:
    """Both make a playlist, hear a track and upload one; Ada renames hers."""
    await done(floor, uploading("t1", uploaded_by=ADA, file_name=FILE), uploading("t2", uploaded_by=BOB))
    await done(floor, publishing("t1"))
    for user in (ADA, BOB):
        create = CreatePlaylist(playlist_id=PlaylistId(f"of-{user}"), user_id=user, name=PLAYLIST)
        await done(floor, create, hearing(f"by-{user}", user))
    await done(floor, RenamePlaylist(playlist_id=PlaylistId("of-ada"), user_id=ADA, name=RENAMED))


async def column(floor: Floor, model: Any, name: str) -> set[Any]:
    """The values of a column."""
    table = floor.tables.live(model)
    return {row[name] for row in await floor.tables.all(select(table.c[name]))}


async def bodies(floor: Floor) -> bytes:
    """All that is in the log, as anybody reads it."""
    found = []
    for stream in manifest.STREAMS:
        state = (await floor.bus.jetstream.stream_info(stream.name)).state
        for sequence in range(1, state.last_seq + 1):
            found.append((await floor.bus.jetstream.get_msg(stream.name, sequence)).data or b"")
    return b"\n".join(found)


def erase(floor: Floor, person: str) -> None:
    """Destroy the key of a person."""
    assert floor.bus.people.keys is not None
    assert floor.bus.people.keys.erase(person, Erasure(at="2026-11-22T22:00:00Z", operator="olga", reason="asked"))


async def test_words_are_sealed_in_the_log_and_shown_as_they_were_said(floor: Floor) -> None:
    """In tables, in answers and in decisions; a name that is what it was is no other name."""
    await said(floor)
    log = await bodies(floor)
    assert b"t1" in log
    for words in (FILE, PLAYLIST, RENAMED):
        assert words.encode() not in log
    assert await column(floor, PlaylistRow, "name") == {PLAYLIST, RENAMED}
    assert (await floor.ask(ShowTrack(track_id=TrackId("t1")))).value.file_name == FILE
    before = (await floor.bus.jetstream.stream_info("LIBRARY")).state.last_seq
    await done(floor, RenamePlaylist(playlist_id=PlaylistId("of-ada"), user_id=ADA, name=RENAMED))
    assert (await floor.bus.jetstream.stream_info("LIBRARY")).state.last_seq == before


async def test_without_the_key_the_log_says_nothing(floor: Floor) -> None:
    """Loading an entity goes on; of what was said there is the sign that it was erased."""
    await said(floor)
    erase(floor, ADA)
    history = await floor.log.history("LIBRARY", "of-ada")
    assert {getattr(recorded.event, "name", None) for recorded in history} == {ERASED}
    (his,) = await floor.log.history("LIBRARY", "of-bob")
    assert getattr(his.event, "name", None) == PLAYLIST


async def test_tables_made_anew_know_nothing_of_the_erased(floor: Floor) -> None:
    """Not what she said and not what she did; what she uploaded stays, without the name of her file."""
    await said(floor)
    erase(floor, ADA)
    for table in ("catalog_playlists", "catalog_plays", "catalog_tracks"):
        await floor.bus.ask(RebuildTables(operator="olga", table=table, switch="always"), service="catalog")
    async with asyncio.timeout(30):
        while {one.phase for one in (await floor.bus.ask(ListRebuilds(), service="catalog")).value.rebuilds} != {
            "switched"
        }:
            await asyncio.sleep(0.05)
    assert await column(floor, PlaylistRow, "user_id") == {BOB}
    assert await column(floor, PlayRow, "user_id") == {BOB}
    assert await column(floor, TrackRow, "file_name") == {ERASED, "t2.flac"}


async def test_what_the_erased_do_afterwards_is_not_shown_either(floor: Floor) -> None:
    """A player that was away and says now what was heard before."""
    await said(floor)
    erase(floor, ADA)
    await done(floor, hearing("late", ADA), hearing("too", BOB))
    assert await column(floor, PlayRow, "play_id") == {"by-ada", "by-bob", "too"}


def test_without_a_folder_of_keys_nothing_changes() -> None:
    """Whoever reads with other tools has no keys, and sees what the log has."""
    event = PlaylistRenamed(playlist_id=PlaylistId("p"), user_id=ADA, name=RENAMED)
    assert (NOBODY.sealed(event), NOBODY.opened(event), NOBODY.leaves_out(event)) == (event, event, False)

"""Tracks as they are shown and listed, on SQLite and on PostgreSQL."""

from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import delete, select

from tests.catalog.music import (
    Anything,
    ingest_failed,
    ingest_retried,
    ingest_started,
    publishing,
    relating,
    uploaded,
    uploading,
)
from tests.postgresql import drop_read_database
from tests.runtime.installation import provision
from tonetouch_catalog.app import app
from tonetouch_catalog.browsing import TrackRow, keep_tracks
from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.message import Event, Positions, same_positions
from tonetouch_contracts.track import (
    DescribeTrack,
    ListTracks,
    MarkDuplicate,
    RejectTrack,
    ShowTrack,
    TrackStatus,
    TrackView,
    UploadTrack,
)
from tonetouch_runtime import Floor, Recorded, Refused, Settings, Writer, running


async def say(floor: Floor, stream: str, event: Event) -> Positions:
    """Put a fact of any service into the log."""
    return (await floor.log.transact(stream, event.entity_id, Anything(), lambda _: event)).positions


async def show(floor: Floor, track_id: str, after: Positions) -> TrackView:
    return (await floor.ask(ShowTrack(track_id=TrackId(track_id)), after=after)).value


async def test_an_upload_is_shown_at_once_with_what_its_uploader_said(floor: Floor) -> None:
    """Nobody has listened to it yet: everything else is unknown, not zero."""
    command = uploading("t1", title="Måne", genre="Ambient", explicit=True, region="DE")
    answer = await floor.ask(command)
    assert answer.value.status == "uploaded"
    view = await show(floor, "t1", answer.positions)
    assert (view.status, view.title, view.genres) == ("uploaded", "Måne", ("Ambient",))
    assert (view.explicit, view.region, view.file_name) == (True, "DE", "t1.flac")
    assert (view.bpm, view.artist, view.published_at, view.audio) == (None, None, None, None)
    assert view.uploaded_at is not None


async def test_a_published_track_is_shown_with_all_that_was_found_out(floor: Floor) -> None:
    """What the publication says takes the place of what was said at the upload."""
    await floor.ask(uploading("t1", title="moon.final.2"))
    positions = (await floor.ask(publishing("t1"))).positions
    view = await show(floor, "t1", positions)
    said = publishing("t1")
    same = (
        "title",
        "artist",
        "album",
        "genres",
        "moods",
        "bpm_candidates",
        "key",
        "audio",
        "cover",
        "lyrics",
        "guessed",
    )
    assert {name: getattr(view, name) for name in same} == {name: getattr(said, name) for name in same}
    assert view.status == "published"
    assert view.published_at is not None
    assert view.artist_id is not None
    assert view.album_id is not None


async def test_about_is_shown_whenever_it_was_written(floor: Floor) -> None:
    """Before the publication or after it, the newest text counts."""
    await floor.ask(uploading("t1"))
    await floor.ask(DescribeTrack(track_id=TrackId("t1"), about="First words.", job_id="j1"))
    positions = (await floor.ask(publishing("t1"))).positions
    assert (await show(floor, "t1", positions)).about == "First words."
    positions = (await floor.ask(DescribeTrack(track_id=TrackId("t1"), about="Better words.", job_id="j2"))).positions
    assert (await show(floor, "t1", positions)).about == "Better words."


async def test_the_status_follows_the_work_on_the_upload(floor: Floor) -> None:
    """Processing, failed and processing again are ingest's words; the reason is shown while it stands."""
    positions = (await floor.ask(uploading("t1"))).positions
    for event, status, reason in (
        (ingest_started("t1"), "processing", None),
        (ingest_failed("t1"), "failed", "the disk is full"),
        (ingest_retried("t1"), "processing", None),
    ):
        positions = same_positions(positions, await say(floor, "INGEST", event))
        view = await show(floor, "t1", positions)
        assert (view.status, view.reason) == (status, reason)


async def test_how_it_ended_wins_over_how_the_work_on_it_goes(floor: Floor) -> None:
    """A published track stays published, whatever ingest says of its later steps."""
    await floor.ask(uploading("t1"))
    positions = (await floor.ask(publishing("t1"))).positions
    positions = same_positions(positions, await say(floor, "INGEST", ingest_failed("t1")))
    view = await show(floor, "t1", positions)
    assert (view.status, view.reason) == ("published", None)


async def test_a_duplicate_and_a_rejected_upload_say_why(floor: Floor) -> None:
    """The one names the track it repeats, the other the reason its uploader can act on."""
    for track_id in ("t1", "t2"):
        await floor.ask(uploading(track_id))
    duplicate = MarkDuplicate(track_id=TrackId("t1"), of=TrackId("t0"), reason="the same file")
    view = await show(floor, "t1", (await floor.ask(duplicate)).positions)
    assert (view.status, view.duplicate_of, view.reason) == ("duplicate", "t0", "the same file")
    view = await show(floor, "t2", (await floor.ask(RejectTrack(track_id=TrackId("t2"), reason="no audio"))).positions)
    assert (view.status, view.reason) == ("rejected", "no audio")


async def test_unknown_and_impossible_ids_are_not_found(floor: Floor) -> None:
    """Whatever was sent as an id, the answer is the same clear one."""
    for track_id in map(TrackId, ["nobody", "", "*", "a.b", "nul\0", "x" * 65]):
        with pytest.raises(Refused) as refused:
            await floor.ask(ShowTrack(track_id=track_id))
        assert refused.value.problem.code == "not_found"
        assert (await floor.ask(ListTracks(track_ids=(track_id,)))).value.items == ()


async def test_what_only_ingest_has_spoken_of_is_not_shown(floor: Floor) -> None:
    """Its row waits for the upload itself."""
    positions = await say(floor, "INGEST", ingest_started("t1"))
    with pytest.raises(Refused) as refused:
        await show(floor, "t1", positions)
    assert refused.value.problem.code == "not_found"
    assert (await floor.ask(ListTracks(), after=positions)).value.items == ()


async def test_the_list_pages_from_the_newest_upload_without_gap_or_repetition(floor: Floor) -> None:
    """Tracks that arrive between two pages move nothing."""
    for number in range(7):
        positions = (await floor.ask(uploading(f"t{number}"))).positions
    first = (await floor.ask(ListTracks(limit=3), after=positions)).value
    positions = (await floor.ask(uploading("newer"))).positions
    second = (await floor.ask(ListTracks(limit=3, cursor=first.next_cursor), after=positions)).value
    third = (await floor.ask(ListTracks(limit=3, cursor=second.next_cursor))).value
    listed = [view.id for page in (first, second, third) for view in page.items]
    assert listed == [f"t{number}" for number in reversed(range(7))]
    assert third.next_cursor is None


async def test_the_list_can_be_of_one_status_or_of_named_tracks(floor: Floor) -> None:
    """Both can be asked at once; names nobody has are left out."""
    for number in range(4):
        await floor.ask(uploading(f"t{number}"))
    await floor.ask(publishing("t1"))
    positions = (await floor.ask(publishing("t3"))).positions
    positions = same_positions(positions, await say(floor, "INGEST", ingest_started("t2")))
    wanted: dict[TrackStatus, list[str]] = {"published": ["t3", "t1"], "processing": ["t2"], "uploaded": ["t0"]}
    for status, expected in wanted.items():
        page = (await floor.ask(ListTracks(status=status), after=positions)).value
        assert [view.id for view in page.items] == expected
    named = (TrackId("t3"), TrackId("t0"), TrackId("nobody"))
    assert [view.id for view in (await floor.ask(ListTracks(track_ids=named))).value.items] == ["t3", "t0"]
    both = (await floor.ask(ListTracks(track_ids=named, status="published"))).value
    assert [view.id for view in both.items] == ["t3"]


async def test_a_malformed_page_is_refused(floor: Floor) -> None:
    """Limits are from 1 to 200 and cursors are ours."""
    malformed: list[dict[str, Any]] = [
        {"limit": 0},
        {"limit": 201},
        {"limit": -1},
        {"cursor": "%%"},
        {"cursor": "WzFd"},
    ]
    for asked in malformed:
        with pytest.raises(Refused) as refused:
            await floor.ask(ListTracks(**asked))
        assert refused.value.problem.code == "invalid", asked


async def test_a_rebuild_gives_the_rows_that_were_lived(any_settings: Settings) -> None:
    """All tables of catalog, dropped and read again from the log, are what they were."""
    await provision(any_settings)
    async with running(app, any_settings) as floor:
        positions = await live_through_everything(floor)
        await floor.seen(positions, 20.0)
        lived = await every_row(floor)
    drop_read_database(any_settings, "catalog")
    async with running(app, any_settings) as floor:
        await floor.seen(positions, 20.0)
        assert await every_row(floor) == lived
        assert {name: keeper.position for name, keeper in floor.keepers.items()} == positions


async def live_through_everything(floor: Floor) -> Positions:
    """Uploads that end in each way, plays, feedback and a playlist."""
    from tests.catalog.test_gathering import adding, creating, removing
    from tests.catalog.test_judging import saying
    from tests.catalog.test_playing import playing

    positions: Positions = {}
    for track_id in ("shelf", "failed", "duplicate", "rejected"):
        await floor.ask(uploading(track_id))
        positions = same_positions(positions, await say(floor, "INGEST", ingest_started(track_id)))
    commands: list[Any] = [
        publishing("shelf"),
        DescribeTrack(track_id=TrackId("shelf"), about="Words.", job_id="j"),
        MarkDuplicate(track_id=TrackId("duplicate"), of=TrackId("shelf"), reason="the same file"),
        RejectTrack(track_id=TrackId("rejected"), reason="no audio"),
        relating("duplicate", "none"),
        publishing("duplicate"),
        relating("duplicate", "version", "shelf"),
        playing("p1", "shelf"),
        playing("p2", "shelf", heard_seconds=1.5),
        saying(1, "like", "track:shelf"),
        saying(2, "dislike", "track:shelf"),
        saying(3, "save", "track:shelf"),
        creating("l1"),
        adding("l1", "shelf", "duplicate"),
        removing("l1", "shelf"),
        adding("l1", "shelf"),
    ]
    for command in commands:
        positions = same_positions(positions, (await floor.ask(command)).positions)
    return same_positions(positions, await say(floor, "INGEST", ingest_failed("failed")))


async def every_row(floor: Floor) -> dict[str, list[dict[str, Any]]]:
    """All tables of catalog, by name."""
    models = [model for router in app.routers for entry in router.keeping for model in (entry.model, *entry.beside)]
    tables = [floor.tables.live(model) for model in models]
    rows = {
        table.name: [dict(row) for row in await floor.tables.all(select(table).order_by(*table.primary_key))]
        for table in tables
    }
    assert all(rows.values()), "every table has something in it"
    return rows


async def test_the_order_of_the_streams_makes_no_difference(floor: Floor) -> None:
    """Between streams there is no order: however their events mix, the row is the same."""
    catalog = [recorded("CATALOG", 1, uploaded("t1"))]
    ingest = [recorded("INGEST", number, event) for number, event in enumerate(INGEST, start=1)]
    rows = [await row_after(floor, order) for order in merged(catalog, ingest)]
    assert len(rows) == 4
    assert all(row == rows[0] for row in rows)


INGEST = (ingest_started("t1"), ingest_failed("t1"), ingest_retried("t1"))


def merged(first: list[Recorded[Any]], second: list[Recorded[Any]]) -> list[list[Recorded[Any]]]:
    """All ways to mix two streams that keep the order within each."""
    orders = permutations([*first, *second])
    return [
        list(order)
        for order in orders
        if [fact for fact in order if fact in first] == first and [fact for fact in order if fact in second] == second
    ]


async def row_after(floor: Floor, facts: list[Recorded[Any]]) -> dict[str, Any]:
    """The row of t1 made by these facts alone, one by one."""
    table = floor.tables.live(TrackRow)

    def keep(connection: Any) -> dict[str, Any]:
        connection.execute(delete(table))
        for fact in facts:
            keep_tracks([fact], Writer(connection, table))
        return dict(connection.execute(select(table)).mappings().one())

    return await floor.read.write(keep)


def recorded(stream: str, sequence: int, event: Event) -> Recorded[Any]:
    """A fact at a place in a stream."""
    time = f"2026-01-01T00:00:{sequence:02}.000000Z"
    return Recorded(event=event, stream=stream, sequence=sequence, id=f"{stream}-{sequence}", time=time)


async def test_hearing_a_fact_twice_changes_nothing(floor: Floor) -> None:
    """A projection may be given an event again."""
    facts = [recorded("CATALOG", 1, uploaded("t1")), recorded("INGEST", 1, ingest_started("t1"))]
    assert await row_after(floor, facts) == await row_after(floor, [*facts, *facts])


async def test_asking_for_an_upload_twice_is_one_upload(floor: Floor) -> None:
    """The second answer is the first one again; the same id for another file is refused."""
    first: UploadTrack = uploading("t1")
    positions = (await floor.ask(first)).positions
    assert (await floor.ask(first)).positions == positions
    with pytest.raises(Refused) as refused:
        await floor.ask(uploading("t1", file_name="other.flac"))
    assert refused.value.problem.code == "conflict"

"""The rules of a track, as given, when, then."""

from collections.abc import Callable, Sequence
from functools import partial

import msgspec
import pytest

from tests.catalog.music import publishing, uploaded
from tonetouch_catalog.entry import brought_by
from tonetouch_catalog.track import Track, describe, mark_duplicate, publish, published_as, reject, upload
from tonetouch_contracts.identity import TrackId, named
from tonetouch_contracts.message import Event
from tonetouch_contracts.track import (
    AlbumAdded,
    ArtistAdded,
    DescribeTrack,
    GenreAdded,
    MarkDuplicate,
    MediaAdded,
    RejectTrack,
    TrackDescribed,
    TrackDuplicated,
    TrackRejected,
)
from tonetouch_runtime.testing import given

Decide = Callable[[Track], Event | Sequence[Event]]

T1 = TrackId("t1")
PUBLISHED = published_as(publishing("t1"))
DUPLICATED = TrackDuplicated(track_id=T1, of=TrackId("t0"), reason="the same file")
REJECTED = TrackRejected(track_id=T1, reason="no audio")

PUBLISH = partial(publish, command=publishing("t1"))
DUPLICATE = partial(mark_duplicate, command=MarkDuplicate(track_id=T1, of=TrackId("t0"), reason="the same file"))
REJECT = partial(reject, command=RejectTrack(track_id=T1, reason="no audio"))
DESCRIBE = partial(describe, command=DescribeTrack(track_id=T1, about="Words.", job_id="j"))
DESCRIBED = TrackDescribed(track_id=T1, about="Words.", job_id="j")


def test_an_unknown_track_may_be_uploaded_once() -> None:
    """The same words again are the same upload; other words under the same id are refused."""
    once = partial(upload, uploaded=uploaded("t1"))
    given(Track()).when(once).then(uploaded("t1"))
    given(Track(), uploaded("t1")).when(once).then()
    given(Track(), uploaded("t1", title="Other")).when(once).refused("conflict")


@pytest.mark.parametrize("decide", [PUBLISH, DUPLICATE, REJECT, DESCRIBE])
def test_nothing_can_be_decided_about_a_track_nobody_uploaded(decide: Decide) -> None:
    """Its id is not known."""
    given(Track()).when(decide).refused("not_found")


@pytest.mark.parametrize(
    ("decide", "said"), [(PUBLISH, PUBLISHED), (DUPLICATE, DUPLICATED), (REJECT, REJECTED), (DESCRIBE, DESCRIBED)]
)
def test_asking_twice_changes_nothing(decide: Decide, said: Event) -> None:
    """The first time it happens, the second time it has happened."""
    given(Track(), uploaded("t1")).when(decide).then(said)
    given(Track(), uploaded("t1"), said).when(decide).then()


@pytest.mark.parametrize("ended", [PUBLISHED, DUPLICATED, REJECTED])
@pytest.mark.parametrize("decide", [PUBLISH, DUPLICATE, REJECT])
def test_a_track_ends_in_one_way_only(decide: Decide, ended: Event) -> None:
    """A rejected one is never published, and a published one is never taken away by a late word of ingest."""
    says: dict[Decide, Event] = {PUBLISH: PUBLISHED, DUPLICATE: DUPLICATED, REJECT: REJECTED}
    if says[decide] != ended:
        given(Track(), uploaded("t1"), ended).when(decide).refused("conflict")


def test_what_a_second_publication_would_say_differently_is_not_said() -> None:
    """Publishing again is asking again, not correcting."""
    other = partial(publish, command=publishing("t1", title="Another title"))
    given(Track(), uploaded("t1"), PUBLISHED).when(other).then()


def test_a_second_reason_does_not_replace_the_first() -> None:
    """Neither of a rejection, nor of a duplicate of the same track."""
    again = partial(reject, command=RejectTrack(track_id=T1, reason="too short"))
    given(Track(), uploaded("t1"), REJECTED).when(again).then()
    again = partial(mark_duplicate, command=MarkDuplicate(track_id=T1, of=TrackId("t0"), reason="same sound"))
    given(Track(), uploaded("t1"), DUPLICATED).when(again).then()


def test_a_track_is_a_duplicate_of_one_other_track() -> None:
    """Not of itself, and not of two."""
    itself = partial(mark_duplicate, command=MarkDuplicate(track_id=T1, of=T1, reason="the same file"))
    given(Track(), uploaded("t1")).when(itself).refused("invalid")
    second = partial(mark_duplicate, command=MarkDuplicate(track_id=T1, of=TrackId("t2"), reason="the same file"))
    given(Track(), uploaded("t1"), DUPLICATED).when(second).refused("conflict")


def test_about_may_come_before_and_after_the_publication_and_again() -> None:
    """But nobody will read it of a track that is not published."""
    given(Track(), uploaded("t1"), PUBLISHED).when(DESCRIBE).then(DESCRIBED)
    better = DescribeTrack(track_id=T1, about="Better words.", job_id="j2")
    said = TrackDescribed(track_id=T1, about="Better words.", job_id="j2")
    given(Track(), uploaded("t1"), DESCRIBED, PUBLISHED).when(partial(describe, command=better)).then(said)
    for ended in (REJECTED, DUPLICATED):
        given(Track(), uploaded("t1"), ended).when(DESCRIBE).refused("conflict")


def test_a_publication_keeps_all_that_was_said_and_names_what_it_brings_along() -> None:
    """The artist is known by name, the album by artist and title, the text by its content."""
    command = publishing("t1")
    said = msgspec.structs.asdict(PUBLISHED)
    same = set(command.__struct_fields__) - {"cover_size_bytes", "lyrics_sha256", "lyrics_synced"}
    assert {name: said[name] for name in same} == {name: getattr(command, name) for name in same}
    assert PUBLISHED.artist_id == named("artist", " ÄNGEL")
    assert PUBLISHED.album_id is not None
    assert PUBLISHED.lyrics_id is not None
    bare = published_as(publishing("t1", album=None, lyrics=None, lyrics_sha256=None))
    assert (bare.album_id, bare.lyrics_id) == (None, None)


def test_a_track_brings_along_what_it_names() -> None:
    """One entity each; two spellings of one genre are one genre, spelled as it came first."""
    brought = brought_by(publishing("t1", genres=("Ambient", "AMBIENT", "Piano")))
    assert {entity == event.entity_id for entity, event in brought.items()} == {True}
    kinds = [type(event) for event in brought.values()]
    assert {kind: kinds.count(kind) for kind in (ArtistAdded, AlbumAdded, GenreAdded, MediaAdded)} == {
        ArtistAdded: 1,
        AlbumAdded: 1,
        GenreAdded: 2,
        MediaAdded: 2,
    }
    assert {event.name for event in brought.values() if isinstance(event, GenreAdded)} == {"Ambient", "Piano"}


def test_a_bare_track_brings_its_artist_and_its_audio() -> None:
    """Nothing is made up for what is missing."""
    bare = publishing("t1", album=None, genres=(), cover=None, lyrics_sha256=None)
    assert {type(event) for event in brought_by(bare).values()} == {ArtistAdded, MediaAdded}

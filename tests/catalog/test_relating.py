"""What recordings are to each other: a person has the last word, and versions are shown together."""

from collections.abc import Sequence
from functools import partial

import msgspec
import pytest

from tests.catalog.music import publishing, relating, uploaded, uploading
from tonetouch_catalog.track import Track, describe, mark_duplicate, publish, published_as, relate
from tonetouch_contracts.identity import TrackId, UserId
from tonetouch_contracts.message import Event
from tonetouch_contracts.track import (
    DescribeTrack,
    ListTracks,
    MarkDuplicate,
    RelateTrack,
    ShowTrack,
    TrackDuplicated,
    TrackRejected,
    TrackRelated,
    TrackView,
)
from tonetouch_runtime import Floor, Refused
from tonetouch_runtime.testing import given

T0, T1 = TrackId("t0"), TrackId("t1")
ON_SHELF = (uploaded("t1"), published_as(publishing("t1")))
DUPLICATE = (uploaded("t1"), TrackDuplicated(track_id=T1, of=T0, reason="the same recording", by="sound"))
SAME_FILE = (uploaded("t1"), TrackDuplicated(track_id=T1, of=T0, reason="the same file", by="bytes"))


def after(*past: Event) -> Track:
    return given(Track(), *past).state


OTHER = after(uploaded("t0"), published_as(publishing("t0")))


def said(relation: str, of: TrackId | None = T0) -> TrackRelated:
    fact = TrackRelated(track_id=T1, of=of, relation="none", reason="I heard both.", said_by=UserId("admin"))
    return msgspec.structs.replace(fact, relation=relation)


def asking(command: RelateTrack, other: Track | None = OTHER) -> partial[Sequence[Event]]:
    return partial(relate, other=other, command=command)


class TestRules:
    """The decisions, without a server."""

    def test_a_duplicate_that_is_none_may_be_published(self) -> None:
        """And what is found later does not make it one again."""
        given(Track(), *DUPLICATE).when(asking(relating("t1", "none"))).then(said("none"))
        overruled = (*DUPLICATE, said("none"))
        assert after(*overruled).status == "uploaded"
        given(Track(), *overruled).when(partial(publish, command=publishing("t1"))).then(published_as(publishing("t1")))
        again = MarkDuplicate(track_id=T1, of=T0, reason="the same recording", by="sound")
        given(Track(), *overruled).when(partial(mark_duplicate, command=again)).refused("conflict")
        described = DescribeTrack(track_id=T1, about="Words.", job_id="j")
        assert given(Track(), *overruled).when(partial(describe, command=described)).events

    def test_a_published_track_may_be_called_a_duplicate_and_not_one_again(self) -> None:
        """It is no longer offered, and comes back as it was."""
        given(Track(), *ON_SHELF).when(asking(relating("t1", "duplicate", "t0"))).then(said("duplicate"))
        hidden = after(*ON_SHELF, said("duplicate"))
        assert (hidden.status, hidden.duplicate_of) == ("duplicate", T0)
        shown = after(*ON_SHELF, said("duplicate"), said("none"))
        assert (shown.status, shown.duplicate_of, shown.version_of) == ("published", None, None)

    def test_a_link_that_was_found_can_be_confirmed_and_cut(self) -> None:
        """A person's word takes its place either way."""
        found = (uploaded("t1"), published_as(publishing("t1", version_of=T0)))
        given(Track(), *found).when(asking(relating("t1", "version", "t0"))).then(said("version"))
        given(Track(), *found).when(asking(relating("t1", "none"))).then(said("none"))
        assert after(*found, said("none")).version_of is None

    @pytest.mark.parametrize("relation", ["duplicate", "version", "none"])
    def test_saying_it_twice_is_saying_it_once(self, relation: str) -> None:
        """Nothing is added to the log the second time."""
        command = msgspec.structs.replace(relating("t1", "none", "t0"), relation=relation)
        past = (uploaded("t1"), published_as(publishing("t1", version_of=T0)), said(relation))
        given(Track(), *past).when(asking(command)).then()

    def test_only_what_has_come_to_its_end_is_anything_to_another(self) -> None:
        """Unknown, under way, under way again, rejected: each is refused. But a word can be taken back."""
        version = asking(relating("t1", "version", "t0"))
        given(Track()).when(version).refused("not_found")
        given(Track(), uploaded("t1")).when(version).refused("conflict")
        given(Track(), *DUPLICATE, said("none")).when(version).refused("conflict")
        back = asking(relating("t1", "duplicate", "t0"))
        given(Track(), *DUPLICATE, said("none")).when(back).then(said("duplicate"))
        rejected = TrackRejected(track_id=T1, reason="no audio")
        given(Track(), uploaded("t1"), rejected).when(version).refused("conflict")

    def test_the_other_track_is_one_that_is_offered(self) -> None:
        """Not itself, not unknown, not a duplicate, not one that is a version of this one already."""
        version = relating("t1", "version", "t0")
        given(Track(), *ON_SHELF).when(asking(relating("t1", "version"), None)).refused("invalid")
        given(Track(), *ON_SHELF).when(asking(relating("t1", "version", "t1"), None)).refused("invalid")
        given(Track(), *ON_SHELF).when(asking(version, None)).refused("not_found")
        given(Track(), *ON_SHELF).when(asking(version, after(uploaded("t0")))).refused("conflict")
        given(Track(), *ON_SHELF).when(asking(version, after(*DUPLICATE))).refused("conflict")
        linked = after(uploaded("t0"), published_as(publishing("t0", version_of=T1)))
        given(Track(), *ON_SHELF).when(asking(version, linked)).refused("conflict")

    def test_there_must_be_something_to_cut(self) -> None:
        """And it must be what was named."""
        given(Track(), *ON_SHELF).when(asking(relating("t1", "none"))).refused("conflict")
        linked = (uploaded("t1"), published_as(publishing("t1", version_of=T0)))
        given(Track(), *linked).when(asking(relating("t1", "none", "t7"))).refused("conflict")

    @pytest.mark.parametrize("relation", ["version", "none"])
    def test_the_same_file_is_nothing_else(self, relation: str) -> None:
        """Byte for byte the same: there is nothing to publish beside it."""
        command = msgspec.structs.replace(relating("t1", "none", "t0"), relation=relation)
        given(Track(), *SAME_FILE).when(asking(command)).refused("conflict")


async def shelved(floor: Floor, *tracks: str, **versions: str) -> None:
    """Published tracks, and those that were found to be versions of others."""
    for track in (*tracks, *versions):
        of = TrackId(versions[track]) if track in versions else None
        await floor.ask(uploading(track))
        await floor.ask(publishing(track, title=f"Title of {track}", version_of=of))


async def say(floor: Floor, command: RelateTrack) -> None:
    await floor.seen((await floor.ask(command)).positions)


async def show(floor: Floor, track: str) -> TrackView:
    return (await floor.ask(ShowTrack(track_id=TrackId(track)))).value


async def group(floor: Floor, track: str) -> list[str]:
    return [one.id for one in (await show(floor, track)).versions]


async def test_versions_are_shown_with_each_other(floor: Floor) -> None:
    """Whatever hangs together, from each of its members; in lists as well; a cut takes out one branch."""
    await shelved(floor, "song", "stranger", live="song", acoustic="live")
    await say(floor, relating("stranger", "version", "song"))
    assert await group(floor, "song") == ["stranger", "live", "acoustic"]
    assert await group(floor, "acoustic") == ["song", "stranger", "live"]
    first = (await show(floor, "live")).versions[0]
    assert (first.title, first.artist) == ("Title of song", "Ängel")
    page = (await floor.ask(ListTracks())).value.items
    assert {view.id: len(view.versions) for view in page} == dict.fromkeys(("song", "stranger", "live", "acoustic"), 3)
    await say(floor, relating("live", "none"))
    assert await group(floor, "song") == ["stranger"]
    assert await group(floor, "acoustic") == ["live"]
    assert (await show(floor, "live")).version_of is None


async def test_what_a_person_called_a_duplicate_is_shown_as_one(floor: Floor) -> None:
    """With its reason and its original, in no group; its own versions are the original's then."""
    await shelved(floor, "song", "copy", edit="copy")
    await say(floor, relating("copy", "duplicate", "song"))
    copy = await show(floor, "copy")
    assert (copy.status, copy.duplicate_of, copy.reason) == ("duplicate", "song", "I heard both.")
    assert await group(floor, "song") == ["edit"]
    assert [view.id for view in (await floor.ask(ListTracks(status="duplicate"))).value.items] == ["copy"]
    await say(floor, relating("copy", "none"))
    copy = await show(floor, "copy")
    assert (copy.status, copy.duplicate_of, copy.reason) == ("published", None, None)


async def test_an_upload_that_was_stopped_is_under_way_again(floor: Floor) -> None:
    """No longer a duplicate, not yet published; then published, with no reason left why not."""
    await shelved(floor, "song")
    await floor.ask(uploading("copy"))
    await floor.ask(MarkDuplicate(track_id=TrackId("copy"), of=TrackId("song"), reason="the same", by="sound"))
    await say(floor, relating("copy", "none"))
    view = await show(floor, "copy")
    assert (view.status, view.duplicate_of, view.reason) == ("uploaded", None, None)
    await floor.seen((await floor.ask(publishing("copy"))).positions)
    view = await show(floor, "copy")
    assert (view.status, view.duplicate_of, view.reason) == ("published", None, None)


async def test_what_cannot_be_so_is_refused(floor: Floor) -> None:
    """In words, and nothing is said."""
    await shelved(floor, "song")
    for command, code in (
        (relating("*", "none"), "not_found"),
        (relating("song", "version", "a.b"), "not_found"),
        (relating("song", "version", "nobody"), "not_found"),
        (relating("song", "version", "song"), "invalid"),
        (relating("song", "none", reason="  "), "invalid"),
        (relating("song", "none", reason="x" * 501), "invalid"),
    ):
        with pytest.raises(Refused) as refused:
            await floor.ask(command)
        assert refused.value.problem.code == code, command

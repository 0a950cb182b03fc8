"""Feedback on real servers: what is kept, what is refused, and what it comes to."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from tests.catalog.music import publishing, uploading
from tonetouch_catalog.entry import artist_id_of
from tonetouch_catalog.judging import OpinionRow
from tonetouch_contracts.feedback import GiveFeedback, ListLikes
from tonetouch_contracts.identity import FeedbackId, UserId
from tonetouch_contracts.message import Positions, same_positions
from tonetouch_runtime import Floor, Refused

ME = UserId("me")
ANGEL = artist_id_of("Ängel")


def saying(number: int, said: Any, about: str = "track:t1", **more: Any) -> GiveFeedback:
    """The command of the `number`-th feedback, a minute after the one before."""
    command = GiveFeedback(
        feedback_id=FeedbackId(f"f{number}"),
        user_id=ME,
        about=about,
        said=said,
        at=f"2026-01-01T00:{number:02d}:00.000000Z",
    )
    return msgspec.structs.replace(command, **more)


async def said(floor: Floor, *commands: GiveFeedback) -> Positions:
    """Say all of it; returns when the table shows it."""
    positions: Positions = {}
    for command in commands:
        positions = same_positions(positions, (await floor.ask(command)).positions)
    await floor.seen(positions)
    return positions


async def opinions(floor: Floor) -> dict[str, dict[str, str]]:
    """What holds by now, by what it is about: the minute it began."""
    table = floor.tables.live(OpinionRow)
    rows = await floor.tables.all(select(table).where(table.c.user_id == ME))
    times = ("liked_at", "disliked_at", "saved_at", "never_again_at")
    return {row["about"]: {name: row[name][14:16] for name in times if row[name]} for row in rows}


async def messages(floor: Floor) -> int:
    return int((await floor.bus.jetstream.stream_info("LIBRARY")).state.messages)


@pytest.fixture(name="shelf")
async def _shelf(floor: Floor) -> Floor:
    """A catalog with two published tracks of one artist, and one that is not published."""
    for track in ("t1", "t2"):
        await floor.ask(uploading(track))
        await floor.ask(publishing(track))
    await floor.ask(uploading("t3"))
    return floor


async def test_what_is_said_adds_up(shelf: Floor) -> None:
    """Twice is once, the opposite takes its place, what is taken back is gone, and a skip is no opinion."""
    await said(shelf, saying(1, "like"), saying(2, "like"), saying(3, "save"), saying(4, "skip"))
    assert await opinions(shelf) == {"track:t1": {"liked_at": "01", "saved_at": "03"}}
    await said(shelf, saying(5, "dislike"), saying(6, "never_again"), saying(7, "like", "track:t2"))
    assert await opinions(shelf) == {
        "track:t1": {"disliked_at": "05", "saved_at": "03", "never_again_at": "06"},
        "track:t2": {"liked_at": "07"},
    }
    about = f"artist:{ANGEL}"
    await said(
        shelf,
        saying(8, "undislike"),
        saying(9, "unsave"),
        saying(10, "allow_again"),
        saying(11, "unlike", "track:t2"),
        saying(12, "never_again", about),
        saying(13, "like"),
    )
    assert await opinions(shelf) == {
        "track:t1": {"liked_at": "13"},
        "track:t2": {},
        about: {"never_again_at": "12"},
    }


async def test_one_id_is_one_feedback(shelf: Floor) -> None:
    """Without a time it was now; repeated, it is the same and adds nothing to the log."""
    first = await shelf.ask(saying(1, "like", at=None))
    again = await shelf.ask(saying(1, "dislike"))
    assert (again.value, await messages(shelf)) == (first.value, 1)
    await shelf.seen(first.positions)
    [like] = (await shelf.ask(ListLikes(user_id=ME))).value.items
    assert like.at[:4] == str(shelf.clock.now().year)


IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"about": "track:nobody"}, "not_found"),
    ({"about": "track:t3"}, "conflict"),
    ({"about": "artist:nobody", "said": "never_again"}, "not_found"),
    ({"about": "artist:t1", "said": "never_again"}, "not_found"),
    ({"about": f"artist:{ANGEL}"}, "invalid"),
    ({"about": "track:a.b"}, "invalid"),
    ({"feedback_id": "a.b"}, "invalid"),
    ({"user_id": ""}, "invalid"),
    ({"at": "9999-12-31T23:59:59Z"}, "invalid"),
]


async def test_nobody_says_anything_of_what_is_not_there(shelf: Floor) -> None:
    """Each is answered, and nothing of it reaches the log."""
    for wrong, code in IMPOSSIBLE:
        with pytest.raises(Refused) as refused:
            await shelf.ask(msgspec.structs.replace(saying(1, "like"), **wrong))
        assert refused.value.problem.code == code, wrong
    assert await messages(shelf) == 0


async def test_likes_are_listed_page_by_page(shelf: Floor) -> None:
    """The newest first, of tracks only, each listener's their own; saved tracks are another list."""
    await said(
        shelf,
        saying(1, "like"),
        saying(2, "like", "track:t2"),
        saying(3, "save"),
        saying(4, "like", user_id=UserId("you")),
        saying(5, "never_again", f"artist:{ANGEL}"),
    )
    first = (await shelf.ask(ListLikes(user_id=ME, limit=1))).value
    second = (await shelf.ask(ListLikes(user_id=ME, limit=1, cursor=first.next_cursor))).value
    assert [like.track_id for page in (first, second) for like in page.items] == ["t2", "t1"]
    assert second.next_cursor is None
    saved = (await shelf.ask(ListLikes(user_id=ME, said="save"))).value
    assert [(like.track_id, like.at[14:16]) for like in saved.items] == [("t1", "03")]

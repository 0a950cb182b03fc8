"""An event that grew out of its shape, and one that did not: made up, since no event of ours has yet."""

from typing import Annotated, ClassVar

from tonetouch_contracts.manifest import Retired, Stream
from tonetouch_contracts.message import Event
from tonetouch_contracts.personal import IDENTITY


class SongRated(Event, frozen=True, kw_only=True, tag="song.rated"):
    """The song was given stars, one to five. It does not say by whom."""

    entity_field: ClassVar[str] = "song_id"

    song_id: str
    stars: int


class SongRatedV2(Event, frozen=True, kw_only=True, tag="song.rated-v2"):
    """The song was given so much of a hundred. Null where it was never kept who did."""

    entity_field: ClassVar[str] = "song_id"

    song_id: str
    percent: int
    rated_by: Annotated[str, IDENTITY] | None = None


def in_percent(old: SongRated) -> SongRatedV2:
    """Five stars are the whole."""
    return SongRatedV2(song_id=old.song_id, percent=20 * old.stars)


AT_FIRST = Stream(name="SONGS", owner="critic", says=(SongRated,), promise="What critics say.")
LATER = Stream(
    name="SONGS",
    owner="critic",
    says=(SongRatedV2,),
    retired=(Retired(shape=SongRated, successor=SongRatedV2, upcast=in_percent),),
    promise="What critics say.",
)

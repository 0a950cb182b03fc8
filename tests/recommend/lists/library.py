"""A library of two kinds of music, and how listeners ask for lists of it."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from tests.recommend.saying import on_shelf, played, say, track_id
from tonetouch_contracts.feedback import FeedbackGiven, Said
from tonetouch_contracts.finding import Filters, Selection
from tonetouch_contracts.identity import ArtistId, FeedbackId, TrackId, UserId, derived
from tonetouch_contracts.message import Command, Event
from tonetouch_runtime import Floor, Refused, stamp

QUIET: Final = "slow, 60 bpm; sad, calm; in D minor; quiet, soft, gentle, to fall asleep; Solo Piano"
LOUD: Final = "very fast driving, 170 bpm; angry, tense; in E minor; powerful, intense, for a workout; Metal"
NAMES: Final = ("rain", "snow", "wind", "fog", "tide", "dusk", "moss", "dew")
KINDS: Final = ("quiet", "loud", "rude", "far")


def _shelf(kind: str, text: str, **changes: Any) -> list[Event]:
    """Eight tracks of a kind, each two by one artist: `quiet rain` and so on."""
    found = []
    for number, name in enumerate(NAMES):
        title, artist = f"{kind} {name}", f"{kind} band {number // 2}"
        said = {"year": 1990 + number, "artist": artist, "language": "eng" if number % 2 else "deu", **changes}
        found += on_shelf(title, f"{text}. {title}.", **said)
    return found


LIBRARY: Final[Sequence[Event]] = (
    *_shelf("quiet", QUIET, moods=("calm", "sad"), genres=("Solo Piano",), bpm=60.0, key="D minor", energy=0.1),
    *_shelf("loud", LOUD, moods=("aggressive", "dark"), genres=("Metal",), bpm=170.0, key="E minor", energy=0.9),
    *_shelf("rude", LOUD, moods=("aggressive", "calm"), genres=("Metal",), bpm=170.0, energy=0.8, explicit=True),
    *_shelf("far", QUIET, moods=("calm",), genres=("Solo Piano",), region="DE"),
)
_BY_ID: Final = {track_id(f"{kind} {name}"): f"{kind} {name}" for kind in KINDS for name in NAMES}


def names(tracks: Selection | Iterable[TrackId]) -> list[str]:
    """The titles of a list, in its order."""
    ids = [one.track_id for one in tracks.tracks] if isinstance(tracks, Selection) else tracks
    return [_BY_ID[each] for each in ids]


def kinds(selection: Selection) -> set[str]:
    """The kinds of music in a list."""
    return {name.split()[0] for name in names(selection)}


def artists(selection: Selection) -> list[str]:
    """Whose the tracks are, in their order."""
    return [f"{name.split()[0]} {NAMES.index(name.split()[1]) // 2}" for name in names(selection)]


def artist_id(kind: str, number: int) -> ArtistId:
    """The `number`-th artist of a kind, who made two tracks."""
    return ArtistId(derived("artist", f"{kind} band {number}"))


def track(name: str) -> str:
    """A track as a seed."""
    return f"track:{track_id(name)}"


async def ask(floor: Floor, command: type[Command[Selection]], user: str = "ann", **changes: Any) -> Selection:
    """A list for a listener in Britain who may be shown everything."""
    asked: dict[str, Any] = {"user_id": UserId(user), "region": "GB", "explicit_allowed": True, **changes}
    return (await floor.ask(command(**asked))).value


async def refusal(floor: Floor, command: type[Command[Selection]], **changes: Any) -> tuple[str, str]:
    """The code of the problem and what can be done about it, of a question that is refused."""
    try:
        await ask(floor, command, **changes)
    except Refused as refused:
        return refused.problem.code, refused.problem.next_step
    raise AssertionError("it was answered")


async def hears(floor: Floor, user: str, *titles: str) -> None:
    """The listener has just heard these to the end, and the indexes know it."""
    now = stamp(floor.clock.now())
    plays = [played(user, title, number, at=now) for number, title in enumerate(titles)]
    await floor.seen(await say(floor.log, *plays))


async def tells(floor: Floor, user: str, about: str, said: Said) -> None:
    """The listener says something of a track or an artist."""
    feedback_id = FeedbackId(derived("feedback", user, about, said))
    now = stamp(floor.clock.now())
    given = FeedbackGiven(feedback_id=feedback_id, user_id=UserId(user), about=about, said=said, at=now)
    await floor.seen(await say(floor.log, given))


NOTHING_PASSES: Final = Filters(year_from=2090)

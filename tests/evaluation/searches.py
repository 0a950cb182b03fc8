"""``python -m tests.evaluation.searches``: how well search finds what people ask for, against either half of it alone.

Questions about mood, activity and sound, lines of songs, misspelt names, names without their accents, other scripts and
mixtures of these, over a described catalogue, through the service itself with its embedded engine: real bus, log,
tables and index. Printed are the mean reciprocal rank of the first right track and the share of the right tracks among
the first ten. The exit code is 1 where ours is worse than letters alone or vectors alone.
"""

import asyncio
import logging
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import structlog
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from tests.evaluation.questions import Question, questions
from tests.evaluation.songs import SONGS, Song, strangers
from tests.recommend.saying import embedded, published, say, track_id
from tests.runtime.installation import provision
from tests.servers import nats_server, object_store
from tonetouch_contracts.finding import SearchTracks
from tonetouch_contracts.identity import ContentHash, TrackId, derived
from tonetouch_contracts.message import Event
from tonetouch_contracts.track import Audio
from tonetouch_contracts.upload import AudioAnalysed, AudioStaged
from tonetouch_ingest.description import describe
from tonetouch_recommend.app import app
from tonetouch_recommend.indexes.indexing import Indexes
from tonetouch_recommend.search.fusing import fused
from tonetouch_recommend.search.reranking import reranked
from tonetouch_recommend.search.searching import by_letters, meaning, nearest, search_tracks, to_read
from tonetouch_recommend.search.spotting import spotted
from tonetouch_runtime import Floor, Settings, running

FIRST = 10
"""How many of a list count."""
OURS, LETTERS, VECTORS, AGAIN = "ours", "letters alone", "vectors alone", "ours, reranked"
"""The last is what the embedded reranker would make of ours, which is therefore not asked."""
STRANGERS = 600
"""Songs made up of the words, lines and facts of the others, that a question must tell apart from them."""


class Score(msgspec.Struct, frozen=True):
    """Of one question, or the mean of several: each 0 to 1."""

    reciprocal_rank: float
    recall: float


def score(found: Sequence[str], answers: frozenset[str]) -> Score:
    """Of a list of titles, of which the first ten count; more than ten answers cannot be among them."""
    ranks = [rank for rank, title in enumerate(found[:FIRST], 1) if title in answers]
    return Score(1 / ranks[0] if ranks else 0.0, len(ranks) / min(len(answers), FIRST))


def mean(scores: Sequence[Score]) -> Score:
    """The mean of both figures."""
    count = max(len(scores), 1)
    return Score(sum(one.reciprocal_rank for one in scores) / count, sum(one.recall for one in scores) / count)


def learned(song: Song) -> list[Event]:
    """What recommend hears of a song that was uploaded: its passages, its description, and that it is published."""
    album = derived("album", song.album)
    sung = [embedded(song.title, words, kind="lyrics", passage=number) for number, words in enumerate(song.lyrics)]
    facts = {
        "artist": song.artist,
        "album": song.album,
        "album_id": album,
        "genres": (song.genre,),
        "moods": song.moods,
        "bpm": song.bpm,
        "key": song.key,
        "energy": song.energy,
        "year": song.year,
        "language": song.language,
    }
    return [*sung, embedded(song.title, described(song)), published(song.title, **facts)]


def described(song: Song) -> str:
    """The text that ingest would embed."""
    staged = AudioStaged(
        track_id=track_id(song.title),
        audio=Audio(sha256=ContentHash("0" * 64), size_bytes=1, content_type="audio/flac", codec="flac"),
        title=song.title,
        artist=song.artist,
        album=song.album,
        genres=(song.genre,),
        explicit=False,
        region="GB",
        cover=None,
        lyrics="\n\n".join(song.lyrics) or None,
        year=song.year,
        language=song.language,
    )
    analysed = AudioAnalysed(
        track_id=staged.track_id,
        analyser="evaluation",
        duration_seconds=200.0,
        loudness_lufs=None,
        loudness_range_lu=None,
        peak_dbfs=None,
        bpm=song.bpm,
        bpm_candidates=(),
        key=song.key,
        key_strength=1.0,
        energy=song.energy,
        moods=song.moods,
    )
    return describe(staged, analysed)


async def found_by_method(question: Question, floor: Floor) -> dict[str, list[str]]:
    """The ids of the tracks that each method gives first."""
    command = SearchTracks(query=question.query, limit=FIRST)
    vector = await meaning(question.query, floor)
    assert vector is not None
    near = await nearest(command, vector, floor)
    lettered = [by_letters(one) for one in await spotted(command, floor)]
    page = await search_tracks(command, floor)
    texts = await to_read(page, floor.get(Indexes).collections.tracks.model, floor)
    again = await reranked(command, page, texts, floor, embedded=True)
    return {
        OURS: [one.track_id for one in page.items],
        LETTERS: [one.id for one in fused(lettered, [], {})],
        VECTORS: [one.id for one in fused([], near, {})],
        AGAIN: [one.track_id for one in again.items],
    }


async def measured(floor: Floor, asked: Sequence[Question], songs: Sequence[Song]) -> dict[str, list[Score]]:
    """The scores of each method, question by question, once the service has learned the songs."""
    await floor.seen(await say(floor.log, *(event for song in songs for event in learned(song))), seconds=60)
    await floor.get(Indexes).settled("track", seconds=60)
    scores: dict[str, list[Score]] = {OURS: [], LETTERS: [], VECTORS: [], AGAIN: []}
    titles = {track_id(song.title): song.title for song in songs}
    for question in asked:
        for method, ids in (await found_by_method(question, floor)).items():
            scores[method].append(score([titles[TrackId(one)] for one in ids], question.answers))
    return scores


def failures(scores: Mapping[str, Sequence[Score]]) -> list[str]:
    """In what ours is worse than either half of it, in words."""
    means = {method: mean(some) for method, some in scores.items()}
    return [
        f"{OURS} has a lower {figure.replace('_', ' ')} than {other}"
        for other in (LETTERS, VECTORS)
        for figure in ("reciprocal_rank", "recall")
        if getattr(means[OURS], figure) < getattr(means[other], figure)
    ]


def table(asked: Sequence[Question], songs: int, scores: Mapping[str, Sequence[Score]]) -> Table:
    """A row for each family and one for all."""
    shown = Table(title=f"{len(asked)} questions over {songs} songs: MRR, Recall@{FIRST}", title_justify="left")
    for column in ("", "questions", *scores):
        shown.add_column(column, justify="right" if column else "left")
    families = list(dict.fromkeys(question.family for question in asked))
    for family in (*families, "all"):
        of_it = [at for at, question in enumerate(asked) if family in ("all", question.family)]
        means = [mean([some[at] for at in of_it]) for some in scores.values()]
        cells = [f"{one.reciprocal_rank:.3f}  {one.recall:.3f}" for one in means]
        shown.add_row(family, str(len(of_it)), *cells, end_section=family == families[-1])
    return shown


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Floor]:
    """The service on servers of its own, empty."""
    with object_store(folder / "s3") as s3, nats_server(folder / "nats") as nats:
        settings = Settings(
            data=folder,
            nats_url=nats.fresh_account(),
            s3_endpoint=s3.endpoint,
            s3_bucket="evaluation",
            s3_access_key=SecretStr(s3.access_key),
            s3_secret_key=SecretStr(s3.secret_key),
            admin_token=SecretStr("token-of-the-evaluation"),
        )
        await provision(settings)
        async with running(app, settings) as floor:
            yield floor


async def evaluated(asked: Sequence[Question], songs: Sequence[Song]) -> dict[str, list[Score]]:
    """The scores over these songs, on servers of its own."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with serving(Path(folder)) as floor:
            return await measured(floor, asked, songs)


def run() -> int:
    """Measure and print; 1 where ours is worse than either half of it."""
    songs = (*SONGS, *strangers(STRANGERS))
    asked = questions(songs)
    scores = asyncio.run(evaluated(asked, songs))
    console = Console()
    console.print(table(asked, len(songs), scores))
    worse = failures(scores)
    for sentence in worse:
        console.print(f"[red]{sentence}[/red]")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(run())

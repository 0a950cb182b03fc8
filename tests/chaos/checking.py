"""What has to be true after a run. Each check looks at what was found, and gives what is wrong with it, in words."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.chaos.faults import Injected
from tests.chaos.load import Acknowledged
from tests.chaos.log import Logs
from tests.cloud import Call
from tests.journeys.platform import EVERYTHING
from tonetouch_contracts.message import Event
from tonetouch_contracts.play import PlayRecorded
from tonetouch_contracts.playlist import PlaylistRenamed
from tonetouch_contracts.track import TrackDuplicated, TrackPublished, TrackUploaded
from tonetouch_contracts.upload import IngestCompleted, IngestStarted

Row = Mapping[str, Any]


def plays_kept(acknowledged: Acknowledged, logs: Logs) -> Iterator[str]:
    """Every acknowledged play is there, and none is there twice."""
    kept = Counter(fact.event.play_id for fact in logs["LIBRARY"] if isinstance(fact.event, PlayRecorded))
    yield from (f"play {play} was acknowledged and is lost" for play in acknowledged.plays if play not in kept)
    yield from (f"play {play} is there {times} times" for play, times in kept.items() if times > 1)


def names_in_order(acknowledged: Acknowledged, logs: Logs) -> Iterator[str]:
    """Every acknowledged name is there, in the order they were given, and twice only if it was asked for again."""
    told = [fact.event.name for fact in logs["LIBRARY"] if isinstance(fact.event, PlaylistRenamed)]
    first = list(dict.fromkeys(told))
    yield from (f"{name!r} was acknowledged and is lost" for name in acknowledged.names if name not in told)
    if [name for name in first if name in set(acknowledged.names)] != acknowledged.names:
        yield f"the names are in another order: {first}"
    for name, times in Counter(told).items():
        if times > 1 and name not in acknowledged.repeated:
            yield f"{name!r} is there {times} times, and was asked for once"


def uploads_arrived(acknowledged: Acknowledged, logs: Logs) -> Iterator[str]:
    """Every accepted file is uploaded once and published once, or as a duplicate of what was sent before it again."""
    catalog = [fact.event for fact in logs["CATALOG"]]
    uploaded = Counter(event.track_id for event in catalog if isinstance(event, TrackUploaded))
    published = Counter(event.track_id for event in catalog if isinstance(event, TrackPublished))
    titles = Counter(event.title for event in catalog if isinstance(event, TrackPublished))
    duplicates = {event.track_id: event.of for event in catalog if isinstance(event, TrackDuplicated)}
    for track, title in acknowledged.uploads.items():
        if uploaded[track] != 1:  # type: ignore[index]
            yield f"{title} was accepted and is there {uploaded[track]} times"  # type: ignore[index]
        if duplicates.get(track, track) not in published:  # type: ignore[call-overload]
            yield f"{title} was accepted and never published"
        if titles[title] != 1:
            yield f"{title} is published {titles[title]} times"
    yield from (f"track {track} is published {times} times" for track, times in published.items() if times > 1)


def ingests_in_order(logs: Logs) -> Iterator[str]:
    """Each upload's story begins with its beginning and is completed at most once."""
    stories: dict[str, list[Event]] = {}
    for fact in logs["INGEST"]:
        stories.setdefault(fact.event.entity_id, []).append(fact.event)
    for entity, story in stories.items():
        starts = [place for place, event in enumerate(story) if isinstance(event, IngestStarted)]
        if starts and starts != [0]:
            yield f"the story of {entity} begins at {starts}"
        if (ends := sum(isinstance(event, IngestCompleted) for event in story)) > 1:
            yield f"{entity} is completed {ends} times"


def ledger_is_the_clouds(calls: Sequence[Call], rows: Sequence[Row]) -> Iterator[str]:
    """Call by call: each that the provider counted has its row, no job was asked twice, and the tokens are the same.

    Of a row without an end (its process was killed; the sweeper closes it after ten minutes) or with the end
    `unknown` only the job is known.
    """
    asked = [row for row in rows if row["provider"] == "cloudflare" and row["cache"] in ("miss", None)]
    open_ended = {str(row["job_id"]) for row in asked if row["outcome"] in ("running", "unknown")}
    by_request: dict[str, list[Row]] = {}
    for row in asked:
        if row["provider_request_id"]:
            by_request.setdefault(str(row["provider_request_id"]), []).append(row)
    known = {call.request_id: call for call in calls}
    yield from (f"a row names the request {one}, which was never made" for one in by_request.keys() - known.keys())
    for job, times in Counter(str(call.metadata["job"]) for call in calls if "job" in call.metadata).items():
        if times > 1:
            yield f"job {job} was asked {times} times"
    for call in calls:
        named = by_request.get(call.request_id, [])
        if not named and str(call.metadata.get("job")) not in open_ended:
            yield f"call {call.number} of {call.model} ({call.outcome}) is in no row"
        if len(named) > max(1, call.texts):
            yield f"call {call.number} is in {len(named)} rows"
    for job in (row["job_id"] for row in rows if row["contradicted_at"] is not None):
        yield f"job {job} says two things"
    yield from _tokens_equal([call for call in calls if call.request_id in by_request], by_request)


def _tokens_equal(calls: Sequence[Call], by_request: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    """Over all chats whose end is known: what the rows sum up to is what the provider charged."""
    ended = [call for call in calls if all(row["outcome"] == "succeeded" for row in by_request[call.request_id])]
    chats = [call for call in ended if {row["type"] for row in by_request[call.request_id]} == {"chat"}]
    for kind in ("prompt_tokens", "completion_tokens"):
        charged = sum(getattr(call.charged, kind) for call in chats)
        told = sum(int(row[kind] or 0) for call in chats for row in by_request[call.request_id])
        if charged != told:
            yield f"the ledger has {told} {kind} of {len(chats)} chats, the provider {charged}"


def nothing_parked(data: Path) -> Iterator[str]:
    """A kill is no event's fault."""
    for state in sorted((data / "tables").glob("*/state.db")):
        with closing(sqlite3.connect(state)) as database:
            if database.execute("select 1 from sqlite_master where name = 'parked'").fetchone():
                for listener, stream, sequence, error in database.execute(
                    "select listener, stream, sequence, error from parked"
                ):
                    yield f"{listener} of {state.parent.name} has parked {stream}@{sequence}: {error}"


def ledger_rows(data: Path) -> list[Row]:
    """The ledger's rows as they lie in its table."""
    with closing(sqlite3.connect(data / "tables" / "ai-ledger" / "read.db")) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute("select * from ai_jobs")]


def enough_happened(
    rounds: int, injected: Injected, acknowledged: Acknowledged, calls: Sequence[Call]
) -> Iterator[str]:
    """A run in which nothing succeeded, or nothing went wrong, shows nothing."""
    least = {
        "faults": (injected.count, rounds),
        "kills": (sum(injected.kills.values()), rounds // 2),
        "plays": (len(acknowledged.plays), 2 * rounds),
        "names": (len(acknowledged.names), rounds // 2),
        "uploads": (len(acknowledged.uploads), 1 + rounds // 10),
        "searches": (acknowledged.searches, rounds // 3),
        "AI calls": (sum(call.outcome == "answered" for call in calls), rounds // 3),
    }
    yield from (
        f"only {count} {what}, at least {wanted} are needed"
        for what, (count, wanted) in least.items()
        if count < wanted
    )
    if rounds >= 5 * len(EVERYTHING):
        yield from (f"{name} was never killed" for name, kills in injected.kills.items() if not kills)

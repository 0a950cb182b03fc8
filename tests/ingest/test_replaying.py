"""A replay of all that ingest and agents have ever heard: nothing happens a second time."""

from functools import partial
from pathlib import Path

from tests.ingest.installation import ended, until, upload
from tests.sounds import encode, song
from tonetouch_contracts.manifest import CONSUMERS, STREAMS
from tonetouch_contracts.operating import Replayed, ReplayRange
from tonetouch_runtime import Floor

HEARING = [consumer for consumer in CONSUMERS if consumer.stream in {stream.name for stream in STREAMS}]
TRUTH = ("CATALOG", "INGEST", "AGENTS")


async def heads(floor: Floor) -> dict[str, int]:
    return {stream: (await floor.bus.jetstream.stream_info(stream)).state.last_seq for stream in TRUTH}


async def count(floor: Floor, stream: str, wire_name: str) -> int:
    """How many events of a type there are."""
    state = (await floor.bus.jetstream.stream_info(stream, subjects_filter=f"{wire_name}.*")).state
    return sum((state.subjects or {}).values())


async def are_over(floor: Floor) -> bool:
    return await count(floor, "INGEST", "ingest.completed") == 3


async def replayed(floor: Floor, *, dry_run: bool) -> list[Replayed]:
    """Everything there is, to every listener."""
    answers = []
    for consumer in HEARING:
        command = ReplayRange(
            consumer=consumer.name, first=1, last=100_000, operator="ada", dry_run=dry_run, at_most=1000
        )
        answers.append((await floor.bus.ask(command, service=consumer.owner)).value)
    return answers


async def test_a_replay_of_everything_changes_nothing_and_bills_nothing(floor: Floor, tmp_path: Path) -> None:
    """One published, one duplicate, one rejected: no fact is added, nothing queued, no model asked, and none fails."""
    sound, text = encode(song(1, seconds=6.0), tmp_path / "a.flac"), tmp_path / "text.mp3"
    text.write_bytes(b"words")
    await ended(floor, await upload(floor, sound, lyrics=b"[00:01.00]Words"), "published")
    await ended(floor, await upload(floor, sound), "duplicate")
    await ended(floor, await upload(floor, text), "rejected")
    await until(partial(are_over, floor))
    before, called = await heads(floor), await count(floor, "AI", "job.started")
    assert called > 0

    rehearsed = [event for answer in await replayed(floor, dry_run=True) for event in answer.events]
    effects = {effect for event in rehearsed for effect in event.effects}
    assert effects <= {"asks catalog to describe track"}, "of all that they do only this is not decided on the log"

    done = [event for answer in await replayed(floor, dry_run=False) for event in answer.events]
    assert len(done) == len(rehearsed) > 20
    assert {event.outcome for event in done} == {"done"}
    queue = await floor.bus.jetstream.stream_info("INGEST_Q")
    assert (await heads(floor), queue.state.messages) == (before, 0)
    assert await count(floor, "AI", "job.started") == called

"""`events flow` against a real log."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import nats
import pytest

from tests.catalog.music import uploaded
from tests.deploy.events.conftest import Asked, Command
from tests.deploy.events.story import Story, told
from tests.servers import NatsServer
from tonetouch_contracts.envelope import Envelope
from tonetouch_contracts.identity import derived, uuid7
from tonetouch_contracts.story import time_of
from tonetouch_runtime import Bus, Decision, Log
from tonetouch_runtime.testing import HandClock


def shape(flow: dict[str, Any]) -> list[tuple[int, str]]:
    """How deep each hop stands, and its type."""
    return [(hop["depth"], hop["type"]) for hop in flow["hops"]]


STORY = [(0, "track.uploaded"), (1, "ingest.started"), (2, "job.started"), (2, "track.published")]


async def test_a_story_is_a_tree_of_causes(asked: Asked, story: Story) -> None:
    """Over all streams; another upload of the same minute is not in it."""
    flow = await asked("flow", story.correlation)
    assert shape(flow) == STORY
    assert (flow["read"], flow["notes"]) == (5, [])
    root, started, *_ = flow["hops"]
    assert (root["service"], root["after_ms"]) == ("tests", 0)
    assert started["after_ms"] == pytest.approx(
        1000
        * (datetime.fromisoformat(story.started.time) - datetime.fromisoformat(story.uploaded.time)).total_seconds()
    )


async def test_an_entity_stands_for_its_first_story(asked: Asked, story: Story) -> None:
    """Whoever has the id of a track need not look for the correlation."""
    flow = await asked("flow", story.track_id)
    assert flow["correlation"] == story.correlation
    assert shape(flow) == STORY


async def test_it_is_drawn(command: Command, story: Story) -> None:
    """Each event below its cause, with the time since then."""
    result = await command("flow", story.correlation)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert "4 events in" in lines[0]
    assert [line.lstrip("└├─│ ").split()[0] for line in lines[1:5]] == [
        *("track.uploaded", "ingest.started", "job.started", "track.published")
    ]
    indents = [len(line) - len(line.lstrip("└├─│ ")) for line in lines[1:5]]
    assert indents[0] < indents[1] < indents[2] == indents[3]


async def test_of_later_only_the_entities_found_are_followed(asked: Asked, story: Story) -> None:
    """Where the reading ends before the model was asked, its job is not known; what became of the track is."""
    flow = await asked("flow", story.correlation, "--since", story.started.time, "--within", "0s")
    assert shape(flow) == [(0, "track.uploaded"), (1, "ingest.started"), (2, "track.published")]
    assert [note for note in flow["notes"] if "--within reads on" in note]


async def test_a_stream_that_is_left_early_is_named(asked: Asked, story: Story) -> None:
    """One event of each was read, and no stream but CATALOG has more."""
    flow = await asked("flow", story.correlation, "--at-most", "1")
    [note] = flow["notes"]
    assert note.startswith("CATALOG was not read after")
    assert "--at-most" in note


async def test_a_story_stored_later_than_its_id_says_is_found_with_since(
    nats_server: NatsServer, command: Command, asked: Asked
) -> None:
    """As after an import: nothing of it lies in the hour after its beginning, and the sentence says what to do."""
    story = await told(nats_server.fresh_account())
    bus = await Bus.connect(story.url, "earlier")
    log = Log(bus, HandClock(), service="tests", settle_seconds=20.0)
    await log.append(Decision(entity_id="early", events=(uploaded("early"),), expected=0))
    [first] = await log.history("CATALOG", "early")
    await bus.close()
    nothing = await command("flow", first.id, url=story.url)
    assert (nothing.exit_code, "--since" in nothing.stderr) == (2, True)
    assert shape(await asked("flow", first.id, "--since", "1h", url=story.url)) == [(0, "track.uploaded")]


async def test_an_id_that_tells_no_time_needs_a_since(command: Command) -> None:
    """One sentence that says so; and with it, one that nothing is there."""
    result = await command("flow", derived("a", "b"))
    assert (result.exit_code, "--since" in result.stderr) == (2, True)
    nothing = await command("flow", derived("a", "b"), "--since", "1h", "--within", "2h")
    assert (nothing.exit_code, "No event from" in nothing.stderr) == (2, True)


def test_an_id_tells_when_it_was_made() -> None:
    """To the millisecond, and only one of version 7."""
    moment = datetime(2026, 1, 31, 10, 0, 0, 123_000, tzinfo=UTC)
    assert time_of(uuid7(int(moment.timestamp() * 1000), bytes(10))) == moment
    for other in (derived("a"), "t1", "x" * 14 + "7" + "x" * 21, ""):
        assert time_of(other) is None


async def test_what_causes_itself_is_told_once(nats_server: NatsServer, asked: Asked) -> None:
    """A ring of causes is a mistake of somebody; nothing of it is left out, and the telling ends."""
    story = await told(nats_server.fresh_account())
    bus = await nats.connect(story.url)
    own_end = int(story.uploaded.id[-2:], 16)
    ids = [f"{story.uploaded.id[:-2]}{(own_end + further) % 256:02x}" for further in (1, 2)]
    for own, other in (ids, reversed(ids)):
        envelope = Envelope(id=own, type="track.rejected", source="/x", subject="x", time=story.published.time)
        ringed = msgspec.structs.replace(envelope, causation=other, correlation=story.correlation)
        await bus.jetstream().publish("track.rejected.x", b"{}", headers=ringed.to_headers())
    await bus.close()
    flow = await asked("flow", story.correlation, url=story.url)
    assert sorted(shape(flow)) == sorted([*STORY, (0, "track.rejected"), (1, "track.rejected")])

"""`events flow` against a real log."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.catalog.music import uploaded
from tests.deploy.events.conftest import Asked, Command
from tests.deploy.events.story import Story, told
from tests.servers import NatsServer
from tonetouch_contracts.identity import derived, uuid7
from tonetouch_deploy.events.flow import time_of
from tonetouch_runtime import Bus, Decision, Log
from tonetouch_runtime.testing import HandClock

Shape = tuple[str, list[Any]]


def shape(hop: dict[str, Any]) -> Shape:
    """A hop as its type and what it led to."""
    return hop["type"], [shape(child) for child in hop["led_to"]]


STORY: Shape = ("track.uploaded", [("ingest.started", [("job.started", []), ("track.published", [])])])


async def test_a_story_is_a_tree_of_causes(asked: Asked, story: Story) -> None:
    """Over all streams; another upload of the same minute is not in it."""
    flow = await asked("flow", story.correlation)
    assert [shape(root) for root in flow["roots"]] == [STORY]
    assert (flow["events"], flow["read"], flow["notes"]) == (4, 5, [])
    [root] = flow["roots"]
    [started] = root["led_to"]
    assert (root["service"], root["after_ms"]) == ("tests", 0)
    assert started["after_ms"] == pytest.approx(
        1000
        * (datetime.fromisoformat(story.started.time) - datetime.fromisoformat(story.uploaded.time)).total_seconds()
    )


async def test_an_entity_stands_for_its_first_story(asked: Asked, story: Story) -> None:
    """Whoever has the id of a track need not look for the correlation."""
    flow = await asked("flow", story.track_id)
    assert flow["correlation"] == story.correlation
    assert [shape(root) for root in flow["roots"]] == [STORY]


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
    assert [shape(root) for root in flow["roots"]] == [
        ("track.uploaded", [("ingest.started", [("track.published", [])])])
    ]
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
    assert (await asked("flow", first.id, "--since", "1h", url=story.url))["events"] == 1


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

"""`events tail` and `events show` against a real log."""

import asyncio
import json
from collections.abc import Sequence

import nats

from tests.deploy.events.conftest import Asked, Command
from tests.deploy.events.story import Story, told
from tests.servers import NatsServer
from tonetouch_deploy.events.reaching import Door, connected
from tonetouch_deploy.events.stored import Stored
from tonetouch_deploy.events.tailing import Which, tailed


def places(output: str) -> list[str]:
    """The places of the events in lines of JSON."""
    return [f"{event['stream']}@{event['sequence']}" for event in map(json.loads, output.splitlines())]


async def test_the_latest_events_of_all_streams_in_their_order(command: Command) -> None:
    """Two of three streams: the last of them all, whichever stream they are of."""
    result = await command("tail", "--no-follow", "--json", "--last", "4")
    assert places(result.stdout) == ["CATALOG@2", "INGEST@1", "AI@1", "CATALOG@3"]


async def test_a_tail_can_begin_at_a_time(command: Command, story: Story) -> None:
    """Everything since then, however much it is."""
    result = await command("tail", "--no-follow", "--json", "--since", story.uploaded.time)
    assert len(places(result.stdout)) == 5
    future = await command("tail", "--no-follow", "--json", "--since", "2200-01-01")
    assert places(future.stdout) == []


async def test_a_tail_is_of_types_entities_and_stories(command: Command, story: Story) -> None:
    """A filter by type or entity is the server's; a story is told from others by its correlation."""

    async def found(*filters: str) -> list[str]:
        result = await command("tail", "--no-follow", "--json", *filters)
        assert result.exit_code == 0, result.output
        return places(result.stdout)

    assert await found("--type", "track.*") == ["CATALOG@1", "CATALOG@2", "CATALOG@3"]
    assert await found("--type", "track.published", "--type", "job.started") == ["AI@1", "CATALOG@3"]
    assert await found("--entity", story.track_id) == ["CATALOG@1", "INGEST@1", "CATALOG@3"]
    assert await found("--entity", story.track_id, "--type", "track.uploaded") == ["CATALOG@1"]
    assert await found("--correlation", story.correlation) == ["CATALOG@1", "INGEST@1", "AI@1", "CATALOG@3"]
    assert await found("--type", "track.uploaded", "--last", "1") == ["CATALOG@2"]


async def test_a_line_tells_time_place_type_entity_and_content(command: Command, story: Story) -> None:
    """In one line, however long the event is."""
    result = await command("tail", "--no-follow", "--type", "track.uploaded", "--entity", story.track_id)
    [line] = result.stdout.splitlines()
    assert story.track_id in line
    assert "CATALOG@1  track.uploaded" in line
    assert len(line) <= 160


async def test_what_comes_is_shown_as_it_comes(nats_server: NatsServer) -> None:
    """Whoever follows has an event without asking again, and none of them twice."""
    story = await told(nats_server.fresh_account())
    seen: list[str] = []
    there, more = asyncio.Event(), asyncio.Event()

    def hand(found: Sequence[Stored]) -> None:
        seen.extend(event.subject for event in found)
        (more if len(seen) > 3 else there).set()

    bus = await nats.connect(story.url)
    async with connected(Door(url=story.url)) as client, asyncio.timeout(20):
        tailing = asyncio.create_task(tailed(client, Which(types=("track.*",)), hand, last=10))
        await there.wait()
        await bus.jetstream().publish(f"track.rejected.{story.track_id}", b"{}")
        await more.wait()
        tailing.cancel()
        await asyncio.gather(tailing, return_exceptions=True)
    await bus.close()
    assert seen[3:] == [f"track.rejected.{story.track_id}"]


async def test_one_event_is_shown_in_full(asked: Asked, command: Command, story: Story) -> None:
    """Its envelope and its body; every letter of a title."""
    [event] = await asked("show", "CATALOG@1")
    assert event["data"]["title"] == "Ærø – 夜"
    assert (event["id"], event["correlation"]) == (story.uploaded.id, story.correlation)
    assert "problem" not in event
    output = (await command("show", "INGEST@1")).output
    assert f"causation    {story.uploaded.id}" in output
    assert f'"track_id": "{story.track_id}"' in output


async def test_a_number_alone_is_looked_up_in_every_stream(asked: Asked) -> None:
    """Three streams have a first event."""
    assert {event["stream"] for event in await asked("show", "1")} == {"CATALOG", "INGEST", "AI"}


async def test_an_event_that_nobody_can_read_is_shown_as_it_is(nats_server: NatsServer, asked: Asked) -> None:
    """With the reason; bytes that are no text come as base64."""
    story = await told(nats_server.fresh_account())
    bus = await nats.connect(story.url)
    await bus.jetstream().publish("track.rejected.broken", b"\xff\xfe")
    await bus.close()
    [event] = await asked("show", "CATALOG@4", url=story.url)
    assert event["data_base64"] == "//4="
    assert "headers" in event["problem"]


async def test_a_place_that_is_not_there_is_one_sentence(command: Command) -> None:
    """And it says where to look."""
    for words, where in (("no CATALOG@99", "CATALOG@99"), ("no place in the log", "elsewhere")):
        result = await command("show", where)
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
        assert words in result.stderr
    unknown = await command("tail", "--type", "track.lost")
    assert (unknown.exit_code, "No stream says track.lost" in unknown.stderr) == (2, True)

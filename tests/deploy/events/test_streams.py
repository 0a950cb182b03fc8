"""`events streams`, `events consumers` and `events drift` against a real server."""

import nats
from nats.js.api import ConsumerConfig, StreamConfig

from tests.deploy.events.conftest import Asked, Command
from tests.deploy.events.story import told
from tests.servers import NatsServer, free_port
from tonetouch_contracts import manifest


async def test_every_stream_has_its_head_size_rate_and_owner(asked: Asked) -> None:
    """Those of the manifest in its order; a rate is told of truth only."""
    rows = await asked("streams")
    declared = [(stream.name, stream.owner) for stream in manifest.STREAMS]
    declared += [(queue.name, queue.owner) for queue in manifest.QUEUES]
    declared += [(leases.name, leases.owner) for leases in manifest.LEASES]
    assert [(row["name"], row["owner"]) for row in rows] == declared
    catalog, queue = rows[0], rows[len(manifest.STREAMS)]
    assert (catalog["kind"], catalog["head"], catalog["events"]) == ("truth", 3, 3)
    assert catalog["bytes"] > 500
    assert catalog["per_second"] > 0
    assert (queue["kind"], queue["per_second"]) == ("queue", None)


async def test_streams_are_a_table(command: Command) -> None:
    """A line for each, numbers as people read them."""
    result = await command("streams")
    assert result.exit_code == 0, result.output
    [row] = [line for line in result.output.splitlines() if line.startswith("│ CATALOG")]
    assert [cell.strip() for cell in row.strip("│").split("│")][:5] == ["CATALOG", "truth", "catalog", "3", "3"]


async def test_a_consumer_tells_what_waits_for_it(asked: Asked) -> None:
    """The starter of uploads has been given nothing of the two uploads there are."""
    rows = await asked("consumers", "CATALOG")
    [starting] = [row for row in rows if row["name"] == "ingest-starting"]
    assert (starting["kind"], starting["owner"]) == ("durable", "ingest")
    assert (starting["reached"], starting["pending"], starting["in_hand"]) == (0, 2, 0)


async def test_a_server_as_declared_does_not_drift(command: Command, asked: Asked) -> None:
    """The answer is an empty list, and the command does not fail."""
    assert await asked("drift") == []
    assert "as the manifest declares it" in (await command("drift")).output


async def test_drift_names_what_differs_and_what_nobody_declared(nats_server: NatsServer, command: Command) -> None:
    """A consumer that is gone, a stream nobody knows: a line each, and the command fails."""
    story = await told(nats_server.fresh_installation(readable=True).url)
    bus = await nats.connect(story.url)
    jetstream = bus.jetstream()
    await jetstream.delete_consumer("CATALOG", "ingest-starting")
    await jetstream.add_stream(StreamConfig(name="SCRATCH", subjects=["scratch.*"]))
    await jetstream.add_consumer("INGEST", ConsumerConfig(durable_name="curious"))
    await bus.close()
    result = await command("drift", url=story.url)
    assert result.exit_code == 1
    for words in (
        "consumer ingest-starting on CATALOG",
        "it does not exist",
        "stream SCRATCH",
        "consumer curious on INGEST",
        "tonetouch provision",
    ):
        assert words in result.output


async def test_what_cannot_be_reached_is_one_sentence(command: Command) -> None:
    """No traceback, no password: what to do next, on standard error, and exit code 2."""
    result = await command("streams", url=f"nats://me:geheim@127.0.0.1:{free_port()}")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "uv run just up" in result.stderr
    assert result.stderr.count("\n") == 1
    assert "geheim" not in result.stderr
    missing = await command("consumers", "NOWHERE")
    assert (missing.exit_code, missing.stderr.count("\n")) == (2, 1)
    assert "no declared stream NOWHERE here; there are AGENTS," in missing.stderr

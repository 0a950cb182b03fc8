"""The manifest on a real server: applied twice it does nothing, and what differs is refused by name."""

from collections.abc import AsyncIterator
from typing import Any

import nats
import nats.js.errors
import pytest
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, StreamConfig

from tonetouch_contracts import manifest
from tonetouch_runtime import ManifestDiffers
from tonetouch_runtime.provisioning import apply, check, consumer_config, truth_config

STREAM = manifest.STREAMS[0]
CONSUMER = manifest.consumer("ingest-starting")


@pytest.fixture(name="jetstream")
async def _jetstream(fresh_nats_url: str) -> AsyncIterator[JetStreamContext]:
    client = await nats.connect(fresh_nats_url)
    yield client.jetstream()
    await client.close()


async def applied(jetstream: JetStreamContext) -> list[str]:
    return await apply(jetstream, manifest.STREAMS, manifest.QUEUES, manifest.CONSUMERS)


async def checked(jetstream: JetStreamContext) -> None:
    await check(jetstream, manifest.STREAMS, manifest.QUEUES, manifest.CONSUMERS)


async def test_applying_twice_does_nothing_the_second_time(jetstream: JetStreamContext) -> None:
    """The first time everything is made; then the server is what the manifest declares."""
    done = await applied(jetstream)
    declared = [*manifest.STREAMS, *manifest.QUEUES, *manifest.LEASES, *manifest.CONSUMERS]
    assert len(done) == len(declared)
    assert await applied(jetstream) == []
    await checked(jetstream)


async def test_a_server_with_nothing_is_refused(jetstream: JetStreamContext) -> None:
    """It says what is missing and what to run."""
    with pytest.raises(ManifestDiffers, match=r"stream CATALOG .*does not exist.*tonetouch provision"):
        await checked(jetstream)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("storage", "memory"),
        ("retention", "interest"),
        ("discard", "old"),
        ("deny_delete", False),
        ("deny_purge", False),
        ("allow_atomic", False),
        ("allow_direct", False),
        ("duplicate_window", 1.0),
        ("max_msgs_per_subject", 5),
        ("allow_msg_ttl", True),
        ("max_age", 3600.0),
        ("subjects", ["track.*.*"]),
    ],
)
async def test_a_stream_that_drifted_is_refused(jetstream: JetStreamContext, field: str, value: Any) -> None:
    """Each field that a promise rests on is compared, one by one."""
    config: StreamConfig = truth_config(STREAM).evolve(**{field: value})
    await jetstream.add_stream(config)
    with pytest.raises(ManifestDiffers, match=field):
        await check(jetstream, [STREAM], (), (), leases=())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ack_wait", 5.0),
        ("max_deliver", 3),
        ("max_ack_pending", 1),
        ("deliver_policy", "new"),
        ("filter_subjects", ["track.published.*"]),
    ],
)
async def test_a_consumer_that_drifted_is_refused(jetstream: JetStreamContext, field: str, value: Any) -> None:
    """A consumer that gives up, skips or hears something else is not ours."""
    await jetstream.add_stream(truth_config(STREAM))
    config: ConsumerConfig = consumer_config(CONSUMER).evolve(**{field: value})
    await jetstream.add_consumer(CONSUMER.stream, config)
    with pytest.raises(ManifestDiffers, match=f"hears|{field}"):
        await check(jetstream, [STREAM], (), [CONSUMER], leases=())


async def test_no_consumer_gives_up_by_itself(jetstream: JetStreamContext) -> None:
    """Deliveries are unlimited: an event is parked by us, never skipped by the server."""
    await applied(jetstream)
    for declared in manifest.CONSUMERS:
        info = await jetstream.consumer_info(declared.stream, declared.name)
        assert info.config.max_deliver == -1


@pytest.mark.parametrize("stream", manifest.STREAMS, ids=lambda stream: stream.name)
async def test_nothing_is_taken_out_of_a_stream_of_truth(jetstream: JetStreamContext, stream: manifest.Stream) -> None:
    """The server refuses to delete a message and to purge the stream, whoever asks."""
    await jetstream.add_stream(truth_config(stream))
    subject = stream.subjects[0].replace("*", "a")
    await jetstream.publish(subject, b"{}")
    with pytest.raises(nats.js.errors.APIError):
        await jetstream.delete_msg(stream.name, 1)
    with pytest.raises(nats.js.errors.APIError):
        await jetstream.purge_stream(stream.name)
    assert (await jetstream.stream_info(stream.name)).state.messages == 1

"""The manifest and the server: applying it (an operator's command) and checking it (every service, at start)."""

from collections.abc import Sequence
from typing import Any

import nats.errors
import nats.js.errors
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    PersistMode,
    RePublish,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)

from tonetouch_contracts.manifest import LEASES, Consumer, Leases, Stream, WorkQueue
from tonetouch_contracts.subjects import announced
from tonetouch_runtime.errors import ManifestDiffers

_NANO = 1_000_000_000


def truth_config(stream: Stream, replicas: int = 1) -> StreamConfig:
    """A stream of truth: on disk, for ever, nothing can be deleted, purged or silently discarded."""
    return StreamConfig(
        name=stream.name,
        description=stream.promise,
        subjects=stream.subjects,
        storage=StorageType.FILE,
        retention=RetentionPolicy.LIMITS,
        discard=DiscardPolicy.NEW,
        deny_delete=True,
        deny_purge=True,
        allow_atomic=True,
        allow_direct=True,
        duplicate_window=120.0,
        num_replicas=replicas,
        # Only headers: who wants the event gets it from the log, where it does not get lost.
        republish=RePublish(src=">", dest=announced(">"), headers_only=True),
        metadata={"owner": stream.owner},
    )


def queue_config(queue: WorkQueue, replicas: int = 1) -> StreamConfig:
    """A work queue: at most one message per step and entity, gone when it is done."""
    return StreamConfig(
        name=queue.name,
        description=queue.promise,
        subjects=queue.subjects,
        storage=StorageType.FILE,
        retention=RetentionPolicy.WORK_QUEUE,
        discard=DiscardPolicy.NEW,
        max_msgs_per_subject=1,
        discard_new_per_subject=True,
        allow_direct=True,
        duplicate_window=1.0,
        num_replicas=replicas,
        metadata={"owner": queue.owner},
    )


def leases_config(leases: Leases, replicas: int = 1) -> StreamConfig:
    """Leases: one message per key with a time to live of its own.

    On disk, because a stream in memory is not there any more after a restart of a single server; but nobody waits for
    the disk, because a lease that is lost is only taken again.
    """
    return StreamConfig(
        name=leases.name,
        description=leases.promise,
        subjects=leases.subjects,
        storage=StorageType.FILE,
        persist_mode=PersistMode.ASYNC if replicas == 1 else None,
        retention=RetentionPolicy.LIMITS,
        discard=DiscardPolicy.OLD,
        max_msgs_per_subject=1,
        allow_msg_ttl=True,
        duplicate_window=1.0,
        num_replicas=replicas,
        metadata={"owner": leases.owner},
    )


def consumer_config(consumer: Consumer) -> ConsumerConfig:
    """A durable that never gives up on a message by itself: parking is our own business."""
    return ConsumerConfig(
        durable_name=consumer.name,
        filter_subjects=list(consumer.filters),
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=consumer.ack_wait_seconds,
        max_deliver=-1,
        max_ack_pending=consumer.max_ack_pending,
        metadata={"owner": consumer.owner},
    )


async def apply(
    jetstream: JetStreamContext,
    streams: Sequence[Stream],
    queues: Sequence[WorkQueue],
    consumers: Sequence[Consumer],
    *,
    leases: Sequence[Leases] = LEASES,
    replicas: int = 1,
) -> list[str]:
    """Make the server match the manifest, and say what was done. Nothing that holds events is ever removed."""
    done = []
    configs = [
        *(truth_config(stream, replicas) for stream in streams),
        *(queue_config(queue, replicas) for queue in queues),
        *(leases_config(book, replicas) for book in leases),
    ]
    for config in configs:
        if (found := await _stream(jetstream, str(config.name))) is None:
            await jetstream.add_stream(config)
            done.append(f"made stream {config.name}")
        elif _differences(config, found):
            await jetstream.update_stream(config)
            done.append(f"updated stream {config.name}")
    for consumer in consumers:
        found_consumer = await _consumer(jetstream, consumer)
        wanted = consumer_config(consumer)
        if found_consumer is None or _consumer_differences(wanted, found_consumer):
            await jetstream.add_consumer(consumer.stream, wanted)
            done.append(f"{'made' if found_consumer is None else 'updated'} consumer {consumer.name}")
    return done


async def check(
    jetstream: JetStreamContext,
    streams: Sequence[Stream],
    queues: Sequence[WorkQueue],
    consumers: Sequence[Consumer],
    *,
    leases: Sequence[Leases] = LEASES,
) -> None:
    """Raise ManifestDiffers, with one clear sentence, where the server is not what the manifest declares."""
    if found := await drift(jetstream, streams, queues, consumers, leases=leases):
        what, how = found[0]
        raise ManifestDiffers(
            f"The {what} differs from the manifest: {'; '.join(how)}. Run `tonetouch provision` to apply it."
        )


async def drift(
    jetstream: JetStreamContext,
    streams: Sequence[Stream],
    queues: Sequence[WorkQueue],
    consumers: Sequence[Consumer],
    *,
    leases: Sequence[Leases] = LEASES,
) -> list[tuple[str, list[str]]]:
    """Everything in which the server is not what the manifest declares: what it is, and how it differs."""
    compared = []
    for config in [*map(truth_config, streams), *map(queue_config, queues), *map(leases_config, leases)]:
        found = await _stream(jetstream, str(config.name))
        compared.append((f"stream {config.name}", [_MISSING] if found is None else _differences(config, found)))
    for consumer in consumers:
        made = await _consumer(jetstream, consumer)
        how = [_MISSING] if made is None else _consumer_differences(consumer_config(consumer), made)
        compared.append((f"consumer {consumer.name} on {consumer.stream}", how))
    return [(what, how) for what, how in compared if how]


_MISSING = "it does not exist"

_STREAM_FIELDS = (
    "storage",
    "retention",
    "discard",
    "deny_delete",
    "deny_purge",
    "allow_atomic",
    "allow_direct",
    "duplicate_window",
    "max_msgs_per_subject",
    "discard_new_per_subject",
    "allow_msg_ttl",
    "max_age",
    "republish",
)
_CONSUMER_FIELDS = ("ack_policy", "ack_wait", "max_deliver", "max_ack_pending", "deliver_policy")
# What the server fills in where we say nothing.
_SERVER_DEFAULTS = {"max_msgs_per_subject": -1, "max_age": 0}


def _differences(wanted: StreamConfig, found: StreamConfig) -> list[str]:
    differences = _compare(wanted, found, _STREAM_FIELDS)
    if set(wanted.subjects or ()) != set(found.subjects or ()):
        differences.append(f"subjects are {sorted(found.subjects or ())}, not {sorted(wanted.subjects or ())}")
    return differences


def _consumer_differences(wanted: ConsumerConfig, found: ConsumerConfig) -> list[str]:
    differences = _compare(wanted, found, _CONSUMER_FIELDS)
    filters = set(found.filter_subjects or ()) | ({found.filter_subject} if found.filter_subject else set())
    if set(wanted.filter_subjects or ()) != filters:
        differences.append(f"it hears {sorted(filters)}, not {sorted(wanted.filter_subjects or ())}")
    return differences


def _compare(wanted: Any, found: Any, fields: Sequence[str]) -> list[str]:
    differences = []
    for field in fields:
        want, have = (_plain(getattr(config, field, None), field) for config in (wanted, found))
        if want != have:
            differences.append(f"{field} is {have}, not {want}")
    return differences


def _plain(value: Any, field: str) -> Any:
    value = getattr(value, "value", value)
    if value in (None, False, 0, 0.0):
        return _SERVER_DEFAULTS.get(field)
    return value


async def _stream(jetstream: JetStreamContext, name: str) -> StreamConfig | None:
    try:
        return (await jetstream.stream_info(name)).config
    except nats.js.errors.NotFoundError:
        return None


async def _consumer(jetstream: JetStreamContext, consumer: Consumer) -> ConsumerConfig | None:
    try:
        config: ConsumerConfig | None = (await jetstream.consumer_info(consumer.stream, consumer.name)).config
        return config
    except nats.js.errors.NotFoundError:
        return None

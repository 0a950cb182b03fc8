"""The log: appending with optimistic concurrency, and loading one entity.

Every append has three outcomes. *Committed*: the events are on disk. *Conflict*: somebody else wrote first; load and
decide again. *Unknown*: the answer was lost; the leader is asked whether our events are there. The caller of `transact`
sees only the first, or an exception that says the outcome is still unknown.
"""

import asyncio
import itertools
import random
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any

import msgspec
import nats.errors
import structlog
from nats.aio.msg import Msg

from tonetouch_contracts.envelope import Envelope
from tonetouch_contracts.identity import derived
from tonetouch_contracts.manifest import VOCABULARY, stream_of
from tonetouch_contracts.message import Event, Positions
from tonetouch_contracts.subjects import entity_filter, event_subject
from tonetouch_contracts.vocabulary import Vocabulary
from tonetouch_runtime._bus import Bus, wire_size
from tonetouch_runtime._clock import Clock, stamp
from tonetouch_runtime._inbox import Inbox
from tonetouch_runtime._pouring import Pourer
from tonetouch_runtime._reading import Reader
from tonetouch_runtime._recorded import (
    AppendRefusedError,
    ConflictError,
    Decision,
    Loaded,
    Outcome,
    Recorded,
    S,
    origin_of,
    read_message,
)
from tonetouch_runtime._telemetry import current_cause, new_traceparent
from tonetouch_runtime.errors import Unavailable
from tonetouch_runtime.telemetry.hops import appending

MAX_BATCH = 1000
"""Messages in one atomic batch: the server's limit."""

_CONFLICTS = frozenset({10071, 10164, 10201})
"""Wrong last sequence, the same under concurrency, and a retried batch: all mean 'read, then decide again'."""

_PASSING = frozenset({10176, 10210, 10211})
"""A batch that the server lost a part of, or has too many of just now: nothing was kept, and it may be sent again."""

_ROOM_FOR_MORE_HEADERS = 512
"""Bytes: what is added to an event's headers when it is sent (stream, batch)."""

_REQUEST_SECONDS = 5.0
_PAUSE_SECONDS = 0.2
_ATTEMPTS = 12

_TURNS_TO_LEAVE = 100
"""Turns of the event loop in which the client has written what waits, wherever it is connected."""

log = structlog.get_logger()


class Log:
    """Append and load. Nothing else writes to a stream of truth."""

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        *,
        service: str,
        settle_seconds: float = 30.0,
        vocabulary: Vocabulary = VOCABULARY,
        stream_name: Callable[[type[Event]], str] = lambda event: stream_of(event).name,
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._service = service
        self._settle_seconds = settle_seconds
        self._vocabulary = vocabulary
        self._stream_name = stream_name
        self._inbox = Inbox(bus)
        self._pourer = Pourer(self.append, stream_name)

    async def append(self, *decisions: Decision) -> Positions:
        """Append the events of all decisions, or none of them. All must belong to one stream.

        Raises ConflictError where an entity was not as expected, AppendRefusedError where the server will never take
        it, Unavailable where the outcome could not be learned in time, ValueError where an entity is decided twice.
        """
        with appending(self._stream_name, decisions):
            return await self._append(decisions)

    async def _append(self, decisions: Sequence[Decision]) -> Positions:
        stream, messages = self._prepare(decisions)
        deadline = time.monotonic() + self._settle_seconds
        while True:
            try:
                return {stream: await self._publish(stream, messages)}
            except _Unknown as unknown:
                settled = await self._settle(stream, decisions, messages, deadline, unknown)
                if settled is not None:
                    return {stream: settled}
            # The leader has none of our events and the entity is as we expected: the same append, once more.

    async def load(self, stream: str, entity_id: str, initial: S) -> Loaded[S]:
        """Fold an entity's events into its state. The count comes from the leader, so this reads its own writes."""
        state, version = initial, 0
        for recorded in await self.history(stream, entity_id):
            state, version = state.evolve(recorded.event), recorded.sequence
        return Loaded(state=state, version=version)

    async def history(self, stream: str, entity_id: str) -> list[Recorded[Event]]:
        """All events of one entity in order. About a millisecond, however long the log is. Raises UndecodableError."""
        return [self.read(message) for message in await self.messages(stream, entity_id)]

    async def messages(self, stream: str, entity_id: str) -> list[Msg]:
        """The same as they stand in the log, whether they can be read or not."""
        # An open-ended read would scan to the head of the log: count first, then get exactly that many. And by whole
        # subjects: under a wildcard the server goes through all that lies between (170 ms in a million events, not 1).
        for attempt in range(_ATTEMPTS):
            counts = await self._counts(stream, entity_id)
            parts = await asyncio.gather(*(self._of(stream, subject, count) for subject, count in counts.items()))
            messages = list(itertools.chain.from_iterable(parts))
            if len(messages) >= sum(counts.values()):
                return messages if len(parts) == 1 else sorted(messages, key=lambda message: origin_of(message)[1])
            # A replica that lags behind the leader answered: ask again.
            await asyncio.sleep(0.01 * 2**attempt)
        raise Unavailable(f"{stream} does not give all the events of {entity_id} that its leader counts")

    async def transact(
        self,
        stream: str,
        entity_id: str,
        initial: S,
        decide: Callable[[S], Event | Sequence[Event]],
        *,
        key: str | None = None,
    ) -> Outcome[S]:
        """Load, decide, append if unchanged; on a conflict load and decide again.

        `decide` is pure and may run several times. It returns what happened (nothing: ``()``) or raises Refused.
        """

        def decide_one(states: Mapping[str, S]) -> Mapping[str, Event | Sequence[Event]]:
            return {entity_id: decide(states[entity_id])}

        outcomes = await self.transact_together(stream, {entity_id: initial}, decide_one, key=key)
        return outcomes[entity_id]

    async def transact_together(
        self,
        stream: str,
        entities: Mapping[str, S],
        decide: Callable[[Mapping[str, S]], Mapping[str, Event | Sequence[Event]]],
        *,
        key: str | None = None,
    ) -> dict[str, Outcome[S]]:
        """The same for several entities of one stream, atomically: all of it happens or nothing does."""
        for attempt in range(_ATTEMPTS):
            loaded = {entity: await self.load(stream, entity, initial) for entity, initial in entities.items()}
            decided = decide({entity: found.state for entity, found in loaded.items()})
            events = {entity: _several(what) for entity, what in decided.items()}
            decisions = [
                Decision(entity_id=entity, events=happened, expected=loaded[entity].version, key=key)
                for entity, happened in events.items()
                if happened
            ]
            try:
                positions = await self.append(*decisions) if decisions else _seen(stream, loaded)
            except ConflictError:
                await asyncio.sleep(random.uniform(0, 0.005 * 2 ** min(attempt, 6)))  # noqa: S311 (jitter)
                continue
            return {
                entity: _outcome(found.state, events.get(entity, ()), positions) for entity, found in loaded.items()
            }
        raise Unavailable(f"{', '.join(entities)} changed {_ATTEMPTS} times while we decided")

    async def pour(self, *events: Event, once: bool = False) -> Positions:
        """Append facts that no rule guards and that come in floods (plays, jobs), several callers in one batch.

        Returns when they are on disk. The id of an event is made from its content: pouring twice is pouring once
        within the server's duplicate window. With `once` it is made from its type and entity alone: what happens to
        an entity once may be said again in other words (another time), and the first stays.
        """
        return await self._pourer.pour(events, once=once)

    async def append_ahead(self, *events: Event) -> "asyncio.Task[Positions]":
        """Send such facts, and return once they are on their way; the task is done when they are on the disk.

        What is done meanwhile is known to have begun even if this process is killed: what it has written to its
        connection the kernel still delivers. Several go as one batch, and that is on the disk before this returns.
        """
        if len(events) != 1:
            await self.pour(*events)
            return asyncio.create_task(_nothing())
        [event] = events
        decision = Decision(entity_id=event.entity_id, events=(event,), expected=None)
        task = asyncio.create_task(self.append(decision))
        for _ in range(_TURNS_TO_LEAVE):
            await asyncio.sleep(0)
            if not self._bus.nats.pending_data_size:
                return task
        # It does not leave, the connection may be away: then nothing begins before the log has it.
        await asyncio.wait([task])
        return task

    async def follow(self, stream: str, entity_id: str, after: int = 0) -> AsyncGenerator[Recorded[Event], None]:
        """One entity's events from `after` on, those that are there first, then as they come. Ends when left."""
        reader = Reader(self._bus, stream, start=after + 1, subject=entity_filter(entity_id))
        try:
            while True:
                for _, message in await reader.batch(64):
                    yield self.read(message)
        finally:
            await reader.close()

    def read(self, message: Msg) -> Recorded[Event]:
        """A message of a stream as a recorded event. Raises UndecodableError."""
        return read_message(message, self._vocabulary, people=self._bus.people)

    def _prepare(self, decisions: Sequence[Decision]) -> tuple[str, list["_Message"]]:
        entities = [decision.entity_id for decision in decisions]
        if len(set(entities)) != len(entities):
            # The server checks each message against the state before the batch: it would let both decisions through.
            raise ValueError("an entity may be in one decision of an append only")
        streams = {self._stream_name(type(event)) for decision in decisions for event in decision.events}
        if len(streams) != 1:
            raise ValueError(f"an append belongs to one stream, not to {sorted(streams)}")
        messages = list(itertools.chain.from_iterable(map(self._messages, decisions)))
        if len(messages) > MAX_BATCH:
            raise ValueError(f"{len(messages)} events are more than the {MAX_BATCH} of one append")
        for message in messages:
            self._refuse_if_too_large(message)
        return streams.pop(), messages

    def _refuse_if_too_large(self, message: "_Message") -> None:
        # The server does not refuse what is too large: it hangs up, and everybody on this connection with it.
        size, most = wire_size(message.headers, message.body), self._bus.largest_message - _ROOM_FOR_MORE_HEADERS
        if size > most:
            raise AppendRefusedError(f"{message.subject} has {size:,} bytes; an event has {most:,} at the most")

    def _messages(self, decision: Decision) -> list["_Message"]:
        cause, running = decision.cause or current_cause(), current_cause()
        traceparent = cause.traceparent or running.traceparent or new_traceparent()
        prepared = []
        for index, event in enumerate(decision.events):
            if event.entity_id != decision.entity_id:
                raise ValueError(f"{event.wire_name()} of {event.entity_id} in a decision on {decision.entity_id}")
            identity = self._identity(decision, event, index)
            headers = Envelope(
                id=identity,
                type=event.wire_name(),
                source=f"/{self._service}/{event.wire_name().partition('.')[0]}",
                subject=decision.entity_id,
                time=stamp(self._clock.now()),
                causation=cause.causation,
                correlation=cause.correlation or identity,
                traceparent=traceparent,
            ).to_headers()
            if index == 0 and decision.expected is not None:
                headers["Nats-Expected-Last-Subject-Sequence"] = str(decision.expected)
                headers["Nats-Expected-Last-Subject-Sequence-Subject"] = entity_filter(decision.entity_id)
            body = msgspec.json.encode(self._bus.people.sealed(event))
            prepared.append(_Message(identity, event_subject(event), headers, body))
        return prepared

    def _identity(self, decision: Decision, event: Event, index: int) -> str:
        if not decision.key:
            return self._clock.new_id()
        # With the entity: of two entities decided under one key, the same thing may happen.
        return derived(decision.key, event.wire_name(), decision.entity_id, str(index))

    async def _publish(self, stream: str, messages: Sequence["_Message"]) -> int:
        """Send one message, or an atomic batch, and return the last sequence it got."""
        if len(messages) == 1:
            return await self._request(messages[0], {**messages[0].headers, "Nats-Expected-Stream": stream})
        batch = self._clock.new_id()
        for number, message in enumerate(messages, start=1):
            headers = {**message.headers, "Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(number)}
            if number == len(messages):
                return await self._request(message, {**headers, "Nats-Batch-Commit": "1"})
            if number == 1:
                # The first message is a request so that a refusal is learned before the rest is sent.
                await self._request(message, {**headers, "Nats-Expected-Stream": stream})
            else:
                await self._send(message, headers)
        raise AssertionError("a batch ends at its last message")

    async def _send(self, message: "_Message", headers: dict[str, str]) -> None:
        try:
            await self._bus.nats.publish(message.subject, message.body, headers=headers)
        except nats.errors.Error as error:
            raise _Unknown(f"the log is not reached ({type(error).__name__})") from error

    async def _request(self, message: "_Message", headers: dict[str, str]) -> int:
        try:
            reply = await self._bus.nats.request(message.subject, message.body, _REQUEST_SECONDS, headers=headers)
        except (TimeoutError, nats.errors.Error) as error:
            raise _Unknown(f"no answer from the log ({type(error).__name__})") from error
        if not reply.data:
            return 0
        ack = msgspec.json.decode(reply.data, type=_Ack)
        if ack.error is None:
            return ack.seq
        if ack.error.err_code in _CONFLICTS:
            # A retried append meets itself here: only the log can tell whether it was ours.
            raise _Unknown(ack.error.description, conflict=True)
        if ack.error.code >= 429 or ack.error.err_code in _PASSING:
            raise _Unknown(f"{ack.error.description} ({ack.error.err_code})")
        raise AppendRefusedError(f"{message.subject}: {ack.error.description} ({ack.error.err_code})")

    async def _settle(
        self,
        stream: str,
        decisions: Sequence[Decision],
        messages: Sequence["_Message"],
        deadline: float,
        unknown: "_Unknown",
    ) -> int | None:
        """Learn from the leader what became of an append: its last sequence, ConflictError, or None for 'not there'."""
        ours = {message.id for message in messages}
        while True:
            try:
                kept = await self._kept(stream, decisions, ours)
                break
            except (_Unknown, Unavailable, TimeoutError, nats.errors.Error) as error:
                if time.monotonic() > deadline:
                    raise Unavailable(f"the log does not say whether an append was kept: {error}") from error
                await asyncio.sleep(_PAUSE_SECONDS)
        if kept:
            return kept
        if unknown.conflict:
            raise ConflictError(str(unknown))
        if time.monotonic() > deadline:
            raise Unavailable(f"the log did not take an append within its bound: {unknown}")
        await asyncio.sleep(_PAUSE_SECONDS)
        return None

    async def _kept(self, stream: str, decisions: Sequence[Decision], ours: set[str]) -> int:
        """The last sequence of our events in the log, 0 unless every one of them is there.

        Every one, because an event with a key may be there from an earlier append, and tells nothing of its neighbours.
        """
        found: dict[str, int] = {}
        for decision in reversed(decisions):
            history = await self.history(stream, decision.entity_id)
            mine = {recorded.id: recorded.sequence for recorded in history if recorded.id in ours}
            if len(mine) < len(decision.events):
                return 0
            found |= mine
        return max(found.values())

    async def _of(self, stream: str, subject: str, count: int) -> list[Msg]:
        """The first so many messages of a subject; fewer where a replica has fewer."""
        messages: list[Msg] = []
        while len(messages) < count:
            after = origin_of(messages[-1])[1] if messages else 0
            more = await self._inbox.get_batch(stream, subject, count - len(messages), after + 1)
            messages += more
            if not more:
                break
        return messages

    async def _counts(self, stream: str, entity_id: str) -> dict[str, int]:
        """How many events of each type the entity has, as the leader knows."""
        request = msgspec.json.encode({"subjects_filter": entity_filter(entity_id)})
        try:
            reply = await self._bus.nats.request(f"$JS.API.STREAM.INFO.{stream}", request, _REQUEST_SECONDS)
        except (TimeoutError, nats.errors.Error) as error:
            raise Unavailable(f"{stream} does not answer ({type(error).__name__})") from error
        info = msgspec.json.decode(reply.data, type=_StreamInfo)
        if info.error is not None:
            raise Unavailable(f"{stream}: {info.error.description}")
        return (info.state.subjects or {}) if info.state else {}


class _Message(msgspec.Struct, frozen=True):
    id: str
    subject: str
    headers: dict[str, str]
    body: bytes


class _ApiError(msgspec.Struct, frozen=True):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _Ack(msgspec.Struct, frozen=True):
    seq: int = 0
    duplicate: bool = False
    error: _ApiError | None = None


class _State(msgspec.Struct, frozen=True):
    subjects: dict[str, int] | None = None


class _StreamInfo(msgspec.Struct, frozen=True):
    state: _State | None = None
    error: _ApiError | None = None


class _Unknown(Exception):
    def __init__(self, words: str, *, conflict: bool = False) -> None:
        super().__init__(words)
        self.conflict = conflict


async def _nothing() -> Positions:
    return {}


def _several(what: Event | Sequence[Event]) -> tuple[Event, ...]:
    return (what,) if isinstance(what, Event) else tuple(what)


def _seen(stream: str, loaded: Mapping[str, Loaded[Any]]) -> Positions:
    """Where there is nothing to do, the caller may still want to see what was done before."""
    return {stream: max(found.version for found in loaded.values())}


def _outcome(state: S, events: tuple[Event, ...], positions: Positions) -> Outcome[S]:
    for event in events:
        state = state.evolve(event)
    return Outcome(state=state, events=events, positions=positions)

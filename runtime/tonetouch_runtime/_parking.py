"""Parked events: what could not be handled, and what waits behind it, entity by entity.

A broken event holds up its own entity and nobody else. It is written here *before* it is acknowledged, so that it can
be looked at, redriven in order once the cause is mended, or skipped for a reason. The table is what counts, not what
one process remembers: replicas share it.
"""

import threading
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import structlog
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    MetaData,
    String,
    Table,
    Text,
    delete,
    func,
    select,
    tuple_,
    update,
)

from tonetouch_contracts.message import Event
from tonetouch_contracts.operating import ParkedEvent
from tonetouch_runtime._clock import Clock, moment, stamp
from tonetouch_runtime._recorded import Recorded
from tonetouch_runtime._tables import Database, insert_into, parked

log = structlog.get_logger()

skipped = Table(
    "skipped",
    MetaData(),
    Column("listener", String(120), primary_key=True),
    Column("stream", String(60), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("skipped_at", String(40), nullable=False),
    Column("operator", String(120), nullable=False),
    Column("reason", Text, nullable=False),
)
"""Events an operator has passed over for one part: left out there for ever, in a rebuild too."""


class Entity(msgspec.Struct, frozen=True):
    """One entity that is parked for one part, and the stream and sequence of its first event."""

    part: str
    entity_id: str
    stream: str
    sequence: int


class Lot:
    """The parked events of one service, in its `state` database. Called from threads."""

    def __init__(self, state: Database, clock: Clock) -> None:
        self._engine = state.engine.execution_options(is_writing=True)
        self._reading = state.engine
        self._clock = clock
        self._lock = threading.Lock()
        state.create(parked, skipped)
        with self._reading.connect() as connection:
            self._any_skipped = _is_any(connection, select(skipped.c.sequence))

    def park(self, listener: str, fact: Recorded[Event], error: str, *, attempts: int) -> None:
        """Keep an event that failed for good; from now on later events of its entity wait behind it."""
        self._keep(_row(listener, fact, error, attempts))

    def park_unreadable(self, listener: str, stream: str, sequence: int, subject: str, error: str) -> None:
        """Keep a message that cannot be decoded; its subject still says which entity it is of."""
        if self._is_skipped(listener, stream, sequence):
            return
        wire_name, _, entity = subject.rpartition(".")
        row = {"listener": listener, "stream": stream, "sequence": sequence, "entity_id": entity}
        self._keep({**row, "wire_name": wire_name, "error": error, "attempts": 1})

    def held(self, listeners: Sequence[str]) -> frozenset[tuple[str, str]]:
        """The entities that are parked for these listeners, as pairs of listener and entity."""
        found = select(parked.c.listener, parked.c.entity_id).where(parked.c.listener.in_(listeners)).distinct()
        with self._reading.connect() as connection:
            self._any_skipped = self._any_skipped or _is_any(connection, select(skipped.c.sequence))
            return frozenset((row.listener, row.entity_id) for row in connection.execute(found))

    def holds(self, listener: str, fact: Recorded[Event]) -> bool:
        """Whether the event is not to be handled now: it was skipped, or its entity is parked.

        In the second case the event is parked behind what is there.
        """
        waiting = _of_entity(listener, fact.event.entity_id)
        with self._reading.connect() as connection:
            is_held = _is_any(connection, waiting)
        if is_held:
            with self._lock, self._engine.begin() as connection:
                # Locked until the end: a redrive of the last of them meanwhile would forget about this one.
                if connection.execute(waiting.with_for_update()).first():
                    self._insert(connection, _row(listener, fact, None, 0))
                    return True
        return self._is_skipped(listener, fact.stream, fact.sequence)

    def skips(self, listener: str, stream: str) -> frozenset[int]:
        """The sequences that an operator has passed over for a listener: a rebuild leaves them out too."""
        if not self._any_skipped:
            return frozenset()
        mine = (skipped.c.listener == _declared(listener)) & (skipped.c.stream == stream)
        with self._reading.connect() as connection:
            return frozenset(connection.execute(select(skipped.c.sequence).where(mine)).scalars())

    def forget(self, listener: str, stream: str) -> None:
        """Drop what a listener has parked of a stream: it begins anew."""
        with self._lock, self._engine.begin() as connection:
            connection.execute(delete(parked).where(parked.c.listener == listener).where(parked.c.stream == stream))

    def listed(
        self,
        *,
        part: str | None = None,
        entity_id: str | None = None,
        only_broken: bool = False,
        after: tuple[Any, ...] | None = None,
        limit: int = 100,
    ) -> list[ParkedEvent]:
        """Parked events, the oldest first, `after` the key of one (when, part, stream, sequence)."""
        key = (parked.c.parked_at, parked.c.listener, parked.c.stream, parked.c.sequence)
        wanted = select(parked).order_by(*key).limit(limit)
        wanted = wanted.where(parked.c.listener == part) if part is not None else wanted
        wanted = wanted.where(parked.c.entity_id == entity_id) if entity_id is not None else wanted
        wanted = wanted.where(parked.c.error.is_not(None)) if only_broken else wanted
        wanted = wanted.where(tuple_(*key) > tuple_(*after)) if after is not None else wanted
        return self._found(wanted)

    def at(self, stream: str, sequence: int, part: str | None = None) -> list[ParkedEvent]:
        """The parked event at this place, once for each part that has parked it."""
        wanted = select(parked).where(parked.c.stream == stream).where(parked.c.sequence == sequence)
        return self._found(wanted if part is None else wanted.where(parked.c.listener == part))

    def entities(self, part: str | None, entity_id: str | None) -> list[Entity]:
        """The entities that are parked, the one that waits longest first."""
        key = (parked.c.listener, parked.c.entity_id, parked.c.stream)
        wanted = select(*key, func.min(parked.c.sequence).label("sequence")).group_by(*key)
        wanted = wanted.where(parked.c.listener == part) if part is not None else wanted
        wanted = wanted.where(parked.c.entity_id == entity_id) if entity_id is not None else wanted
        with self._reading.connect() as connection:
            found = connection.execute(wanted.order_by(func.min(parked.c.parked_at))).all()
        return [Entity(row.listener, row.entity_id, row.stream, row.sequence) for row in found]

    def of(self, entity: Entity) -> list[ParkedEvent]:
        """All that is parked of an entity on its stream, in order."""
        wanted = select(parked).where(parked.c.listener == entity.part).where(parked.c.entity_id == entity.entity_id)
        return self._found(wanted.where(parked.c.stream == entity.stream).order_by(parked.c.sequence))

    def release(self, event: ParkedEvent) -> None:
        """It was handled after all. With the last of its entity, later events are handled as they come."""
        with self._lock, self._engine.begin() as connection:
            connection.execute(delete(parked).where(_is(event)))

    def fail_again(self, event: ParkedEvent, error: str) -> None:
        """It failed once more, of this error."""
        now = update(parked).where(_is(event)).values(error=error, attempts=parked.c.attempts + 1)
        with self._lock, self._engine.begin() as connection:
            connection.execute(now)

    def skip(self, event: ParkedEvent, operator: str, reason: str) -> None:
        """Pass over a parked event for good."""
        row = {"listener": _declared(event.part), "stream": event.stream, "sequence": event.sequence}
        row |= {"skipped_at": stamp(self._clock.now()), "operator": operator, "reason": reason}
        with self._lock, self._engine.begin() as connection:
            connection.execute(insert_into(connection, skipped).on_conflict_do_nothing(), row)
            connection.execute(delete(parked).where(_is(event)))
        self._any_skipped = True

    def ages(self) -> dict[str, tuple[int, timedelta]]:
        """How many events each part has parked, and since when the oldest of them is."""
        counted = select(parked.c.listener, func.count().label("many"), func.min(parked.c.parked_at).label("since"))
        now = self._clock.now()
        with self._reading.connect() as connection:
            found = connection.execute(counted.group_by(parked.c.listener)).all()
        return {row.listener: (row.many, now - moment(row.since)) for row in found}

    def still_parked(self, listener: str, stream: str, sequences: Iterable[int]) -> frozenset[int]:
        """Those of the sequences that are parked for a listener."""
        mine = (parked.c.listener == listener) & (parked.c.stream == stream) & parked.c.sequence.in_(list(sequences))
        with self._reading.connect() as connection:
            return frozenset(connection.execute(select(parked.c.sequence).where(mine)).scalars())

    def _is_skipped(self, listener: str, stream: str, sequence: int) -> bool:
        return sequence in self.skips(listener, stream)

    def _found(self, wanted: Any) -> list[ParkedEvent]:
        with self._reading.connect() as connection:
            rows = connection.execute(wanted).mappings().all()
        return [ParkedEvent(part=row["listener"], **{name: row[name] for name in _SAME if name in row}) for row in rows]

    def _keep(self, row: dict[str, Any]) -> None:
        with self._lock, self._engine.begin() as connection:
            self._insert(connection, row)

    def _insert(self, connection: Connection, row: dict[str, Any]) -> None:
        complete = {**row, "parked_at": stamp(self._clock.now())}
        connection.execute(insert_into(connection, parked).on_conflict_do_nothing(), complete)
        log.error("event_parked", **{name: row[name] for name in ("listener", "stream", "sequence", "error")})


def _declared(listener: str) -> str:
    """The name that a table was declared under: what is skipped for it is skipped for one made anew, too."""
    return listener.partition("__")[0]


_SAME = tuple(name for name in ParkedEvent.__struct_fields__ if name != "part")


def _row(listener: str, fact: Recorded[Event], error: str | None, attempts: int) -> dict[str, Any]:
    return {
        "listener": listener,
        "stream": fact.stream,
        "sequence": fact.sequence,
        "entity_id": fact.event.entity_id,
        "wire_name": fact.event.wire_name(),
        "error": error,
        "attempts": attempts,
    }


def _is_any(connection: Connection, wanted: Any) -> bool:
    return connection.execute(wanted.limit(1)).first() is not None


def _of_entity(listener: str, entity_id: str) -> Any:
    return select(parked.c.sequence).where(parked.c.listener == listener).where(parked.c.entity_id == entity_id)


def _is(event: ParkedEvent) -> Any:
    mine = (parked.c.listener == event.part) & (parked.c.stream == event.stream)
    return mine & (parked.c.sequence == event.sequence)

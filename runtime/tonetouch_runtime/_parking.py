"""Parked events: what could not be handled, and what waits behind it, entity by entity.

A broken event holds up its own entity and nobody else. It is written here *before* it is acknowledged, so that it can
be looked at and redriven in order once the cause is mended.
"""

import threading

import structlog
from sqlalchemy import delete, select

from tonetouch_contracts.message import Event
from tonetouch_runtime._clock import Clock, stamp
from tonetouch_runtime._recorded import Recorded
from tonetouch_runtime._tables import Database, insert_into, parked

log = structlog.get_logger()


class Lot:
    """The parked events of one service, in its `state` database. Called from threads."""

    def __init__(self, state: Database, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._lock = threading.Lock()
        state.create(parked)
        with state.engine.connect() as connection:
            held = connection.execute(select(parked.c.listener, parked.c.entity_id))
            self._held = {(listener, entity) for listener, entity in held}

    def park(self, listener: str, fact: Recorded[Event], error: str, *, attempts: int) -> None:
        """Keep an event that failed for good; from now on later events of its entity wait behind it."""
        self._keep(listener, fact.stream, fact.sequence, fact.event.entity_id, fact.event.wire_name(), error, attempts)

    def park_unreadable(self, listener: str, stream: str, sequence: int, subject: str, error: str) -> None:
        """Keep a message that cannot be decoded; its subject still says which entity it is of."""
        wire_name, _, entity = subject.rpartition(".")
        self._keep(listener, stream, sequence, entity, wire_name, error, 1)

    def holds_any(self, listener: str) -> bool:
        """Whether any entity is parked for this listener."""
        # A copy: another thread may park something meanwhile.
        return any(name == listener for name, _ in tuple(self._held))

    def holds(self, listener: str, fact: Recorded[Event]) -> bool:
        """Whether the entity is parked for this listener. If so the event is parked behind what is there."""
        event = fact.event
        if (listener, event.entity_id) not in self._held:
            return False
        self._keep(listener, fact.stream, fact.sequence, event.entity_id, event.wire_name(), None, 0)
        return True

    def forget(self, listener: str, stream: str) -> None:
        """Drop what a listener has parked of a stream: it begins anew."""
        with self._lock, self._state.engine.begin() as connection:
            if any(name == listener for name, _ in self._held):
                connection.execute(delete(parked).where(parked.c.listener == listener).where(parked.c.stream == stream))
                left = connection.execute(select(parked.c.listener, parked.c.entity_id))
                self._held = {(name, entity) for name, entity in left}

    def _keep(
        self, listener: str, stream: str, sequence: int, entity: str, wire_name: str, error: str | None, attempts: int
    ) -> None:
        row = {
            "listener": listener,
            "stream": stream,
            "sequence": sequence,
            "entity_id": entity,
            "wire_name": wire_name,
            "error": error,
            "attempts": attempts,
            "parked_at": stamp(self._clock.now()),
        }
        with self._lock:
            with self._state.engine.begin() as connection:
                connection.execute(insert_into(connection, parked).on_conflict_do_nothing(), row)
            self._held.add((listener, entity))
        log.error("event_parked", listener=listener, stream=stream, sequence=sequence, wire_name=wire_name, error=error)

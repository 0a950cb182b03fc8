"""Replaying: recorded events are handed to one consumer's handler once more.

Answers `ReplayRange`. Nothing is done twice by it, for four reasons: a handler decides on what stands in the log, so
what has happened does not happen again; a queue holds a step once; objects lie under the hash of their content; and AI
is answered from what is kept. What is not kept is not asked for, unless the operator says so.
"""

import asyncio
import time
from contextlib import nullcontext

from nats.aio.msg import Msg

from tonetouch_contracts.manifest import consumer
from tonetouch_contracts.message import Event
from tonetouch_contracts.operating import Replayed, ReplayedEvent, ReplayRange
from tonetouch_contracts.subjects import entity_filter
from tonetouch_contracts.vocabulary import UndecodableError
from tonetouch_runtime._floor import Floor
from tonetouch_runtime._hearing import Listener
from tonetouch_runtime._inbox import Inbox
from tonetouch_runtime._parking import Lot
from tonetouch_runtime._pausing import Pauses
from tonetouch_runtime._recorded import Recorded, origin_of, read_message
from tonetouch_runtime.ai.replaying import WouldBill, only_kept
from tonetouch_runtime.errors import NotNow, Refused
from tonetouch_runtime.operating.parts import Parts, bound
from tonetouch_runtime.operating.recording import Operations
from tonetouch_runtime.operating.rehearsing import Rehearsal, Stopped

MOST_AT_ONCE = 1000
LONGEST_SECONDS = 300.0
_READ_AT_ONCE = 256


class Replaying:
    """Hands recorded events to listeners again, one after the other in the order of the stream."""

    def __init__(
        self, floor: Floor, *, parts: Parts, pauses: Pauses, lot: Lot, operations: Operations, inbox: Inbox
    ) -> None:
        self._floor = floor
        self._parts = parts
        self._pauses = pauses
        self._lot = lot
        self._operations = operations
        self._inbox = inbox

    async def replay(self, command: ReplayRange) -> Replayed:
        """One stretch of a range, as far as the cap and the time allow."""
        listener = self._listener(command)
        if not command.dry_run:
            about = f"{command.consumer} {command.first} to {command.last}{', may bill' if command.may_bill else ''}"
            await self._operations.note(command.operator, "replay", about, command.reason)
        until = time.monotonic() + min(command.within_seconds, LONGEST_SECONDS)
        events: list[ReplayedEvent] = []
        passed_over, following = 0, command.first
        while following <= command.last:
            if len(events) >= command.at_most or time.monotonic() >= until:
                return Replayed(events=tuple(events), passed_over=passed_over, next_sequence=following)
            messages = await self._read(command, following)
            for message in messages:
                sequence = origin_of(message)[1]
                if sequence > command.last:
                    return Replayed(events=tuple(events), passed_over=passed_over)
                if len(events) >= command.at_most or time.monotonic() >= until:
                    break
                replayed = await self._hand(message, listener, command)
                following = sequence + 1
                if replayed is None:
                    passed_over += 1
                else:
                    events.append(replayed)
            if len(messages) < _READ_AT_ONCE and (not messages or following > origin_of(messages[-1])[1]):
                break
        return Replayed(events=tuple(events), passed_over=passed_over)

    def _listener(self, command: ReplayRange) -> Listener:
        name = command.consumer
        kind = self._parts.kind_of(name)
        if kind == "projection":
            raise Refused("unsupported", f"{name} is a table.", "A table is made anew: `tonetouch events rebuild`.")
        if kind == "worker":
            raise Refused("unsupported", f"{name} takes queued work, which is gone when it is done.")
        if command.first < 1 or command.last < command.first or not 1 <= command.at_most <= MOST_AT_ONCE:
            raise Refused("invalid", f"A replay is from 1 or later to that or later, {MOST_AT_ONCE} events at once.")
        if name in self._pauses.paused and not command.dry_run:
            raise Refused("conflict", f"{name} is paused.", "Resume it first, or make it a dry run.")
        return self._parts.listeners[name]

    async def _read(self, command: ReplayRange, start: int) -> list[Msg]:
        subjects = ">" if command.entity_id is None else entity_filter(command.entity_id)
        stream = consumer(command.consumer).stream
        return await self._inbox.get_batch(stream, subjects, _READ_AT_ONCE, start)

    async def _hand(self, message: Msg, listener: Listener, command: ReplayRange) -> ReplayedEvent | None:
        """One event; none where nobody here hears it."""
        try:
            fact = read_message(message, people=self._inbox.people)
        except UndecodableError as error:
            subject = (message.headers or {}).get("Nats-Subject", message.subject)
            wire_name, _, entity = subject.rpartition(".")
            words, sequence = str(error), origin_of(message)[1]
            return ReplayedEvent(sequence=sequence, wire_name=wire_name, entity_id=entity, outcome="failed", note=words)
        if type(fact.event) not in listener.handlers:
            return None
        if await asyncio.to_thread(self._is_out, command.consumer, fact):
            return _replayed(fact, "parked", note="its entity is parked, or it was skipped")
        return await (self._rehearse(fact, command) if command.dry_run else self._run(fact, listener, command))

    def _is_out(self, part: str, fact: Recorded[Event]) -> bool:
        is_parked = (part, fact.event.entity_id) in self._lot.held([part])
        return is_parked or fact.sequence in self._lot.skips(part, fact.stream)

    async def _run(self, fact: Recorded[Event], listener: Listener, command: ReplayRange) -> ReplayedEvent:
        async def handle() -> None:
            with nullcontext() if command.may_bill else only_kept():
                await listener.handle_again(fact)

        try:
            await listener.in_turn(fact.event.entity_id, handle)
        except WouldBill as bill:
            return _replayed(fact, "would_bill", note=str(bill))
        except NotNow as later:
            return _replayed(fact, "failed", note=f"not now: {later}")
        except Exception as error:
            return _replayed(fact, "failed", note=repr(error))
        return _replayed(fact, "done")

    async def _rehearse(self, fact: Recorded[Event], command: ReplayRange) -> ReplayedEvent:
        rehearsal = Rehearsal(self._floor)
        handler = bound(self._parts.heard[command.consumer], rehearsal)[type(fact.event)]
        try:
            await handler(fact)
        except Stopped:
            return _replayed(fact, "stopped", rehearsal)
        except NotNow as later:
            return _replayed(fact, "rehearsed", rehearsal, note=f"not now: {later}")
        except Exception as error:
            return _replayed(fact, "failed", rehearsal, note=repr(error))
        return _replayed(fact, "rehearsed", rehearsal)


def _replayed(fact: Recorded[Event], outcome: str, rehearsal: Rehearsal | None = None, note: str = "") -> ReplayedEvent:
    return ReplayedEvent(
        sequence=fact.sequence,
        wire_name=fact.event.wire_name(),
        entity_id=fact.event.entity_id,
        outcome=outcome,  # type: ignore[arg-type]
        effects=tuple(rehearsal.effects) if rehearsal else (),
        note=note,
    )

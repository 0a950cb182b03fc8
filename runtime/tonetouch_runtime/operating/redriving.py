"""Redriving: what was parked is looked at, handled again in order, or passed over for a reason.

Answers `ListParked`, `ShowParked`, `RedriveParked` and `SkipParked`. A table shows a redriven event once, also where
the process is killed on the way; a handler is called at least once, as ever.
"""

import asyncio
import time
from functools import partial

from nats.aio.msg import Msg

from tonetouch_contracts.envelope import Envelope, EnvelopeError
from tonetouch_contracts.message import Page
from tonetouch_contracts.operating import (
    Attempted,
    ListParked,
    ParkedDetail,
    ParkedEvent,
    Redriven,
    RedriveParked,
    ShowParked,
    SkipParked,
    Skipped,
)
from tonetouch_contracts.vocabulary import UndecodableError
from tonetouch_runtime._hearing import Listener
from tonetouch_runtime._inbox import Inbox
from tonetouch_runtime._keeping import Keeper
from tonetouch_runtime._paging import decode_cursor, encode_cursor, page_size
from tonetouch_runtime._parking import Entity, Lot
from tonetouch_runtime._pausing import Pauses
from tonetouch_runtime._recorded import origin_of, read_message
from tonetouch_runtime._tables import is_passing
from tonetouch_runtime.errors import NotNow, Refused, Unavailable
from tonetouch_runtime.operating.parts import Parts
from tonetouch_runtime.operating.recording import Operations

SIDE_BY_SIDE = 8
"""Entities that are redriven at the same time."""

MOST_AT_ONCE = 1000
LONGEST_SECONDS = 300.0


class Redriving:
    """The parked events of one service, and what is done about them."""

    def __init__(self, *, parts: Parts, pauses: Pauses, lot: Lot, operations: Operations, inbox: Inbox) -> None:
        self._parts = parts
        self._pauses = pauses
        self._lot = lot
        self._operations = operations
        self._inbox = inbox
        self._under_way: set[tuple[str, str]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def listed(self, command: ListParked) -> Page[ParkedEvent]:
        """A page of what is parked, the oldest first."""
        limit = page_size(command.limit)
        after = None if command.cursor is None else decode_cursor(command.cursor, str, str, str, int)
        find = partial(self._lot.listed, part=command.part, entity_id=command.entity_id)
        found = await asyncio.to_thread(find, only_broken=command.only_broken, after=after, limit=limit + 1)
        items, last = tuple(found[:limit]), found[limit - 1] if len(found) > limit else None
        cursor = None if last is None else encode_cursor(last.parked_at, last.part, last.stream, last.sequence)
        return Page(items=items, next_cursor=cursor)

    async def shown(self, command: ShowParked) -> ParkedDetail:
        """One parked event with what it says."""
        event = await self._the_one(command.stream, command.sequence, command.part)
        message = await self._message(event)
        headers = message.headers or {}
        behind = await asyncio.to_thread(self._lot.of, _entity(event))
        try:
            envelope = Envelope.from_headers(headers)
        except EnvelopeError:
            envelope = None
        return ParkedDetail(
            parked=event,
            subject=headers.get("Nats-Subject", message.subject),
            time=envelope.time if envelope else headers.get("Nats-Time-Stamp", ""),
            event_id=envelope.id if envelope else "",
            correlation=envelope.correlation if envelope else None,
            waiting=sum(one.sequence > event.sequence for one in behind),
            body=_text(message.data),
        )

    async def skip(self, command: SkipParked) -> Skipped:
        """Pass over the first parked event of an entity."""
        event = await self._the_one(command.stream, command.sequence, command.part)
        first, *waiting = await asyncio.to_thread(self._lot.of, _entity(event))
        if first.sequence != event.sequence:
            detail = f"It waits behind {first.stream}@{first.sequence} ({first.wire_name}) of the same entity."
            raise Refused("conflict", detail, "Skip or redrive that one first: order within an entity is kept.")
        about = f"{event.part} {event.stream}@{event.sequence} {event.wire_name} {event.entity_id}"
        kept = await self._operations.note(command.operator, "skip", about, command.reason, needs_reason=True)
        await asyncio.to_thread(self._lot.skip, event, *kept)
        return Skipped(skipped=event, waiting=len(waiting))

    async def redrive(self, command: RedriveParked) -> Redriven:
        """Handle what is parked again, entity by entity in order, until the cap or the time is reached."""
        if not 1 <= command.at_most <= MOST_AT_ONCE:
            raise Refused("invalid", f"A redrive is of 1 to {MOST_AT_ONCE} events, not of {command.at_most}.")
        wanted = (command.part, command.entity_id)
        entities = await asyncio.to_thread(self._lot.entities, *wanted)
        about = f"{command.part or 'every part'} {command.entity_id or 'every entity'}, {command.at_most} at the most"
        await self._operations.note(command.operator, "redrive", about, command.reason)
        run = _Run(left=command.at_most, until=time.monotonic() + min(command.within_seconds, LONGEST_SECONDS))
        hands = asyncio.Semaphore(SIDE_BY_SIDE)
        tasks = [asyncio.create_task(self._in_order(entity, run, hands)) for entity in entities]
        self._tasks.update(tasks)
        for task in tasks:
            task.add_done_callback(self._tasks.discard)
        if tasks:
            await asyncio.wait(tasks, timeout=max(run.until - time.monotonic(), 0.0))
        attempted = (*run.attempted, *(_attempted(event, "running") for event in run.current.values()))
        left = sum([len(await asyncio.to_thread(self._lot.of, entity)) for entity in entities])
        done = sum(one.outcome == "done" for one in attempted)
        failed = sum(one.outcome == "failed" for one in attempted)
        return Redriven(attempted=attempted, done=done, failed=failed, left=left)

    async def close(self) -> None:
        """Begin nothing more, and see what runs come to its end."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _in_order(self, entity: Entity, run: "_Run", hands: asyncio.Semaphore) -> None:
        """Redrive one entity until nothing of it is parked, or one event does not come to its end."""
        key = (entity.part, entity.entity_id)
        async with hands:
            events = await asyncio.to_thread(self._lot.of, entity)
            if key in self._under_way:
                run.attempted.extend(_attempted(event, "running", "another redrive has it") for event in events[:1])
                return
            self._under_way.add(key)
            try:
                while events and run.may_begin():
                    run.current[key] = events[0]
                    attempted = await self._attempt(events[0])
                    run.attempted.append(attempted)
                    if attempted.outcome != "done":
                        return
                    # While its events are parked, those that come are parked behind them.
                    events = events[1:] or await asyncio.to_thread(self._lot.of, entity)
            finally:
                run.current.pop(key, None)
                self._under_way.discard(key)

    async def _attempt(self, event: ParkedEvent) -> Attempted:
        if event.part in self._pauses.paused:
            return _attempted(event, "waiting", f"{event.part} is paused: resume it first")
        try:
            await self._handle(event)
        except (NotNow, Unavailable) as later:
            return _attempted(event, "waiting", str(later))
        except Exception as error:
            if is_passing(error):
                return _attempted(event, "waiting", f"the tables cannot be written ({type(error).__name__})")
            words = str(error) if isinstance(error, UndecodableError) else repr(error)
            await asyncio.to_thread(self._lot.fail_again, event, words)
            return _attempted(event, "failed", words)
        return _attempted(event, "done")

    async def _handle(self, event: ParkedEvent) -> None:
        message = await self._message(event)
        if listener := self._parts.listeners.get(event.part):
            await listener.in_turn(event.entity_id, partial(self._hear, listener, event, message))
            return None
        for keeper in self._parts.keepers_of(event.part):
            if keeper.stream == event.stream:
                return await self._keep(keeper, event, message)
        raise NotNow(60.0, f"nothing here is called {event.part} any more: skip what it has parked")

    async def _hear(self, listener: Listener, event: ParkedEvent, message: Msg) -> None:
        await listener.handle_again(read_message(message, people=self._inbox.people))
        # Still in the entity's turn: what comes next finds it free.
        await asyncio.to_thread(self._lot.release, event)

    async def _keep(self, keeper: Keeper, event: ParkedEvent, message: Msg) -> None:
        await keeper.keep_again(event.part, read_message(message, people=self._inbox.people))
        await asyncio.to_thread(self._lot.release, event)
        await keeper.marks.take_away(event.part, [event.sequence])

    async def _the_one(self, stream: str, sequence: int, part: str | None) -> ParkedEvent:
        found = await asyncio.to_thread(self._lot.at, stream, sequence, part)
        if not found:
            raise Refused(
                "not_found", f"{stream}@{sequence} is not parked here.", "`tonetouch events parked list` shows what is."
            )
        if len(found) > 1:
            names = ", ".join(event.part for event in found)
            raise Refused("conflict", f"{stream}@{sequence} is parked by several parts: {names}.", "Name one of them.")
        return found[0]

    async def _message(self, event: ParkedEvent) -> Msg:
        messages = await self._inbox.get_batch(event.stream, ">", 1, event.sequence)
        if not messages or origin_of(messages[0])[1] != event.sequence:
            raise Unavailable(f"{event.stream} does not give its event {event.sequence}")
        return messages[0]


class _Run:
    """One redrive: how many more may be begun, and what became of those that were."""

    def __init__(self, *, left: int, until: float) -> None:
        self.until = until
        self.attempted: list[Attempted] = []
        self.current: dict[tuple[str, str], ParkedEvent] = {}
        self._left = left

    def may_begin(self) -> bool:
        """Whether another one may be begun; it is counted if so."""
        if self._left == 0 or time.monotonic() >= self.until:
            return False
        self._left -= 1
        return True


def _attempted(event: ParkedEvent, outcome: str, note: str = "") -> Attempted:
    return Attempted(
        part=event.part,
        stream=event.stream,
        sequence=event.sequence,
        wire_name=event.wire_name,
        entity_id=event.entity_id,
        outcome=outcome,  # type: ignore[arg-type]
        note=note,
    )


def _entity(event: ParkedEvent) -> Entity:
    return Entity(event.part, event.entity_id, event.stream, event.sequence)


def _text(body: bytes) -> str | None:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None

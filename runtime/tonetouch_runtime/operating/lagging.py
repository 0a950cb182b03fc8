"""Lagging: how far each part of a service is behind, in events and in seconds, and whether it moves.

Answers `ShowLag`. Seconds are the age of the first event that a part has not taken: a part can be few events behind
for long, and many for a moment.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import nats.errors
import nats.js.errors
from nats.aio.msg import Msg
from nats.js.api import ConsumerInfo

from tonetouch_contracts.operating import PartKind, PartLag, PartState, Paused, ServiceLag, ShowLag
from tonetouch_runtime._bus import Bus
from tonetouch_runtime._clock import Clock
from tonetouch_runtime._health import STALLED_SECONDS
from tonetouch_runtime._inbox import Inbox
from tonetouch_runtime._keeping import Keeper
from tonetouch_runtime._parking import Lot
from tonetouch_runtime._pausing import Pauses
from tonetouch_runtime._pulling import Pull
from tonetouch_runtime._recorded import origin_of
from tonetouch_runtime.errors import Unavailable
from tonetouch_runtime.operating.parts import Parts

Ages = Mapping[str, tuple[int, timedelta]]


class Lagging:
    """Measures all parts of one service."""

    def __init__(
        self, service: str, *, parts: Parts, pauses: Pauses, lot: Lot, bus: Bus, clock: Clock, inbox: Inbox
    ) -> None:
        self._service = service
        self._parts = parts
        self._pauses = pauses
        self._lot = lot
        self._bus = bus
        self._clock = clock
        self._inbox = inbox

    async def show(self, _: ShowLag) -> ServiceLag:
        """How far every part is. Raises Unavailable where the bus does not say."""
        try:
            ages = await asyncio.to_thread(self._lot.ages)
            tables = await asyncio.gather(*(self._of_keeper(keeper, ages) for keeper in self._parts.keepers.values()))
            pulls = await asyncio.gather(
                *(self._of_consumer(kind, hands, ages) for kind, hands in self._parts.pulls.values())
            )
        except (TimeoutError, nats.errors.Error, nats.js.errors.Error) as error:
            raise Unavailable(f"the bus does not say how far its streams are ({type(error).__name__})") from error
        return ServiceLag(service=self._service, parts=(*(lag for lags in tables for lag in lags), *pulls))

    async def _of_keeper(self, keeper: Keeper, ages: Ages) -> list[PartLag]:
        # The positions first: a head that is read before them would say that they are ahead of it.
        parts = keeper.parts
        head = await self._head(keeper.stream)
        ways = (self._of_table(keeper, name, position, max(head, position), ages) for name, position in parts.items())
        return await asyncio.gather(*ways)

    async def _of_table(self, keeper: Keeper, name: str, position: int, head: int, ages: Ages) -> PartLag:
        seconds = await self._waiting_seconds(keeper.stream, (">",), position + 1) if position < head else 0.0
        pace = keeper.pace_of(name)
        state, note = _state(
            self._pauses.paused.get(name), keeper.problem, seconds, pace.still_seconds, head - position, 0
        )
        parked, oldest = ages.get(name, (0, timedelta()))
        return PartLag(
            part=name,
            kind="projection",
            stream=keeper.stream,
            position=position,
            head=head,
            events_behind=head - position,
            seconds_behind=seconds,
            rate=0.0 if name in keeper.still else pace.rate,
            state=state,
            parked=parked,
            oldest_parked_seconds=oldest.total_seconds(),
            note=note,
        )

    async def _of_consumer(self, kind: PartKind, hands: Sequence[Pull], ages: Ages) -> PartLag:
        consumer = hands[0].consumer
        name, in_hand = consumer.name, sum(pull.in_hand for pull in hands)
        problem = next((pull.problem for pull in hands if pull.problem), None)
        try:
            info = await self._bus.jetstream.consumer_info(consumer.stream, name)
        except nats.js.errors.NotFoundError:
            info, problem = None, f"{name} is not there any more: `tonetouch provision` makes it again"
        head = await self._head(consumer.stream)
        position = _floor(info)
        behind = (info.num_pending or 0) + (info.num_ack_pending or 0) if info else head - position
        # Of a queue what is done is gone: what is waited for longest is the first that is there.
        start = 1 if kind == "worker" else position + 1
        seconds = await self._waiting_seconds(consumer.stream, consumer.filters, start) if behind else 0.0
        still = min(pull.pace.still_seconds for pull in hands)
        state, note = _state(self._pauses.paused.get(name), problem, seconds, still, behind, in_hand)
        parked, oldest = ages.get(name, (0, timedelta()))
        return PartLag(
            part=name,
            kind=kind,
            stream=consumer.stream,
            position=position,
            head=head,
            events_behind=behind,
            seconds_behind=seconds,
            rate=sum(pull.pace.rate for pull in hands),
            state=state,
            in_hand=in_hand,
            parked=parked,
            oldest_parked_seconds=oldest.total_seconds(),
            note=note,
        )

    async def _head(self, stream: str) -> int:
        return (await self._bus.jetstream.stream_info(stream, subjects_filter=None)).state.last_seq

    async def _waiting_seconds(self, stream: str, filters: Sequence[str], start: int) -> float:
        """How long the first event from here on that passes a filter has been there."""
        ways = (self._inbox.get_batch(stream, subjects, 1, start) for subjects in filters)
        found = [message for messages in await asyncio.gather(*ways) for message in messages]
        if not found:
            return 0.0
        stored = _stored_at(min(found, key=lambda message: origin_of(message)[1]))
        return max((self._clock.now() - stored).total_seconds(), 0.0)


def _floor(info: ConsumerInfo | None) -> int:
    return info.ack_floor.stream_seq if info and info.ack_floor else 0


def _stored_at(message: Msg) -> datetime:
    return datetime.fromisoformat((message.headers or {})["Nats-Time-Stamp"])


def _state(
    paused: Paused | None, problem: str | None, seconds: float, still_seconds: float, behind: int, in_hand: int
) -> tuple[PartState, str]:
    """What a part is doing, and the words for it. 'The head moves, the position does not' is being stalled."""
    if paused is not None:
        reason = f": {paused.reason}" if paused.reason else ""
        return "paused", f"by {paused.operator} since {paused.since}{reason}"
    if problem is not None:
        return "broken", problem
    if not behind:
        return "following", ""
    if min(seconds, still_seconds) < STALLED_SECONDS:
        return "behind", "catching up"
    if in_hand:
        return "behind", f"nothing was finished for {still_seconds:.0f} s; {in_hand} in hand"
    return "stalled", f"the head moves, it has not for {still_seconds:.0f} s"

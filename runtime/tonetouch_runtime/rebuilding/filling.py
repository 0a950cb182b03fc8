"""Filling tables from the log beside those that answer, up to a place."""

import asyncio

from nats.aio.msg import Msg

from tonetouch_contracts.message import Event
from tonetouch_contracts.vocabulary import UndecodableError
from tonetouch_runtime._bus import Bus
from tonetouch_runtime._keeping import BATCH, Keeper
from tonetouch_runtime._parking import Lot
from tonetouch_runtime._projecting import Projection
from tonetouch_runtime._recorded import Recorded
from tonetouch_runtime._tables import Database
from tonetouch_runtime.errors import TonetouchError
from tonetouch_runtime.rebuilding.throttling import Throttle

BESIDE = 100
"""Events in a batch where the same process answers questions: a few milliseconds that nobody notices."""


class StoppedError(TonetouchError):
    """An event broke the new table, and the live one has not parked it: somebody is watching, and has to decide."""


class Filler(Keeper):
    """Keeps one table that stands beside the live one, up to a place. What breaks it ends it.

    What the live table has parked is parked for this one as well: somebody knows of it already.
    """

    def __init__(
        self, bus: Bus, stream: str, projection: Projection, database: Database, lot: Lot, *, live: str
    ) -> None:
        super().__init__(bus, stream, [projection], database, lot)
        self._live = live

    async def fill(self, goal: int, most: int = BATCH, throttle: Throttle | None = None) -> None:
        """Read from where the table stands up to the event at `goal`. Raises StoppedError."""
        self._positions = await self._lasting(lambda: self._read.write(self._load_positions))
        self._reader.go_to(self.position + 1)
        if throttle is not None:
            self._reader.throttle(throttle.bits)
        try:
            while self.position < goal:
                placed = [one for one in await self._reader.batch(most) if one[0] <= goal]
                if placed:
                    await self._keep(placed)
                    if throttle is not None and throttle.kept(len(placed)):
                        self._reader.throttle(throttle.bits)
                else:  # the place itself is gone from the stream
                    self._positions = await self._lasting(
                        lambda: self._read.write(lambda to: self._project_all(to, self._projections, (), goal))
                    )
        finally:
            await self._reader.close()

    async def _broke(self, projection: Projection, fact: Recorded[Event], error: Exception) -> None:
        await self._stop_unless_parked(fact.sequence, f"{fact.event.wire_name()} broke it: {error!r}")
        await super()._broke(projection, fact, error)

    async def _park_unreadable(self, sequence: int, message: Msg, error: UndecodableError) -> None:
        if sequence in await asyncio.to_thread(self._lot.skips, self._live, self.stream):
            return
        await self._stop_unless_parked(sequence, str(error))
        await super()._park_unreadable(sequence, message, error)

    async def _stop_unless_parked(self, sequence: int, words: str) -> None:
        if not await asyncio.to_thread(self._lot.at, self.stream, sequence, self._live):
            raise StoppedError(f"{self.stream}@{sequence}: {words}")

"""The commands of operators, and what answers each."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tonetouch_contracts.message import Command
from tonetouch_contracts.operating import (
    ListOperations,
    ListParked,
    PausePart,
    RedriveParked,
    ReplayRange,
    ResumePart,
    ServiceLag,
    ShowLag,
    ShowParked,
    SkipParked,
)
from tonetouch_runtime._floor import Floor
from tonetouch_runtime._inbox import Inbox
from tonetouch_runtime._parking import Lot
from tonetouch_runtime._pausing import Pauses
from tonetouch_runtime.operating.lagging import Lagging
from tonetouch_runtime.operating.parts import Parts
from tonetouch_runtime.operating.pausing import Pausing
from tonetouch_runtime.operating.recording import Operations
from tonetouch_runtime.operating.redriving import Redriving
from tonetouch_runtime.operating.replaying import Replaying

COMMANDS: tuple[type[Command[Any]], ...] = (
    ShowLag,
    ListParked,
    ShowParked,
    RedriveParked,
    SkipParked,
    PausePart,
    ResumePart,
    ListOperations,
)
"""What `Operating` answers."""


class Operating:
    """An operator's hands in one service. Parts that were paused stand still from the start."""

    def __init__(self, floor: Floor, parts: Parts, lot: Lot) -> None:
        self._pauses = Pauses(floor.state, floor.clock, parts.follow)
        parts.begin(list(self._pauses.paused))
        inbox = Inbox(floor.bus)
        self._operations = Operations(floor.state, floor.clock)
        pausing = Pausing(parts, self._pauses, self._operations)
        self._lagging = Lagging(
            floor.service, parts=parts, pauses=self._pauses, lot=lot, bus=floor.bus, clock=floor.clock, inbox=inbox
        )
        self._redriving = Redriving(parts=parts, pauses=self._pauses, lot=lot, operations=self._operations, inbox=inbox)
        replaying = Replaying(
            floor, parts=parts, pauses=self._pauses, lot=lot, operations=self._operations, inbox=inbox
        )
        self.answers: Mapping[type[Command[Any]], Callable[[Any], Awaitable[Any]]] = {
            ShowLag: self._lagging.show,
            ListParked: self._redriving.listed,
            ShowParked: self._redriving.shown,
            RedriveParked: self._redriving.redrive,
            SkipParked: self._redriving.skip,
            PausePart: pausing.pause,
            ResumePart: pausing.resume,
            ReplayRange: replaying.replay,
            ListOperations: self._operations.listed,
        }

    async def lag(self) -> ServiceLag:
        """How far every part is."""
        return await self._lagging.show(ShowLag())

    async def note(self, operator: str, what: str, about: str, reason: str) -> None:
        """Keep what an operator does to this service. Raises Refused where nobody is named."""
        await self._operations.note(operator, what, about, reason)

    async def run(self) -> None:
        """Do as other replicas of the service are told, for as long as the process lives."""
        try:
            await self._pauses.watch()
        finally:
            await self._redriving.close()

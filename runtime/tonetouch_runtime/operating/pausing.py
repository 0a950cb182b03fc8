"""Pausing: a part stands still until an operator lets it go on.

Answers `PausePart` and `ResumePart`.
"""

from tonetouch_contracts.operating import Paused, PausePart, ResumePart
from tonetouch_runtime._pausing import Pauses
from tonetouch_runtime.operating.parts import Parts
from tonetouch_runtime.operating.recording import Operations


class Pausing:
    """Tells parts to stand still and to go on; what is told is written down first."""

    def __init__(self, parts: Parts, pauses: Pauses, operations: Operations) -> None:
        self._parts = parts
        self._pauses = pauses
        self._operations = operations

    async def pause(self, command: PausePart) -> Paused:
        """A projection stands still when this returns; a consumer takes nothing new, and ends what it has begun."""
        kind = self._parts.kind_of(command.part)
        kept = await self._operations.note(command.operator, "pause", command.part, command.reason)
        return await self._pauses.pause(command.part, kind, *kept)

    async def resume(self, command: ResumePart) -> Paused:
        """It goes on from where it stands."""
        kind = self._parts.kind_of(command.part)
        await self._operations.note(command.operator, "resume", command.part, command.reason)
        await self._pauses.resume(command.part)
        return Paused(part=command.part, kind=kind)

"""A rebuild: what is to be made anew, and how far it is. Knows no engine and no table."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Literal

from tonetouch_contracts.indexing import IndexName, RebuildPhase, RebuildView
from tonetouch_recommend.indexes.index import Collections
from tonetouch_recommend.indexes.twins import StandingEngine
from tonetouch_recommend.learning import Kind
from tonetouch_recommend.vectors.collection import Collection


@dataclass(slots=True, kw_only=True)
class Rebuild:
    """One rebuild: what is to be made, and how far it is. `collections` are all five as they will be afterwards."""

    id: str
    names: tuple[IndexName, ...]
    reason: Literal["asked", "model"]
    collections: Collections
    started_at: str
    phase: RebuildPhase
    done: int = 0
    total: int = 0
    waiting: str = ""
    is_unwanted: bool = False
    copies: StandingEngine | None = None
    kinds: list[Kind] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    after: str = ""
    refused: dict[str, set[str]] = field(default_factory=dict)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    _since: float = field(default_factory=time.monotonic)
    _from: int | None = None

    @property
    def is_over(self) -> bool:
        return self.phase in ("done", "cancelled")

    @property
    def made(self) -> list[Collection]:
        """What the copies are to be, by the indexes' own names."""
        return [each for each in self.collections.all if each.name in self.names]

    def enter(self, phase: RebuildPhase, total: int = 0) -> None:
        """Begin a phase: its progress is counted anew."""
        self.phase, self.done, self.total, self.waiting = phase, 0, total, ""
        self._since, self._from = time.monotonic(), None

    def end(self, phase: Literal["done", "cancelled"]) -> None:
        """It is over, and so it was."""
        self.copies, self.phase, self.waiting = None, phase, ""
        self.ended.set()

    def reach(self, done: int, total: int, waiting: str = "") -> None:
        """So much of the phase is done; what was done before it began does not count as speed."""
        if self._from is None:
            self._from, self._since = done, time.monotonic()
        self.done, self.total, self.waiting = done, total, waiting

    def view(self) -> RebuildView:
        """How an operator sees it."""
        seconds, gained = time.monotonic() - self._since, self.done - (self._from or 0)
        rate = gained / seconds if gained > 0 and seconds > 0 and not self.is_over else None
        return RebuildView(
            id=self.id,
            names=self.names,
            reason=self.reason,
            model=self.collections.tracks.model,
            phase=self.phase,
            done=self.done,
            total=self.total,
            started_at=self.started_at,
            per_second=rate,
            seconds_left=(self.total - self.done) / rate if rate else None,
            waiting=self.waiting,
        )

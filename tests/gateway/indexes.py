"""Recommend's indexes as a stand-in: what a test says of them is what is answered."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tonetouch_contracts.indexing import (
    CancelRebuild,
    IndexesView,
    IndexView,
    ListIndexes,
    RebuildIndexes,
    RebuildView,
)
from tonetouch_runtime import Floor, Router

TRACKS = IndexView(
    name="tracks",
    points=18_240,
    indexed=15_000,
    dimension=1024,
    model="words@1",
    engine="qdrant-edge",
    positions={"CATALOG": 40_211, "INGEST": 391_022},
    behind=12,
    dirty=3,
    refused=0,
    disk_bytes=171_966_464,
)

REBUILD = RebuildView(
    id="r1",
    names=("tracks",),
    reason="asked",
    model="words@1",
    phase="filling",
    done=5_000,
    total=18_240,
    started_at="2026-11-22T18:30:00Z",
    per_second=500.0,
    seconds_left=26.5,
)


def rebuilt(**changes: Any) -> IndexesView:
    """One index, and a rebuild of it that stands like this."""
    return IndexesView(items=(TRACKS,), rebuild=msgspec.structs.replace(REBUILD, **changes), resident_bytes=412_090_368)


@dataclass
class StandInIndexes:
    """`views` are answered one after the other, and the last of them for ever."""

    views: list[IndexesView] = field(default_factory=lambda: [IndexesView(items=(TRACKS,))])

    def answer(self, recommend: Router, note: Callable[[Any], None]) -> None:
        """Have the service answer for the indexes."""

        async def view(command: ListIndexes | RebuildIndexes | CancelRebuild, _: Floor) -> IndexesView:
            note(command)
            return self.views.pop(0) if len(self.views) > 1 else self.views[0]

        for command in (ListIndexes, RebuildIndexes, CancelRebuild):
            recommend.answers(command)(view)

    def forget(self) -> None:
        """Be as new."""
        self.views[:] = [IndexesView(items=(TRACKS,))]

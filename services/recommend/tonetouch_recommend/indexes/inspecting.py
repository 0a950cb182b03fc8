"""Inspecting: the five indexes as an operator sees them, and having them made anew.

Answers `ListIndexes`, `RebuildIndexes` and `CancelRebuild`.
"""

import asyncio
import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol, get_args, runtime_checkable

from sqlalchemy import func, select

from tonetouch_contracts.indexing import (
    CancelRebuild,
    IndexesView,
    IndexName,
    IndexView,
    ListIndexes,
    RebuildIndexes,
)
from tonetouch_contracts.message import Positions
from tonetouch_recommend.indexes.index import EMBEDDED_FOR
from tonetouch_recommend.indexes.indexing import Indexes, followed
from tonetouch_recommend.indexes.pairing import MADE_OF
from tonetouch_recommend.indexes.twins import StandingEngine
from tonetouch_recommend.learning import DirtyRow
from tonetouch_recommend.vectors.collection import Collection
from tonetouch_runtime import Floor, Router
from tonetouch_runtime.ai import AIUnavailable

router = Router()

NAMES: Final[tuple[IndexName, ...]] = get_args(IndexName)
_BLOCK_BYTES: Final = 512  # of `st_blocks`, whatever the file system's own are


@runtime_checkable
class OnDisk(Protocol):
    """An engine that keeps each collection in a folder of this machine."""

    def folder(self, name: str) -> Path: ...


@router.answers(ListIndexes)
async def list_indexes(_: ListIndexes, floor: Floor) -> IndexesView:
    """All five, with the rebuild that is under way or was the last."""
    return await _view(floor)


@router.answers(RebuildIndexes)
async def rebuild_indexes(command: RebuildIndexes, floor: Floor) -> IndexesView:
    """Begin, and say where everything stands. Raises Refused while others are being made anew."""
    names = tuple(name for name in NAMES if name in command.names) or NAMES
    await floor.get(Indexes).rebuilding.ask(names)
    return await _view(floor)


@router.answers(CancelRebuild)
async def cancel_rebuild(_: CancelRebuild, floor: Floor) -> IndexesView:
    """Leave everything as it is. Raises Refused where nothing can be cancelled."""
    await floor.get(Indexes).rebuilding.cancel()
    return await _view(floor)


async def _view(floor: Floor) -> IndexesView:
    indexes = floor.get(Indexes)
    heads, dirty = await _heads(floor), await _dirty(floor)
    items = [await _index(each, heads, dirty, indexes) for each in indexes.collections.all]
    current = indexes.rebuilding.current
    return IndexesView(
        items=tuple(sorted(items, key=lambda item: NAMES.index(item.name))),
        rebuild=current.view() if current else None,
        resident_bytes=await asyncio.to_thread(_resident_bytes),
        search=_by_name_alone(indexes, floor),
    )


async def _index(each: Collection, heads: Positions, dirty: Mapping[str, int], indexes: Indexes) -> IndexView:
    kind, info = MADE_OF[each.name], await indexes.engine.info(each)
    shown = {stream: indexes.reached(kind).get(stream, 0) for stream in heads}
    name: IndexName = each.name  # type: ignore[assignment]
    return IndexView(
        name=name,
        points=info.points,
        indexed=info.indexed,
        dimension=info.dimension,
        model=each.model,
        engine=engine_name(indexes.engine),
        positions=shown,
        behind=sum(max(0, head - shown[stream]) for stream, head in heads.items()),
        dirty=dirty.get(kind, 0) + (dirty.get("renewed", 0) if kind == "track" else 0),
        refused=len(indexes.refused[each.name]),
        disk_bytes=await _disk_bytes(each, indexes.engine),
    )


def engine_name(engine: object) -> str:
    """What keeps the vectors, by the name of its class: ``qdrant-edge``."""
    bare = engine.inner if isinstance(engine, StandingEngine) else engine
    words = re.findall("[A-Z][a-z]*", type(bare).__name__.removesuffix("Engine"))
    return "-".join(words).lower()


def _by_name_alone(indexes: Indexes, floor: Floor) -> str:
    model = indexes.collections.tracks.model
    try:
        floor.ai.embedding_model(EMBEDDED_FOR, model)
    except AIUnavailable as error:
        return f"Questions are understood by names alone: the index is of {model}, which cannot be asked now. {error}"
    return ""


async def _heads(floor: Floor) -> Positions:
    streams = followed(floor)
    infos = await asyncio.gather(*map(floor.bus.jetstream.stream_info, streams))
    return {stream: info.state.last_seq for stream, info in zip(streams, infos, strict=True)}


async def _dirty(floor: Floor) -> dict[str, int]:
    dirty = floor.tables.live(DirtyRow)
    counted = select(dirty.c.kind, func.count().label("number")).group_by(dirty.c.kind)
    return {row["kind"]: row["number"] for row in await floor.tables.all(counted)}


async def _disk_bytes(each: Collection, engine: object) -> int | None:
    if not isinstance(engine, StandingEngine) or not isinstance(engine.inner, OnDisk):
        return None
    return await asyncio.to_thread(_bytes_below, engine.inner.folder(engine.as_it_stands(each).name))


def _bytes_below(folder: Path) -> int:
    """What is taken of the disk: files with holes count for what is written in them."""
    total = 0
    # A copy that is replaced meanwhile may go at any moment: the walk passes over folders that are gone.
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += Path(place, name).stat().st_blocks * _BLOCK_BYTES
    return total


def _resident_bytes() -> int | None:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")

"""A small service whose parts can be broken and mended, and what an operator asks it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import msgspec
from sqlalchemy import select
from sqlmodel import Field, SQLModel

from tests.runtime.test_app import uploaded
from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.message import Command, Event, Positions
from tonetouch_contracts.operating import ListOperations, ListParked, ParkedEvent, PartLag, ShowLag
from tonetouch_contracts.track import TrackDescribed, TrackUploaded
from tonetouch_runtime import App, Decision, Floor, Recorded, Router, Task, Writer

R = TypeVar("R")

SERVICE = "deeds"
TABLE, OTHER, LISTENER, WORKER = "test_deeds", "test_uploads", "ingest-starting", "ingest-stage"


class DeedRow(SQLModel, table=True):
    """How often a track was described: adding shows every event that is applied twice."""

    __tablename__ = TABLE
    id: str = Field(primary_key=True)
    times: int
    last: str


class UploadRow(SQLModel, table=True):
    """Which tracks there are: a table of the same stream that nothing breaks."""

    __tablename__ = OTHER
    id: str = Field(primary_key=True)


class Deeds:
    """The service: `broken` are the words it cannot bear, `does` is what its listener does besides."""

    def __init__(self, name: str = SERVICE) -> None:
        self.broken: set[str] = set()
        self.heard: list[str] = []
        self.worked: list[str] = []
        self.does: Callable[[Recorded[TrackDescribed], Floor], Awaitable[None]] | None = None
        router = Router()
        router.keeps(DeedRow, hears=[TrackDescribed])(self.keep)
        router.keeps(UploadRow, hears=[TrackUploaded])(self.keep_upload)
        router.hears(TrackUploaded, consumer=LISTENER)(self.hear)
        router.works("INGEST_Q", "stage", consumer=WORKER)(self.work)
        self.app = App(name=name, routers=(router,))

    def keep(self, facts: Sequence[Recorded[TrackDescribed]], rows: Writer) -> None:
        for fact in facts:
            if fact.event.about in self.broken:
                raise ValueError(f"{fact.event.about} is unbearable")
            row = rows.get([fact.event.track_id]).get(fact.event.track_id)
            times = 1 + (row["times"] if row else 0)
            rows.upsert([{"id": fact.event.track_id, "times": times, "last": fact.event.about}])

    def keep_upload(self, facts: Sequence[Recorded[TrackUploaded]], rows: Writer) -> None:
        rows.insert_new([{"id": fact.event.track_id} for fact in facts])

    async def hear(self, fact: Recorded[Any], floor: Floor) -> None:
        if fact.event.file_name in self.broken:
            raise RuntimeError(f"{fact.event.file_name} is unbearable")
        if self.does is not None:
            await self.does(fact, floor)
        self.heard.append(f"{fact.event.track_id} {fact.event.file_name}")

    async def work(self, task: Task, floor: Floor) -> None:
        self.worked.append(task.entity_id)


async def describe(floor: Floor, track: str, *abouts: str) -> Positions:
    return await _append(floor, track, [TrackDescribed(track_id=TrackId(track), about=a, job_id="j") for a in abouts])


async def upload(floor: Floor, track: str, *names: str) -> Positions:
    return await _append(floor, track, [_named(track, name) for name in names])


async def ask(floor: Floor, command: Command[R]) -> R:
    return (await floor.bus.ask(command, service=SERVICE)).value


async def parked(floor: Floor, part: str | None = None) -> list[ParkedEvent]:
    return list((await ask(floor, ListParked(part=part))).items)


async def lag(floor: Floor, part: str) -> PartLag:
    return next(one for one in (await ask(floor, ShowLag())).parts if one.part == part)


async def done(floor: Floor) -> list[tuple[str, str, str, str]]:
    """What operators did, the first of it first."""
    items = (await ask(floor, ListOperations())).items
    return [(one.operator, one.what, one.about, one.reason) for one in reversed(items)]


async def rows(floor: Floor) -> dict[str, tuple[int, str]]:
    """How often each track was described, and how last."""
    table = floor.tables.live(DeedRow)
    return {row["id"]: (row["times"], row["last"]) for row in await floor.tables.all(select(table))}


async def uploads(floor: Floor) -> set[str]:
    table = floor.tables.live(UploadRow)
    return {row["id"] for row in await floor.tables.all(select(table))}


def _named(track: str, name: str) -> TrackUploaded:
    return msgspec.structs.replace(uploaded(track), file_name=name)


async def _append(floor: Floor, track: str, events: Sequence[Event]) -> Positions:
    return await floor.log.append(Decision(entity_id=track, events=tuple(events), expected=None))

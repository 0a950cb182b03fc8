"""Serving: every list that is given out is recorded with all it was made from.

Answers `ListServedLists`, `ShowServedList`, `ReplayServedList`; says `ListServed`; keeps `ServedRow` from RECOMMEND.
An answer does not wait for the record: lists are gathered for a moment and poured together. An orderly stop pours what
waits; a process that is killed loses what it served in that moment, and nothing else is built on it.
"""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import structlog
from sqlalchemy import JSON, BigInteger, Index, select
from sqlmodel import Field, SQLModel

from tonetouch_contracts.identity import ListId, TrackId, UserId
from tonetouch_contracts.message import Page, Positions
from tonetouch_contracts.serving import (
    ListServed,
    ListServedLists,
    Replayed,
    ReplayServedList,
    ServedView,
    ShowServedList,
    Weighed,
    Weight,
)
from tonetouch_recommend.indexes.indexing import Indexes
from tonetouch_recommend.lists.recipe import MOST_CANDIDATES, MOST_EXCLUDED, Made, Recipe
from tonetouch_runtime import (
    Floor,
    Recorded,
    Refused,
    Router,
    Writer,
    decode_cursor,
    encode_cursor,
    page_size,
    stamp,
)

log = structlog.get_logger()

router = Router()

Maker = Callable[[Recipe, Floor], Awaitable[Made]]

GATHER_SECONDS: Final = 0.05
"""How long lists are gathered before they are poured: one append for many answers."""
MOST_WAITING: Final = 2_000
"""Lists that wait for a log that does not answer; more are let go, and told in the log of the process."""
MOST_AT_ONCE: Final = 100
CLOSING_SECONDS: Final = 10.0

_MAKERS: dict[str, tuple[str, Maker]] = {}


class ServedRow(SQLModel, table=True):
    """A list that was served, without what it was made from: that is read from the log."""

    __tablename__ = "recommend_served"
    __table_args__ = (Index("recommend_served_newest", "user_id", "sequence"),)

    list_id: str = Field(primary_key=True)
    user_id: str | None = None
    sequence: int | None = Field(default=None, sa_type=BigInteger)
    surface: str | None = None
    title: str | None = None
    reason: str | None = None
    at: str | None = None
    tracks: list[str] | None = Field(default=None, sa_type=JSON)
    continues: str | None = Field(default=None, index=True)
    page: int | None = None


def makes(surface: str, version: int = 1) -> Callable[[Maker], Maker]:
    """Register how the lists of a surface are made: ``async (recipe, floor) -> Made``, so that they can be replayed.

    Another version is another way: what was made in the old one is not replayed.
    """

    def register(maker: Maker) -> Maker:
        _MAKERS[surface] = (f"{surface}@{version}", maker)
        return maker

    return register


class Recorder:
    """Pours what was served, behind the answers."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._waiting: list[Callable[[], ListServed]] = []
        self._taken = self._done = 0
        self._moved = asyncio.Condition()
        self._pouring: asyncio.Task[None] | None = None
        self._reached: Positions = {}

    def take(self, list_id: ListId, making: Callable[[], ListServed]) -> None:
        """Record it soon, put together then. Never waits, never raises."""
        if len(self._waiting) >= MOST_WAITING:
            log.error("list_not_recorded", list_id=list_id, reason=f"{MOST_WAITING} lists wait already")
            return
        self._waiting.append(making)
        self._taken += 1
        if self._pouring is None or self._pouring.done():
            self._pouring = asyncio.create_task(self._pour())

    async def settled(self) -> Positions:
        """Return when everything taken so far is in the log, or was told to be lost; how far the log was then."""
        wanted = self._taken
        async with self._moved:
            await self._moved.wait_for(lambda: self._done >= wanted)
        return self._reached

    async def _pour(self) -> None:
        await asyncio.sleep(GATHER_SECONDS)
        while made := self._waiting[:MOST_AT_ONCE]:
            del self._waiting[:MOST_AT_ONCE]
            taken = [making() for making in made]
            try:
                self._reached = await self._floor.log.pour(*taken)
            except Exception as error:
                # Nobody waits for it: whoever was answered has their list.
                log.exception("lists_not_recorded", lists=[event.list_id for event in taken], reason=str(error))
            self._done += len(taken)
            async with self._moved:
                self._moved.notify_all()


@contextlib.asynccontextmanager
async def recording(floor: Floor) -> AsyncIterator[Recorder]:
    """Record for as long as the service runs; at its end what waits is poured first."""
    recorder = Recorder(floor)
    try:
        yield recorder
    finally:
        try:
            async with asyncio.timeout(CLOSING_SECONDS):
                await recorder.settled()
        except TimeoutError:
            log.error("lists_not_recorded", reason=f"the log did not take them within {CLOSING_SECONDS:g} s of the end")


def served(floor: Floor, recipe: Recipe, made: Made) -> ListId:
    """Record that this list is given out now; the id it is recorded under. Call it once for each list of an answer."""
    list_id, at = ListId(floor.clock.new_id()), stamp(floor.clock.now())
    floor.get(Recorder).take(list_id, functools.partial(_event, floor, recipe, made, list_id, at))
    return list_id


async def served_page(
    floor: Floor, recipe: Recipe, made: Made, *, continues: ListId | None, page: int
) -> tuple[ListId, Positions]:
    """Record a page of a list that goes on, and return once it is in the log: the next page is made from it."""
    list_id, at = ListId(floor.clock.new_id()), stamp(floor.clock.now())
    event = _event(floor, recipe, made, list_id, at, continues=continues, page=page)
    return event.list_id, await floor.log.pour(event)


async def pages_before(first: ListId, page: int, floor: Floor) -> list[str]:
    """The tracks of the pages before this one, in their order. The tables have to be there (`Floor.seen`)."""
    rows = floor.tables.live(ServedRow)
    earlier = select(rows.c.tracks, rows.c.page).where((rows.c.continues == first) | (rows.c.list_id == first))
    found = await floor.tables.all(earlier.where(rows.c.page < page).order_by(rows.c.page, rows.c.list_id))
    return [track for row in found for track in row["tracks"] or ()]


@router.keeps(ServedRow, hears=(ListServed,))
def keep_served(facts: Sequence[Recorded[ListServed]], rows: Writer) -> None:
    """A list never changes: of two under one id the first stays."""
    rows.insert_new([_row(fact) for fact in facts])


@router.answers(ListServedLists)
async def list_served_lists(command: ListServedLists, floor: Floor) -> Page[ServedView]:
    """A page of them, newest first, with those that were given out a moment ago."""
    await floor.seen(await floor.get(Recorder).settled())
    most, rows = page_size(command.limit), floor.tables.live(ServedRow)
    found = select(rows).where(rows.c.user_id == command.user_id)
    if command.surface is not None:
        found = found.where(rows.c.surface == command.surface)
    if command.cursor is not None:
        (before,) = decode_cursor(command.cursor, int)
        found = found.where(rows.c.sequence < before)
    page = await floor.tables.all(found.order_by(rows.c.sequence.desc()).limit(most + 1))
    views = (ServedView(**{name: row[name] for name in _SHOWN}, tracks=tuple(row["tracks"])) for row in page[:most])
    return Page(items=tuple(views), next_cursor=encode_cursor(page[most - 1]["sequence"]) if len(page) > most else None)


@router.answers(ShowServedList)
async def show_served_list(command: ShowServedList, floor: Floor) -> ListServed:
    """From the log itself. Raises Refused for a list that this listener was not given."""
    await floor.get(Recorder).settled()
    history = await floor.log.history("RECOMMEND", command.list_id)
    event = history[0].event if history else None
    if not isinstance(event, ListServed) or event.user_id != command.user_id:
        raise Refused("not_found", f"There is no list {command.list_id}.", "Look among the lists at /api/v1/me/lists.")
    return event


@router.answers(ReplayServedList)
async def replay_served_list(command: ReplayServedList, floor: Floor) -> Replayed:
    """Make it again, and say why it is not the same where it is not."""
    event = await show_served_list(ShowServedList(user_id=command.user_id, list_id=command.list_id), floor)
    return await replay(event, floor)


async def replay(event: ListServed, floor: Floor) -> Replayed:
    """What the recipe of a list gives on the index as it is now.

    Raises Refused where that would say nothing: it was made by another model or in another way.
    """
    version, maker = _MAKERS.get(event.surface, ("", None))
    model = floor.get(Indexes).collections.tracks.model
    if maker is None or event.version != version:
        raise Refused(
            "conflict", f"Such a list was made as {event.version} and is now made as {version or 'no other'}."
        )
    if event.model != model:
        raise Refused("conflict", f"It was made with the vectors of {event.model}, and the index has those of {model}.")
    made = await maker(await _recipe(event, floor), floor)
    tracks = tuple(one.track_id for one in made.tracks)
    return Replayed(list_id=event.list_id, tracks=tracks, differs=_difference(event, tracks, made.candidates))


async def _recipe(event: ListServed, floor: Floor) -> Recipe:
    before = await pages_before(event.continues, event.page, floor) if event.continues else []
    return Recipe(
        surface=event.surface,
        user_id=event.user_id,
        region=event.region,
        explicit_allowed=event.explicit_allowed,
        limit=event.limit,
        filters=event.filters,
        seeds=event.seeds,
        weights={weight.name: weight.value for weight in event.weights},
        excluded=_named("track", event.excluded),
        without_artists=_named("artist", event.excluded),
        before=tuple(before),
        as_of=event.at,
    )


def _difference(event: ListServed, tracks: Sequence[TrackId], candidates: Sequence[Weighed]) -> str | None:
    if tuple(tracks) == event.tracks:
        return None
    looked_at, then = {one.track_id for one in candidates}, {one.track_id for one in event.candidates}
    gone, new = len(set(event.tracks) - looked_at), len(set(tracks) - then)
    if not gone and not new:
        return "The same tracks were looked at, and others were chosen or their order is another one."
    return f"The index has changed since: {gone} of its tracks are not found any more, {new} of these were not there."


def _event(
    floor: Floor,
    recipe: Recipe,
    made: Made,
    list_id: ListId,
    at: str,
    *,
    continues: ListId | None = None,
    page: int = 0,
) -> ListServed:
    surface = recipe.surface
    return ListServed(
        list_id=list_id,
        user_id=UserId(recipe.user_id),
        surface=surface,
        title=made.name,
        reason=made.reason,
        at=at,
        model=floor.get(Indexes).collections.tracks.model,
        version=_MAKERS[surface][0] if surface in _MAKERS else f"{surface}@0",
        region=recipe.region,
        explicit_allowed=recipe.explicit_allowed,
        limit=recipe.limit,
        filters=recipe.filters,
        seeds=recipe.seeds,
        weights=tuple(Weight(name=name, value=value) for name, value in sorted(recipe.weights.items())),
        excluded=_excluded(recipe),
        candidates=tuple(made.candidates[:MOST_CANDIDATES]),
        tracks=tuple(one.track_id for one in made.tracks),
        continues=continues,
        page=page,
    )


def _excluded(recipe: Recipe) -> tuple[str, ...]:
    artists = [f"artist:{artist}" for artist in recipe.without_artists]
    return tuple([*artists, *(f"track:{track}" for track in recipe.excluded)][:MOST_EXCLUDED])


def _named(kind: str, abouts: Sequence[str]) -> tuple[str, ...]:
    """The ids of one kind."""
    parts = (about.partition(":") for about in abouts)
    return tuple(subject for of, _, subject in parts if of == kind)


_SHOWN: Final = ("list_id", "surface", "title", "reason", "at")


def _row(fact: Recorded[ListServed]) -> Mapping[str, Any]:
    event = fact.event
    same = (*_SHOWN, "user_id", "continues", "page")
    return {name: getattr(event, name) for name in same} | {"sequence": fact.sequence, "tracks": list(event.tracks)}

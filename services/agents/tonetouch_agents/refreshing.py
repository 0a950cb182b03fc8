"""Every night: contexts are built anew, and texts are written again of which more is known by now.

Works on AGENTS_Q; says `RefreshBegun`, `RefreshAdvanced` and `RefreshCompleted`, and `CopyAsked` for each text. The
schedule is the log: a night is due until it is completed, so a service that was down at its hour goes on where the
night stood. The queue holds a night once and gives it to one worker, whatever the number of processes; the worker asks
for a chunk of texts, and for the next one when those are written.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from functools import partial

import structlog
from sqlalchemy import literal, select, union_all

from tonetouch_agents.asking import asked_for
from tonetouch_agents.building import context_of
from tonetouch_agents.collecting import AlbumRow, ArtistRow
from tonetouch_agents.context import Context
from tonetouch_agents.copy import Copy, ask
from tonetouch_agents.kinds import PROMPTS
from tonetouch_agents.refresh import Refresh, advance, begin, complete, night_of
from tonetouch_agents.subject import Subject
from tonetouch_contracts.copy import CopyKind, RefreshAdvanced, RefreshBegun
from tonetouch_contracts.identity import derived
from tonetouch_runtime import Floor, NotNow, Router, Task, Unavailable, stamp
from tonetouch_runtime.ai.prompts import Prompts

log = structlog.get_logger()
router = Router()

EVERY_SECONDS = 60.0
CHUNK = 8
"""Subjects in a chunk: they ask for 16 texts at most, which leaves half of the writers to whoever asks meanwhile."""

PAUSE_SECONDS = 0.5


class Schedule:
    """Queues the night that is due; a resource, so that it ends with the service."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    async def run(self) -> None:
        """Look now and then every minute."""
        while True:
            try:
                await self.once()
            except Unavailable as error:
                log.warning("refresh_put_off", error=str(error))
            await asyncio.sleep(EVERY_SECONDS)

    async def once(self) -> bool:
        """Queue the night that is due, and say whether it was; asking twice is asking once."""
        night = night_of(self._floor.clock.now())
        if (await self._floor.log.load("AGENTS", night, Refresh())).state.completed:
            return False
        return await self._floor.enqueue("AGENTS_Q", "refresh", night)


@contextlib.asynccontextmanager
async def scheduling_refresh(floor: Floor) -> AsyncIterator[Schedule]:
    """Keep the schedule for as long as the service runs."""
    schedule = Schedule(floor)
    running = asyncio.create_task(schedule.run())
    try:
        yield schedule
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@router.works("AGENTS_Q", "refresh", consumer="agents-refresh")
async def refresh(task: Task, floor: Floor) -> None:
    """One chunk, and then to be called again until nothing is left. A killed worker's night comes back by itself."""
    night, now = task.entity_id, stamp(floor.clock.now())
    begun = RefreshBegun(refresh_id=night, begun_at=now)
    state = (await floor.log.transact("AGENTS", night, Refresh(), partial(begin, begun=begun))).state
    if state.completed:
        return
    if not state.reached:
        await _have_caught_up(floor)
    if await _are_written(state.waiting, night, floor) and not await _refresh_chunk(night, state.reached, floor):
        ended = await floor.log.transact("AGENTS", night, Refresh(), partial(complete, at=now))
        log.info("refresh_completed", night=night, contexts=ended.state.contexts, texts=ended.state.asked)
        return
    raise NotNow(PAUSE_SECONDS)


async def _have_caught_up(floor: Floor) -> None:
    """Wait for the tables: after a start they may be empty still. Raises NotNow, to be called again."""
    catalog = await floor.bus.jetstream.stream_info("CATALOG")
    await floor.seen({"CATALOG": catalog.state.last_seq})


async def _refresh_chunk(night: str, after: str, floor: Floor) -> bool:
    """Refresh the next subjects; False where there are none."""
    subjects = await _next_subjects(after, floor)
    if not subjects:
        return False
    asked: list[str] = []
    for subject in subjects:
        context = await context_of(subject, floor, refresh=True)
        if context is not None:
            asked += await _ask(subject, context, night, floor)
    advanced = RefreshAdvanced(refresh_id=night, reached=str(subjects[-1]), contexts=len(subjects), asked=tuple(asked))
    await floor.log.transact("AGENTS", night, Refresh(), partial(advance, advanced=advanced, after=after))
    return True


async def _next_subjects(after: str, floor: Floor) -> list[Subject]:
    """Artists and albums in the order of their written form: it does not change when others are added."""
    artists, albums = floor.tables.live(ArtistRow), floor.tables.live(AlbumRow)
    written = union_all(
        select((literal("artist:") + artists.c.artist_id).label("subject")),
        select((literal("album:") + albums.c.album_id).label("subject")),
    ).subquery()
    query = select(written.c.subject).where(written.c.subject > after).order_by(written.c.subject).limit(CHUNK)
    return [Subject.read(row["subject"]) for row in await floor.tables.all(query)]


async def _ask(subject: Subject, context: Context, night: str, floor: Floor) -> list[str]:
    """Ask for the texts about it that are missing, or were written from other facts or with another prompt."""
    wanted: list[str] = []
    for kind in subject.kinds:
        copy_id = subject.copy_id(kind)
        copy = (await floor.log.load("AGENTS", copy_id, Copy())).state
        asked = asked_for(kind, subject, ask_id=_ask_id(night, copy_id), purpose="refresh", priority="refresh")
        if asked.ask_id in copy.asks or _is_outdated(kind, copy, context, floor):
            await floor.log.transact("AGENTS", copy_id, Copy(), partial(ask, asked=asked))
            wanted.append(copy_id)
    return wanted


def _is_outdated(kind: CopyKind, copy: Copy, context: Context, floor: Floor) -> bool:
    prompt = floor.get(Prompts)[PROMPTS[kind]].id
    written = copy.written
    return written is None or written.facts_sha256 != context.facts_sha256 or written.prompt != prompt


async def _are_written(copies: Sequence[str], night: str, floor: Floor) -> bool:
    """Whether every text of a chunk has its answer, be it a failure."""
    for copy_id in copies:
        copy = (await floor.log.load("AGENTS", copy_id, Copy())).state
        if _ask_id(night, copy_id) in copy.open:
            return False
    return True


def _ask_id(night: str, copy_id: str) -> str:
    return derived("refresh", night, copy_id)

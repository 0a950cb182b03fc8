"""Sweep attempts that were started and have no end: their process was killed, or the end was lost on its way.

Says `JobRecorded`, in a decision on the job itself: where its writer is only late, one of the two ends counts.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial

import structlog
from sqlalchemy import select

from tonetouch_ai_ledger.job import Job, close
from tonetouch_ai_ledger.recording import AIJobRow
from tonetouch_runtime import Floor, ObjectStoreUnavailable, Unavailable, stamp
from tonetouch_runtime.ai.caching import closing

log = structlog.get_logger()

EVERY_SECONDS = 60.0
OLDER_THAN = timedelta(minutes=10)
"""Longer than any call or step may take: their own limits end them before."""

MOST_AT_ONCE = 500


class Sweep:
    """The background activity; it is a resource so that it ends with the service."""

    def __init__(self, floor: Floor, *, older_than: timedelta = OLDER_THAN) -> None:
        self._floor = floor
        self._older_than = older_than

    async def run(self) -> None:
        """Sweep now and then every minute."""
        while True:
            try:
                await self.once()
            except (Unavailable, ObjectStoreUnavailable) as error:
                log.warning("sweep_put_off", error=str(error))
            await asyncio.sleep(EVERY_SECONDS)

    async def once(self) -> int:
        """Close what is overdue, the oldest first, and return how many attempts that was."""
        jobs = self._floor.tables.live(AIJobRow)
        overdue = stamp(self._floor.clock.now() - self._older_than)
        forsaken = (
            select(jobs.c.job_id, jobs.c.attempt)
            .where(jobs.c.recorded_at.is_(None))
            .where(jobs.c.started_at < overdue)
            .order_by(jobs.c.started_at)
            .limit(MOST_AT_ONCE)
        )
        rows = await self._floor.tables.all(forsaken)
        closed = sum([await self._close(row["job_id"], row["attempt"]) for row in rows])
        if closed:
            log.warning("jobs_closed", attempts=closed)
        return closed

    async def _close(self, job_id: str, attempt: int) -> bool:
        """Close one attempt, if the log agrees that it is open: the table may lag."""
        floor = self._floor
        job = (await floor.log.load("AI", job_id, Job())).state
        if attempt not in job.started or attempt in job.recorded:
            return False
        ended = await closing(floor.objects, job.started[attempt], stamp(floor.clock.now()))
        outcome = await floor.log.transact("AI", job_id, Job(), partial(close, ended=ended))
        return bool(outcome.events)


@contextlib.asynccontextmanager
async def sweeping_jobs(floor: Floor) -> AsyncIterator[Sweep]:
    """Sweep in the background for as long as the service runs."""
    sweep = Sweep(floor)
    running = asyncio.create_task(sweep.run())
    try:
        yield sweep
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

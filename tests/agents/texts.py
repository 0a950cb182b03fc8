"""Asking for texts and waiting for them."""

import asyncio
from typing import Any

from tonetouch_contracts.copy import CopyKind, CopyView, ListCopy, WriteCopy
from tonetouch_contracts.job import JobRecorded
from tonetouch_contracts.message import Event
from tonetouch_runtime import Floor


async def write(floor: Floor, kind: CopyKind, subject: str) -> CopyView:
    """Ask for a text and wait until it is there."""
    await floor.ask(WriteCopy(kind=kind, subject=subject))
    return await settled(floor, kind, subject)


async def settled(floor: Floor, kind: CopyKind, subject: str, *, seconds: float = 30.0) -> CopyView:
    """Wait until a text was asked for and has come to an end."""
    async with asyncio.timeout(seconds):
        while True:
            page = (await floor.ask(ListCopy(subject=subject, kind=kind))).value
            if page.items and page.items[0].status != "asked":
                return page.items[0]
            await asyncio.sleep(0.02)


async def said(floor: Floor, entity_id: str, stream: str = "AGENTS") -> list[Event]:
    """Everything in the log about an entity."""
    return [fact.event for fact in await floor.log.history(stream, entity_id)]


async def rows(floor: Floor, job_id: str | None) -> list[JobRecorded]:
    """The ends of a job's attempts, as the ledger hears of them."""
    await floor.ai.settled()
    return [event for event in await said(floor, job_id or "none", "AI") if isinstance(event, JobRecorded)]


async def until(condition: Any, *, seconds: float = 60.0) -> None:
    """Wait for a condition (a function, awaited where it has to be), with a bound."""
    async with asyncio.timeout(seconds):
        while True:
            found = condition()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0.02)

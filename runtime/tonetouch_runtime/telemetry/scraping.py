"""Answering a scrape: what was counted, and beside it how every part of the service stands at this moment."""

import asyncio
import functools
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Protocol

import nats.errors
import nats.js.errors
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tonetouch_contracts.message import Health
from tonetouch_contracts.operating import PartLag, ServiceLag
from tonetouch_runtime.errors import TonetouchError
from tonetouch_runtime.telemetry import switch
from tonetouch_runtime.telemetry.counting import Counts, Labels
from tonetouch_runtime.telemetry.names import (
    BEHIND,
    BEHIND_SECONDS,
    CHECK,
    HEAD,
    IN_HAND,
    PARKED,
    PARKED_SECONDS,
    POSITION,
    READY,
    STUCK,
    Metric,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tonetouch_runtime.telemetry.exposing import Page, Readings

log = structlog.get_logger()

LOOKED_SECONDS = 5.0
"""How long a scrape waits for how things stand; then it has what was counted, and `ready` is 0."""

_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_MOVING = frozenset({"following", "behind"})


class Probed(Protocol):
    """What a process can be asked about itself."""

    service: str
    lag: "Callable[[], Awaitable[ServiceLag]] | None"

    def __call__(self) -> Awaitable[Health]: ...


def metrics_routes(probe: Probed) -> list[Route]:
    """The page of this process; none where nothing is counted."""
    counts = switch.counts
    if counts is None:
        return []

    async def metrics(_: Request) -> Response:
        page = await asyncio.to_thread(_page, probe.service, counts)
        return Response(page.text(await _readings(probe)), media_type=_MEDIA_TYPE)

    return [Route("/metrics", metrics)]


@functools.cache
def _page(service: str, counts: Counts) -> "Page":
    # The first scrape brings the library in: a start is not slower for it.
    from tonetouch_runtime.telemetry.exposing import Page

    return Page(service, counts)


async def _readings(probe: Probed) -> "Readings":
    found: dict[Metric, dict[Labels, float]] = {READY: {(): 0.0}}
    try:
        async with asyncio.timeout(LOOKED_SECONDS):
            found |= _of_health(await probe())
            if probe.lag is not None:
                found |= _of_parts((await probe.lag()).parts)
    except (TimeoutError, TonetouchError, nats.errors.Error, nats.js.errors.Error) as error:
        # A part whose lag nobody knows has none on the page, which an alert can ask for.
        log.warning("scrape_incomplete", error=repr(error))
    return found


def _of_health(health: Health) -> dict[Metric, dict[Labels, float]]:
    well: dict[Labels, float] = {
        (name,): float(said == "ok" or said.startswith("ok,")) for name, said in health.checks.items()
    }
    return {READY: {(): float(health.ready)}, CHECK: well}


def _of_parts(parts: tuple[PartLag, ...]) -> dict[Metric, dict[Labels, float]]:
    found: dict[Metric, dict[Labels, float]] = {}
    for part in parts:
        labels = (part.part, part.kind, part.stream)
        found.setdefault(HEAD, {})[(part.stream,)] = part.head
        found.setdefault(POSITION, {})[labels] = part.position
        found.setdefault(BEHIND, {})[labels] = part.events_behind
        found.setdefault(BEHIND_SECONDS, {})[labels] = part.seconds_behind
        found.setdefault(IN_HAND, {})[labels] = part.in_hand
        found.setdefault(PARKED, {})[labels] = part.parked
        found.setdefault(PARKED_SECONDS, {})[labels] = part.oldest_parked_seconds
        if part.state not in _MOVING:
            found.setdefault(STUCK, {})[(*labels, part.state)] = 1.0
    return found

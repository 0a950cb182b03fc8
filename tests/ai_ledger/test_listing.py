"""Whole rows in pages, and those of which something is not known."""

from typing import Any

import pytest

from tests.ai_ledger.jobs import recorded, repriced, started
from tonetouch_contracts.ledger import ExportJobs, ListUnaccounted, Missing, Which
from tonetouch_runtime import Floor, Refused


async def unaccounted(floor: Floor, missing: Missing | None = None, **asked: Any) -> list[str]:
    """The jobs of one page."""
    return [view.id for view in (await floor.ask(ListUnaccounted(missing=missing, **asked))).value.items]


async def test_what_is_not_known_is_listed_by_what_is_missing(floor: Floor) -> None:
    """A price, what was used, how it ended; what costs nothing for sure misses nothing."""
    day = "2026-01-0{}T00:00:00.000000Z"
    for event in (
        recorded("fine", started_at=day.format(1)),
        recorded("unpriced", cost_pico_usd=None, started_at=day.format(2)),
        recorded("unmetered", cost_pico_usd=None, usage_source="none", started_at=day.format(3)),
        recorded("lost", cost_pico_usd=None, usage_source="none", outcome="unknown", started_at=day.format(4)),
        recorded("embedded", cost_pico_usd=0, usage_source="none", started_at=day.format(5)),
        recorded("later", cost_pico_usd=None, started_at=day.format(6)),
        repriced("later", 5),
        recorded("no-more", started_at=day.format(7)),
        repriced("no-more", None),
        started("running"),
    ):
        positions = await floor.log.pour(event)
    await floor.seen(positions)
    assert await unaccounted(floor) == ["no-more", "lost", "unmetered", "unpriced"]
    assert await unaccounted(floor, "price") == ["no-more", "unpriced"]
    assert await unaccounted(floor, "usage") == ["lost", "unmetered"]
    assert await unaccounted(floor, "outcome") == ["lost"]
    assert await unaccounted(floor, from_day="2026-01-03", to_day="2026-01-04") == ["lost", "unmetered"]


async def test_an_export_has_every_row_once_though_others_are_added(floor: Floor) -> None:
    """Oldest first, whole rows with their corrections, only attempts that have ended."""
    for number in range(5):
        at = f"2026-01-01T00:00:0{number // 2}.000000Z"
        await floor.log.pour(recorded(f"j{number}", started_at=at, raw_usage="{}"))
    await floor.log.pour(started("running"))
    positions = await floor.log.pour(repriced("j1", 3))
    first = (await floor.ask(ExportJobs(limit=2), after=positions)).value
    positions = await floor.log.pour(recorded("j9", started_at="2026-01-01T00:00:09.000000Z"))
    second = (await floor.ask(ExportJobs(limit=200, cursor=first.next_cursor), after=positions)).value
    views = [*first.items, *second.items]
    assert [view.id for view in views] == ["j0", "j1", "j2", "j3", "j4", "j9"]
    assert (views[1].repriced_pico_usd, views[1].cost_pico_usd, views[1].raw_usage) == (3, 5_600_000_000, "{}")
    assert second.next_cursor is None
    assert (await floor.ask(ExportJobs(which=Which(feature="dj")))).value.items == ()


async def test_malformed_pages_are_refused(floor: Floor) -> None:
    """Limits, cursors and days."""
    for asked in (ExportJobs(limit=201), ExportJobs(cursor="%%"), ListUnaccounted(from_day="2026")):
        with pytest.raises(Refused) as refused:
            await floor.ask(asked)
        assert refused.value.problem.code == "invalid", asked

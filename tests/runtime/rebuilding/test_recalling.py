"""A read model as it was, at a place in the log or at a moment, while the live one goes on."""

from datetime import timedelta

import pytest

from tests.runtime.rebuilding.telling import ask, describe, over, rows
from tonetouch_contracts.operating import DropTables, ListRecalled, RecallTable
from tonetouch_runtime import Floor, Refused, stamp


async def test_a_table_as_it_was(floor: Floor) -> None:
    """At a position, or at a moment, in a scratch database; the live one goes on."""
    await describe(floor, ("a", "one"), ("b", "two"))
    second = await floor.bus.jetstream.get_msg("CATALOG", 2)
    assert second.headers is not None
    await describe(floor, ("a", "three"))
    recalled = await ask(floor, RecallTable(operator="olga", table="test_told", positions={"CATALOG": 1}))
    done = await over(floor, "recalled")
    assert (done.id, done.until) == (recalled.id, {"CATALOG": 1})
    assert (await ask(floor, ListRecalled(id=done.id))).rows == ({"id": "a", "about": "one"},)
    third = await floor.bus.jetstream.get_msg("CATALOG", 3)
    assert third.time is not None
    just_before = stamp(third.time - timedelta(microseconds=1))
    await ask(floor, RecallTable(operator="olga", table="test_told", at=just_before))
    done = await over(floor, "recalled")
    assert done.until == {"CATALOG": 2}
    assert (await ask(floor, ListRecalled(id=done.id, key="b"))).rows == ({"id": "b", "about": "two"},)
    counts = await ask(floor, ListRecalled(id=done.id, beside="test_told_counts", limit=1))
    assert (counts.rows, counts.next_offset) == (({"about": "one", "times": 1},), 1)
    assert await rows(floor) == [("a", "three"), ("b", "two")]
    await ask(floor, DropTables(id=done.id, operator="olga"))
    with pytest.raises(Refused, match="no recalled rows"):
        await ask(floor, ListRecalled(id=done.id))

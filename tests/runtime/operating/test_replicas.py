"""Two replicas of a service on PostgreSQL: what an operator tells one of them holds for both."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from tests.postgresql import PostgreSQL, _postgresql  # noqa: F401
from tests.runtime.installation import provision
from tests.runtime.operating.deeds import LISTENER, TABLE, Deeds, ask, describe, done, parked, rows, upload
from tests.runtime.test_app import until
from tonetouch_contracts.operating import PausePart, RedriveParked, ResumePart, SkipParked
from tonetouch_runtime import Floor, Settings, running


@pytest.fixture(name="shared")
def _shared(settings: Settings, postgresql: PostgreSQL) -> Settings:
    return settings.model_copy(update={"database_url": SecretStr(postgresql.fresh_database())})


@pytest.fixture(name="replicas")
async def _replicas(
    deeds: Deeds, shared: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Floor, Floor]]:
    """Two processes' worth of the service, in one process."""
    monkeypatch.setattr("tonetouch_runtime._pausing.LOOK_SECONDS", 0.05)
    await provision(shared)
    async with running(deeds.app, shared) as one, running(deeds.app, shared) as other:
        yield one, other


async def test_a_pause_and_its_end_reach_every_replica(deeds: Deeds, replicas: tuple[Floor, Floor]) -> None:
    """Neither keeps the table nor takes an event from the consumer; both go on when either was told to."""
    one, other = replicas
    # In this order each replica follows: where the table stands still, so does the consumer.
    for part in (LISTENER, TABLE):
        await ask(one, PausePart(part=part, operator="ada", reason="to see"))
    await until(lambda: all(TABLE in floor.keepers["CATALOG"].still for floor in replicas))
    positions = await describe(one, "a", "1", "2")
    await upload(one, "a", "1")
    assert (await rows(one), deeds.heard) == ({}, [])
    for part in (TABLE, LISTENER):
        await ask(one, ResumePart(part=part, operator="ada"))
    await until(lambda: deeds.heard == ["a 1"])
    await until(lambda: not any(floor.keepers["CATALOG"].still for floor in replicas))
    for floor in (one, other):
        await floor.seen(positions, 20.0)
    assert await rows(other) == {"a": (2, "2")}


async def test_what_one_replica_parked_both_hold_back_until_it_is_redriven(
    deeds: Deeds, replicas: tuple[Floor, Floor]
) -> None:
    """Whichever of them reads the next event of the entity, it waits; redriven, every event counts once."""
    one, other = replicas
    deeds.broken = {"bad"}
    for about in ("bad", "1", "2", "3"):
        positions = await describe(one, "a", about)
    for floor in (one, other):
        await floor.seen(positions, 20.0)
    assert [event.error is None for event in await parked(one)] == [False, True, True, True]
    deeds.broken.clear()
    assert (await ask(one, RedriveParked(operator="ada"))).done == 4
    positions = await describe(one, "a", "4")
    for floor in (one, other):
        await floor.seen(positions, 20.0)
    assert (await rows(one), await parked(one)) == ({"a": (5, "4")}, [])


async def test_operations_and_skips_are_kept_in_postgresql_too(deeds: Deeds, replicas: tuple[Floor, Floor]) -> None:
    """Whichever replica answers, the record is one."""
    one, _ = replicas
    deeds.broken = {"bad"}
    positions = await describe(one, "a", "bad")
    await one.seen(positions, 20.0)
    [event] = await parked(one)
    await ask(one, SkipParked(stream="CATALOG", sequence=event.sequence, operator="ada", reason="wrong\0 file"))
    await ask(one, PausePart(part=TABLE, operator="grace"))
    assert [(who, what, why) for who, what, _, why in await done(one)] == [
        ("ada", "skip", "wrong file"),
        ("grace", "pause", ""),
    ]

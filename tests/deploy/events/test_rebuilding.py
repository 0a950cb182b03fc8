"""`events rebuild` and what follows from it, against a service that runs whole."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import update
from sqlmodel import Field, SQLModel
from typer.testing import CliRunner, Result

from tests.runtime.installation import provision
from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.track import TrackDescribed
from tonetouch_deploy.commands import app
from tonetouch_runtime import App, Decision, Floor, Recorded, Router, Settings, Writer, running
from tonetouch_runtime.rebuilding.rebuild import rebuilds

pytestmark = pytest.mark.asyncio(loop_scope="module")

Command = Callable[..., Awaitable[Result]]


class SaidRow(SQLModel, table=True):
    """What was last said about a track."""

    __tablename__ = "test_said"
    id: str = Field(primary_key=True)
    about: str | None = None


router = Router()


@router.keeps(SaidRow, hears=(TrackDescribed,))
def keep(facts: Sequence[Recorded[Any]], said: Writer) -> None:
    said.upsert([{"id": fact.event.track_id, "about": fact.event.about} for fact in facts])


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="floor")
async def _floor(
    settings_in: Callable[[Path], Settings], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Floor]:
    settings = settings_in(tmp_path_factory.mktemp("rebuilding"))
    await provision(settings)
    async with running(App(name="catalog", routers=(router,)), settings) as floor:
        for track, about in (("a", "one"), ("b", "two"), ("a", "three")):
            event = TrackDescribed(track_id=TrackId(track), about=about, job_id="j")
            positions = await floor.log.append(Decision(entity_id=track, events=(event,), expected=None))
        await floor.seen(positions)
        yield floor


@pytest.fixture(name="command")
def _command(floor: Floor) -> Command:
    """Runs `tonetouch events ...` on a wide terminal, while the service answers on this loop."""

    async def command(*arguments: str) -> Result:
        environment = {"TONETOUCH_NATS_URL": floor.settings.nats_url, "COLUMNS": "250", "USER": "olga"}
        return await asyncio.to_thread(CliRunner().invoke, app, ["events", *arguments], env=environment)

    return command


async def spoil(floor: Floor) -> None:
    table = floor.tables.live(SaidRow)
    await floor.read.write(lambda to: to.execute(update(table).where(table.c.id == "b").values(about="wrong")))


async def test_a_rebuild_is_watched_to_its_end(command: Command, floor: Floor) -> None:
    """It says what was compared and which table answers; the replaced one is dropped when it may be."""
    result = await command("rebuild", "catalog", "test_said")
    assert result.exit_code == 0, result.output
    assert "2 rows, all the same. test_said__" in result.output
    early = await command("drop", "catalog", "test_said")
    assert early.exit_code == 2
    assert "Ask again in" in early.output
    at_rest = rebuilds.update().values(ended_at="2026-01-01T00:00:00.000000Z")
    await floor.read.write(lambda connection: connection.execute(at_rest))
    assert (await command("drop", "catalog", "test_said")).exit_code == 0
    nothing = await command("drop", "catalog", "test_said")
    assert (nothing.exit_code, "no rebuild of test_said that left tables" in nothing.output) == (2, True)


async def test_rows_that_differ_fail_a_verification(command: Command, floor: Floor) -> None:
    """They are named with both values; a rebuild waits with them until it is told to switch."""
    await spoil(floor)
    result = await command("verify", "catalog")
    assert result.exit_code == 1
    assert "b: about 'wrong' live, 'two' new" in result.output
    waiting = await command("rebuild", "catalog", "--json")
    assert waiting.exit_code == 1
    [compared] = json.loads(waiting.stdout)
    assert (compared["phase"], compared["comparisons"][0]["different"]) == ("compared", 1)
    listed = await command("rebuilds", "catalog")
    assert "compared" in listed.output and "its own" in listed.output
    switched = await command("switch", "catalog", "--reason", "the old row is wrong")
    assert switched.exit_code == 0, switched.output
    assert (await command("verify", "catalog")).exit_code == 0


async def test_what_was_compared_can_be_given_up(command: Command) -> None:
    """Cancelled it can go on, and dropped it is gone."""
    assert (await command("rebuild", "catalog", "--switch", "when-told", "--reason", "a look")).exit_code == 0
    cancelled = await command("cancel", "catalog", "--json")
    assert json.loads(cancelled.stdout)[0]["phase"] == "cancelled"
    assert (await command("continue", "catalog")).exit_code == 0
    assert (await command("drop", "catalog")).exit_code == 0
    result = await command("switch", "catalog")
    assert result.exit_code == 0 or "no rebuild" in result.output


async def test_rows_as_they_were(command: Command, floor: Floor) -> None:
    """At a place in the log; the scratch is gone afterwards, and the live table as it was."""
    result = await command("at", "catalog", "test_said", "--seq", "CATALOG@2", "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert (said["until"], said["rows"]) == (
        {"CATALOG": 2},
        [{"id": "a", "about": "one"}, {"id": "b", "about": "two"}],
    )
    shown = await command("at", "catalog", "test_said", "--time", "0s", "--key", "a")
    assert "three" in shown.output
    assert (await command("at", "catalog", "test_said", "--seq", "17")).exit_code == 2


async def test_mistakes_are_told_with_the_next_step(command: Command) -> None:
    """A table that is none, a stream that is not followed, and neither time nor place."""
    unknown = await command("rebuild", "catalog", "tracks")
    assert (unknown.exit_code, "It has test_said" in unknown.output) == (2, True)
    other = await command("at", "catalog", "test_said", "--seq", "PEOPLE@1")
    assert (other.exit_code, "It follows CATALOG" in other.output) == (2, True)
    assert (await command("at", "catalog", "test_said")).exit_code == 2

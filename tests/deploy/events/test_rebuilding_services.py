"""`events rebuild` on the read models of every service there is, over every event there is."""

import asyncio
import json
import sys
from collections.abc import Iterator

import pytest
import structlog
from typer.testing import CliRunner

from tests.contracts.golden import EVENT_SAMPLES, wire_name
from tests.postgresql import _any_settings, _postgresql  # noqa: F401
from tests.runtime.installation import provision
from tonetouch_agents.app import app as agents
from tonetouch_ai_ledger.app import app as ai_ledger
from tonetouch_catalog.app import app as catalog
from tonetouch_contracts.manifest import VOCABULARY
from tonetouch_deploy.commands import app as command_line
from tonetouch_ingest.app import app as ingest
from tonetouch_recommend.app import app as recommend
from tonetouch_runtime import App, Bus, Decision, Log, Router, Settings, SystemClock, running

SERVICES = (catalog, ingest, recommend, agents, ai_ledger)


@pytest.fixture(name="_quiet", autouse=True)
def _quiet() -> Iterator[None]:
    """What the services log while a command runs is not the command's output."""
    before = structlog.get_config()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    yield
    structlog.configure(**before)


def keeping(app: App) -> App:
    """The read models of a service, without anything that would react to what the log says."""
    router = Router()
    router.keeping = [entry for part in app.routers for entry in part.keeping]
    return App(name=app.name, routers=(router,))


async def say_everything(settings: Settings) -> dict[str, int]:
    """Every event of the golden samples, each as the only decision of its moment; the heads of the streams."""
    bus = await Bus.connect(settings.nats_url, "test")
    try:
        log, heads = Log(bus, SystemClock(), service="tests"), dict[str, int]()
        for sample in EVENT_SAMPLES:
            event = VOCABULARY.decode(wire_name(sample), sample.read_bytes())
            heads |= await log.append(Decision(entity_id=event.entity_id, events=(event,), expected=None))
        return heads
    finally:
        await bus.close()


@pytest.mark.timeout(180)
async def test_every_read_model_of_every_service_is_made_anew_as_it_was(any_settings: Settings) -> None:
    """All rows are the same, and all new tables take the place of the old ones."""
    await provision(any_settings)
    heads = await say_everything(any_settings)
    environment = {"TONETOUCH_NATS_URL": any_settings.nats_url, "USER": "olga"}
    rows = 0
    for service in SERVICES:
        async with running(keeping(service), any_settings) as floor:
            await floor.seen({stream: head for stream, head in heads.items() if stream in floor.keepers}, 60.0)
            told = ["events", "rebuild", service.name, "--json"]
            result = await asyncio.to_thread(CliRunner().invoke, command_line, told, env=environment)
            assert result.exit_code == 0, result.output
            made = json.loads(result.stdout)
            assert {one["phase"] for one in made} == {"switched"}
            rows += sum(compared["rows"] for one in made for compared in one["comparisons"])
    assert rows > len(EVENT_SAMPLES) // 2

"""`events lag`, `parked`, `pause`, `resume`, `replay`, `operations` and `ingest`, against a service that runs whole."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
import structlog
from typer.testing import CliRunner, Result

from tests.contracts.golden import CONTRACTS
from tests.runtime.installation import provision
from tests.runtime.operating.deeds import LISTENER, TABLE, WORKER, Deeds, describe, rows, upload
from tests.runtime.test_app import until
from tonetouch_contracts.message import Page
from tonetouch_contracts.upload import IngestView, ListIngests, RetryIngest
from tonetouch_deploy.commands import app
from tonetouch_runtime import App, Floor, Refused, Router, Settings, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

Command = Callable[..., Awaitable[Result]]
Asked = Callable[..., Awaitable[Any]]

VIEWS = msgspec.json.decode(
    (CONTRACTS / "samples/commands/ingest.list-ingests.reply.json").read_bytes(), type=Page[IngestView]
).items

uploads = Router()


@uploads.answers(ListIngests)
async def list_ingests(command: ListIngests, floor: Floor) -> Page[IngestView]:
    """One upload has failed, and two, on two pages, say nothing new."""
    if command.state == "failed":
        return Page(items=VIEWS)
    running_one = msgspec.structs.replace(VIEWS[0], reason=None, steps=VIEWS[0].steps[:1])
    return Page(items=(running_one,), next_cursor=None if command.cursor else "further")


@uploads.answers(RetryIngest)
async def retry_ingest(command: RetryIngest, floor: Floor) -> IngestView:
    if command.track_id != VIEWS[0].track_id:
        raise Refused("not_found", f"There is no upload {command.track_id}.")
    return VIEWS[0]


@pytest.fixture(scope="module", autouse=True)
def _logs_apart() -> Iterator[None]:
    """The service runs in this process: what it logs is no part of what a command prints."""
    before = structlog.get_config()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.__stderr__))
    yield
    structlog.configure(**before)


@pytest.fixture(scope="module", name="deeds")
def _deeds() -> Deeds:
    return Deeds(name="ingest")


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="floor")
async def _floor(
    deeds: Deeds, settings_in: Callable[[Path], Settings], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Floor]:
    """The small service under the name and with the permissions of ingest, whose consumers it reads."""
    settings = settings_in(tmp_path_factory.mktemp("repairing"))
    await provision(settings)
    async with running(App(name="ingest", routers=(*deeds.app.routers, uploads)), settings) as floor:
        yield floor


@pytest.fixture(name="command")
def _command(floor: Floor) -> Command:
    """Runs `tonetouch events ...` on a wide terminal, while the service answers on this loop."""
    where = {"TONETOUCH_NATS_URL": floor.settings.nats_url, "COLUMNS": "250", "LOGNAME": "olga"}

    async def command(*arguments: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, app, ["events", *arguments], env=where)

    return command


@pytest.fixture(name="asked")
def _asked(command: Command) -> Asked:
    """The answer for programs of a command that did what it should."""

    async def asked(*arguments: str) -> Any:
        result = await command(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return asked


async def break_one(deeds: Deeds, floor: Floor, track: str) -> str:
    """Have an event of a track parked with one behind it, and say where the first of the two stands."""
    deeds.broken = {f"bad {track}"}
    positions = await describe(floor, track, f"bad {track}", f"behind {track}")
    await floor.seen(positions)
    return f"CATALOG@{positions['CATALOG'] - 1}"


async def parts_of(command: Command) -> dict[str, Any]:
    """What `lag` says of each part. On a machine that is very busy it may find a consumer broken, and fail."""
    answer = json.loads((await command("lag", "ingest", "--json")).stdout)
    return {part["part"]: part for part in answer["services"]["ingest"]}


async def test_lag_has_a_line_for_each_part(floor: Floor, asked: Asked, command: Command) -> None:
    """Tables, listeners and workers, with what they may see of the log as the service that they are."""
    await asked("pause", WORKER)
    await floor.enqueue("INGEST_Q", "stage", "waits")
    parts = await parts_of(command)
    await asked("resume", WORKER)
    assert {TABLE, LISTENER, WORKER} <= parts.keys()
    assert (parts[WORKER]["events_behind"], parts[WORKER]["seconds_behind"] > 0) == (1, True)
    result = await command("lag", "ingest")
    [line] = [line for line in result.output.splitlines() if TABLE in line]
    assert [cell.strip() for cell in line.strip("│").split("│")][:4] == ["ingest", TABLE, "projection", "CATALOG"]


async def test_lag_says_which_services_do_not_answer(command: Command) -> None:
    """It shows what the others say, and fails."""
    result = await command("lag")
    assert result.exit_code == 1
    assert TABLE in result.output
    assert "catalog does not answer" in " ".join(result.output.split())


async def test_parked_events_are_listed_shown_and_redriven(
    deeds: Deeds, floor: Floor, asked: Asked, command: Command
) -> None:
    """Redriving fails while the cause is there; with it gone nothing is parked, and the record says who did it."""
    place = await break_one(deeds, floor, "redriven")
    listed = await asked("parked", "list", "--service", "ingest", "--entity", "redriven")
    assert [(row["service"], row["event"]["error"]) for row in listed] == [
        ("ingest", "ValueError('bad redriven is unbearable')"),
        ("ingest", None),
    ]
    assert place in (await command("parked", "list", "--service", "ingest")).output
    shown = await command("parked", "show", place)
    assert shown.exit_code == 0, shown.output
    assert "waiting behind it: 1" in shown.output and '"about":"bad redriven"' in shown.output

    again = ("parked", "redrive", "--service", "ingest", "--entity", "redriven")
    failed = await command(*again, "--reason", "perhaps")
    assert failed.exit_code == 1, failed.output
    assert "2 events are parked still." in failed.output
    deeds.broken.clear()
    assert (await asked(*again, "--reason", "mended"))["ingest"]["done"] == 2
    assert (await rows(floor))["redriven"] == (2, "behind redriven")
    latest = (await asked("operations", "ingest"))[0]["operation"]
    assert (latest["operator"], latest["what"], latest["reason"]) == ("olga", "redrive", "mended")
    assert "redriven, 100 at the most" in (await command("operations", "ingest")).output


async def test_skipping_needs_a_reason(deeds: Deeds, floor: Floor, command: Command) -> None:
    """Without one nothing is done; with one the event is passed over, and what to do next is said."""
    place = await break_one(deeds, floor, "skipped")
    assert (await command("parked", "skip", place)).exit_code == 2
    assert "This needs a reason" in (await command("parked", "skip", place, "--reason", " ")).output
    done = await command("parked", "skip", place, "--reason", "withdrawn")
    assert done.exit_code == 0, done.output
    assert f"passes over {place} for good" in done.output
    assert f"1 waited behind it: `tonetouch events parked redrive --part {TABLE}`" in done.output
    redriven = await command("parked", "redrive", "--service", "ingest", "--part", TABLE, "--entity", "skipped")
    assert redriven.exit_code == 0, redriven.output
    assert (await rows(floor))["skipped"] == (1, "behind skipped")


async def test_a_part_is_paused_and_resumed_by_its_name_alone(floor: Floor, asked: Asked, command: Command) -> None:
    """Which service has it is found out; a name that nobody has is refused with the next step."""
    assert (await asked("pause", TABLE, "--reason", "to look"))["operator"] == "olga"
    line = (await parts_of(command))[TABLE]
    assert (line["state"], line["note"].endswith(": to look")) == ("paused", True)
    assert f"{TABLE} goes on" in (await command("resume", TABLE)).output
    for change in ("pause", "resume"):
        assert (await asked(change, LISTENER))["kind"] == "listener"
    unknown = await command("pause", "nothing")
    assert unknown.exit_code == 2
    assert "No service has a part nothing" in unknown.output and "`tonetouch events lag`" in unknown.output


async def test_a_replay_is_a_dry_run_unless_told(deeds: Deeds, floor: Floor, command: Command) -> None:
    """Every event is a line as it comes; done for real, the handler gets it."""
    positions = await upload(floor, "replayed", "once")
    await until(lambda: "replayed once" in deeds.heard)
    sequence = str(positions["CATALOG"])
    chosen = ("replay", "--consumer", LISTENER, "--from", sequence, "--to", sequence)
    dry = await command(*chosen)
    assert dry.exit_code == 0, dry.output
    assert f"CATALOG@{sequence}  track.uploaded  replayed  rehearsed" in dry.output
    assert "1 rehearsed." in dry.output and "Nothing was done" in dry.output
    rehearsed = deeds.heard.count("replayed once")
    [line] = (await command(*chosen, "--run", "--json")).stdout.splitlines()
    assert json.loads(line)["outcome"] == "done"
    assert deeds.heard.count("replayed once") == rehearsed + 1


async def test_a_replay_fails_where_an_event_does(deeds: Deeds, floor: Floor, command: Command) -> None:
    """The exit code tells a script; the words tell a person."""
    positions = await upload(floor, "failing", "bad upload")
    await until(lambda: "failing bad upload" in deeds.heard)
    deeds.broken = {"bad upload"}
    sequence = str(positions["CATALOG"])
    result = await command("replay", "--consumer", LISTENER, "--from", sequence, "--to", sequence, "--run")
    deeds.broken.clear()
    assert result.exit_code == 1
    assert "failed  (RuntimeError('bad upload is unbearable'))" in result.output
    assert (await command("replay", "--consumer", "nobody", "--from", "1", "--to", "1")).exit_code == 2


async def test_uploads_that_stand_still_are_listed_and_retried(asked: Asked, command: Command) -> None:
    """Those that are silent and those that failed, with the step and the reason."""
    assert len(await asked("ingest", "stuck")) == 3
    result = await command("ingest", "stuck")
    assert "embed failed" in result.output and "did not answer in 5 attempts" in result.output
    assert [row["track_id"] for row in await asked("ingest", "retry", VIEWS[0].track_id)] == [VIEWS[0].track_id]
    assert "There is no upload nobody" in (await command("ingest", "retry", "nobody")).output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("parked", "show", "17"), "is no place in the log; say it as in CATALOG@17"),
        (("parked", "show", "CATALOG@99999"), "is parked nowhere; `tonetouch events parked list`"),
        (("parked", "list", "--service", "nobody"), "There is no service nobody; there are "),
    ],
)
async def test_what_is_not_there_is_said_with_the_next_step(
    command: Command, arguments: tuple[str, ...], words: str
) -> None:
    """One sentence, and exit code 2."""
    result = await command(*arguments)
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())

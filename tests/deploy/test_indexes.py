"""`tonetouch indexes` against the real API, with a stand-in for recommend behind it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from typer.testing import CliRunner, Result

from tests.gateway.indexes import TRACKS, rebuilt
from tests.gateway.standins import TOKEN, Installation, installation
from tonetouch_contracts.indexing import CancelRebuild, IndexesView, ListIndexes, RebuildIndexes
from tonetouch_deploy.commands import app
from tonetouch_deploy.run_record import RunRecord, write_run_record
from tonetouch_runtime import Refused, Settings, Unavailable

pytestmark = pytest.mark.asyncio(loop_scope="module")

Command = Callable[..., Awaitable[Result]]


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="running")
async def _running(
    settings_in: Callable[[Path], Settings], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    async with installation(settings_in(tmp_path_factory.mktemp("indexes"))) as installed:
        yield installed


@pytest_asyncio.fixture(loop_scope="module", name="installed")
async def _installed(running: Installation, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Installation]:
    """The installation, knowing nothing; whoever watches looks often."""
    monkeypatch.setattr("tonetouch_deploy.indexes.LOOK_SECONDS", 0.01)
    yield running
    running.services.forget()


@pytest.fixture(name="command")
def _command(installed: Installation, tmp_path: Path) -> Command:
    """Runs `tonetouch indexes ...` on a data folder whose run record points at the API, on a wide terminal."""
    data = tmp_path / "data"
    data.mkdir()

    async def command(*arguments: str, token: str = TOKEN) -> Result:
        api_url = f"http://127.0.0.1:{installed.port}"
        write_run_record(data, RunRecord(api_url=api_url, admin_token=token, ports={}))
        environment = {"TONETOUCH_DATA": str(data), "COLUMNS": "250"}
        # The API answers on this loop meanwhile.
        return await asyncio.to_thread(CliRunner().invoke, app, ["indexes", *arguments], env=environment)

    return command


async def test_the_list_is_a_table(installed: Installation, command: Command) -> None:
    """Numbers as people read them, unknown is a dash, and beside it memory, search and the rebuild."""
    view = msgspec.structs.replace(rebuilt(), search="Questions are understood by names alone.")
    installed.services.indexes.views[:] = [view]
    result = await command()
    assert result.exit_code == 0, result.output
    [row] = [line for line in result.output.splitlines() if line.startswith("│ tracks")]
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells == [
        *("tracks", "18,240", "15,000", "words@1", "1,024", "qdrant-edge", "CATALOG 40,211, INGEST 391,022"),
        *("12", "3", "0", "164.0 MiB", "–"),
    ]
    assert "holds 393.0 MiB of memory" in result.output
    assert "by names alone" in result.output
    assert "Making tracks anew: 5,000 of 18,240." in result.output


async def test_the_list_for_programs(command: Command) -> None:
    """The answer of the API as it is."""
    result = await command("--json")
    assert json.loads(result.output)["items"][0]["points"] == TRACKS.points


async def test_a_rebuild_is_watched_to_its_end(installed: Installation, command: Command) -> None:
    """Through its phases, until it is done."""
    installed.services.indexes.views[:] = [
        rebuilt(),
        rebuilt(done=9_000),
        rebuilt(phase="indexing"),
        rebuilt(phase="done"),
    ]
    result = await command("rebuild", "tracks")
    assert result.exit_code == 0, result.output
    assert "tracks made anew." in result.output
    assert installed.services.last(RebuildIndexes).names == ("tracks",)


async def test_a_short_absence_of_recommend_is_waited_for(installed: Installation, command: Command) -> None:
    """The rebuild goes on under the same id after a restart."""
    installed.services.refusing[ListIndexes] = [Unavailable("recommend restarts")]
    installed.services.indexes.views[:] = [rebuilt(), rebuilt(phase="done")]
    result = await command("rebuild", "all")
    assert (result.exit_code, "tracks made anew." in result.output) == (0, True)


async def test_nobody_has_to_watch(installed: Installation, command: Command) -> None:
    """One sentence and how to look later."""
    installed.services.indexes.views[:] = [rebuilt()]
    result = await command("rebuild", "all", "--no-watch")
    assert "tonetouch indexes watch" in result.output
    assert installed.services.last(RebuildIndexes).names == ()


async def test_a_rebuild_that_is_cancelled_fails_for_whoever_watches(installed: Installation, command: Command) -> None:
    """And who cancels is told what stays."""
    installed.services.indexes.views[:] = [rebuilt(), rebuilt(phase="cancelled")]
    watched = await command("watch")
    assert (watched.exit_code, "Cancelled: tracks stay as they were." in watched.output) == (1, True)
    result = await command("cancel")
    assert (result.exit_code, "Cancelled: tracks stay as they were." in result.output) == (0, True)
    assert installed.services.last(CancelRebuild)


async def test_a_change_of_the_model_says_what_is_left(installed: Installation, command: Command) -> None:
    """How many texts, then which indexes, and why it waits."""
    changing = rebuilt(names=("tracks", "lyrics"), reason="model", model="bge", phase="embedding", waiting="no ingest")
    installed.services.indexes.views[:] = [changing]
    result = await command()
    words = "Embedding again with bge: 5,000 of 18,240 texts, then tracks, lyrics. Waiting: no ingest."
    assert words in result.output


async def test_what_goes_wrong_is_one_sentence(installed: Installation, command: Command) -> None:
    """A refusal in the API's words, a wrong token, an index there is not."""
    installed.services.refusing[RebuildIndexes] = [Refused("conflict", "taste are being made anew.", "Wait.")]
    busy = await command("rebuild", "tracks")
    assert (busy.exit_code, "taste are being made anew. Wait." in busy.output) == (2, True)
    stranger = await command(token="wrong")
    assert (stranger.exit_code, "refuses the admin token" in stranger.output) == (2, True)
    unknown = await command("rebuild", "songs")
    assert (unknown.exit_code, "fingerprints" in unknown.output) == (2, True)


async def test_nothing_to_watch(installed: Installation, command: Command) -> None:
    """Where no index was made anew since recommend started."""
    installed.services.indexes.views[:] = [IndexesView(items=(TRACKS,))]
    result = await command("watch")
    assert (result.exit_code, "No index has been made anew" in result.output) == (0, True)

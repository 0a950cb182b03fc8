"""`tonetouch versions` against the real API, with stand-ins for the services behind it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from typer.testing import CliRunner, Result

from tests.gateway.standins import TOKEN, Installation, installation, uploaded
from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.track import RelateTrack, VersionView
from tonetouch_deploy.commands import app
from tonetouch_deploy.run_record import RunRecord, write_run_record
from tonetouch_runtime import Refused, Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

Command = Callable[..., Awaitable[Result]]


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="installed")
async def _installed(
    settings_in: Callable[[Path], Settings], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    async with installation(settings_in(tmp_path_factory.mktemp("versions"))) as running:
        song = VersionView(id=TrackId("song"), title="Song", artist="Somebody")
        shown = {"status": "published", "title": "Song (live)", "artist": "Somebody", "version_of": "song"}
        running.services.tracks["live"] = uploaded("live", **shown, versions=(song,))
        running.services.tracks["copy"] = uploaded(
            "copy", status="duplicate", duplicate_of="song", reason="the same recording"
        )
        yield running


@pytest.fixture(name="command")
def _command(installed: Installation, tmp_path: Path) -> Command:
    """Runs `tonetouch versions ...` on a data folder whose run record points at the API."""

    async def command(*arguments: str) -> Result:
        api_url = f"http://127.0.0.1:{installed.port}"
        write_run_record(tmp_path, RunRecord(api_url=api_url, admin_token=TOKEN, ports={}))
        environment = {"TONETOUCH_DATA": str(tmp_path), "COLUMNS": "160"}
        # The API answers on this loop meanwhile.
        return await asyncio.to_thread(CliRunner().invoke, app, ["versions", *arguments], env=environment)

    return command


async def test_a_track_is_shown_with_its_versions(command: Command) -> None:
    """What it is in a sentence, and the others in a table."""
    result = await command("show", "live")
    assert (result.exit_code, "Song (live) (Somebody) is a version of song." in result.output) == (0, True)
    assert "other versions" in result.output
    assert "is a duplicate of song: the same recording." in (await command("show", "copy")).output


async def test_a_word_is_said(installed: Installation, command: Command) -> None:
    """With its reason, and the track is shown as it is then."""
    result = await command("say", "copy", "version", "--of", "song", "--reason", "Another take.")
    assert result.exit_code == 0, result.output
    asked = installed.services.last(RelateTrack)
    assert (asked.track_id, asked.relation, asked.of, asked.reason) == ("copy", "version", "song", "Another take.")


async def test_a_refusal_is_one_sentence(installed: Installation, command: Command) -> None:
    """In catalog's words, with exit code 2; without a reason nothing is asked."""
    installed.services.refusing[RelateTrack] = [Refused("conflict", "A rejected track is nobody's version.")]
    result = await command("say", "copy", "none", "--reason", "Another take.")
    assert (result.exit_code, "A rejected track is nobody's version." in result.output) == (2, True)
    assert (await command("say", "copy", "none")).exit_code == 2

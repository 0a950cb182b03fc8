"""The upload command against a real HTTP server that speaks the documented paths."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.deploy.standin import TOKEN, StandIn, standing_in
from tonetouch_deploy.commands import app
from tonetouch_deploy.run_record import RunRecord, write_run_record
from tonetouch_deploy.uploading import ApiClient, Ending, upload


@pytest.fixture(name="api")
def _api() -> Iterator[StandIn]:
    """The stand-in for the API."""
    with standing_in() as api:
        yield api


class Seen:
    """Progress that remembers what it was told."""

    def __init__(self) -> None:
        self.steps: dict[str, list[str]] = {}
        self.shares: list[float] = []

    def show(self, file: Path, step: str, share: float) -> None:
        """Note the step once."""
        steps = self.steps.setdefault(file.name, [])
        self.shares.append(share)
        if not steps or steps[-1] != step:
            steps.append(step)


def audio(path: Path, body: bytes = b"sound") -> Path:
    """A file that passes for audio by its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path


async def send(api: StandIn, *files: Path, progress: Seen | None = None, patience_seconds: float = 20) -> list[Ending]:
    """Upload to the stand-in, asking often."""
    return await upload(
        files,
        api_url=api.url,
        token=TOKEN,
        progress=progress or Seen(),
        poll_seconds=0.01,
        patience_seconds=patience_seconds,
    )


async def test_a_file_arrives_whole_with_what_lies_beside_it(api: StandIn, tmp_path: Path) -> None:
    """Name, bytes, lyrics and cover arrive as they are, whatever letters the name is made of."""
    body = bytes(range(256)) * 2000
    song = audio(tmp_path / "Für Élise (live) ♪.mp3", body)
    (tmp_path / "Für Élise (live) ♪.lrc").write_text("[00:01.00]Grüße", "utf-8")
    (tmp_path / "cover.png").write_bytes(b"picture")
    [ending] = await send(api, song)
    assert (ending.outcome, ending.title) == ("published", "Title of Für Élise (live) ♪.mp3")
    [arrived] = api.uploads
    assert (arrived.name, arrived.body) == (song.name, body)
    assert (arrived.lyrics, arrived.cover) == ("[00:01.00]Grüße", b"picture")


async def test_each_file_shows_its_current_step(api: StandIn, tmp_path: Path) -> None:
    """The line of a file goes from sending over the running steps to its end."""
    seen = Seen()
    await send(api, audio(tmp_path / "one.wav"), progress=seen)
    assert seen.steps["one.wav"] == ["uploading", "accepted", "fingerprint", "dedupe", "analyse", "published"]
    assert all(0 <= share <= 1 for share in seen.shares)


async def test_every_ending_says_why(api: StandIn, tmp_path: Path) -> None:
    """Published, duplicate of what, rejected at the door or later, failed at which step: in the order of the files."""
    names = ("good.mp3", "twin.ogg", "noise.wav", "crash.flac")
    files = [audio(tmp_path / name) for name in names]
    files.append(audio(tmp_path / "empty.mp3", b""))
    first = await send(api, files[0])
    endings = first + await send(api, *files[1:])
    assert [(ending.file.name, ending.outcome, ending.why) for ending in endings] == [
        ("good.mp3", "published", ""),
        ("twin.ogg", "duplicate", "of Title of good.mp3"),
        ("noise.wav", "rejected", "pure silence"),
        ("crash.flac", "failed", "analyse (attempt 5): the analysis worker died"),
        ("empty.mp3", "rejected", "there is no audio in it"),
    ]


async def test_a_track_that_does_not_move_is_left_behind(api: StandIn, tmp_path: Path) -> None:
    """After the patience is over the command ends and says where the track stands."""
    [ending] = await send(api, audio(tmp_path / "stuck.mp3"), patience_seconds=0.05)
    assert (ending.outcome, ending.why) == ("unfinished", "still at: analyse")


async def test_an_empty_catalogue_is_known(api: StandIn, tmp_path: Path) -> None:
    """The launcher learns from the list whether there is any track."""
    async with ApiClient(api.url, TOKEN) as client:
        assert await client.is_empty()
        await send(api, audio(tmp_path / "one.mp3"))
        assert not await client.is_empty()


def command(api_url: str, data: Path, *arguments: str, token: str = TOKEN) -> Result:
    """Run the command line on a data folder whose run record points at `api_url`."""
    data.mkdir(exist_ok=True)
    write_run_record(data, RunRecord(api_url=api_url, admin_token=token, ports={}))
    return CliRunner().invoke(app, ["upload", *arguments], env={"TONETOUCH_DATA": str(data), "COLUMNS": "200"})


def test_folders_are_walked_and_relative_paths_start_where_they_were_typed(api: StandIn, tmp_path: Path) -> None:
    """Spaces, folders in folders and relative paths work; what is no audio is counted and left."""
    audio(tmp_path / "my music" / "b side" / "two words.FLAC")
    audio(tmp_path / "my music" / "a.opus")
    audio(tmp_path / "my music" / "notes.txt")
    audio(tmp_path / "my music" / "._a.opus")
    result = command(api.url, tmp_path / "data", "--relative-to", str(tmp_path), "my music", "./my music/a.opus")
    assert result.exit_code == 0, result.output
    assert sorted(upload.name for upload in api.uploads) == ["a.opus", "two words.FLAC"]
    assert "two words.FLAC: published" in result.output
    assert "2 published" in result.output
    assert "1 other files were skipped" in result.output


def test_the_exit_code_says_whether_one_failed(api: StandIn, tmp_path: Path) -> None:
    """A failed track makes the command fail; a duplicate or a rejected one is an answer."""
    song, twin, broken = (str(audio(tmp_path / name)) for name in ("a.mp3", "noise twin.mp3", "crash.mp3"))
    assert command(api.url, tmp_path / "data", song, twin).exit_code == 0
    assert command(api.url, tmp_path / "data", broken).exit_code == 1


def test_a_wrong_token_is_one_sentence(api: StandIn, tmp_path: Path) -> None:
    """A refused token ends the command for all files."""
    result = command(api.url, tmp_path / "data", str(audio(tmp_path / "a.mp3")), token="another-token-than-that")
    assert result.exit_code == 2
    assert "refuses the admin token" in result.output


def test_a_path_that_does_not_exist_is_one_sentence(api: StandIn, tmp_path: Path) -> None:
    """Nothing is uploaded when one of the paths is wrong."""
    result = command(api.url, tmp_path / "data", str(audio(tmp_path / "a.mp3")), str(tmp_path / "b.mp3"))
    assert result.exit_code == 2
    assert "There is no file or folder" in result.output
    assert not api.uploads

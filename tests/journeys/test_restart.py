"""Ctrl-C in the middle of uploads and a start on the same folder; then it is made anew, in part and from a backup."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.log_reading import Entry, counts, read_log
from tests.journeys.platform import Platform, running_platform
from tests.ports import stay_off_the_usual_ports
from tests.sounds import encode, song

OVER = {"done", "skipped"}
PIECES = (
    ("slow.flac", 72.0, "C"),
    ("walking.mp3", 96.0, "E"),
    ("running.opus", 126.0, "A"),
    ("racing.ogg", 160.0, "Eb"),
)
QUESTIONS = ("a slow piece", "something fast to run to", "walking", "test pattern")


@dataclass(frozen=True)
class Lived:
    """An installation that was stopped in the middle of its uploads, started again, and stopped at their end."""

    data: Path
    ids: list[str]
    stopped_at: str
    """When the first run had ended."""
    tracks: dict[str, Any]
    catalog: list[Entry]
    answers: dict[str, Any]
    """What it answered, and what its log held, before it was stopped for the second time."""
    backup: Path
    keys: Path
    """A backup of that moment, and one of the keys of people."""


@pytest.fixture(scope="module", name="lived")
def _lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """Two runs on one folder, Ctrl-C between them while uploads are on their way."""
    folder = tmp_path_factory.mktemp("restart")
    data = folder / "data"
    files = [
        encode(song(300 + seed, seconds=25.0, bpm=bpm, key=key), folder / name)
        for seed, (name, bpm, key) in enumerate(PIECES)
    ]
    with running_platform(data, "--no-demo") as platform:
        ids = [platform.upload_persistently(file, title=file.stem, genre="Test pattern") for file in files]
        platform.until(lambda: any(_is_on_its_way(platform, track) for track in ids), 120.0)
    stopped_at = datetime.now(UTC).isoformat()
    with running_platform(data, "--no-demo") as platform:
        tracks = platform.settled(ids, 300.0)
        platform.until(lambda: all(_is_complete(platform, track) for track in ids), 120.0)
        platform.until(lambda: len(_hits(platform.get("/search", q=QUESTIONS[0]))) == len(ids), 60.0)
        backup = folder / "backup"
        tonetouch("events", "backup", str(backup), data=data)
        tonetouch("events", "backup-keys", str(folder / "keys"), data=data)
        return Lived(
            data=data,
            ids=ids,
            stopped_at=stopped_at,
            tracks=tracks,
            catalog=asyncio.run(read_log(data, "CATALOG")),
            answers=answers(platform, ids),
            backup=backup,
            keys=folder / "keys",
        )


def tonetouch(*arguments: str, data: Path) -> None:
    """One command on a data folder, as a person would type it."""
    command = [sys.executable, "-m", "tonetouch_deploy.commands", *arguments]
    done = subprocess.run(
        command, env={**os.environ, "TONETOUCH_DATA": str(data)}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(900)
def test_an_upload_goes_on_where_ctrl_c_stopped_it(lived: Lived) -> None:
    """Uploads in the middle of their workflow are published after the next start, each once, all steps over."""
    entries = lived.catalog
    afterwards = [entry for entry in entries if entry.type == "track.published" and entry.time > lived.stopped_at]
    begun = {entry.body["track_id"] for entry in entries if entry.type == "track.uploaded"}
    assert afterwards, "all was over before the stop: nothing was in the middle"
    assert begun == set(lived.ids)
    assert {track["status"] for track in lived.tracks.values()} == {"published"}
    assert counts(entries, "track.published", "track_id") == dict.fromkeys(lived.ids, 1)


@pytest.mark.timeout(600)
def test_deleting_every_read_table_gives_the_same_answers(lived: Lived) -> None:
    """Tracks, ingest, ledger rows and what a search finds are the same after they were rebuilt from the log."""
    tables = sorted((lived.data / "tables").glob("*/read.db*"))
    assert {table.parent.name for table in tables if table.name == "read.db"} >= {"catalog", "ingest", "ai-ledger"}
    for table in tables:
        table.unlink()
    with running_platform(lived.data, "--no-demo") as platform:
        _until_it_answers_the_same(platform, lived)


@pytest.fixture(scope="module", name="restored")
def _restored(lived: Lived, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """An installation made of the backup, on a folder with nothing in it."""
    data = tmp_path_factory.mktemp("restored") / "data"
    stay_off_the_usual_ports(data)
    tonetouch("events", "restore", str(lived.backup), data=data)
    tonetouch("events", "restore-keys", str(lived.keys), data=data)
    with running_platform(data, "--no-demo") as platform:
        yield platform


@pytest.mark.timeout(600)
def test_a_restored_backup_gives_the_same_answers(lived: Lived, restored: Platform) -> None:
    """Tracks, ingest, ledger rows, searches, and the bytes; nothing is done twice."""
    _until_it_answers_the_same(restored, lived)
    for track in lived.ids:
        sound = restored.http.get(f"/api/v1/tracks/{track}/audio")
        assert sound.headers["etag"].strip('"') == sha256(sound.content).hexdigest()
    assert asyncio.run(read_log(restored.data, "CATALOG")) == lived.catalog


@pytest.mark.timeout(600)
def test_a_person_is_erased(lived: Lived, restored: Platform) -> None:
    """On a running installation, by its operator: the proof holds, and what was uploaded is there without its name."""
    assert {restored.get(f"/tracks/{track}")["file_name"] for track in lived.ids} == {name for name, *_ in PIECES}
    tonetouch("events", "erase-person", "admin", "--reason", "asked for it", "--yes", data=restored.data)
    tracks = [restored.get(f"/tracks/{track}") for track in lived.ids]
    assert {(track["file_name"], track["status"]) for track in tracks} == {("[erased]", "published")}
    tonetouch("events", "backup-keys", str(lived.keys), data=restored.data)
    assert [path.name for path in lived.keys.iterdir()] == ["erased"]


def _until_it_answers_the_same(platform: Platform, lived: Lived) -> None:
    found: dict[str, Any] = {}

    def same() -> bool:
        found.update(answers(platform, lived.ids))
        return found == lived.answers

    try:
        platform.until(same, 120.0)
    except AssertionError:
        assert found == lived.answers
        raise


def answers(platform: Platform, ids: list[str]) -> dict[str, Any]:
    """What the API says about everything that is kept in read tables and indexes."""
    said: dict[str, Any] = {"tracks": platform.get("/tracks", limit=50), "ingest": platform.get("/ingest", limit=50)}
    for track in ids:
        said[f"ingest of {track}"] = platform.get(f"/ingest/{track}")
        said[f"jobs of {track}"] = platform.get("/ai/jobs", subject=f"track:{track}", limit=200)
        said[f"similar to {track}"] = _hits(platform.get(f"/tracks/{track}/similar"))
    for question in QUESTIONS:
        said[question] = _hits(platform.get("/search", q=question))
    return said


def _hits(page: Any) -> list[tuple[str, float]]:
    return [(hit["track"]["id"], round(hit["score"], 4)) for hit in page["items"]]


def _is_on_its_way(platform: Platform, track_id: str) -> bool:
    states = [step["state"] for step in platform.get(f"/ingest/{track_id}")["steps"]]
    return "done" in states and not OVER.issuperset(states)


def _is_complete(platform: Platform, track_id: str) -> bool:
    return OVER.issuperset(step["state"] for step in platform.get(f"/ingest/{track_id}")["steps"])

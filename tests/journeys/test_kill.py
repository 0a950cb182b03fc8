"""Every process is killed once (kill -9) in the middle of the work, and everything that was accepted still arrives."""

import asyncio
import io
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

import httpx
import pytest

from tests.journeys.log_reading import counts, read_log, waiting_in
from tests.journeys.platform import EVERYTHING, Platform, open_file, running_platform
from tests.sounds import encode, song

SUFFIXES = (".flac", ".mp3", ".ogg", ".opus", ".m4a", ".wav", ".aiff")
OVER = {"done", "skipped"}


class HalfSent(io.FileIO):
    """A file whose second half is read only when the test says so: its upload is in the middle until then."""

    def __init__(self, path: Path, at_half: threading.Event, go_on: threading.Event) -> None:
        super().__init__(str(path), "rb")
        self._half = path.stat().st_size // 2
        self._at_half, self._go_on = at_half, go_on

    def read(self, size: int | None = -1, /) -> Any:
        """Read on; once the first half is out, only after the word."""
        if self.tell() >= self._half:
            self._at_half.set()
            assert self._go_on.wait(120.0)
        return super().read(-1 if size is None else size)


@dataclass
class Plays:
    """A listener who plays one track again and again, and repeats each play until it is acknowledged."""

    platform: Platform
    track_id: str
    acknowledged: list[str] = field(default_factory=list)
    enough: threading.Event = field(default_factory=threading.Event)

    def record(self) -> None:
        """Play until it is enough."""
        number = 0
        while not self.enough.wait(0.05):  # a person's pace, not a wait
            with suppress(httpx.HTTPError):
                answer = self.platform.http.post(
                    "/api/v1/plays",
                    json={"track_id": self.track_id, "heard_seconds": number % 15},
                    headers={"Idempotency-Key": f"play {number}"},
                )
                if answer.status_code == 201:
                    self.acknowledged.append(answer.json()["id"])
                    number += 1
                else:
                    assert answer.status_code >= 500, answer.text


@dataclass
class Story:
    """What was sent, killed and acknowledged."""

    platform: Platform
    accepted: dict[str, str] = field(default_factory=dict)
    """Title of each file by the id it was accepted under."""
    plays: list[str] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)


@pytest.mark.timeout(900)
async def test_each_process_is_killed_once_in_the_middle_and_everything_arrives(tmp_path: Path) -> None:
    """No accepted upload is lost, none is published twice, no acknowledged play is missing, nothing is stuck."""
    with running_platform(tmp_path / "data", "--no-demo") as platform:
        story = await asyncio.to_thread(live_through_it, platform, tmp_path)
        assert story.killed == list(EVERYTHING)
        said = platform.output.read_text()
        assert all(f"{name} ended after" in said for name in EVERYTHING), said

        await asyncio.to_thread(all_over, story)
        await published_once(story)
        await asyncio.to_thread(steps_are_over_and_in_the_ledger, story)
        kept = counts(await read_log(platform.data, "LIBRARY"), "play.recorded", "play_id")
        assert len(story.plays) >= len(EVERYTHING)
        assert set(story.plays) <= set(kept)
        assert await waiting_in(platform.data, "INGEST_Q") == 0
        assert parked(platform.data) == []


def live_through_it(platform: Platform, folder: Path) -> Story:
    """Upload and play all the time; kill each process while one file is half sent and another on its way."""
    story = Story(platform)
    first, *rest = [
        encode(song(200 + n, seconds=15.0, bpm=80.0 + 6 * n), folder / f"song {n}{SUFFIXES[n % len(SUFFIXES)]}")
        for n in range(1 + 2 * len(EVERYTHING))
    ]
    played = platform.upload_persistently(first, title=first.stem)
    story.accepted[played] = first.stem
    assert platform.settled([played])[played]["status"] == "published"
    plays = Plays(platform, played)
    with ThreadPoolExecutor(8) as threads:
        playing = threads.submit(plays.record)
        sending: list[tuple[str, Future[str]]] = []
        try:
            for name in EVERYTHING:
                at_half, go_on = threading.Event(), threading.Event()
                sending.append(_send(threads, platform, rest.pop(0), _halfway(at_half, go_on)))
                try:
                    assert at_half.wait(120.0), "the upload never began"
                    sending.append(_send(threads, platform, rest.pop(0), open_file))
                    platform.until(lambda: bool(platform.get("/ingest", state="running")["items"]), 120.0)
                    before = len(plays.acknowledged)
                    platform.kill(name)
                    story.killed.append(name)
                finally:
                    go_on.set()
                platform.until(lambda: len(plays.acknowledged) > before, 120.0)  # noqa: B023 - called at once
            for title, upload in sending:
                story.accepted[upload.result(240.0)] = title
        finally:
            plays.enough.set()
        playing.result(60.0)
    story.plays = plays.acknowledged
    return story


def _halfway(at_half: threading.Event, go_on: threading.Event) -> Callable[[Path], BinaryIO]:
    return lambda path: cast(BinaryIO, HalfSent(path, at_half, go_on))


def _send(
    threads: ThreadPoolExecutor, platform: Platform, file: Path, opened: Callable[[Path], BinaryIO]
) -> tuple[str, Future[str]]:
    sent = threads.submit(platform.upload_persistently, file, 240.0, opened, title=file.stem)
    return file.stem, sent


def all_over(story: Story) -> None:
    """Every upload has come to an end, those included whose acceptance the client never heard of."""
    story.platform.settled(list(story.accepted), 300.0)
    story.platform.until(lambda: not story.platform.get("/ingest", state="running")["items"], 120.0)


async def published_once(story: Story) -> None:
    """Each file is in the log as published exactly once.

    A client whose answer was lost sends its file again; then one of the two is the other's duplicate.
    """
    entries = await read_log(story.platform.data, "CATALOG")
    published = counts(entries, "track.published", "track_id")
    assert counts(entries, "track.published", "title") == dict.fromkeys(story.accepted.values(), 1)
    assert set(published.values()) == {1}
    uploaded = counts(entries, "track.uploaded", "track_id")
    duplicates = {entry.body["track_id"]: entry.body["of"] for entry in entries if entry.type == "track.duplicated"}
    for track_id in story.accepted:
        assert uploaded[track_id] == 1
        assert duplicates.get(track_id, track_id) in published
        shown = story.platform.get(f"/tracks/{track_id}")
        assert shown["status"] == ("duplicate" if track_id in duplicates else "published")


def steps_are_over_and_in_the_ledger(story: Story) -> None:
    """Every step of every published track is over, and each that ran has its successful row."""
    platform = story.platform
    for track_id in story.accepted:
        if platform.get(f"/tracks/{track_id}")["status"] == "published":
            platform.until(lambda: _accounted(platform, track_id), 120.0)  # noqa: B023 - called at once


def _accounted(platform: Platform, track_id: str) -> bool:
    steps = platform.get(f"/ingest/{track_id}")["steps"]
    jobs = platform.get("/ai/jobs", subject=f"track:{track_id}", limit=200)["items"]
    succeeded = {job["id"] for job in jobs if job["outcome"] == "succeeded"}
    ran = {step["job_id"] for step in steps if step["state"] == "done"}
    return {step["state"] for step in steps} <= OVER and ran <= succeeded


def parked(data: Path) -> list[Any]:
    """What any service has parked."""
    found: list[Any] = []
    for state in sorted((data / "tables").glob("*/state.db")):
        with closing(sqlite3.connect(state)) as database:
            if database.execute("select 1 from sqlite_master where name = 'parked'").fetchone():
                found += database.execute("select * from parked").fetchall()
    return found

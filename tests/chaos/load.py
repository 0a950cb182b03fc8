"""What people do meanwhile: upload, play, rename a playlist and search, and repeat what was not acknowledged."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.journeys.platform import Platform
from tests.sounds import encode, song

PLAYERS, SEARCHERS = 2, 2
SUFFIXES = (".flac", ".mp3", ".ogg", ".opus", ".m4a", ".wav")


@dataclass
class Acknowledged:
    """What the installation has said yes to. Each list is written by one thread at a time, or in any order."""

    plays: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    """Of the one playlist, in the order they were given."""
    repeated: set[str] = field(default_factory=set)
    """Names that were asked for more than once."""
    uploads: dict[str, str] = field(default_factory=dict)
    """Title of each file by the id it was accepted under."""
    searches: int = 0
    failures: int = 0
    """Requests that were not acknowledged: what of them was done, nobody knows."""

    @property
    def kinds(self) -> tuple[int, int, int]:
        """How many plays, names and searches."""
        return len(self.plays), len(self.names), self.searches


class Load:
    """The people. `more_uploads` lets another file go."""

    def __init__(self, platform: Platform, run: str, folder: Path) -> None:
        self.acknowledged = Acknowledged()
        self._platform = platform
        self._run = run
        self._folder = folder
        self._track = ""
        self._enough = threading.Event()
        self._uploads: list[Future[None]] = []
        self._sent = 0

    @contextlib.contextmanager
    def going_on(self) -> Iterator[None]:
        """For the length of the block; at its end what was begun is acknowledged or given up."""
        self._upload()
        self._track = next(iter(self.acknowledged.uploads))
        self._platform.settled([self._track])
        with ThreadPoolExecutor(16) as threads:
            self._threads = threads
            people = [threads.submit(self._play, number) for number in range(PLAYERS)]
            people += [threads.submit(self._search, number) for number in range(SEARCHERS)]
            people.append(threads.submit(self._rename))
            try:
                yield
            finally:
                self._enough.set()
            for one in [*people, *self._uploads]:
                one.result(900.0)

    def upload_another(self) -> None:
        """Beside all else; a file is sent until it is accepted, however often that is tried."""
        self._uploads.append(self._threads.submit(self._upload))

    def get_on(self, seconds: float) -> None:
        """Return when each of them has been told yes once more; fails where that takes longer than this."""
        before = self.acknowledged.kinds

        def each_has_got_on() -> bool:
            return all(now > then for now, then in zip(self.acknowledged.kinds, before, strict=True))

        self._platform.until(each_has_got_on, seconds)

    def _upload(self) -> None:
        self._sent += 1
        number = self._sent
        name = f"{self._run} {number}{SUFFIXES[number % len(SUFFIXES)]}"
        file = encode(song(9000 + number, seconds=12.0, bpm=70.0 + 7 * (number % 14)), self._folder / name)
        track = self._platform.upload_persistently(file, 900.0, title=file.stem)
        self.acknowledged.uploads[track] = file.stem

    def _play(self, listener: int) -> None:
        def play(number: int) -> tuple[str, Mapping[str, Any]]:
            return "/api/v1/plays", {"track_id": self._track, "heard_seconds": number % 12}

        for number in self._numbers(0.05):
            answer = self._ask("POST", *play(number), key=f"{self._run} {listener} {number}")
            if answer is not None:
                self.acknowledged.plays.append(answer.json()["id"])

    def _rename(self) -> None:
        begun = self._ask("POST", "/api/v1/playlists", {"name": "new"}, key=self._run)
        if begun is None:
            return
        self.playlist = begun.json()["id"]
        for number in self._numbers(0.1):
            name = f"name {number}"
            if self._ask("PATCH", f"/api/v1/playlists/{self.playlist}", {"name": name}, again=self._note(name)):
                self.acknowledged.names.append(name)

    def _note(self, name: str) -> Callable[[], None]:
        return lambda: self.acknowledged.repeated.add(name)

    def _search(self, searcher: int) -> None:
        for number in self._numbers(0.15):
            with contextlib.suppress(httpx.HTTPError):
                self._platform.get("/search", q=f"{self._run} question {searcher} {number}", limit=3)
                self.acknowledged.searches += 1

    def _numbers(self, pace_seconds: float) -> Iterator[int]:
        """0, 1, 2, ... at a person's pace, until it is enough."""
        number = 0
        while not self._enough.wait(pace_seconds):
            yield number
            number += 1

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any],
        *,
        key: str | None = None,
        again: Callable[[], None] = lambda: None,
    ) -> httpx.Response | None:
        """Ask until it is acknowledged; None where it is enough before that."""
        headers = {"Idempotency-Key": key} if key else {}
        while not self._enough.is_set():
            with contextlib.suppress(httpx.HTTPError):
                answer = self._platform.http.request(method, path, json=body, headers=headers)
                if answer.is_success:
                    return answer
                assert answer.status_code >= 500, f"{method} {path}: {answer.status_code} {answer.text}"
            self.acknowledged.failures += 1
            again()
            self._enough.wait(0.2)
        return None

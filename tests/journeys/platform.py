"""The whole product, started as the README says, and asked over HTTP like any client would."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import msgspec

from tests.ports import stay_off_the_usual_ports

START_SECONDS = 180.0
STOP_SECONDS = 120.0
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 0.5
SERVICES = ("ai-ledger", "catalog", "recommend", "agents", "ingest", "gateway")
EVERYTHING = ("nats", "object-store", *SERVICES)
SETTLED = ("published", "duplicate", "rejected", "failed")

Opening = Callable[[Path], BinaryIO]


def open_file(path: Path) -> BinaryIO:
    """The bytes of a file, read as fast as they are asked for."""
    return path.open("rb")


class Platform:
    """A running installation with a data folder of its own."""

    def __init__(self, data: Path, process: subprocess.Popen[bytes], output: Path) -> None:
        self.data = data
        self.process = process
        self.output = output
        record = msgspec.json.decode((data / "run.json").read_bytes())
        self.http = httpx.Client(
            base_url=record["api_url"],
            headers={"Authorization": f"Bearer {record['admin_token']}"},
            timeout=30.0,
            transport=httpx.HTTPTransport(retries=3),
        )

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of a path under /api/v1; raises for anything but 2xx."""
        answer = self.http.get(f"/api/v1{path}", params={k: v for k, v in query.items() if v is not None})
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        """POST JSON to a path under /api/v1."""
        return self.http.post(f"/api/v1{path}", json=body)

    def upload(self, file: Path, opened: Opening = open_file, **fields: str) -> httpx.Response:
        """Send one file as a browser would; `opened` says how its bytes are read."""
        with opened(file) as stream:
            return self.http.post("/api/v1/tracks", files={"file": (file.name, stream)}, data=fields, timeout=120.0)

    def upload_persistently(
        self, file: Path, seconds: float = 120.0, opened: Opening = open_file, **fields: str
    ) -> str:
        """Send a file until it is accepted, as people do while something restarts; returns the track's id."""
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(httpx.HTTPError):
                answer = self.upload(file, opened, **fields)
                if answer.status_code == 202:
                    return str(answer.json()["id"])
                assert answer.status_code >= 500, answer.text
            assert time.monotonic() < deadline, "the upload was never accepted"
            time.sleep(0.3)

    def settled(self, track_ids: Sequence[str], seconds: float = 240.0) -> dict[str, Any]:
        """Wait until every track has come to an end, and return them by id."""
        tracks: dict[str, Any] = {}

        def all_settled() -> bool:
            for track_id in dict.fromkeys(track_ids):
                if track_id not in tracks:
                    track = self.get(f"/tracks/{track_id}")
                    if track["status"] not in SETTLED:
                        return False  # all have to come to an end: the others need not be asked about yet
                    tracks[track_id] = track
            return True

        self.until(all_settled, seconds)
        return tracks

    def until(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        """Wait for a condition within a bound; while services restart, an error is only 'not yet'."""
        deadline, pause = time.monotonic() + seconds, SHORTEST_PAUSE_SECONDS
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if condition():
                    return
            assert self.process.poll() is None, self.output.read_text(errors="replace")[-3000:]
            assert time.monotonic() < deadline, f"waited {seconds} s in vain\n{self.story()}"
            # Each look costs several services something, which the work that is waited for then lacks.
            time.sleep(pause)
            pause = min(1.5 * pause, LONGEST_PAUSE_SECONDS)

    def pid_of(self, name: str) -> int:
        """The process id of a part as the launcher last wrote it down."""
        return int(msgspec.json.decode((self.data / "run.json").read_bytes())["pids"][name])

    def kill(self, name: str) -> None:
        """kill -9 one part, and wait until the launcher has started another."""
        before = self.pid_of(name)
        os.kill(before, signal.SIGKILL)
        self.until(lambda: self.pid_of(name) != before, 60.0)

    def stop(self) -> None:
        """Ctrl-C, as a person would."""
        self.http.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(STOP_SECONDS)

    def refusals(self) -> list[str]:
        """What the bus has refused anybody for want of a permission.

        But for answers: a service may answer what it was asked, and a bus that was killed in between forgets who asked.
        """
        said = (self.data / "logs" / "nats.log").read_text(errors="replace")
        late = 'Publish Violation - Subject "_INBOX_'
        return [line for line in said.splitlines() if "Violation" in line and late not in line]

    def story(self) -> str:
        """The last lines of every log, for a failed test."""
        logs = sorted((self.data / "logs").glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in logs)


@contextlib.contextmanager
def running_platform(
    data: Path,
    *arguments: str,
    settings: Mapping[str, str] | None = None,
    program: str = "tonetouch_deploy.commands",
) -> Iterator[Platform]:
    """``tonetouch up`` on a data folder with these settings, stopped in order at the end of the block."""
    stay_off_the_usual_ports(data)
    output = data.parent / f"{data.name}.out"
    environment = {**os.environ, **(settings or {}), "TONETOUCH_DATA": str(data)}
    command = [sys.executable, "-m", program, "up", *arguments]
    with output.open("ab") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out, preexec_fn=hear_ctrl_c)
    platform = None
    try:
        _wait_until_ready(data, process, output)
        platform = Platform(data, process, output)
        yield platform
        assert platform.refusals() == [], "what a service may do is said in contracts/tonetouch_contracts/parties.py"
    finally:
        if platform is not None:
            platform.stop()
        elif process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(STOP_SECONDS)


def hear_ctrl_c() -> None:
    """A shell tells what it starts in the background to ignore Ctrl-C; tests may run there, a person does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _wait_until_ready(data: Path, process: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, output.read_text(errors="replace")[-3000:]
        with contextlib.suppress(FileNotFoundError, KeyError, httpx.HTTPError, msgspec.DecodeError):
            record = msgspec.json.decode((data / "run.json").read_bytes())
            # The record of the last run names nothing that runs.
            if record["pids"]["gateway"] and httpx.get(f"{record['api_url']}/readyz", timeout=5.0).status_code == 200:
                return
        time.sleep(0.2)
    raise AssertionError(f"not ready after {START_SECONDS} s: {output.read_text(errors='replace')[-3000:]}")

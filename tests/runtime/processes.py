"""A service in a process of its own, as an operator or a supervisor starts it.

The processes are forked from one that has the runtime imported: that is most of what a start costs.
"""

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tonetouch_runtime import Settings

_PRELUDE = """
import os
for number, path in ((1, out), (2, err)):
    os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
os.environ.update(environment)
"""

TINY = """
from tonetouch_runtime import App, Router, serve
from tonetouch_contracts.track import TrackUploaded

router = Router()

@router.hears(TrackUploaded, consumer="ingest-starting")
async def hear(fact, floor):
    print("heard", fact.event.track_id, fact.event.file_name, flush=True)

serve(App(name="tiny", routers=(router,)))
"""


_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tonetouch_runtime", "tonetouch_contracts.track"])


class Service:
    """A running process and the two files it writes."""

    def __init__(self, program: str, environment: Mapping[str, str], folder: Path) -> None:
        self._out, self._err = folder / "out.txt", folder / "err.txt"
        told = {"environment": dict(environment), "out": str(self._out), "err": str(self._err), "__name__": "__main__"}
        # The forks do not know the tests' own modules: what they run goes over as text.
        self.process = _FORKS.Process(target=exec, args=(_PRELUDE + program, told), daemon=True)
        self.process.start()

    @property
    def said(self) -> list[str]:
        """The lines on its standard output."""
        return _lines(self._out)

    @property
    def complained(self) -> list[str]:
        """The lines on its standard error."""
        return _lines(self._err)

    @property
    def logged(self) -> list[dict[str, object]]:
        """The lines of its log."""
        return [json.loads(line) for line in self.complained if line.startswith("{")]

    def logged_events(self) -> list[object]:
        return [line.get("event") for line in self.logged]

    def ended(self, seconds: float = 20.0) -> int:
        """Its exit code, once it has ended."""
        self.process.join(seconds)
        assert self.process.exitcode is not None, f"it runs on: {self.complained[-5:]}"
        return self.process.exitcode

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def until(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        """Wait for a condition while the process runs, within a bound."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.exitcode is None, f"it ended with {self.process.exitcode}: {self.complained[-5:]}"
            assert time.monotonic() < deadline, f"not within {seconds} s: {self.complained[-5:]}"
            time.sleep(0.02)


def variables(settings: Settings) -> dict[str, str]:
    """Settings as the environment of a process."""
    store = settings.object_store
    return {
        "TONETOUCH_DATA": str(settings.data),
        "TONETOUCH_NATS_URL": settings.nats_url,
        "TONETOUCH_S3_ENDPOINT": store.endpoint,
        "TONETOUCH_S3_BUCKET": store.bucket,
        "TONETOUCH_S3_ACCESS_KEY": store.access_key,
        "TONETOUCH_S3_SECRET_KEY": store.secret_key,
    }


@contextmanager
def service(folder: Path, environment: Mapping[str, str], program: str = TINY) -> Iterator[Service]:
    """Start a program that serves an app; it is killed at the end of the block."""
    running = Service(program, environment, folder)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.join(10)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

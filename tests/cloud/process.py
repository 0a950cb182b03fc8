"""The simulator as a process of its own, and its account seen from here."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.cloud.record import Call, Charged, Counts

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class CloudProcess:
    """A simulator in another process with one account: `account` holds its id, keys and URLs."""

    pid: int
    url: str
    account: dict[str, str]
    _http: httpx.Client = field(repr=False)

    def calls(self, model: str | None = None) -> list[Call]:
        """Every request to a model, in the order they came."""
        told = self._get("calls", model=model) if model else self._get("calls")
        return [Call(**{**one, "charged": Charged(**one["charged"])}) for one in told]

    def counts(self) -> dict[str, Counts]:
        """The calls of each model, summed."""
        told = self._get("counts")
        return {model: Counts(**{**one, "charged": Charged(**one["charged"])}) for model, one in told.items()}

    def charged(self) -> Charged:
        """What is to be paid for."""
        return Charged(**self._get("charged"))

    def busiest(self, model: str, seconds: float = 60.0) -> int:
        """The most requests that were let in within any window of that length."""
        most: int = self._get("busiest", model=model, seconds=str(seconds))
        return most

    def advance(self, seconds: float) -> float:
        """Time passes at once; gives the account's time."""
        now: float = self.change("clock", advance_seconds=seconds).json()["now"]
        return now

    def change(self, what: str, **values: Any) -> httpx.Response:
        """Posts to ``clock``, ``limits``, ``latencies``, ``faults``, ``plans`` or ``reset``."""
        return self._http.post(what, json=values).raise_for_status()

    def _get(self, what: str, **query: str) -> Any:
        return self._http.get(what, params=query).raise_for_status().json()


@contextmanager
def launched(folder: Path, *options: str) -> Iterator[CloudProcess]:
    """`python -m tests.cloud` with `options`, stopped at the end of the block; its log is in `folder`."""
    command = [sys.executable, "-m", "tests.cloud", *options]
    with (folder / "cloud.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, cwd=ROOT)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise ChildProcessError((folder / "cloud.log").read_text(errors="replace")[-2000:])
        account = json.loads(line)
        with httpx.Client(base_url=f"{account['url']}/_simulator/accounts/{account['id']}/", timeout=30.0) as http:
            yield CloudProcess(pid=process.pid, url=account["url"], account=account, _http=http)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)
        if process.stdout is not None:
            process.stdout.close()

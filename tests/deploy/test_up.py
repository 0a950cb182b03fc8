"""The launcher as a person runs it: a process of its own, with the real bus and store, and stand-ins as services."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.deploy.standin import TOKEN
from tests.deploy.waiting import is_gone, until
from tests.ports import stay_off_the_usual_ports
from tonetouch_deploy.composing import SERVICES
from tonetouch_deploy.run_record import RunRecord, last_run_record

ROOT = Path(__file__).parents[2]
SERVICE = """
import runpy, sys
sys.argv.append({name!r})
runpy.run_module("tests.deploy.standin_service", run_name="__main__")
"""
Launch = Callable[..., "Up"]


class Up:
    """One `tonetouch up` in a process of its own."""

    def __init__(self, arguments: tuple[str, ...], environment: dict[str, str], output: Path) -> None:
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tonetouch_deploy.commands", "up", *arguments],
                env=environment,
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                # A shell tells what it starts in the background to ignore Ctrl-C, and these tests may run there.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        self._output = output

    @property
    def printed(self) -> str:
        return self._output.read_text()

    async def until_printed(self, words: str) -> None:
        await until(lambda: words in self.printed or self._ended(words), within_seconds=120)

    async def ending(self) -> int:
        await until(lambda: self.process.poll() is not None, within_seconds=120)
        return self.process.returncode

    def _ended(self, words: str) -> bool:
        assert self.process.poll() is None, f"ended without {words!r}:\n{self.printed}"
        return False


@pytest.fixture(name="launch")
def _launch(tmp_path: Path) -> Iterator[Launch]:
    """Starts launchers on one data folder; none outlives the test."""
    for name in SERVICES:
        package = tmp_path / "standins" / f"tonetouch_{name.replace('-', '_')}"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(SERVICE.format(name=package.name))
    started: list[Up] = []
    stay_off_the_usual_ports(tmp_path / "the data")

    def launch(*arguments: str, **variables: str) -> Up:
        environment = os.environ | {
            "PYTHONPATH": f"{tmp_path / 'standins'}{os.pathsep}{ROOT}",
            "TONETOUCH_DATA": str(tmp_path / "the data"),
            "TONETOUCH_ADMIN_TOKEN": TOKEN,
            "COLUMNS": "160",
            **variables,
        }
        started.append(Up(arguments, environment, tmp_path / f"output-{len(started)}"))
        return started[-1]

    yield launch
    for up in started:
        up.process.kill()
        up.process.wait()


def record(tmp_path: Path) -> RunRecord:
    """What the launcher tells other terminals."""
    found = last_run_record(tmp_path / "the data")
    assert found is not None
    return found


async def test_one_run_from_start_to_stop(launch: Launch, tmp_path: Path) -> None:
    """It starts everything, shows where, uploads what it is given, restarts what dies, and stops everything."""
    song = tmp_path / "music" / "one song.mp3"
    song.parent.mkdir()
    song.write_bytes(b"sound")
    up = launch(str(song.parent))
    await up.until_printed("1 published")
    run = record(tmp_path)
    assert set(run.pids) == {"nats", "object-store", *SERVICES}
    for shown in (*run.pids, f"{run.api_url}/docs", TOKEN, str(tmp_path / "the data"), "one song.mp3: published"):
        assert shown in up.printed
    assert "not ready" not in up.printed

    os.kill(run.pids["catalog"], signal.SIGKILL)
    await up.until_printed("catalog ended after")
    await until(lambda: record(tmp_path).pids.get("catalog", run.pids["catalog"]) != run.pids["catalog"])

    pids = list(record(tmp_path).pids.values())
    up.process.send_signal(signal.SIGINT)
    assert await up.ending() == 0, up.printed
    assert all(is_gone(pid) for pid in pids)
    assert record(tmp_path).pids == {}


async def test_a_data_folder_through_two_runs(launch: Launch, tmp_path: Path) -> None:
    """Two launchers on one folder refuse; one that is killed leaves nothing behind; the next one is where it was."""
    first = launch("--no-demo")
    await first.until_printed("Ctrl-C here stops everything")
    second = launch("--no-demo")
    assert await second.ending() == 2
    assert "already running" in second.printed
    assert first.process.poll() is None

    before = record(tmp_path)
    first.process.kill()
    await until(lambda: all(is_gone(pid) for pid in before.pids.values()))

    third = launch("--no-demo")
    await third.until_printed("Ctrl-C here stops everything")
    assert record(tmp_path).ports == before.ports
    third.process.terminate()
    assert await third.ending() == 0, third.printed


async def test_what_cannot_start_is_one_sentence(launch: Launch, tmp_path: Path) -> None:
    """A taken port that was asked for, a bad folder, setting or path: a sentence each, and no traceback."""
    (tmp_path / "file").touch()
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        taken = str(server.getsockname()[1])
        for up, words in (
            (launch("--no-demo", TONETOUCH_HTTP_PORT=taken), f"Port {taken} for api is in use"),
            (launch("--no-demo", TONETOUCH_DATA=str(tmp_path / "file" / "data")), "cannot be written to"),
            (launch("--no-demo", TONETOUCH_LOG_LEVEL="loud", TONETOUCH_DATA=str(tmp_path / "b")), "LOG_LEVEL cannot"),
            (launch(str(tmp_path / "nowhere"), TONETOUCH_DATA=str(tmp_path / "c")), "There is no file or folder"),
        ):
            assert await up.ending() == 2, up.printed
            assert words in up.printed
            assert "Traceback" not in up.printed


async def test_a_service_that_refuses_to_start_ends_the_run_with_its_sentence(launch: Launch, tmp_path: Path) -> None:
    """What a service says as it gives up is what the person sees."""
    refusing = tmp_path / "standins" / "tonetouch_catalog" / "__main__.py"
    refusing.write_text("import sys; sys.exit('stream CATALOG differs from the manifest')")
    up = launch("--no-demo")
    assert await up.ending() == 2
    assert "stream CATALOG differs from the manifest" in up.printed
    assert "Traceback" not in up.printed

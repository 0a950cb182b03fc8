"""`tonetouch up`: starts everything, shows it, fills an empty catalogue, and stays until Ctrl-C."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
from rich.console import Console

from tonetouch_deploy.composing import (
    chosen_ports,
    provisioning_command,
    provisioning_environment,
    services,
    stores,
)
from tonetouch_deploy.finding import find_audio
from tonetouch_deploy.logs import LogFile
from tonetouch_deploy.ports import LOOPBACK
from tonetouch_deploy.run_record import RunRecord, write_run_record
from tonetouch_deploy.settings import CannotStartError, Settings, admin_token, locked, prepare_data_folder
from tonetouch_deploy.showing import ending_table, file_progress, process_table, say_where
from tonetouch_deploy.supervising import Supervisor
from tonetouch_deploy.targets import write_targets
from tonetouch_deploy.tying import tied
from tonetouch_deploy.uploading import ApiClient, upload

_PROVISIONING_BOUND_SECONDS = 60.0
_SLOW_START_SECONDS = 900.0
# One Ctrl-C may arrive more than once: from the terminal, and forwarded by the programs that started this one.
_ONE_PRESS_SECONDS = 1.0


class Interrupted(Exception):
    """A person (Ctrl-C) or the system (SIGTERM) asked for the end."""


def run_up(settings: Settings, paths: Sequence[Path], *, demo: bool, console: Console) -> None:
    """Run until Ctrl-C or SIGTERM; uploads `paths`, or the demo album when there are none and the catalogue is empty.

    Raises CannotStartError, after stopping what was started, when something cannot start.
    """
    folder = settings.data_folder
    music = find_audio(paths).files if paths else ()
    prepare_data_folder(folder)
    with locked(folder):
        asyncio.run(_run(settings, music if paths else None, demo=demo, console=console))


async def _run(settings: Settings, music: Sequence[Path] | None, *, demo: bool, console: Console) -> None:
    ports = chosen_ports(settings)
    folder = settings.data_folder
    write_targets(folder, ports)
    record = RunRecord(api_url=f"http://{LOOPBACK}:{ports['api']}", admin_token=admin_token(settings), ports=ports)

    def keep_record() -> None:
        pids = {row.name: row.pid for row in supervisor.status() if row.pid is not None}
        write_run_record(folder, msgspec.structs.replace(record, pids=pids))

    supervisor = Supervisor(
        logs=folder / "logs",
        say=lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True),
        changed=keep_record,
    )
    try:
        async with _until_interrupted(supervisor):
            await _start(supervisor, settings, ports, console)
            console.print(process_table(supervisor.status()))
            say_where(console, record, folder)
            await _wait_for_the_slow(supervisor, console)
            await _fill(record, folder, music, demo=demo, console=console)
            await asyncio.Event().wait()
    except Interrupted:
        console.print("Stopping.")
    finally:
        await supervisor.stop()
        keep_record()


@contextlib.asynccontextmanager
async def _until_interrupted(supervisor: Supervisor) -> AsyncIterator[None]:
    """Ends the block with Interrupted at the first Ctrl-C or SIGTERM; the second one kills what is still stopping."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    first_asked: float | None = None

    def ask() -> None:
        nonlocal first_asked
        if first_asked is None:
            first_asked = loop.time()
            task.cancel()
        elif loop.time() - first_asked > _ONE_PRESS_SECONDS:
            supervisor.kill()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            loop.add_signal_handler(number, ask)
    try:
        yield
    except asyncio.CancelledError:
        task.uncancel()
        raise Interrupted from None


async def _start(supervisor: Supervisor, settings: Settings, ports: dict[str, int], console: Console) -> None:
    with console.status("Starting the bus and the object store"):
        await supervisor.start(stores(settings, ports))
    for row in supervisor.status():
        if row.state != "ready":
            raise CannotStartError(f"{row.name} at {row.where} did not become ready ({row.health}).")
    with console.status("Checking streams, consumers and the bucket"):
        await _provision(settings, ports)
    with console.status("Starting the services"):
        await supervisor.start(services(settings, ports))


async def _wait_for_the_slow(supervisor: Supervisor, console: Console) -> None:
    """A busy machine starts for longer than anybody wants to see no table; nothing is uploaded before that is over."""
    slow = [row.name for row in supervisor.status() if row.state != "ready"]
    if not slow:
        return
    with console.status(f"Waiting for {', '.join(slow)}"):
        await supervisor.settled(within_seconds=_SLOW_START_SECONDS)
    console.print(process_table(supervisor.status()))


async def _provision(settings: Settings, ports: dict[str, int]) -> None:
    log = LogFile(settings.data_folder / "logs" / "provisioning.log")
    step = await asyncio.create_subprocess_exec(
        *tied(provisioning_command()),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=provisioning_environment(settings, ports),
        process_group=0,
    )
    try:
        output, _ = await asyncio.wait_for(step.communicate(), _PROVISIONING_BOUND_SECONDS)
    except TimeoutError:
        raise CannotStartError(f"Provisioning took more than {_PROVISIONING_BOUND_SECONDS:.0f} s.") from None
    finally:
        if step.returncode is None:
            step.kill()
            await step.wait()
    log.write(output)
    log.close()
    if step.returncode != 0:
        raise CannotStartError(f"Streams, consumers or the bucket: {log.last_line()} (log: {log.path})")


async def _fill(record: RunRecord, folder: Path, music: Sequence[Path] | None, *, demo: bool, console: Console) -> None:
    """Upload what was asked for, or the part of the demo album that an empty catalogue still lacks."""
    notes = _Notes(folder / "demo" / "accepted.txt")
    try:
        if music is None and demo and not notes.complete:
            music = await _demo_album(record, folder / "demo", notes, console)
        if not music:
            return
        with file_progress(console) as progress:
            endings = await upload(
                music, api_url=record.api_url, token=record.admin_token, progress=progress, accepted=notes.add
            )
        console.print(ending_table(endings))
        notes.complete = notes.complete or all(notes.is_demo(e.file) and e.track_id for e in endings)
    except CannotStartError as error:  # the processes run on: their log, or a later upload, is the way from here
        console.print(f"Nothing was uploaded. {error}", style="red", markup=False, highlight=False, soft_wrap=True)


async def _demo_album(record: RunRecord, album: Path, notes: "_Notes", console: Console) -> list[Path]:
    """The demo tracks to upload: all for an empty catalogue, the rest when an earlier start was cut short."""
    done = notes.names()
    if not done:
        async with ApiClient(record.api_url, record.admin_token) as client:
            if not await client.is_empty():
                return []
    from tonetouch_deploy.demo import make_album  # here, because it loads codecs that a normal start does not need

    stopped = threading.Event()
    with console.status("Making the demo album") as shown:

        def report(number: int, total: int, title: str) -> None:
            if stopped.is_set():
                raise Interrupted
            shown.update(f"Making the demo album: {title} ({number + 1} of {total})")

        try:
            files = await asyncio.to_thread(make_album, album, on_progress=report)
        finally:
            stopped.set()  # a thread cannot be cancelled; at its next track it sees that nobody waits
    return [file for file in files if file.name not in done]


class _Notes:
    """The names of the demo tracks which the API has taken over; files from elsewhere are not noted."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def complete(self) -> bool:
        """Whether the whole album has been taken over, so that a start need not look at it again."""
        return self._path.with_name("complete").exists()

    @complete.setter
    def complete(self, whole: bool) -> None:
        if whole:
            self._path.with_name("complete").touch()

    def is_demo(self, file: Path) -> bool:
        return file.parent == self._path.parent

    def names(self) -> set[str]:
        return set(self._path.read_text().splitlines()) if self._path.exists() else set()

    def add(self, file: Path) -> None:
        if self.is_demo(file):
            with self._path.open("a") as notes:
                notes.write(f"{file.name}\n")

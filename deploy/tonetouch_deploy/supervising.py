"""Keeps a handful of processes alive: started in order, restarted with growing delay, stopped stage by stage.

It knows commands and probes, nothing of what they are for.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tonetouch_deploy.logs import LogFile, Output
from tonetouch_deploy.probing import Probe
from tonetouch_deploy.settings import CannotStartError
from tonetouch_deploy.tying import Guard, kill_group, tied

State = Literal["waiting", "starting", "ready", "not ready", "restarting", "stopped"]


@dataclass(frozen=True, kw_only=True)
class Process:
    """A program to keep alive. `env` is its whole environment; `depends_on` names what must be ready before it.

    `prepare` is called before every start of it, the ones after a death included. Processes of one `stop_stage` are
    stopped side by side, those of the lowest stage first.
    """

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    ready: Probe
    depends_on: tuple[str, ...] = ()
    prepare: Callable[[], object] = lambda: None
    where: str = ""
    stop_within_seconds: float = 30.0
    stop_stage: int = 0


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How patient the supervisor is; times in seconds."""

    first_delay: float = 0.5
    longest_delay: float = 30.0
    healthy_after: float = 60.0
    """Ready for this long in a row, a process counts as healthy again and its delay starts over."""
    probe_every: float = 2.0
    probe_every_until_ready: float = 0.1
    start_attempts: int = 3
    """A process that ends this often before it was ready once cannot start."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """How one process is doing now. `pid` is None while it does not run."""

    name: str
    where: str
    pid: int | None
    state: State
    health: str
    restarts: int


@dataclass
class _Child:
    process: Process
    log: LogFile
    state: State = "waiting"
    missing: str = ""
    running: asyncio.subprocess.Process | None = None
    ready_since: float | None = None
    deaths: int = 0
    delay: float = 0.0
    was_ready: asyncio.Event = field(default_factory=asyncio.Event)
    hopeless: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    keeping: asyncio.Task[None] | None = None


class Supervisor:
    """Runs processes as children of this one until `stop`.

    `say` is told one line whenever a process dies; `changed` is called when a process has another pid. Each child is
    the leader of its own process group, so a Ctrl-C at the terminal reaches only this process, which stops them in
    order. Not for use from several threads: the thread that calls `start` must live as long as the children.
    """

    def __init__(
        self,
        *,
        logs: Path,
        say: Callable[[str], None] = lambda line: None,
        changed: Callable[[], None] = lambda: None,
        pace: Pace | None = None,
    ) -> None:
        self._logs = logs
        self._say = say
        self._changed = changed
        self._pace = pace or Pace()
        self._children: dict[str, _Child] = {}
        self._guard = Guard()

    async def start(self, processes: Iterable[Process], *, within_seconds: float = 60.0) -> None:
        """Start processes in the order given, each as soon as all it depends on is ready; wait until all are ready.

        Returns as well when `within_seconds` are over, and leaves the rest starting: `status` says what they miss.
        Raises CannotStartError when one ends `Pace.start_attempts` times before it was ever ready.
        """
        children = [_Child(process=process, log=LogFile(self._logs / f"{process.name}.log")) for process in processes]
        if not children:
            return
        self._children |= {child.process.name: child for child in children}
        for child in children:
            child.keeping = asyncio.create_task(self._keep(child), name=f"keep {child.process.name}")
        settling = [asyncio.create_task(_settled(child)) for child in children]
        done, rest = await asyncio.wait(settling, timeout=within_seconds, return_when=asyncio.FIRST_EXCEPTION)
        for task in rest:
            task.cancel()
        for task in done:
            task.result()

    async def settled(self, *, within_seconds: float) -> None:
        """Wait until every process was ready once, however slow the machine; at most so long.

        Raises CannotStartError when one ends `Pace.start_attempts` times before that.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_seconds):
                await asyncio.gather(*(_settled(child) for child in self._children.values()))

    async def stop(self) -> None:
        """Stop all, stage by stage: SIGTERM, and SIGKILL for what is still there after its bound."""
        for child in self._children.values():
            child.stopping.set()  # for all of them first: nothing is restarted while its neighbours stop
        for stage in sorted({child.process.stop_stage for child in self._children.values()}):
            leaving = [child for child in self._children.values() if child.process.stop_stage == stage]
            await asyncio.gather(*(self._stop(child) for child in leaving))
        self._guard.close()

    def kill(self) -> None:
        """SIGKILL to all at once, for the second Ctrl-C; `stop` still has to be awaited."""
        for child in self._children.values():
            child.stopping.set()
            if child.running is not None and child.running.returncode is None:
                kill_group(child.running.pid)

    def status(self) -> list[Row]:
        """One row per process, in the order of starting."""
        return [_row(child) for child in self._children.values()]

    async def _keep(self, child: _Child) -> None:
        for name in child.process.depends_on:
            await _first(child.stopping, self._children[name].was_ready)
        while not child.stopping.is_set():
            began = time.monotonic()
            code = await self._live(child)
            if child.stopping.is_set():
                break
            self._after_death(child, code)
            self._say(
                f"{child.process.name} ended after {time.monotonic() - began:.1f} s ({_ending(code)});"
                f" starting it again in {child.delay:.1f} s"
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(child.stopping.wait(), child.delay)
        child.state = "stopped"

    async def _live(self, child: _Child) -> int | str:
        """One life of the process: its exit code, or why it could not be started."""
        child.state, child.missing, child.ready_since = "starting", "", None
        # A pipe of our own: one of asyncio's would keep wait() from returning while a grandchild holds it open.
        reader, writer = os.pipe()
        printed = Output(reader, child.log)
        try:
            child.process.prepare()
            running = child.running = await self._spawn(child.process, writer)
        except OSError as error:
            child.log.write(f"{child.process.command[0]}: {error.strerror}\n".encode())
            return error.strerror or "cannot be run"  # the pipe closes itself when its writer is closed
        finally:
            os.close(writer)
        self._guard.watch(running.pid)
        if child.stopping.is_set():
            running.terminate()
        self._changed()
        watching = asyncio.create_task(self._watch(child))
        code = await running.wait()
        watching.cancel()
        kill_group(running.pid)  # its own children, if it left any
        self._guard.forget(running.pid)
        child.running = None
        await printed.finish()
        return code

    async def _spawn(self, process: Process, output: int) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *tied(process.command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(process.env),
            process_group=0,
        )

    async def _watch(self, child: _Child) -> None:
        while True:
            missing = await child.process.ready()
            if missing is None:
                child.state, child.missing = "ready", ""
                child.ready_since = child.ready_since or time.monotonic()
                child.was_ready.set()
            else:
                child.state = "not ready" if child.was_ready.is_set() else "starting"
                child.missing, child.ready_since = missing, None
            pace = self._pace
            await asyncio.sleep(pace.probe_every if child.ready_since else pace.probe_every_until_ready)

    def _after_death(self, child: _Child, code: int | str) -> None:
        healthy_seconds = 0.0 if child.ready_since is None else time.monotonic() - child.ready_since
        pace = self._pace
        if child.delay == 0.0 or healthy_seconds >= pace.healthy_after:
            child.delay = pace.first_delay
        else:
            child.delay = min(child.delay * 2, pace.longest_delay)
        child.deaths += 1
        child.state, child.missing = "restarting", _ending(code)
        if not child.was_ready.is_set() and child.deaths >= pace.start_attempts:
            child.hopeless.set()

    async def _stop(self, child: _Child) -> None:
        if child.keeping is None:
            return
        running = child.running
        if running is not None and running.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                running.send_signal(signal.SIGTERM)
        done, _ = await asyncio.wait({child.keeping}, timeout=child.process.stop_within_seconds)
        if not done:
            self._say(f"{child.process.name} did not stop within {child.process.stop_within_seconds:.0f} s; killing it")
            if child.running is not None:
                kill_group(child.running.pid)
            await child.keeping
        child.log.close()


async def _first(*events: asyncio.Event) -> None:
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _settled(child: _Child) -> None:
    await _first(child.was_ready, child.hopeless)
    if child.hopeless.is_set():
        raise CannotStartError(_cannot_start(child))


def _ending(code: int | str) -> str:
    if isinstance(code, str):
        return code
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"


def _row(child: _Child) -> Row:
    running = child.running
    words = f"{child.state}: {child.missing}" if child.missing else child.state
    return Row(
        name=child.process.name,
        where=child.process.where,
        pid=None if running is None else running.pid,
        state=child.state,
        health=words,
        restarts=child.deaths,
    )


def _cannot_start(child: _Child) -> str:
    said = child.log.last_line() or "it said nothing"
    return f"{child.process.name} cannot start ({child.missing}): {said} (log: {child.log.path})"

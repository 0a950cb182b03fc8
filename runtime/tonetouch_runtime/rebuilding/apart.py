"""Filling tables in a process of its own, which takes no time from those who ask the service.

That process gets what to fill on its standard input and ends with it, so that it never outlives its service.
"""

import asyncio
import contextlib
import os
import pickle
import struct
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from tonetouch_contracts.message import Positions
from tonetouch_runtime._bus import Bus
from tonetouch_runtime._clock import SystemClock
from tonetouch_runtime._memory import settle_memory
from tonetouch_runtime._parking import Lot
from tonetouch_runtime._projecting import Projection
from tonetouch_runtime._router import Keeping
from tonetouch_runtime._standing import copy_of
from tonetouch_runtime._tables import Database, table_of
from tonetouch_runtime._telemetry import configure_logs
from tonetouch_runtime.errors import Unavailable
from tonetouch_runtime.rebuilding.filling import Filler, StoppedError
from tonetouch_runtime.rebuilding.throttling import Throttle
from tonetouch_runtime.settings import Settings

log = structlog.get_logger()

_NICER_BY = 10
_LENGTH = struct.Struct(">Q")
_STOPPED = 3
_PROGRAM = f"from {__name__} import main; main()"


@dataclass(frozen=True)
class Filling:
    """What a process of its own has to know. `database` is ``read`` or ``scratch``, `live` the table that answers."""

    settings: Settings
    service: str
    database: str
    entry: Keeping
    names: Sequence[str]
    live: str
    goals: Positions

    @property
    def projection(self) -> Projection:
        """The tables to fill, and how."""
        models = (self.entry.model, *self.entry.beside)
        return self.entry.projection([copy_of(table_of(m), name) for m, name in zip(models, self.names, strict=True)])


async def fill_apart(filling: Filling) -> bool:
    """Fill in a process of its own, which takes no time from those who ask this one.

    False where it cannot go there, because the handler is none of a module. Raises StoppedError, and Unavailable where
    the process ended in another way.
    """
    try:
        told = pickle.dumps(filling)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        log.info("filled_here", table=filling.names[0], reason=str(error))
        return False
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _PROGRAM),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        with contextlib.suppress(ConnectionError):
            process.stdin.write(_LENGTH.pack(len(told)) + told)
            await process.stdin.drain()
        said = (await process.stdout.read()).decode()
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code == _STOPPED:
        raise StoppedError(said.strip())
    if code:
        raise Unavailable(f"the process that filled {filling.names[0]} ended with {code}")
    return True


async def _fill(filling: Filling) -> None:
    settings = filling.settings
    databases = [Database.open(settings, filling.service, name) for name in (filling.database, "state")]
    bus = await Bus.join(settings, filling.service)
    try:
        lot = Lot(databases[1], SystemClock())
        throttle = Throttle()
        for stream, goal in filling.goals.items():
            filler = Filler(bus, stream, filling.projection, databases[0], lot, live=filling.live)
            await filler.fill(goal, throttle=throttle)
    finally:
        await bus.close()
        for database in databases:
            database.close()


def _give_way() -> None:
    """Let everybody else go first.

    Niceness shares a core more thriftily and still has who wakes up wait for milliseconds; an idle task stands aside at
    once. On a machine that has no idle moment it would never come to its end: there it stays nice, and so where the
    system knows no idle tasks.
    """
    os.nice(_NICER_BY)
    if hasattr(os, "SCHED_IDLE") and os.getloadavg()[0] < (os.cpu_count() or 1):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _end_with_the_service() -> None:
    # Not through Python's own buffer, whose lock this thread would still hold when the process ends.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


def main() -> None:
    """Fill what standard input says."""
    _give_way()
    (length,) = _LENGTH.unpack(sys.stdin.buffer.read(_LENGTH.size))
    # From the service that started this process, over a pipe that nobody else has.
    filling: Filling = pickle.loads(sys.stdin.buffer.read(length))  # noqa: S301
    configure_logs(filling.service, filling.settings.log_level)
    threading.Thread(target=_end_with_the_service, daemon=True).start()
    settle_memory()
    try:
        asyncio.run(_fill(filling))
    except StoppedError as stopped:
        print(stopped, flush=True)
        sys.exit(_STOPPED)

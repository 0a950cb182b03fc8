"""A pool of processes that listen to files, so that what crashes on a file crashes alone.

Essentia and FFmpeg are C++ and C fed with bytes from strangers. Every process does one file at a time, is a fresh
interpreter (never a fork of the service), and is replaced after it died, ran out of time or memory, or did
`tasks_per_process` files. The service itself never loads Essentia.
"""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self, overload

import msgspec

from tonetouch_ingest.listening.findings import AudioFacts, FingerprintTaken, Heard, Measurement
from tonetouch_ingest.listening.refusals import (
    REFUSALS,
    OutOfMemory,
    TaskFailed,
    TookTooLong,
    WorkerDied,
)
from tonetouch_ingest.listening.worker import LENGTH, Answer, Done, Exhausted, Failure, Order, Ready, Refusal

DEFAULT_TIMEOUT_SECONDS: Final = 300.0
DEFAULT_MEMORY_BYTES: Final = 1 << 30

_TASKS: Final = "tonetouch_ingest.listening.tasks"
_START_TIMEOUT_SECONDS: Final = 60.0
_FINDINGS: Final[dict[str, type[msgspec.Struct]]] = {
    "probe": AudioFacts,
    "take_fingerprint": FingerprintTaken,
    "analyse": Measurement,
    "listen": Heard,
}
# A worker is one core's worth: numeric libraries that start a thread per core would fight over them.
_ONE_THREAD: Final = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
_SIGN_OF_LIFE: Final = Order(task="", path="")
_answers: Final[msgspec.msgpack.Decoder[Answer]] = msgspec.msgpack.Decoder(Answer)


class Workers:
    """`size` processes, started when first needed. An async context manager: leaving it ends every process.

    `memory_bytes` bounds heap and private mappings of one process (see `worker.py`). `tasks` is the module whose
    `TASKS` table the processes serve.
    """

    def __init__(
        self,
        *,
        size: int = 2,
        memory_bytes: int = DEFAULT_MEMORY_BYTES,
        tasks_per_process: int = 100,
        tasks: str = _TASKS,
    ) -> None:
        self._seats = [_Seat(tasks, memory_bytes, tasks_per_process) for _ in range(size)]
        self._free: asyncio.LifoQueue[_Seat] = asyncio.LifoQueue()
        for seat in self._seats:
            self._free.put_nowait(seat)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends every process for good; tasks under way and tasks that wait fail with `WorkerDied`."""
        await asyncio.gather(*(seat.retire() for seat in self._seats))

    @overload
    async def run(self, task: Literal["probe"], path: Path, *, timeout_seconds: float = ...) -> AudioFacts: ...
    @overload
    async def run(
        self, task: Literal["take_fingerprint"], path: Path, *, timeout_seconds: float = ...
    ) -> FingerprintTaken: ...
    @overload
    async def run(self, task: Literal["analyse"], path: Path, *, timeout_seconds: float = ...) -> Measurement: ...
    @overload
    async def run(self, task: Literal["listen"], path: Path, *, timeout_seconds: float = ...) -> Heard: ...
    @overload
    async def run(self, task: str, path: Path, *, timeout_seconds: float = ...) -> Any: ...
    async def run(self, task: str, path: Path, *, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> Any:
        """Does one task with one file in a free process, waiting for one if need be (the wait is not timed).

        Raises the `AudioRefused` the file deserves, or `WorkerDied`, `TookTooLong`, `OutOfMemory`, `TaskFailed`.
        Cancelling kills the process.
        """
        seat = await self._free.get()
        try:
            answer = await seat.run(Order(task=task, path=str(path)), timeout_seconds=timeout_seconds)
        finally:
            self._free.put_nowait(seat)
        return _finding(task, answer)


class _Seat:
    """A place in the pool: one process at a time."""

    def __init__(self, tasks: str, memory_bytes: int, tasks_per_process: int) -> None:
        self._tasks, self._memory_bytes, self._tasks_per_process = tasks, memory_bytes, tasks_per_process
        self._process: Process | None = None
        self._done = 0
        self._retired = False

    async def run(self, order: Order, *, timeout_seconds: float) -> Answer:
        """Sends the order and waits for the answer. The process outlives this call only if all went well."""
        healthy = False
        try:
            process = await self._ready()
            try:
                async with asyncio.timeout(timeout_seconds):
                    answer = await _ask(process, order)
            except TimeoutError as error:
                raise TookTooLong(f"Listening took longer than {timeout_seconds:g} seconds.") from error
            self._done += 1
            healthy = not isinstance(answer, Exhausted) and self._done < self._tasks_per_process
            return answer
        finally:
            if not healthy:
                await self.end()

    async def end(self) -> None:
        """Kills the process, if there is one, and waits until it is gone."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())

    async def retire(self) -> None:
        """Ends the process and never starts another."""
        self._retired = True
        await self.end()

    async def _ready(self) -> Process:
        if self._process is not None:
            try:
                async with asyncio.timeout(_START_TIMEOUT_SECONDS):
                    await _ask(self._process, _SIGN_OF_LIFE)
            except (WorkerDied, TimeoutError):
                await self.end()  # it died between two tasks, which is no fault of the next file
        if self._process is None:
            await self._start()
        if self._process is None or self._retired:
            raise WorkerDied("The workers are closed.")
        return self._process

    async def _start(self) -> None:
        if self._retired:
            return
        self._done = 0
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "tonetouch_ingest.listening.worker"),
            *(self._tasks, str(os.getpid()), str(self._memory_bytes)),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env=os.environ | _ONE_THREAD,
        )
        try:
            async with asyncio.timeout(_START_TIMEOUT_SECONDS):
                first = await _answer(self._process)
        except TimeoutError as error:
            raise WorkerDied("A worker process did not start in time.") from error
        if not isinstance(first, Ready):
            _finding("", first)  # raises what kept it from starting


async def _ask(process: Process, order: Order) -> Answer:
    assert process.stdin is not None
    body = msgspec.msgpack.encode(order)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the missing answer tells
        process.stdin.write(LENGTH.pack(len(body)) + body)
        await process.stdin.drain()
    return await _answer(process)


async def _answer(process: Process) -> Answer:
    assert process.stdout is not None
    try:
        (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
        return _answers.decode(await process.stdout.readexactly(length))
    except asyncio.IncompleteReadError as error:
        raise WorkerDied(f"The process that listened to the file ended: {_ending(await process.wait())}.") from error


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _finding(task: str, answer: Answer) -> Any:
    match answer:
        case Done(finding=finding):
            return msgspec.msgpack.decode(finding, type=_FINDINGS.get(task, Any))
        case Refusal(kind=kind, reason=reason):
            raise REFUSALS[kind](reason)
        case Exhausted():
            raise OutOfMemory("Listening to the file needed more memory than allowed.")
        case Failure(error=error, trace=trace):
            failed = TaskFailed(f"Listening failed unexpectedly: {error}")
            failed.add_note(trace)
            raise failed
        case _:
            raise TaskFailed("The worker process answered what nobody had asked.")

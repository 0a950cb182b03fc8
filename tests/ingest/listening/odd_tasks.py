"""Tasks for a worker process that misbehave on purpose, or tell about the process they run in."""

import os
import resource
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from tonetouch_ingest.listening.refusals import BrokenAudio


class Told(msgspec.Struct, frozen=True):
    """What a task found out."""

    pid: int
    text: str = ""
    number: int = 0


def echo(path: Path) -> Told:
    return Told(os.getpid(), path.name)


def crash(path: Path) -> Told:
    os.kill(os.getpid(), signal.SIGSEGV)
    return Told(os.getpid())


def hang(path: Path) -> Told:
    """Writes its process id to the file and never comes back."""
    path.with_suffix(".new").write_text(str(os.getpid()))
    path.with_suffix(".new").rename(path)
    threading.Event().wait()
    return Told(os.getpid())


def swallow(path: Path) -> Told:
    return Told(os.getpid(), number=len(bytearray(2 << 30)))


def refuse(path: Path) -> Told:
    raise BrokenAudio(f"{path.name} is broken.")


def stumble(path: Path) -> Told:
    raise LookupError("a bug")


def babble(path: Path) -> Told:
    """Prints over everything, as libraries do."""
    print("noise " * 10_000, flush=True)
    os.write(1, b"more noise")
    return Told(os.getpid(), os.environ["OMP_NUM_THREADS"])


def weigh(path: Path) -> Told:
    """Listens, and tells the highest resident size of the process in KiB."""
    from tonetouch_ingest.listening.tasks import listen

    bpm = listen(path).measurement.bpm
    return Told(os.getpid(), f"{bpm or 0:.0f}", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


TASKS: dict[str, Callable[[Path], msgspec.Struct]] = {
    task.__name__: task for task in (echo, crash, hang, swallow, refuse, stumble, babble, weigh)
}

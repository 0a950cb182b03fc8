"""One worker process, started by `workers.py`: `python -m tonetouch_ingest.listening.worker TASKS PARENT MEMORY_BYTES`.

It reads orders from its standard input and answers on its standard output, one at a time. It ends when its input closes
and, on Linux, in the moment its parent dies, even in the middle of a task.
"""

import ctypes
import importlib
import os
import resource
import signal
import struct
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from tonetouch_ingest.listening.refusals import AudioRefused

_PR_SET_PDEATHSIG: Final = 1
LENGTH: Final = struct.Struct(">I")


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Do this task with this file. No task at all asks for a sign of life: `Ready`."""

    task: str
    path: str


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The process has loaded everything and waits for an order."""


class Done(msgspec.Struct, frozen=True, kw_only=True, tag="done"):
    """The task's finding, encoded."""

    finding: msgspec.Raw


class Refusal(msgspec.Struct, frozen=True, kw_only=True, tag="refusal"):
    """The file was refused; `kind` is the name of the class."""

    kind: str
    reason: str


class Exhausted(msgspec.Struct, frozen=True, tag="exhausted"):
    """The memory limit was reached."""


class Failure(msgspec.Struct, frozen=True, kw_only=True, tag="failure"):
    """The task raised something unexpected."""

    error: str
    trace: str


Answer = Ready | Done | Refusal | Exhausted | Failure
Task = Callable[[Path], msgspec.Struct]

_encoder = msgspec.msgpack.Encoder()
_orders = msgspec.msgpack.Decoder(Order)


def main(arguments: list[str]) -> None:
    """Serves orders until the input closes."""
    module, parent, memory_bytes = arguments
    _die_with(int(parent))
    # Ctrl-C reaches the whole process group; the parent decides what ends when.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = _claim_output()
    # Heap and private mappings only: what the file can make grow. RLIMIT_AS counts shared libraries as well, which
    # differ from build to build; watching the resident size from outside notices a sudden allocation too late.
    resource.setrlimit(resource.RLIMIT_DATA, (int(memory_bytes), int(memory_bytes)))
    try:
        tasks: Mapping[str, Task] = importlib.import_module(module).TASKS
    except Exception as error:
        _write(answers, Failure(error=f"{type(error).__name__}: {error}", trace=traceback.format_exc()))
        return
    _write(answers, Ready())
    while (order := _read(sys.stdin.buffer)) is not None:
        _write(answers, _answer(tasks, order))


def _answer(tasks: Mapping[str, Task], order: Order) -> Answer:
    if not order.task:
        return Ready()
    try:
        return Done(finding=msgspec.Raw(_encoder.encode(tasks[order.task](Path(order.path)))))
    except AudioRefused as refused:
        return Refusal(kind=type(refused).__name__, reason=refused.reason)
    except MemoryError:
        return Exhausted()
    except Exception as error:
        if "bad_alloc" in str(error):  # Essentia hands on C++'s word for the same
            return Exhausted()
        return Failure(error=f"{type(error).__name__}: {error}", trace=traceback.format_exc())


def _die_with(parent: int) -> None:
    """Asks Linux for the parent's death as a signal. It means the thread that started us: the one of the event loop."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked to be told
        os._exit(1)


def _claim_output() -> BinaryIO:
    """Keeps the pipe to the parent for answers; whatever a library prints goes nowhere."""
    own = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return os.fdopen(own, "wb")


def _read(stream: BinaryIO) -> Order | None:
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    return _orders.decode(stream.read(length))


def _write(stream: BinaryIO, answer: Answer) -> None:
    body = _encoder.encode(answer)
    stream.write(LENGTH.pack(len(body)) + body)
    stream.flush()


if __name__ == "__main__":
    main(sys.argv[1:])

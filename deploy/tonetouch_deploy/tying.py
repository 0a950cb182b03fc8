"""Ties children to their supervisor: when it is killed, even with SIGKILL, nothing it started lives on.

Two ropes, because each misses something. On Linux the kernel kills a child when its parent ends (PR_SET_PDEATHSIG,
prctl(2)), but not the child's own children. A small guard process, which runs this file, knows all process groups and
kills them when its pipe from the supervisor breaks; that covers grandchildren, and macOS.

Only the standard library is used here, so that the guard costs one bare interpreter.
"""

import contextlib
import os
import signal
import subprocess
import sys

# Runs in the child before its program: ask for the signal, then make sure that the parent was not gone already.
_TIE = (
    "import ctypes,os,sys;"
    "ctypes.CDLL(None).prctl(1,9);"
    "os.getppid()==int(sys.argv[1]) or os._exit(1);"
    "os.execvp(sys.argv[2],sys.argv[2:])"
)


def tied(command: tuple[str, ...]) -> tuple[str, ...]:
    """The command, wrapped so that the kernel kills it with the process (and thread) that starts it; Linux only."""
    if sys.platform != "linux":
        return command
    return (sys.executable, "-I", "-S", "-c", _TIE, str(os.getpid()), *command)


class Guard:
    """Kills the process groups it was told about as soon as the process that made it is gone."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__], stdin=subprocess.PIPE, start_new_session=True
        )

    def watch(self, group: int) -> None:
        """From now on the group dies with this process."""
        self._tell(f"+{group}")

    def forget(self, group: int) -> None:
        """The group has ended; its number may belong to somebody else soon."""
        self._tell(f"-{group}")

    def close(self) -> None:
        """End the guard. Groups that were not forgotten are killed."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # somebody killed the guard; the kernel's rope is left
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()


def kill_group(group: int) -> None:
    """SIGKILL to every process that is left in the group; none is fine."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _guard() -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    for group in groups:
        kill_group(group)


if __name__ == "__main__":
    _guard()

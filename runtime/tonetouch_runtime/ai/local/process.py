"""A program of `programs` at work in a process of its own: bytes in, bytes out, within a time."""

import subprocess
import sys
from pathlib import Path

from tonetouch_runtime.ai.local.errors import EngineFailed, InputRefused

REFUSED = 3
PROGRAMS = Path(__file__).parent / "programs"
MAX_REASON = 300


def run(
    name: str,
    *arguments: str,
    given: bytes,
    timeout_seconds: float,
    refused: type[InputRefused] = InputRefused,
    programs: Path = PROGRAMS,
) -> bytes:
    """What the program called `name` in the folder `programs` answers to `given`.

    Raises `refused` with the program's own reason, and `EngineFailed` when it dies or is not done in time.
    """
    # -I: neither the caller's folder nor its environment decide what the program imports.
    command = [sys.executable, "-I", str(programs / f"{name}.py"), *arguments]
    try:
        done = subprocess.run(command, input=given, capture_output=True, timeout=timeout_seconds, check=False)
    except subprocess.TimeoutExpired:
        reason = f"The program {name} was not done after {timeout_seconds:.0f} seconds."
        raise EngineFailed(reason, timed_out=True) from None
    reason = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2][:MAX_REASON]
    if done.returncode == REFUSED:
        raise refused(reason)
    if done.returncode:
        raise EngineFailed(f"The program {name} ended with status {done.returncode}: {reason}")
    return done.stdout

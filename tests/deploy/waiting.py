"""Waiting for a condition, with a bound."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path


async def until(condition: Callable[[], object], *, within_seconds: float = 60.0) -> None:
    """Return as soon as the condition holds; fail when the bound is over."""
    end = time.monotonic() + within_seconds
    while not condition():
        assert time.monotonic() < end, f"did not happen within {within_seconds} s"
        await asyncio.sleep(0.01)


def is_gone(pid: int) -> bool:
    """Whether the process has ended; one that nobody has collected yet (a zombie) has."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return Path("/proc/self").exists()  # where there is no /proc, only the signal tells

"""Builds the index of a copy of a collection in a process of its own.

Qdrant Edge 0.9 builds its graph only when `optimize()` is called, and holds the interpreter lock until it is done:
20,000 vectors of 1024 numbers stopped every other thread for 14 seconds on two cores. So the engine copies the shard,
runs this module on the copy, repeats there what was written meanwhile, and changes over.
"""

import asyncio
import ctypes
import os
import signal
import sys
from pathlib import Path

from .qdrant_shard import QdrantShard

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux


async def index_copy(path: Path) -> None:
    """Build the index of the shard at `path`, which nobody may have open, and return when it is on disk.

    Cancelling it ends the process. Raises `RuntimeError` with the last words of a process that failed.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, str(path), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        _, errors = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        raise RuntimeError(f"indexing {path} ended with {process.returncode}: {errors.decode(errors='replace')[-500:]}")


def main(path: Path) -> None:
    """What the process does, in the background's own time (niceness 10)."""
    if sys.platform == "linux":
        # The lock held by `optimize()` leaves no thread to notice that the parent is gone; the kernel does.
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    os.nice(10)
    shard = QdrantShard.load(path)
    shard.build_index()
    shard.flush()
    shard.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

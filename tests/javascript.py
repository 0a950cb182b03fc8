"""What tests need from npm. Each of these folders has a lock file that names every version.

    python -m tests.javascript    install all of it

A test that needs a folder asks for it with `installed`, which does nothing where that was done before.
"""

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

ASYNCAPI = Path(__file__).parent / "contracts/asyncapi"
EXAMPLE = Path(__file__).parents[1] / "examples/javascript"
FOLDERS = (ASYNCAPI, EXAMPLE)


def node() -> str | None:
    """Where Node.js is; None on a machine without it and its npm."""
    return shutil.which("node") if shutil.which("npm") else None


def installed(folder: Path) -> Path:
    """The folder, with exactly what its lock file names in ``node_modules``. Raises CalledProcessError."""
    lock, mark = folder / "package-lock.json", folder / "node_modules/.installed.json"
    with lock.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # tests in another process may ask at the same moment
        if not (mark.exists() and mark.read_bytes() == lock.read_bytes()):
            subprocess.run(["npm", "ci", "--loglevel=error"], cwd=folder, check=True, stdout=sys.stderr)
            shutil.copyfile(lock, mark)
    return folder


if __name__ == "__main__":
    if node() is None:
        sys.exit("Node.js 20 or later and its npm are not on this machine's path; install them first")
    for each in FOLDERS:
        installed(each)

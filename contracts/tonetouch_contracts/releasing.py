"""Releases the events as they are: from then on no change may break them.

    python -m tonetouch_contracts.releasing 2026-01-31 "Listeners gather tracks in playlists."

The version follows from the one before. Set the same in ``pyproject.toml``, and run
``python -m tonetouch_contracts.generating`` afterwards.
"""

import argparse
import datetime
import sys
from collections.abc import Callable
from pathlib import Path

from tonetouch_contracts.documents.releases import (
    Release,
    broken_promises,
    differing,
    next_version,
    shapes_after,
    write_release,
)
from tonetouch_contracts.generating import ROOT, released_and_now


def main(arguments: list[str] | None = None, report: Callable[[str], None] = print) -> int:
    """The command. Returns the exit status: 1 where a promise would break, or nothing is new."""
    parser = argparse.ArgumentParser(prog="tonetouch_contracts.releasing", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("date", type=datetime.date.fromisoformat, help="the day of the release")
    parser.add_argument("words", help="one or two sentences: what this release is about")
    parser.add_argument("--root", type=Path, default=ROOT, help="the package's folder")
    chosen = parser.parse_args(arguments)
    releases, shapes = released_and_now(chosen.root)
    if broken := broken_promises(releases, shapes):
        for line in broken:
            report(line)
        return 1
    events = differing(shapes_after(releases), shapes)
    if not events:
        report("Nothing is new since the last release.")
        return 1
    version = next_version(releases, shapes).removesuffix("-unreleased")
    release = Release(version=version, date=chosen.date.isoformat(), words=chosen.words, events=events)
    report(write_release(chosen.root, release).as_posix())
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""``python -m tests.evaluation [--only listeners]``: how good what is recommended and found is, in figures.

Ends with 1 where something is not as good as it has to be.
"""

import argparse
import sys
from pathlib import Path

from tests.evaluation import listeners

PARTS = ("listeners", "searches", "sounds")


def main() -> None:
    parser = argparse.ArgumentParser(prog="evaluate", description=__doc__)
    parser.add_argument("--listeners", type=int, default=listeners.LISTENERS, help="how many are made up")
    parser.add_argument("--seed", type=int, default=listeners.SEED, help="the same seed makes the same listeners")
    parser.add_argument("--only", choices=PARTS, help="one part instead of all")
    parser.add_argument("--yambda", type=Path, help="a folder with the 50m cut of Yambda: real listeners as well")
    told = parser.parse_args()
    is_good = True
    if told.only in (None, "listeners"):
        is_good = listeners.run(listeners=told.listeners, seed=told.seed, yambda=told.yambda)
    if told.only in (None, "searches"):
        from tests.evaluation import searches

        is_good = searches.run() == 0 and is_good
    if told.only in (None, "sounds"):
        from tests.evaluation import sounds

        is_good = sounds.run() and is_good
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    main()

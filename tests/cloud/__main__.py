"""The simulator as a process: ``python -m tests.cloud --port 0``.

Prints one line of JSON, its URL and an account with all its keys, and serves until it is told to end.
"""

import argparse
import json
import signal
import sys
import threading

from tests.cloud.controlling import told
from tests.cloud.serving import simulator


def main() -> None:
    """Reads the options, serves, and ends with SIGTERM or SIGINT."""
    options = argparse.ArgumentParser(prog="python -m tests.cloud")
    options.add_argument("--port", type=int, default=0, help="a port of loopback; 0 takes a free one")
    options.add_argument("--account", help="the id of the first account; else it is random")
    options.add_argument("--seed", help="makes the keys of the first account the same every time")
    options.add_argument("--unlimited", action="store_true", help="without the documented limits a minute")
    given = options.parse_args()
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    with simulator(given.port) as running:
        account = running.account(given.account, given.seed)
        if given.unlimited:
            account.unlimit()
        sys.stdout.write(json.dumps(told(account)) + "\n")
        sys.stdout.flush()
        over.wait()


if __name__ == "__main__":
    main()

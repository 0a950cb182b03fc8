"""The simulator as a running server, in a thread of this process."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from tests.cloud.account import Account
from tests.cloud.accounts import Accounts
from tests.cloud.app import application

START_SECONDS = 20.0


class Simulator:
    """A running simulator; each account in it is on its own."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    @property
    def url(self) -> str:
        return self._accounts.url

    def account(self, name: str | None = None, seed: str | None = None) -> Account:
        """A fresh account. With `seed` its keys are the same every time."""
        return self._accounts.open(name, seed)


@contextmanager
def simulator(port: int = 0) -> Iterator[Simulator]:
    """Serves on loopback for the length of the block; accepts connections at once."""
    accounts = Accounts()
    with _listener(port) as listener:
        accounts.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        # What a fault breaks off is meant; uvicorn would call it an error of the application.
        config = uvicorn.Config(
            application(accounts), lifespan="off", log_level="critical", access_log=False, timeout_keep_alive=75
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="cloud", daemon=True)
        thread.start()
        _wait_until(server)
        try:
            yield Simulator(accounts)
        finally:
            server.should_exit = True
            thread.join(START_SECONDS)


def _listener(port: int) -> socket.socket:
    """Listens on loopback. With the protocol named, asyncio sends without delay; else each answer waits 40 ms."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(1024)
    return listener


def _wait_until(server: uvicorn.Server) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        if time.monotonic() > deadline:
            raise TimeoutError("the simulator did not start")
        time.sleep(0.005)

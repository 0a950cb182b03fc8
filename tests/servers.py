"""The real servers the tests talk to: S3 and NATS, on free loopback ports and in a folder of their own."""

import asyncio
import json
import os
import secrets
import socket
import subprocess
import sysconfig
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import msgspec
import uvicorn
from pydantic import SecretStr
from starlette.types import ASGIApp

from tonetouch_contracts.manifest import STREAMS
from tonetouch_deploy.nats_accounts import (
    OPERATOR,
    READER,
    READER_PERMISSIONS,
    ROLES,
    account,
    permissions_of,
    reading_account,
    user,
)

START_SECONDS = 60.0
STOP_SECONDS = 10.0
PORT_ATTEMPTS = 3
ACCOUNTS = 600
"""JetStream accounts of a test server in which everything is allowed: a test that wants streams takes the next one."""
INSTALLATIONS = 900
"""More accounts of the shared test server, with the permissions of a real one; a few of them have readers too."""
READABLE = 24


class ServerDidNotStart(Exception):
    """The program ended or stayed silent; the message carries the end of its log."""


@dataclass(frozen=True)
class ObjectStoreServer:
    """A running S3 server. Buckets are the folders inside `folder`."""

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    folder: Path
    process: subprocess.Popen[bytes]

    def leftovers(self) -> list[Path]:
        """What unfinished uploads have left on the disk; the server hides these files from its listings."""
        return sorted(self.folder.rglob(".rclone_*"))


@contextmanager
def object_store(folder: Path) -> Iterator[ObjectStoreServer]:
    """An S3 server (`rclone serve s3`) over `folder/objects`, stopped at the end of the block."""
    served = folder / "objects"
    served.mkdir(parents=True, exist_ok=True)
    access_key, secret_key = secrets.token_hex(8), secrets.token_hex(16)
    # The environment keeps the secret out of the process list; it is read as a line of CSV, hence the quotes.
    environment = os.environ | {"RCLONE_AUTH_KEY": f'"{access_key},{secret_key}"', "RCLONE_CONFIG": os.devnull}

    def launch(port: int, log: IO[bytes]) -> subprocess.Popen[bytes]:
        command = [_program("rclone"), "serve", "s3", "--no-cleanup", "--addr", f"127.0.0.1:{port}", str(served)]
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    process, port = _started(launch, _answers_http, folder / "rclone.log")
    try:
        yield ObjectStoreServer(
            endpoint=f"http://127.0.0.1:{port}",
            access_key=access_key,
            secret_key=secret_key,
            folder=served,
            process=process,
        )
    finally:
        _stop(process)


@dataclass(frozen=True)
class Tenant:
    """An account of its own with the users of an installation.

    `url` is that of a test, to which everything is allowed; the others are known by `user` and their role.
    """

    url: str
    user: str
    password: str = field(repr=False)
    reader_url: str

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of services that run here."""
        return {"nats_url": self.url, "nats_user": self.user, "nats_password": SecretStr(self.password)}


@dataclass
class NatsServer:
    """A running NATS server with JetStream on disk; `restart` and `kill` keep its port and its data."""

    url: str
    port: int
    folder: Path
    process: subprocess.Popen[bytes]
    installations: int = 0
    _accounts: Iterator[int] = field(default_factory=lambda: iter(range(ACCOUNTS)))
    _readable: Iterator[int] = field(default_factory=lambda: iter(range(READABLE)))
    _installations: Iterator[int] = field(default_factory=lambda: iter(range(READABLE, INSTALLATIONS)))

    def fresh_account(self) -> str:
        """The URL of an account with no stream in it: what other tests do cannot be seen there."""
        return self._url(f"tenant{next(self._accounts)}")

    def fresh_installation(self, *, readable: bool = False) -> Tenant:
        """The same, with the users and permissions of an installation; a `readable` one has other teams' reader too.

        Where it is not readable, a test may say what other services would over the connection of the one it runs.
        """
        name = f"home{next(self._readable if readable else self._installations)}"
        return Tenant(
            url=self._url(name), user=f"{name}-{{service}}", password=name, reader_url=self._url(name, f"{name}-reader")
        )

    def _url(self, password: str, user: str | None = None) -> str:
        return f"nats://{user or password}:{password}@127.0.0.1:{self.port}"

    def kill(self) -> None:
        """Ends the server at once (SIGKILL), as a power cut would."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    def restart(self) -> None:
        """Stops the server if it still runs, and starts it again on the same port and data."""
        _stop(self.process)
        with (self.folder / "nats.log").open("ab") as log:
            self.process = _launch_nats(self.folder, self.port, self.installations, log)
        _wait_until_ready(self.process, self.port, _speaks_nats, self.folder / "nats.log")


@contextmanager
def nats_server(folder: Path, *, installations: int = 0) -> Iterator[NatsServer]:
    """A `nats-server` that syncs every write, its data in `folder/jetstream`, stopped at the end of the block."""
    folder.mkdir(parents=True, exist_ok=True)

    def launch(port: int, log: IO[bytes]) -> subprocess.Popen[bytes]:
        return _launch_nats(folder, port, installations, log)

    process, port = _started(launch, _speaks_nats, folder / "nats.log")
    url = f"nats://127.0.0.1:{port}"
    server = NatsServer(url=url, port=port, folder=folder, process=process, installations=installations)
    try:
        yield server
    finally:
        _stop(server.process)


@contextmanager
def prometheus(config: Path) -> Iterator[str]:
    """A Prometheus of this machine's packages with this configuration, its series beside it; gives its address."""

    def launch(port: int, log: IO[bytes]) -> subprocess.Popen[bytes]:
        series, listen = config.parent / "series", f"127.0.0.1:{port}"
        command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={series}"]
        return subprocess.Popen([*command, f"--web.listen-address={listen}"], stdout=log, stderr=log)

    process, port = _started(launch, _answers_http, config.parent / "prometheus.log")
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        _stop(process)


@asynccontextmanager
async def web_server(app: ASGIApp) -> AsyncIterator[int]:
    """Serves `app` with uvicorn on the running loop; gives the port, which accepts connections at once."""
    # With the protocol named asyncio sends small answers at once; else they wait for a delayed acknowledgement.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="warning"))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await serving


def _launch_nats(folder: Path, port: int, installations: int, log: IO[bytes]) -> subprocess.Popen[bytes]:
    config = folder / "nats.conf"
    store = json.dumps(str(folder / "jetstream"))
    plain = "".join(
        f"  {name}: {{ jetstream: enabled, users: [{{ user: {name}, password: {name} }}] }}\n"
        for name in ("shared", *(f"tenant{number}" for number in range(ACCOUNTS)))
    )
    allowed = {"anything": '{ publish: ">", subscribe: ">" }', READER: READER_PERMISSIONS.written()}
    allowed |= {role: permissions_of(role).written() for role in ROLES}
    allowed |= {f"{role}_and_tests": _told_by_tests(role) for role in ROLES if role != OPERATOR}
    # The server takes a name that nothing refers to for a mistake.
    variables = "".join(f"may_{role}: {said}\n" for role, said in allowed.items()) if installations else ""
    homes = "".join(_home(f"home{number}", readable=number < READABLE) for number in range(installations))
    config.write_text(
        f"listen: 127.0.0.1:{port}\nserver_name: tests\njetstream {{ store_dir: {store}, sync_interval: always }}\n"
        f"{variables}accounts {{\n{plain}{homes}}}\nno_auth_user: shared\n",
        encoding="utf-8",
    )
    return subprocess.Popen([_program("nats-server"), "--config", str(config)], stdout=log, stderr=log)


def _home(name: str, *, readable: bool) -> str:
    """The account of an installation.

    All of an operator's permissions cost the start of the server as much as those of the services: few accounts have
    them, in the others an operator may do anything.
    """
    mine = [user(each, name, "$may_anything") for each in (name, f"{name}-tests")]
    if not readable:
        mine.append(user(f"{name}-{OPERATOR}", name, "$may_anything"))
        told = [user(f"{name}-{role}", name, f"$may_{role}_and_tests") for role in ROLES if role != OPERATOR]
        return f"  {name}: {{ jetstream: enabled, users: [ {', '.join([*mine, *told])} ] }}\n"
    users = [*mine, *(user(f"{name}-{role}", name, f"$may_{role}") for role in ROLES)]
    readers = reading_account(f"{name}-readers", name, [user(f"{name}-{READER}", name, f"$may_{READER}")])
    return account(name, users) + readers


def _told_by_tests(role: str) -> str:
    """The permissions of a role whose connection tests use too: to say what other services would, and to ask."""
    exact = permissions_of(role)
    said = (subject for stream in STREAMS for subject in stream.subjects)
    return msgspec.structs.replace(exact, publish=tuple(dict.fromkeys((*exact.publish, *said, "cmd.>")))).written()


def _program(name: str) -> str:
    """The program a wheel has put beside this Python."""
    return str(Path(sysconfig.get_path("scripts")) / name)


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _started(
    launch: Callable[[int, IO[bytes]], subprocess.Popen[bytes]], ready: Callable[[int], bool], log_path: Path
) -> tuple[subprocess.Popen[bytes], int]:
    """Another program may take the port between looking and listening, so a start is tried on several ports."""
    for attempt in range(1, PORT_ATTEMPTS + 1):
        port = free_port()
        with log_path.open("ab") as log:
            process = launch(port, log)
        try:
            _wait_until_ready(process, port, ready, log_path)
        except ServerDidNotStart:
            _stop(process)
            if attempt == PORT_ATTEMPTS:
                raise
        else:
            return process, port
    raise AssertionError("unreachable")


def _wait_until_ready(
    process: subprocess.Popen[bytes], port: int, ready: Callable[[int], bool], log_path: Path
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if ready(port):
            return
        time.sleep(0.02)
    raise ServerDidNotStart(log_path.read_text(encoding="utf-8", errors="replace")[-2000:])


def _answers_http(port: int) -> bool:
    return _greeting(port, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/")


def _speaks_nats(port: int) -> bool:
    return _greeting(port, b"").startswith(b"INFO ")


def _greeting(port: int, request: bytes) -> bytes:
    """The first bytes a server says, or nothing when nobody listens yet."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            connection.sendall(request)
            return connection.recv(64)
    except OSError:
        return b""


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_SECONDS)

"""Three `nats-server` processes on loopback that are one cluster: what two of them have is written."""

import json
import subprocess
import sysconfig
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers import free_port

STOP_SECONDS = 10.0
START_SECONDS = 20.0


@dataclass
class Node:
    """One server of the cluster; killed and started again it keeps its ports and its data."""

    name: str
    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Run it, unless it runs."""
        if self.process is None:
            program = str(Path(sysconfig.get_path("scripts")) / "nats-server")
            with (self.folder / "nats.log").open("ab") as log:
                command = [program, "--config", str(self.folder / "nats.conf")]
                self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(STOP_SECONDS)
            self.process = None


@dataclass(frozen=True)
class Cluster:
    """The nodes by their names."""

    nodes: Mapping[str, Node]

    @property
    def urls(self) -> list[str]:
        return [node.url for node in self.nodes.values()]


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """A cluster whose data is in `folder`, gone at the end of the block. It elects its leader within a few seconds."""
    names = ("one", "two", "three")
    routes = {name: free_port() for name in names}
    nodes = {}
    for name in names:
        node = Node(name, free_port(), folder / name)
        node.folder.mkdir(parents=True)
        (node.folder / "nats.conf").write_text(_configuration(node, routes), encoding="utf-8")
        nodes[name] = node
    try:
        for node in nodes.values():
            node.start()
        yield Cluster(nodes)
    finally:
        for node in nodes.values():
            node.kill()


@contextmanager
def small_node(folder: Path, *, room: str) -> Iterator[Node]:
    """One server alone, which keeps no more than this (``1MB``); `give_room` takes effect at its next start."""
    node = Node("small", free_port(), folder)
    give_room(node, room)
    try:
        node.start()
        wait_for(node)
        yield node
    finally:
        node.kill()


def give_room(node: Node, room: str) -> None:
    """How much a small node may keep."""
    store = json.dumps(str(node.folder / "jetstream"))
    lines = (
        f"server_name: {node.name}",
        f"listen: 127.0.0.1:{node.port}",
        f"jetstream {{ store_dir: {store}, sync_interval: always, max_file: {room}, max_mem: 1MB }}",
    )
    (node.folder / "nats.conf").write_text("\n".join(lines), encoding="utf-8")


def _configuration(node: Node, routes: Mapping[str, int]) -> str:
    others = ", ".join(f'"nats://127.0.0.1:{port}"' for name, port in routes.items() if name != node.name)
    store = json.dumps(str(node.folder / "jetstream"))
    return (
        f"server_name: {node.name}\n"
        f"listen: 127.0.0.1:{node.port}\n"
        f"jetstream {{ store_dir: {store}, sync_interval: always }}\n"
        f"cluster {{ name: tests, listen: 127.0.0.1:{routes[node.name]}, routes: [{others}] }}\n"
    )


def wait_for(node: Node) -> None:
    """Return when it writes that it is ready. Raises TimeoutError."""
    deadline = time.monotonic() + START_SECONDS
    while "Server is ready" not in (node.folder / "nats.log").read_text(errors="replace"):
        if time.monotonic() > deadline:
            raise TimeoutError(f"node {node.name} is not ready")
        time.sleep(0.02)

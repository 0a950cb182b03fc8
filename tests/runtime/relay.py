"""A relay between a client and the real S3 server: it shows what passes, and can hold or refuse a part."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.servers import ObjectStoreServer


@dataclass
class Traffic:
    """What passed the relay, and a gate that holds parts back while it is closed."""

    gate: threading.Event = field(default_factory=threading.Event)
    refused_part: str = ""
    parts_under_way: int = 0
    most_parts: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    seen: list[str] = field(default_factory=list)

    @contextmanager
    def part(self) -> Iterator[None]:
        with self.lock:
            self.parts_under_way += 1
            self.most_parts = max(self.most_parts, self.parts_under_way)
        try:
            assert self.gate.wait(30)
            yield
        finally:
            with self.lock:
                self.parts_under_way -= 1


@contextmanager
def relay(s3: ObjectStoreServer, traffic: Traffic) -> Iterator[str]:
    """A relay in front of the real server, to watch and to hold what passes."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            traffic.seen.append(f"{self.command} {self.path}")
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if self.command == "PUT" and "partNumber=" in self.path:
                with traffic.part():
                    self.forward(body)
            else:
                self.forward(body)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = pass_on  # noqa: N815

        def forward(self, body: bytes) -> None:
            if traffic.refused_part and f"partNumber={traffic.refused_part}" in self.path:
                return self.answer(403, {}, b"<Error><Code>AccessDenied</Code></Error>")
            upstream = http.client.HTTPConnection(urlsplit(s3.endpoint).netloc, timeout=30)
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                upstream.putheader(name, value)
            upstream.endheaders(body)
            answer = upstream.getresponse()
            self.answer(answer.status, dict(answer.getheaders()), answer.read())
            upstream.close()
            return None

        def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Tests read what was seen, not a log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, name="relay", daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        traffic.gate.set()
        server.shutdown()
        server.server_close()

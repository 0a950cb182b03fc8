"""HTTP as bytes on a socket, so that a test decides what is sent, in which pieces, and when it stops."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

BOUNDARY = "a-boundary-of-the-tests"
FORM_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer: header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def part(name: str, content: bytes, *, filename: str | None = None, headers: str = "") -> bytes:
    """One part of a form, without its boundary lines; `headers` are further lines, each with its CRLF."""
    named = f'form-data; name="{name}"' + ("" if filename is None else f'; filename="{filename}"')
    return f"Content-Disposition: {named}\r\n{headers}\r\n".encode() + content


def form(*parts: bytes) -> bytes:
    """A whole body of type `FORM_TYPE`."""
    line = f"--{BOUNDARY}".encode()
    return b"".join(line + b"\r\n" + one + b"\r\n" for one in parts) + line + b"--\r\n"


async def pieces(body: bytes, size: int = 64 * 1024) -> AsyncIterator[bytes]:
    """A body in pieces of `size` bytes."""
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def exchange(
    port: int, method: str, path: str, *, headers: Mapping[str, str], body: AsyncIterator[bytes] | None = None
) -> Reply:
    """Sends a request and reads the answer, also when the server answers before it has read everything.

    Without a `content-length` among the headers, a body is sent chunked.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sending = asyncio.create_task(_send(writer, method, path, headers, body))
    try:
        return await _reply(reader, method)
    finally:
        sending.cancel()
        with suppress(asyncio.CancelledError, ConnectionError):
            await sending
        writer.close()


async def _reply(reader: asyncio.StreamReader, method: str) -> Reply:
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    code = int(status.split(" ")[1])
    without_body = method == "HEAD" or code == 304
    body = b"" if without_body else await reader.readexactly(int(headers["content-length"]))
    return Reply(status=code, headers=headers, body=body)


async def _send(
    writer: asyncio.StreamWriter, method: str, path: str, headers: Mapping[str, str], body: AsyncIterator[bytes] | None
) -> None:
    chunked = body is not None and "content-length" not in headers
    writer.write(request_head(method, path, {**headers, **({"transfer-encoding": "chunked"} if chunked else {})}))
    if body is not None:
        async for piece in body:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            await writer.drain()
    if chunked:
        writer.write(b"0\r\n\r\n")
    await writer.drain()


def request_head(method: str, path: str, headers: Mapping[str, str]) -> bytes:
    """The bytes of a request up to its body; the connection is for this request only."""
    lines = {"host": "tests", "connection": "close"} | dict(headers)
    return (
        f"{method} {path} HTTP/1.1\r\n".encode()
        + b"".join(f"{k}: {v}\r\n".encode() for k, v in lines.items())
        + b"\r\n"
    )

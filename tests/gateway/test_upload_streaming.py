"""An upload through a real server into a real store: what it costs in memory, and what a bad end leaves behind."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from tests.gateway.door import door
from tests.gateway.wire import BOUNDARY, FORM_TYPE, Reply, exchange, form, part, pieces, request_head
from tests.servers import ObjectStoreServer, web_server
from tonetouch_gateway.multipart import COVER_BYTES, ClientLeft, TooLarge, UploadRefused
from tonetouch_runtime._objects import PART_BYTES, Objects, ObjectStoreAddress

MIB = 2**20
FORM = {"content-type": FORM_TYPE}
ROOT = Path(__file__).parents[2]


def _address(s3: ObjectStoreServer, **other: str) -> ObjectStoreAddress:
    facts = {"endpoint": s3.endpoint, "access_key": s3.access_key, "secret_key": s3.secret_key} | other
    return ObjectStoreAddress(bucket="uploads", **facts)


@pytest.fixture(scope="module", name="objects")
def _objects(s3: ObjectStoreServer) -> Iterator[Objects]:
    objects = Objects(_address(s3))
    asyncio.run(objects.ensure_bucket())
    yield objects
    asyncio.run(objects.close())


async def _big_form(file_bytes: int, *, behind: bytes = b"") -> AsyncIterator[bytes]:
    """A form around a file that nobody ever has in memory as a whole."""
    line = f"--{BOUNDARY}\r\n".encode()
    yield line + part("file", b"", filename="big.wav")
    block = bytes(64 * 1024)
    for _ in range(file_bytes // len(block)):
        yield block
    yield b"\r\n" + behind + f"--{BOUNDARY}--\r\n".encode()


async def _until(condition: Callable[[], bool], *, seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


async def _keys(objects: Objects, prefix: str) -> list[str]:
    return [facts.key async for facts in objects.list(prefix)]


async def test_a_form_becomes_an_object_and_fields(objects: Objects) -> None:
    """A file of several parts with a field behind it, sent chunked: the stored bytes are those that were sent."""
    song = os.urandom(2 * PART_BYTES + 12345)
    body = form(part("title", b"T"), part("file", song, filename="a/b.mp3"), part("artist", "Ä".encode()))
    async with web_server(door(objects, max_bytes=32 * MIB)) as port:
        reply = await exchange(port, "POST", "/whole", headers=FORM, body=pieces(body))
    assert reply.status == 200
    answer = json.loads(reply.body)
    assert answer["fields"] == {"title": "T", "artist": "Ä"}
    assert answer["file"] | {"sha256": ""} == {
        "filename": "b.mp3",
        "content_type": "application/octet-stream",
        "size": len(song),
        "sha256": "",
    }
    assert answer["file"]["sha256"] == sha256(await objects.get("whole", max_bytes=len(song))).hexdigest()


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_beyond_the_limit_is_answered_413(
    s3: ObjectStoreServer, objects: Objects, announced: bool
) -> None:
    """By its length before it is read, and without a length by counting; the client gets the answer either way."""
    size = COVER_BYTES + 40 * MIB
    headers = FORM | ({"content-length": str(size + 1000)} if announced else {})
    refused: list[UploadRefused] = []
    async with web_server(door(objects, max_bytes=9 * MIB, refused=refused)) as port:
        reply = await exchange(port, "POST", "/large", headers=headers, body=_big_form(size))
    assert (reply.status, json.loads(reply.body)) == (413, {"error": "TooLarge"})
    assert isinstance(refused[0], TooLarge)
    assert refused[0].part == ("the body" if announced else "file")
    assert await _keys(objects, "large") == []
    assert s3.leftovers() == []


@pytest.mark.parametrize("sent_bytes", [MIB, 20 * MIB])
async def test_a_client_that_leaves_in_the_middle_leaves_nothing(
    s3: ObjectStoreServer, objects: Objects, sent_bytes: int
) -> None:
    """Before the first part is full and after two have been stored: no object, no unfinished upload."""
    refused: list[UploadRefused] = []
    async with web_server(door(objects, max_bytes=64 * MIB, refused=refused)) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_head("POST", "/left", FORM | {"content-length": str(40 * MIB)}))
        async for piece in _big_form(sent_bytes):
            writer.write(piece.removesuffix(b"--\r\n"))
            await writer.drain()
        if sent_bytes > PART_BYTES:
            await _until(lambda: s3.leftovers() != [])
        writer.transport.abort()
        await _until(lambda: refused != [])
    assert isinstance(refused[0], ClientLeft)
    assert await _keys(objects, "left") == []
    assert s3.leftovers() == []


@pytest.mark.parametrize("bad_end", [part("title", b"\xff"), part("lyrics", bytes(2**20)), part("file", b"again")])
async def test_a_bad_field_behind_a_good_file_leaves_nothing(
    s3: ObjectStoreServer, objects: Objects, bad_end: bytes
) -> None:
    """The object appears only when the whole form is good."""
    behind = f"--{BOUNDARY}\r\n".encode() + bad_end + b"\r\n"
    async with web_server(door(objects, max_bytes=64 * MIB)) as port:
        reply = await exchange(port, "POST", "/bad", headers=FORM, body=_big_form(20 * MIB, behind=behind))
    assert reply.status in {400, 413}
    assert await _keys(objects, "bad") == []
    assert s3.leftovers() == []


@contextmanager
def _door_process(address: ObjectStoreAddress) -> Iterator[int]:
    environment = os.environ | {
        "DOOR_ENDPOINT": address.endpoint,
        "DOOR_BUCKET": address.bucket,
        "DOOR_ACCESS_KEY": address.access_key,
        "DOOR_SECRET_KEY": address.secret_key,
    }
    command = [sys.executable, "-m", "tests.gateway.door"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.terminate()


async def _peak_memory_bytes(port: int) -> int:
    reply = await exchange(port, "GET", "/memory", headers={})
    peak: int = json.loads(reply.body)["peak_bytes"]
    return peak


async def _growth_bytes(port: int, file_bytes: int) -> tuple[Reply, int]:
    """How far the first upload lifts the peak of a server that has only just started."""
    before = await _peak_memory_bytes(port)
    reply = await exchange(port, "POST", "/big", headers=FORM, body=_big_form(file_bytes))
    return reply, await _peak_memory_bytes(port) - before


needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")


@needs_proc
async def test_sixty_megabytes_cost_less_than_32_of_memory(s3: ObjectStoreServer, objects: Objects) -> None:
    """Two parts of 8 MiB and the way to them; measured as the peak of a server in its own process."""
    with _door_process(_address(s3)) as port:
        reply, growth = await _growth_bytes(port, 60_000_000)
    assert reply.status == 200
    print(f"peak memory grew by {growth / 1e6:.1f} MB")
    assert growth < 32_000_000
    await objects.delete("big")


@needs_proc
@pytest.mark.soak
async def test_five_hundred_megabytes_cost_no_more(s3: ObjectStoreServer, objects: Objects) -> None:
    """The size of the file does not matter."""
    with _door_process(_address(s3)) as port:
        reply, growth = await _growth_bytes(port, 500_000_000)
    assert reply.status == 200
    print(f"peak memory grew by {growth / 1e6:.1f} MB")
    assert growth < 32_000_000
    await objects.delete("big")

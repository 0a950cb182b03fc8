"""Objects on a real S3 server: whole, in ranges, and in parts while they arrive."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.runtime.relay import Traffic, relay
from tests.servers import ObjectStoreServer, free_port
from tonetouch_runtime._objects import (
    PART_BYTES,
    ObjectMissing,
    Objects,
    ObjectStoreAddress,
    ObjectStoreUnavailable,
    ObjectTooLarge,
)

PIECE = 64 * 1024
BODY = hashlib.shake_256(b"a body").digest(600_000)


def _address(s3: ObjectStoreServer, **other: Any) -> ObjectStoreAddress:
    facts = {
        "endpoint": s3.endpoint,
        "bucket": "objects",
        "access_key": s3.access_key,
        "secret_key": s3.secret_key,
    }
    return ObjectStoreAddress(**(facts | other))


@pytest.fixture(scope="module", name="objects")
def _objects(s3: ObjectStoreServer) -> Iterator[Objects]:
    objects = Objects(_address(s3))
    asyncio.run(objects.ensure_bucket())
    asyncio.run(objects.put("ranges/body", BODY, "application/octet-stream"))
    yield objects
    asyncio.run(objects.close())


async def _pieces(data: bytes, size: int = PIECE) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def _keys(objects: Objects, prefix: str) -> list[str]:
    return [facts.key async for facts in objects.list(prefix)]


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def _until(condition: Callable[[], bool], *, seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_bucket_is_made_once(objects: Objects) -> None:
    """Asking for a bucket that is there changes nothing."""
    await objects.put("once/kept", b"kept", "text/plain")
    await objects.ensure_bucket()
    assert await objects.get("once/kept", max_bytes=10) == b"kept"


async def test_what_was_put_can_be_read_and_its_facts_known(objects: Objects) -> None:
    """An object has its bytes, its size and the time it was written."""
    await objects.put("whole/a song", b"la la", "text/plain")
    facts = await objects.head("whole/a song")
    assert facts is not None
    assert (facts.key, facts.size, facts.modified.tzname()) == ("whole/a song", 5, "UTC")
    assert facts.etag == hashlib.md5(b"la la").hexdigest()
    assert await objects.get("whole/a song", max_bytes=5) == b"la la"


async def test_more_than_the_caller_can_hold_is_not_read(objects: Objects) -> None:
    """The bound of `get` holds before the first byte is read."""
    await objects.put("whole/large", b"x" * 11, "text/plain")
    with pytest.raises(ObjectTooLarge):
        await objects.get("whole/large", max_bytes=10)
    with pytest.raises(ObjectTooLarge):
        await objects.find("whole/large", max_bytes=10)
    assert await objects.find("whole/large", max_bytes=11) == b"x" * 11


async def test_what_is_not_there_is_said_by_its_key(objects: Objects, tmp_path: Path) -> None:
    """Reading, copying and downloading say which key is missing; `head` and `find` say None; deleting is fine."""
    readers: list[Callable[[], Any]] = [
        lambda: objects.get("no/such", max_bytes=1),
        lambda: anext(objects.read("no/such", 0, 1)),
        lambda: objects.copy("no/such", "no/copy"),
        lambda: objects.download("no/such", tmp_path / "file"),
    ]
    for read in readers:
        with pytest.raises(ObjectMissing) as missing:
            await read()
        assert missing.value.key == "no/such"
    assert await objects.head("no/such") is None
    assert await objects.find("no/such", max_bytes=1) is None
    await objects.delete("no/such")
    assert _names(tmp_path) == []


async def test_a_copy_outlives_its_source(objects: Objects) -> None:
    """A copy is an object of its own."""
    await objects.put("incoming/1", b"bytes", "audio/mpeg")
    await objects.copy("incoming/1", "audio/hash")
    await objects.delete("incoming/1")
    assert await objects.get("audio/hash", max_bytes=5) == b"bytes"
    assert await objects.head("incoming/1") is None


async def test_a_listing_has_every_object_under_a_prefix_and_no_other(objects: Objects) -> None:
    """More objects than fit on one page are listed completely, by key."""
    keys = [f"many/{n:04}" for n in range(1005)]
    await asyncio.gather(*(objects.put(key, b"", "text/plain") for key in keys))
    await objects.put("manyfold", b"", "text/plain")
    assert await _keys(objects, "many/") == keys


async def test_a_download_appears_whole(objects: Objects, tmp_path: Path) -> None:
    """The file has all the bytes, and nothing else is left in its folder."""
    await objects.download("ranges/body", tmp_path / "body.bin")
    assert _names(tmp_path) == ["body.bin"]
    assert (tmp_path / "body.bin").read_bytes() == BODY


@settings(max_examples=40, deadline=None)
@given(first=st.integers(0, len(BODY)), second=st.integers(0, len(BODY)))
def test_a_range_is_a_slice(objects: Objects, first: int, second: int) -> None:
    """The bytes from start to end are those of Python's slice, in chunks of at most 256 KiB."""

    async def read() -> list[bytes]:
        return [chunk async for chunk in objects.read("ranges/body", first, second)]

    chunks = asyncio.run(read())
    assert b"".join(chunks) == BODY[first:second]
    assert all(0 < len(chunk) <= 256 * 1024 for chunk in chunks)


async def test_a_range_beyond_the_object_is_an_error(objects: Objects) -> None:
    """Fewer bytes than asked for are never passed off as all of them."""
    with pytest.raises(ObjectStoreUnavailable):
        [chunk async for chunk in objects.read("ranges/body", len(BODY) - 5, len(BODY) + 5)]


async def test_readers_who_leave_early_take_nothing_with_them(s3: ObjectStoreServer) -> None:
    """With two threads, twenty readers that stop after one chunk do not stand in the way of the next."""
    async with Objects(_address(s3), threads=2) as objects:
        for _ in range(20):
            async with aclosing(objects.read("ranges/body", 0, len(BODY))) as chunks:
                await anext(chunks)
        assert b"".join([chunk async for chunk in objects.read("ranges/body", 0, len(BODY))]) == BODY


@pytest.mark.parametrize("size", [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES + 3])
async def test_an_upload_of_any_size_is_stored_and_hashed(objects: Objects, tmp_path: Path, size: int) -> None:
    """Around every border between parts, size and hash are those of the bytes stored."""
    data = hashlib.shake_256(b"upload").digest(size)
    uploaded = await objects.upload(f"incoming/{size}", _pieces(data, 1_000_003))
    assert (uploaded.size, uploaded.sha256) == (size, hashlib.sha256(data).hexdigest())
    await objects.download(f"incoming/{size}", tmp_path / "stored")
    assert (tmp_path / "stored").read_bytes() == data


@pytest.mark.parametrize("good_bytes", [0, 100, PART_BYTES, 3 * PART_BYTES + 100])
async def test_a_source_that_fails_leaves_nothing(s3: ObjectStoreServer, objects: Objects, good_bytes: int) -> None:
    """The source's own error comes out, and neither an object nor an unfinished upload stays."""

    async def breaking() -> AsyncIterator[bytes]:
        async for piece in _pieces(bytes(good_bytes)):
            yield piece
        raise ConnectionResetError("the sender is gone")

    with pytest.raises(ConnectionResetError):
        await objects.upload("incoming/broken", breaking())
    assert await _keys(objects, "incoming/broken") == []
    assert s3.leftovers() == []


async def test_at_most_two_parts_are_in_flight_and_the_source_waits(s3: ObjectStoreServer, objects: Objects) -> None:
    """While two parts are held up, nothing more is taken from the source, however ready it is."""
    traffic, taken = Traffic(), 0

    async def eager() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(5 * PART_BYTES // PIECE):
            await asyncio.sleep(0)
            taken += PIECE
            yield bytes(PIECE)

    with relay(s3, traffic) as endpoint:
        async with Objects(_address(s3, endpoint=endpoint)) as relayed:
            uploading = asyncio.create_task(relayed.upload("incoming/held", eager()))
            await _until(lambda: traffic.parts_under_way == 2)
            for _ in range(3 * PART_BYTES // PIECE):
                await asyncio.sleep(0)
            assert taken == 2 * PART_BYTES
            traffic.gate.set()
            assert (await uploading).size == 5 * PART_BYTES
    assert traffic.most_parts == 2
    await objects.delete("incoming/held")


async def test_an_upload_cancelled_with_parts_in_flight_leaves_nothing(s3: ObjectStoreServer, objects: Objects) -> None:
    """A cancelled upload is aborted after its parts have landed, so that none of them comes too late."""
    traffic = Traffic()
    with relay(s3, traffic) as endpoint:
        async with Objects(_address(s3, endpoint=endpoint)) as relayed:
            uploading = asyncio.create_task(relayed.upload("incoming/cancelled", _pieces(bytes(4 * PART_BYTES))))
            await _until(lambda: traffic.parts_under_way == 2)
            uploading.cancel()
            traffic.gate.set()
            with pytest.raises(asyncio.CancelledError):
                await uploading
    assert traffic.seen[-1].startswith("DELETE /objects/incoming/cancelled?uploadId=")
    assert await _keys(objects, "incoming/cancelled") == []
    assert s3.leftovers() == []


async def test_a_refused_part_ends_the_upload_and_leaves_nothing(s3: ObjectStoreServer, objects: Objects) -> None:
    """When the store refuses a part, the caller hears of it and the parts before it are taken back."""
    traffic = Traffic(refused_part="3")
    traffic.gate.set()
    with relay(s3, traffic) as endpoint:
        async with Objects(_address(s3, endpoint=endpoint)) as relayed:
            with pytest.raises(ObjectStoreUnavailable, match="UploadPart AccessDenied"):
                await relayed.upload("incoming/refused", _pieces(bytes(6 * PART_BYTES)))
    assert await _keys(objects, "incoming/refused") == []
    assert s3.leftovers() == []


async def test_no_error_shows_a_secret(s3: ObjectStoreServer) -> None:
    """A wrong secret and a store that is away are both said in codes, and no chained error says more."""
    nobody = f"http://127.0.0.1:{free_port()}"
    for address in (_address(s3, secret_key="s3cr3t"), _address(s3, endpoint=nobody, secret_key="s3cr3t")):
        assert "s3cr3t" not in repr(address)
        assert s3.access_key not in repr(address)
        async with Objects(address) as objects:
            with pytest.raises(ObjectStoreUnavailable) as unavailable:
                await objects.get("ranges/body", max_bytes=1)
        assert "s3cr3t" not in str(unavailable.value)
        assert s3.access_key not in str(unavailable.value)
        assert unavailable.value.__suppress_context__

"""Objects: bytes under a key in any S3 store (R2, S3, the embedded server), spoken to with boto3 in threads.

An object is its key and its bytes. Nothing is kept in object metadata: the embedded server forgets it on restart.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from botocore.exceptions import ClientError

from tonetouch_runtime._object_store import (
    MISSING,
    ObjectMissing,
    ObjectStoreAddress,
    ObjectStoreUnavailable,
    ObjectTooLarge,
    connect,
    error_code,
    plain_errors,
    translated,
)
from tonetouch_runtime._object_upload import PART_BYTES, PARTS_IN_FLIGHT, Sending, Uploaded, gather

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef

__all__ = [
    "PARTS_IN_FLIGHT",
    "PART_BYTES",
    "ObjectFacts",
    "ObjectMissing",
    "ObjectStoreAddress",
    "ObjectStoreUnavailable",
    "ObjectTooLarge",
    "Objects",
    "Uploaded",
]

T = TypeVar("T")
CHUNK_BYTES = 256 * 1024
THREADS = 16


@dataclass(frozen=True, kw_only=True)
class ObjectFacts:
    """What a store knows of an object without reading it.

    The `etag` is the store's own, not a content hash, and empty where a store keeps none.
    """

    key: str
    size: int
    etag: str
    modified: datetime


class Objects:
    """One bucket. Its methods raise `ObjectStoreUnavailable` when the store fails, and `ObjectMissing` where they read.

    Calls run in threads of this object's own, so a slow store never takes the threads of somebody else.
    """

    def __init__(self, address: ObjectStoreAddress, *, threads: int = THREADS) -> None:
        self._bucket = address.bucket
        self._region = address.region
        self._client = connect(address, connections=2 * threads)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=f"objects-{address.bucket}")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Waits for calls under way, then ends the threads and connections."""
        await asyncio.to_thread(self._pool.shutdown)
        self._client.close()

    async def ensure_bucket(self) -> None:
        """Makes the bucket unless it is there."""
        await self._run(self._ensure_bucket)

    async def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> None:
        """Writes a small object whole, over whatever is there."""
        await self._run(
            lambda: self._client.put_object(Bucket=self._bucket, Key=key, Body=data, ContentType=content_type), key
        )

    async def get(self, key: str, *, max_bytes: int) -> bytes:
        """Reads a small object whole; `ObjectTooLarge` instead of more than `max_bytes`."""

        return await self._run(lambda: self._fetch(key, max_bytes), key)

    async def find(self, key: str, *, max_bytes: int) -> bytes | None:
        """`get` for what is mostly not there: None where it is missing, which costs no exception on its way here."""

        def fetch() -> bytes | None:
            try:
                return self._fetch(key, max_bytes)
            except ClientError as error:
                if error_code(error) in MISSING:
                    return None
                raise

        return await self._run(fetch, key)

    async def head(self, key: str) -> ObjectFacts | None:
        """The facts of an object, or None when there is none."""
        try:
            answer = await self._run(lambda: self._client.head_object(Bucket=self._bucket, Key=key), key)
        except ObjectMissing:
            return None
        return _facts(key, answer["ContentLength"], answer.get("ETag", ""), answer["LastModified"])

    async def read(self, key: str, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """Streams the bytes from `start` up to but not including `end`, in chunks of at most 256 KiB.

        Holds one chunk at a time and reads the next one only when it is asked for. Close the iterator (`aclosing`)
        to give the connection back early. A store that answers with another length is `ObjectStoreUnavailable`.
        """
        if start >= end:
            return
        opening = self._pool.submit(self._open_range, key, start, end)
        latest: Future[Any] = opening
        try:
            body = await asyncio.wrap_future(opening)
            remaining = end - start
            while remaining:
                latest = self._pool.submit(_read_chunk, body, min(CHUNK_BYTES, remaining))
                chunk = await asyncio.wrap_future(latest)
                remaining -= len(chunk)
                yield chunk
        finally:
            # A reader that leaves must not close the connection under the thread which reads from it.
            latest.add_done_callback(lambda _: _close(opening))

    async def upload(self, key: str, parts: AsyncIterator[bytes]) -> Uploaded:
        """Stores a body of unknown length while it arrives, and says its size and hash.

        Regroups into parts of 8 MiB with at most two in flight, and takes from `parts` only what fits: two parts are
        all the memory an upload needs. A body shorter than one part is a single put. On any error, one of `parts`
        included, and on cancellation, nothing stays behind: no unfinished upload and no object under `key`.
        """
        sending = Sending(self._client, self._pool, bucket=self._bucket, key=key)
        try:
            return await gather(parts, sending)
        except BaseException:
            await sending.take_back()
            raise

    async def download(self, key: str, path: Path) -> None:
        """Writes the object to a file, which appears under its name only when it is whole."""
        stop = threading.Event()
        try:
            await self._run(lambda: self._download(key, path, stop), key)
        finally:
            stop.set()

    async def copy(self, source: str, target: str) -> None:
        """Copies within the store, up to 5 GiB (the limit of one CopyObject); the bytes do not come here."""

        def copy() -> object:
            return self._client.copy_object(
                Bucket=self._bucket, Key=target, CopySource={"Bucket": self._bucket, "Key": source}
            )

        await self._run(copy, source)

    async def delete(self, key: str) -> None:
        """Deletes an object; one that is not there is as good as deleted."""
        try:
            await self._run(lambda: self._client.delete_object(Bucket=self._bucket, Key=key), key)
        except ObjectMissing:
            return

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectFacts]:
        """Every object whose key begins with `prefix`, by key, a page of up to 1,000 at a time."""
        after: str | None = ""
        while after is not None:
            page = await self._run(partial(self._page, prefix, after))
            for entry in page.get("Contents", []):
                yield _facts(entry["Key"], entry["Size"], entry.get("ETag", ""), entry["LastModified"])
            after = page.get("NextContinuationToken")

    async def _run(self, call: Callable[[], T], key: str = "") -> T:
        return await asyncio.wrap_future(self._pool.submit(translated, call, key))

    def _fetch(self, key: str, max_bytes: int) -> bytes:
        answer = self._client.get_object(Bucket=self._bucket, Key=key)
        with closing(answer["Body"]) as body:
            if answer["ContentLength"] > max_bytes:
                raise ObjectTooLarge(key, size=answer["ContentLength"], max_bytes=max_bytes)
            return body.read()

    def _ensure_bucket(self) -> None:
        try:
            self._client.head_bucket(Bucket=self._bucket)
            return
        except ClientError as error:
            if error_code(error) not in {*MISSING, "NoSuchBucket"}:
                raise
        try:
            if self._region in {"auto", "us-east-1"}:
                self._client.create_bucket(Bucket=self._bucket)
            else:
                # S3 takes no location for its oldest region and insists on one everywhere else.
                location = {"LocationConstraint": self._region}
                self._client.create_bucket(Bucket=self._bucket, CreateBucketConfiguration=location)  # type: ignore[arg-type]
        except ClientError as error:
            # Two services that start together both try; the second finds the bucket there.
            if error_code(error) not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
                raise

    def _open_range(self, key: str, start: int, end: int) -> "StreamingBody":
        with plain_errors(key):
            answer = self._client.get_object(Bucket=self._bucket, Key=key, Range=f"bytes={start}-{end - 1}")
        # The status says nothing: the embedded server honours a range and still answers 200.
        if answer["ContentLength"] != end - start:
            answer["Body"].close()
            raise ObjectStoreUnavailable(f"a range of {end - start} bytes was answered with {answer['ContentLength']}")
        return answer["Body"]

    def _download(self, key: str, path: Path, stop: threading.Event) -> None:
        partial_path = path.with_name(f"{path.name}.part")
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
            with closing(answer["Body"]) as body, partial_path.open("wb") as file:
                while (chunk := body.read(CHUNK_BYTES)) and not stop.is_set():
                    file.write(chunk)
            if not stop.is_set():
                partial_path.replace(path)
        finally:
            partial_path.unlink(missing_ok=True)

    def _page(self, prefix: str, after: str) -> "ListObjectsV2OutputTypeDef":
        if after:
            return self._client.list_objects_v2(Bucket=self._bucket, Prefix=prefix, ContinuationToken=after)
        return self._client.list_objects_v2(Bucket=self._bucket, Prefix=prefix)


def _facts(key: str, size: int, etag: str, modified: datetime) -> ObjectFacts:
    return ObjectFacts(key=key, size=size, etag=etag.strip('"'), modified=modified.astimezone(UTC))


def _read_chunk(body: "StreamingBody", size: int) -> bytes:
    with plain_errors():
        chunk = body.read(size)
    if not chunk:
        raise ObjectStoreUnavailable("the answer ended early")
    return chunk


def _close(opening: "Future[StreamingBody]") -> None:
    if opening.done() and not opening.cancelled() and opening.exception() is None:
        opening.result().close()

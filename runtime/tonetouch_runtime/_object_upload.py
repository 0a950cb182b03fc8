"""A body of unknown length, stored while it arrives: in parts, and taken back as a whole when anything fails."""

import asyncio
import hashlib
import logging
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from tonetouch_runtime._object_store import error_code, reason, translated

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PART_BYTES = 8 * 1024 * 1024
"""One part of an upload. S3 asks for at least 5 MiB, R2 for equal parts but the last; 10,000 of these make 78 GiB."""
PARTS_IN_FLIGHT = 2
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Uploaded:
    """What went over the wire: bytes in all, and their SHA-256 in hex."""

    size: int
    sha256: str


async def gather(parts: AsyncIterator[bytes], sending: "Sending") -> Uploaded:
    """Regroups what arrives into parts of 8 MiB, hashing on the way; takes no more than the sender has room for.

    The same blocks are filled in turn, one for each part in flight. Blocks that come and go scatter over the heap: an
    upload of 500 MB then costs 30 MB more (`pytest -s -m soak tests/gateway/test_upload_streaming.py`).
    """
    digest, size, filled = hashlib.sha256(), 0, 0
    blocks = deque([bytearray(PART_BYTES)])
    async for piece in parts:
        digest.update(piece)
        size += len(piece)
        rest = memoryview(piece)
        while rest:
            taken = min(len(rest), PART_BYTES - filled)
            blocks[-1][filled : filled + taken] = rest[:taken]
            rest = rest[taken:]
            filled += taken
            if filled == PART_BYTES:
                await sending.send(blocks[-1])
                filled = 0
                if len(blocks) < PARTS_IN_FLIGHT:
                    blocks.append(bytearray(PART_BYTES))
                else:
                    blocks.rotate(-1)
    del blocks[-1][filled:]
    await sending.finish(blocks[-1])
    return Uploaded(size=size, sha256=digest.hexdigest())


class Sending:
    """One object on its way to the store: its parts in order, or everything taken back."""

    def __init__(self, client: "S3Client", pool: ThreadPoolExecutor, *, bucket: str, key: str) -> None:
        self._client = client
        self._pool = pool
        self._bucket = bucket
        self._key = key
        self._begun: Future[str] | None = None
        self._parts: list[Future[str]] = []
        self._landing: Future[None] | None = None
        self._may_be_there = False

    async def send(self, block: bytearray) -> None:
        """Sends a part; comes back when there is room for the next, and the oldest block may be filled again."""
        if self._begun is None:
            self._begun = self._pool.submit(translated, self._begin)
        self._parts.append(self._pool.submit(translated, partial(self._send_part, len(self._parts) + 1, block)))
        if len(self._parts) >= PARTS_IN_FLIGHT:
            await asyncio.wrap_future(self._parts[-PARTS_IN_FLIGHT])

    async def finish(self, block: bytearray) -> None:
        """Sends what is left and makes the object appear under its key."""
        if self._begun and block:
            await self.send(block)
        land = self._complete if self._begun else partial(self._put, block)
        self._landing = self._pool.submit(translated, land)
        await asyncio.wrap_future(self._landing)

    async def take_back(self) -> None:
        """Leaves nothing behind. The work goes on in its thread even if the waiting task is cancelled again."""
        await asyncio.shield(asyncio.wrap_future(self._pool.submit(self._take_back)))

    def _begin(self) -> str:
        return self._client.create_multipart_upload(Bucket=self._bucket, Key=self._key)["UploadId"]

    def _send_part(self, number: int, block: bytearray) -> str:
        assert self._begun is not None
        return self._client.upload_part(
            Bucket=self._bucket, Key=self._key, UploadId=self._begun.result(), PartNumber=number, Body=_as_it_is(block)
        )["ETag"]

    def _complete(self) -> None:
        assert self._begun is not None
        etags = [part.result() for part in self._parts]
        self._may_be_there = True
        self._client.complete_multipart_upload(
            Bucket=self._bucket,
            Key=self._key,
            UploadId=self._begun.result(),
            MultipartUpload={"Parts": [{"PartNumber": i, "ETag": etag} for i, etag in enumerate(etags, 1)]},
        )

    def _put(self, block: bytearray) -> None:
        self._may_be_there = True
        self._client.put_object(Bucket=self._bucket, Key=self._key, Body=_as_it_is(block))

    def _take_back(self) -> None:
        """An abort while a part is still arriving may leave that part behind (S3), so the running ones end first."""
        submitted: list[Future[Any]] = [
            future for future in (self._begun, *self._parts, self._landing) if future is not None
        ]
        wait([future for future in submitted if not future.cancel()])
        try:
            if self._begun is not None and not self._begun.cancelled() and self._begun.exception() is None:
                self._abort(self._begun.result())
            if self._may_be_there:
                self._client.delete_object(Bucket=self._bucket, Key=self._key)
        except (ClientError, BotoCoreError) as error:
            log.warning("an unfinished upload may have been left behind", extra={"reason": reason(error)})

    def _abort(self, upload_id: str) -> None:
        try:
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=upload_id)
        except ClientError as error:
            # It was completed after all, and the object is deleted next.
            if error_code(error) != "NoSuchUpload":
                raise


def _as_it_is(block: bytearray) -> bytes:
    """botocore copies a body of `bytes` once more to send it with its headers, and sends a `bytearray` as it is."""
    return cast(bytes, block)

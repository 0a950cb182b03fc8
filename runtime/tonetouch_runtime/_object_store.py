"""The way to an S3 store: its address, the client, and what its failures mean."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

import boto3.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tonetouch_runtime.errors import TonetouchError, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")
MISSING = {"NoSuchKey", "404", "NotFound"}


class ObjectMissing(TonetouchError):
    """There is nothing under this key."""

    def __init__(self, key: str) -> None:
        super().__init__(f"there is no object {key!r}")
        self.key = key


class ObjectTooLarge(TonetouchError):
    """The object is larger than the caller is ready to hold in memory."""

    def __init__(self, key: str, *, size: int, max_bytes: int) -> None:
        super().__init__(f"object {key!r} has {size} bytes, more than the {max_bytes} asked for")
        self.key = key


class ObjectStoreUnavailable(Unavailable):
    """The store did not answer, or not with what was asked. The reason is codes: no address, no secret."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the object store is unavailable: {reason}")
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class ObjectStoreAddress:
    """Where a bucket is and how to be let in. Region: `auto` for R2 and the embedded server."""

    endpoint: str
    bucket: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    region: str = "auto"


_connecting = Lock()  # a session is not made for several threads; its clients are


@cache
def _session() -> boto3.session.Session:
    """One for the process, as each reads the description of S3 anew, which takes longer than a hundred calls."""
    return boto3.session.Session()


def connect(address: ObjectStoreAddress, *, connections: int) -> "S3Client":
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        # By default botocore adds checksum trailers that R2 and others refuse.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        # What is sent is typed already; checking it again takes a tenth of a call.
        parameter_validation=False,
        disable_request_compression=True,
        retries={"mode": "standard", "total_max_attempts": 3},
        connect_timeout=3,
        read_timeout=30,
        max_pool_connections=connections,
    )
    with _connecting:
        return _session().client(
            "s3",
            endpoint_url=address.endpoint,
            region_name=address.region,
            aws_access_key_id=address.access_key,
            aws_secret_access_key=address.secret_key,
            config=config,
        )


def translated(call: Callable[[], T], key: str = "") -> T:
    with plain_errors(key):
        return call()


@contextmanager
def plain_errors(key: str = "") -> Iterator[None]:
    """The library's own errors quote addresses and headers; they end here."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        if key and isinstance(error, ClientError) and error_code(error) in MISSING:
            raise ObjectMissing(key) from None
        raise ObjectStoreUnavailable(reason(error)) from None


def reason(error: ClientError | BotoCoreError) -> str:
    return f"{error.operation_name} {error_code(error)}" if isinstance(error, ClientError) else type(error).__name__


def error_code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))

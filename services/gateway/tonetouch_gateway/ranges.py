"""Answering a request for bytes as RFC 9110 says: conditions (section 13), ranges (section 14), and the stream."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Send

from tonetouch_runtime._objects import Objects

_RANGE = re.compile(r"bytes=(.*)", re.IGNORECASE | re.DOTALL)
_SPEC = re.compile(r"([0-9]*)-([0-9]*)")
_ETAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_NO_OBJECT_IS_LARGER = 10**18


@dataclass(frozen=True, kw_only=True)
class Representation:
    """What the conditions and ranges of a request are held against.

    `etag` is strong and in its quotes; `modified` is None where no honest date is known.
    """

    etag: str
    size: int
    modified: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class ByteRange:
    """The bytes from `start` up to but not including `end`, as in a slice."""

    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The status of the answer, and which bytes go with it (none for all but 200 and 206)."""

    status: HTTPStatus
    part: ByteRange | None = None


def parse_range(header: str, *, size: int) -> ByteRange | HTTPStatus | None:
    """The one range a `Range` header asks for, cut to `size` bytes.

    Gives 416 for a range outside of the bytes. None means that the header is to be ignored and the answer is the whole:
    for another unit, for anything malformed, and for several ranges. A server may ignore `Range` (14.2), and
    `multipart/byteranges` would only help clients that no player is, while it invites requests for thousands of
    overlapping ranges (14.2 warns of them; 17.15). Of several ranges only the first would be an answer to another
    question.
    """
    asked = _RANGE.fullmatch(header.strip(" \t"))
    if asked is None:
        return None
    # A list may have empty elements, which do not count (5.6.1.2).
    specs = [spec for spec in (item.strip(" \t") for item in asked[1].split(",")) if spec]
    match = _SPEC.fullmatch(specs[0]) if len(specs) == 1 else None
    if match is None or match[0] == "-":
        return None
    first, last = (_position(digits) for digits in match.groups())
    return _suffix(last, size) if first is None else _from_to(first, last, size)


def _suffix(length: int | None, size: int) -> ByteRange | HTTPStatus | None:
    if not length:
        return HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    # The last bytes of nothing can be had (14.1.2) but not be written as a Content-Range: the whole is the same.
    return ByteRange(start=max(0, size - length), end=size) if size else None


def _from_to(first: int, last: int | None, size: int) -> ByteRange | HTTPStatus | None:
    if last is not None and last < first:
        return None
    if first >= size:
        return HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    return ByteRange(start=first, end=size if last is None else min(last + 1, size))


def _position(digits: str) -> int | None:
    """Python refuses to read numbers of thousands of digits; beyond any size they are all the same."""
    digits = digits.lstrip("0") or digits[:1]
    if not digits:
        return None
    return int(digits) if len(digits) <= 18 else _NO_OBJECT_IS_LARGER


def decide(method: str, headers: Mapping[str, str], held: Representation) -> Answer:
    """What to answer: 200, 206, 304, 412 or 416, by the order of precedence of RFC 9110, 13.2.2.

    `headers` by lower-case name. `Range` counts for GET only (14.2).
    """
    if refusal := _precondition(headers, held):
        return Answer(status=refusal)
    whole = Answer(status=HTTPStatus.OK, part=ByteRange(start=0, end=held.size))
    if method != "GET" or "range" not in headers or not _still_the_same(headers.get("if-range"), held):
        return whole
    asked = parse_range(headers["range"], size=held.size)
    if isinstance(asked, HTTPStatus):
        return Answer(status=asked)
    return Answer(status=HTTPStatus.PARTIAL_CONTENT, part=asked) if asked else whole


def _precondition(headers: Mapping[str, str], held: Representation) -> HTTPStatus | None:
    if (wanted := headers.get("if-match")) is not None:
        if not _names(wanted, held, strong=True):
            return HTTPStatus.PRECONDITION_FAILED
    elif (since := _date(headers.get("if-unmodified-since"))) and _modified_after(since, held):
        return HTTPStatus.PRECONDITION_FAILED
    if (known := headers.get("if-none-match")) is not None:
        return HTTPStatus.NOT_MODIFIED if _names(known, held, strong=False) else None
    since = _date(headers.get("if-modified-since"))
    if since and held.modified and not _modified_after(since, held):
        return HTTPStatus.NOT_MODIFIED
    return None


def _names(header: str, held: Representation, *, strong: bool) -> bool:
    """Whether a list of ETags names what is held; a weak one counts only where weak comparison does (8.8.3.2)."""
    if header.strip() == "*":
        return True
    return any(tag == held.etag and not (weak and strong) for weak, tag in _ETAG.findall(header))


def _still_the_same(if_range: str | None, held: Representation) -> bool:
    """`If-Range` (13.1.5): one strong ETag, or exactly the date of `Last-Modified`; anything else does not hold."""
    if if_range is None:
        return True
    if match := _ETAG.fullmatch(if_range.strip()):
        return not match[1] and match[2] == held.etag
    date = _date(if_range)
    return date is not None and held.modified is not None and date == held.modified.replace(microsecond=0)


def _modified_after(date: datetime, held: Representation) -> bool:
    return held.modified is not None and held.modified.replace(microsecond=0) > date


def _date(header: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(header) if header else None
    except ValueError:
        return None
    return date.replace(tzinfo=UTC) if date and date.tzinfo is None else date


async def serve_object(
    request: Request,
    objects: Objects,
    *,
    key: str,
    etag: str,
    size: int,
    content_type: str,
    modified: datetime | None = None,
    cache_control: str = "private, max-age=3600",
) -> Response:
    """Answers GET and HEAD for an object of which `size` and `etag` (its content hash, without quotes) are known.

    The first bytes are read before the answer begins, so an object that is not there is `ObjectMissing`, and a store
    that is not there `ObjectStoreUnavailable`, here and not in the middle of a 200.
    """
    held = Representation(etag=f'"{etag}"', size=size, modified=modified)
    answer = decide(request.method, request.headers, held)
    headers = {"accept-ranges": "bytes", "etag": held.etag, "cache-control": cache_control}
    if modified:
        headers["last-modified"] = format_datetime(modified.astimezone(UTC), usegmt=True)
    if answer.part is None:
        return _without_bytes(answer.status, headers, size)
    part = answer.part
    # Bytes from strangers must not be taken for a page.
    headers |= {"content-length": str(part.end - part.start), "x-content-type-options": "nosniff"}
    if answer.status == HTTPStatus.PARTIAL_CONTENT:
        headers["content-range"] = f"bytes {part.start}-{part.end - 1}/{size}"
    if request.method == "HEAD" or part.start == part.end:
        return Response(status_code=answer.status, headers=headers, media_type=content_type)
    stream = objects.read(key, part.start, part.end)
    first = await anext(stream)
    return _ObjectResponse(first, stream, status_code=answer.status, headers=headers, media_type=content_type)


def _without_bytes(status: HTTPStatus, headers: dict[str, str], size: int) -> Response:
    if status == HTTPStatus.NOT_MODIFIED:
        return Response(status_code=status, headers=headers)
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        headers |= {"content-range": f"bytes */{size}"}
    # What may be kept is the object, not this refusal.
    headers["cache-control"] = "no-store"
    problem = {"type": "about:blank", "title": status.phrase, "status": int(status)}
    return JSONResponse(problem, status_code=status, headers=headers, media_type="application/problem+json")


class _ObjectResponse(StreamingResponse):
    """Sends a stream whose first chunk has been read, and closes it when the client leaves."""

    def __init__(
        self,
        first: bytes,
        rest: AsyncGenerator[bytes, None],
        *,
        status_code: int,
        headers: Mapping[str, str],
        media_type: str,
    ) -> None:
        super().__init__(_chained(first, rest), status_code=status_code, headers=headers, media_type=media_type)
        self._rest = rest

    async def stream_response(self, send: Send) -> None:
        async with aclosing(self._rest):
            await super().stream_response(send)


async def _chained(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk

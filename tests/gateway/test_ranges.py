"""Ranges and conditions as RFC 9110 has them, first as pure decisions and then through a real server and store."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.gateway.wire import Reply, exchange, request_head
from tests.servers import ObjectStoreServer, web_server
from tonetouch_gateway.ranges import ByteRange, Representation, decide, parse_range, serve_object
from tonetouch_runtime._objects import ObjectMissing, Objects, ObjectStoreAddress

WRITTEN = datetime(2026, 11, 1, 12, 0, 0, 250_000, tzinfo=UTC)
HELD = Representation(etag='"abc"', size=100, modified=WRITTEN)
NOT_SATISFIABLE = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE


def _date(at: datetime) -> str:
    return format_datetime(at.astimezone(UTC), usegmt=True)


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        ("bytes=0-0", ByteRange(start=0, end=1)),
        ("bytes=0-99", ByteRange(start=0, end=100)),
        ("bytes=10-", ByteRange(start=10, end=100)),
        ("bytes=90-1000", ByteRange(start=90, end=100)),
        ("bytes=-10", ByteRange(start=90, end=100)),
        ("bytes=-1000", ByteRange(start=0, end=100)),
        ("BYTES=0-4", ByteRange(start=0, end=5)),
        ("bytes= 0-4 ", ByteRange(start=0, end=5)),
        ("bytes=,0-4,,", ByteRange(start=0, end=5)),
        ("bytes=00-004", ByteRange(start=0, end=5)),
        ("bytes=0-" + "9" * 9000, ByteRange(start=0, end=100)),
        ("bytes=100-", NOT_SATISFIABLE),
        ("bytes=100-200", NOT_SATISFIABLE),
        ("bytes=-0", NOT_SATISFIABLE),
        ("bytes=" + "9" * 9000 + "-", NOT_SATISFIABLE),
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("bytes=", None),
        ("bytes", None),
        ("bytes=a-b", None),
        ("bytes=1-2-3", None),
        ("bytes=+1-2", None),
        ("bytes=0 - 4", None),
        ("bytes=١-٢", None),
        ("items=0-4", None),
        ("bytes=0-1,5-6", None),
    ],
)
def test_a_range_is_read_by_the_grammar(header: str, answer: ByteRange | HTTPStatus | None) -> None:
    """One range is cut to the bytes there are; several, other units and nonsense are ignored."""
    assert parse_range(header, size=100) == answer


@given(st.binary(max_size=50), st.integers(0, 60), st.integers(0, 60))
def test_a_range_is_a_slice(data: bytes, first: int, last: int) -> None:
    """Wherever a range can be satisfied, its bytes are those of Python's slice."""
    expected = {
        f"bytes={first}-{last}": data[first : last + 1],
        f"bytes={first}-": data[first:],
        f"bytes=-{last}": data[-last:] if last else b"",
    }
    for header, wanted in expected.items():
        part = parse_range(header, size=len(data))
        if isinstance(part, ByteRange):
            assert data[part.start : part.end] == wanted != b""
        elif part is None:
            assert last < first or not data
        else:
            assert wanted == b""


@given(st.text(max_size=40), st.integers(0, 100))
def test_any_header_has_an_answer(header: str, size: int) -> None:
    """Nothing a client can send raises, and every range given lies within the bytes."""
    for text in (header, f"bytes={header}"):
        part = parse_range(text, size=size)
        assert not isinstance(part, ByteRange) or 0 <= part.start < part.end <= size


def test_nothing_has_no_first_byte() -> None:
    """Of an empty object no byte can be had, but its last bytes are all of it."""
    assert parse_range("bytes=0-", size=0) == NOT_SATISFIABLE
    assert parse_range("bytes=-5", size=0) is None


ONE_RANGE = {"range": "bytes=0-9"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        (ONE_RANGE, 206),
        ({"range": "bytes=100-"}, 416),
        ({"range": "bytes=x"}, 200),
        (ONE_RANGE | {"if-range": '"abc"'}, 206),
        (ONE_RANGE | {"if-range": '"old"'}, 200),
        (ONE_RANGE | {"if-range": 'W/"abc"'}, 200),
        (ONE_RANGE | {"if-range": "nonsense"}, 200),
        (ONE_RANGE | {"if-range": _date(WRITTEN)}, 206),
        (ONE_RANGE | {"if-range": _date(WRITTEN + timedelta(days=1))}, 200),
        ({"range": "bytes=100-", "if-range": '"old"'}, 200),
        ({"if-range": '"abc"'}, 200),
        ({"if-none-match": '"abc"'}, 304),
        ({"if-none-match": 'W/"abc"'}, 304),
        ({"if-none-match": '"x", W/"y,z" , "abc"'}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"x"'}, 200),
        (ONE_RANGE | {"if-none-match": '"abc"'}, 304),
        ({"if-modified-since": _date(WRITTEN)}, 304),
        ({"if-modified-since": _date(WRITTEN - timedelta(seconds=1))}, 200),
        ({"if-modified-since": "yesterday"}, 200),
        ({"if-modified-since": _date(WRITTEN), "if-none-match": '"x"'}, 200),
        ({"if-match": '"abc"'}, 200),
        ({"if-match": "*"}, 200),
        ({"if-match": '"x"'}, 412),
        ({"if-match": 'W/"abc"'}, 412),
        ({"if-unmodified-since": _date(WRITTEN)}, 200),
        ({"if-unmodified-since": _date(WRITTEN - timedelta(seconds=1))}, 412),
        ({"if-match": '"abc"', "if-unmodified-since": _date(WRITTEN - timedelta(seconds=1))}, 200),
        ({"if-match": '"x"', "if-none-match": '"abc"'}, 412),
    ],
)
def test_conditions_come_in_their_order(headers: dict[str, str], status: int) -> None:
    """If-Match, then If-None-Match, then If-Range, then Range (RFC 9110, 13.2.2)."""
    assert decide("GET", headers, HELD).status == status


def test_a_head_has_no_ranges() -> None:
    """Range is defined for GET only, conditions for both."""
    assert decide("HEAD", ONE_RANGE, HELD).status == 200
    assert decide("HEAD", {"if-none-match": '"abc"'}, HELD).status == 304


def test_without_a_date_no_date_holds() -> None:
    """An object of unknown age is neither old nor new."""
    held = Representation(etag='"abc"', size=100)
    assert decide("GET", ONE_RANGE | {"if-range": _date(WRITTEN)}, held).status == 200
    assert decide("GET", {"if-modified-since": _date(WRITTEN)}, held).status == 200


BODY = hashlib.shake_256(b"a song").digest(3_000_000)
HASH = hashlib.sha256(BODY).hexdigest()


@pytest.fixture(scope="module", name="objects")
def _objects(s3: ObjectStoreServer) -> Iterator[Objects]:
    objects = Objects(
        ObjectStoreAddress(endpoint=s3.endpoint, bucket="ranges", access_key=s3.access_key, secret_key=s3.secret_key)
    )
    asyncio.run(objects.ensure_bucket())
    asyncio.run(objects.put("audio/song", BODY, "audio/flac"))
    yield objects
    asyncio.run(objects.close())


@asynccontextmanager
async def _serving(objects: Objects, *, size: int = len(BODY)) -> AsyncIterator[int]:
    async def audio(request: Request) -> Response:
        key = f"audio/{request.path_params['name']}"
        try:
            return await serve_object(request, objects, key=key, etag=HASH, size=size, content_type="audio/flac")
        except ObjectMissing:
            return Response(status_code=404)

    async with web_server(Starlette(routes=[Route("/{name}", audio)])) as port:
        yield port


async def _get(objects: Objects, method: str = "GET", name: str = "song", **headers: str) -> Reply:
    async with _serving(objects) as port:
        return await exchange(port, method, f"/{name}", headers={k.replace("_", "-"): v for k, v in headers.items()})


async def test_the_whole_object_is_streamed(objects: Objects) -> None:
    """A plain GET has every byte, a strong ETag, and says that ranges are served."""
    reply = await _get(objects)
    assert (reply.status, reply.body) == (200, BODY)
    assert reply.headers["etag"] == f'"{HASH}"'
    assert reply.headers["accept-ranges"] == "bytes"
    assert reply.headers["content-length"] == str(len(BODY))
    assert reply.headers["content-type"] == "audio/flac"
    assert "max-age" in reply.headers["cache-control"]


async def test_a_part_of_the_object_is_streamed(objects: Objects) -> None:
    """206 with exactly the bytes asked for, and where they stand."""
    reply = await _get(objects, range="bytes=1000-1500999")
    assert (reply.status, reply.body) == (206, BODY[1000:1_501_000])
    assert reply.headers["content-range"] == f"bytes 1000-1500999/{len(BODY)}"
    assert reply.headers["content-length"] == "1500000"


async def test_a_head_says_what_a_get_would(objects: Objects) -> None:
    """The same headers without the bytes, and no range."""
    reply = await _get(objects, "HEAD", range="bytes=0-1")
    whole = await _get(objects)
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers | {"date": ""} == whole.headers | {"date": ""}


async def test_a_range_outside_is_refused_with_the_size(objects: Objects) -> None:
    """416 tells the client how many bytes there are, and is not kept in a cache."""
    reply = await _get(objects, range=f"bytes={len(BODY)}-")
    assert reply.status == 416
    assert reply.headers["content-range"] == f"bytes */{len(BODY)}"
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["cache-control"] == "no-store"


async def test_what_the_client_has_is_not_sent_again(objects: Objects) -> None:
    """304 with the ETag and no body."""
    reply = await _get(objects, if_none_match=f'"{HASH}"')
    assert (reply.status, reply.body, reply.headers["etag"]) == (304, b"", f'"{HASH}"')


async def test_an_object_that_is_gone_is_known_before_the_answer_begins(objects: Objects) -> None:
    """Not a 200 that breaks off."""
    assert (await _get(objects, name="gone")).status == 404


async def test_listeners_who_leave_give_everything_back(objects: Objects) -> None:
    """More listeners than the store has threads leave in the middle; the next one is served."""
    async with _serving(objects) as port:
        for _ in range(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request_head("GET", "/song", {}))
            await reader.readexactly(1000)
            writer.transport.abort()
        reply = await exchange(port, "GET", "/song", headers={})
    assert reply.body == BODY

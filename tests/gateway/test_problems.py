"""Whatever goes wrong has one shape, and none of it is our bug."""

import asyncio
import json
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.gateway.standins import AUTHORIZED, Installation, uploaded
from tests.gateway.test_browsing import PUBLISHED, keep_bytes
from tests.gateway.wire import exchange
from tonetouch_contracts.message import ProblemCode
from tonetouch_contracts.track import ListTracks, ShowTrack
from tonetouch_gateway.problems import MEDIA_TYPE
from tonetouch_runtime import NotNow, Refused, Unavailable

pytestmark = pytest.mark.asyncio(loop_scope="package")

STATUS: dict[ProblemCode, int] = {
    "invalid": 400,
    "not_found": 404,
    "conflict": 409,
    "too_large": 413,
    "unsupported": 415,
    "not_yet": 503,
    "unavailable": 503,
    "internal": 500,
}


def check_shape(answer: httpx.Response) -> dict[str, Any]:
    """Asserts the one shape, and gives what it holds."""
    assert answer.headers["content-type"] == MEDIA_TYPE
    said: dict[str, Any] = answer.json()
    assert said.keys() >= {"type", "title", "status", "detail", "code", "request_id"}
    assert said["status"] == answer.status_code
    assert said["request_id"] == answer.headers["x-request-id"]
    return said


@pytest.mark.parametrize("code", STATUS)
async def test_a_refusal_of_a_service_has_its_status(installed: Installation, code: ProblemCode) -> None:
    """With the words of the service; where it pays to come back, with a time."""
    installed.services.refusing[ShowTrack] = [Refused(code, "No such luck.", "Be lucky.")]
    answer = await installed.client.get("/api/v1/tracks/t")
    said = check_shape(answer)
    assert (answer.status_code, said["code"], said["detail"], said["next_step"]) == (
        STATUS[code],
        code,
        "No such luck.",
        "Be lucky.",
    )
    assert ("retry-after" in answer.headers) == (STATUS[code] == 503)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Unavailable("tables are away"), 503, "unavailable"),
        (NotNow(0.1), 503, "not_yet"),
        (ValueError(), 500, "internal"),
    ],
)
async def test_a_service_that_breaks_is_a_problem_too(
    installed: Installation, error: Exception, status: int, code: str
) -> None:
    """Down, behind, or broken."""
    installed.services.refusing[ListTracks] = [error]
    answer = await installed.client.get("/api/v1/tracks")
    assert (answer.status_code, check_shape(answer)["code"]) == (status, code)


async def test_a_bug_of_our_own_is_a_problem_too(installed: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its words are for the log only."""

    def broken(_: object) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr("tonetouch_gateway.browsing.Track.of", broken)
    installed.services.tracks["t"] = uploaded("t")
    with capture_logs() as logs:
        answer = await installed.client.get("/api/v1/tracks/t")
    assert (answer.status_code, check_shape(answer)["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert [(line["event"], str(line["exc_info"])) for line in logs] == [("request_failed", "a secret detail")]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("GET", "/api/v1/tracks/", 404, "not_found"),
        ("GET", "/api/v1/tracks/a/b/c", 404, "not_found"),
        ("DELETE", "/api/v1/tracks", 405, "not_allowed"),
        ("GET", "/api/v1/plays", 405, "not_allowed"),
        ("GET", "/api/v1/tracks?limit=0", 400, "invalid"),
        ("GET", "/api/v1/tracks?limit=201", 400, "invalid"),
        ("GET", "/api/v1/tracks?limit=many", 400, "invalid"),
        ("GET", "/api/v1/tracks?cursor=never", 400, "invalid"),
        ("GET", "/api/v1/tracks/a.b", 400, "invalid"),
        ("GET", "/api/v1/tracks/" + "x" * 65, 400, "invalid"),
    ],
)
async def test_a_request_that_makes_no_sense_is_a_problem(
    installed: Installation, method: str, path: str, status: int, code: str
) -> None:
    """Unknown paths, other methods, malformed ids, limits and cursors."""
    answer = await installed.client.request(method, path, follow_redirects=True)
    assert (answer.status_code, check_shape(answer)["code"]) == (status, code)
    assert ("allow" in answer.headers) == (status == 405)


async def test_a_large_body_for_nobody_is_answered(installed: Installation) -> None:
    """The client can read the answer although nobody reads what it sends."""
    answer = await installed.client.post("/api/v1/nothing", content=b"x" * (4 << 20))
    assert (answer.status_code, check_shape(answer)["code"]) == (404, "not_found")


async def test_a_request_id_goes_through(installed: Installation) -> None:
    """A plain word is taken over; anything else is replaced by an id of our own."""
    taken = await installed.client.get("/api/v1/tracks/t", headers={"X-Request-Id": "from-the-client.1"})
    assert check_shape(taken)["request_id"] == "from-the-client.1"
    replaced = await installed.client.get("/api/v1/tracks/t", headers={"X-Request-Id": "two words"})
    assert len(check_shape(replaced)["request_id"]) == 36


async def test_the_request_id_is_the_correlation_of_what_it_causes(installed: Installation) -> None:
    """From the client's log to ours to the event."""
    answer = await installed.client.post(
        "/api/v1/tracks", files={"file": ("a.mp3", b"abc")}, headers={"X-Request-Id": "story-1"}
    )
    fact = (await installed.gateway.log.history("CATALOG", answer.json()["id"]))[0]
    assert fact.correlation == "story-1"


TEXT = st.text(st.characters(codec="utf-8"), max_size=80)
HEADER = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=60)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Range": st.one_of(HEADER, HEADER.map(lambda text: f"bytes={text}")),
        "If-Range": HEADER,
        "If-None-Match": HEADER,
        "If-Modified-Since": HEADER,
        "Last-Event-ID": st.one_of(HEADER, st.integers().map(str)),
        "Tonetouch-Position": st.one_of(HEADER, st.integers().map(lambda number: f"NOBODY={number}")),
        "X-Request-Id": HEADER,
        "traceparent": HEADER,
        "Accept": HEADER,
    },
)
PLACES = ("tracks/{}", "tracks/{}/audio", "tracks/{}/cover", "tracks/{}/similar", "ingest/{}", "ingest/{}/events")
LISTS = ("tracks", "ingest", "search", "tracks/t/similar", "ai/jobs", "me/made-for-you")


FUZZ = settings(
    max_examples=80,
    deadline=None,
    # What the installation knows is the same for all examples: nothing.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


async def never_our_bug(installed: Installation, path: str, headers: dict[str, str]) -> None:
    """Asserts that the answer is a success, or a problem whose code is not 5xx but for what is not there yet."""
    raw = {name: value.strip() for name, value in headers.items()}
    async with asyncio.timeout(30):
        reply = await exchange(installed.port, "GET", path, headers={**AUTHORIZED, **raw})
    if reply.status >= 400:
        assert reply.headers["content-type"] == MEDIA_TYPE, reply
        assert json.loads(reply.body)["status"] == reply.status
    assert reply.status < 500, reply


@FUZZ
@given(place=st.sampled_from(PLACES), track_id=TEXT)
@example(place="tracks/{}", track_id="*")
@example(place="ingest/{}/events", track_id=">")
@example(place="tracks/{}/audio", track_id="..")
@example(place="tracks/{}/audio", track_id="\0")
async def test_no_id_is_a_bug(installed: Installation, place: str, track_id: str) -> None:
    """Whatever stands where an id should."""
    await never_our_bug(installed, f"/api/v1/{place.format(quote(track_id, safe=''))}", {})


@FUZZ
@given(
    place=st.sampled_from(LISTS),
    cursor=st.one_of(TEXT, st.binary(max_size=60).map(lambda raw: urlsafe_b64encode(raw).decode())),
    limit=st.one_of(TEXT, st.integers().map(str), st.just("5")),
)
async def test_no_page_is_a_bug(installed: Installation, place: str, cursor: str, limit: str) -> None:
    """Whatever stands for a cursor and a limit, and for the words of a search."""
    query = urlencode({"cursor": cursor, "limit": limit, "q": cursor, "status": limit, "subject": cursor})
    await never_our_bug(installed, f"/api/v1/{place}?{query}", {})


@FUZZ
@given(place=st.sampled_from(("tracks/song/audio", "tracks/song/cover", "tracks", "ingest/t/events")), headers=HEADERS)
@example(place="tracks/song/audio", headers={"Range": "bytes=0-18446744073709551616"})
@example(place="tracks/song/audio", headers={"If-Modified-Since": "Mon, 01 Jan 0001 00:00:00 +2400"})
async def test_no_header_is_a_bug(installed: Installation, place: str, headers: dict[str, str]) -> None:
    """Ranges, conditions, positions and ids of events."""
    if not installed.services.tracks:
        installed.services.tracks["song"] = PUBLISHED
        await keep_bytes(installed)
    await never_our_bug(installed, f"/api/v1/{place}", headers)


@FUZZ
@given(
    body=st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=20), inner, max_size=3),
            max_leaves=8,
        ).map(lambda value: json.dumps(value).encode()),
        st.fixed_dictionaries(
            {"track_id": TEXT | st.just("t"), "heard_seconds": st.floats() | st.integers()},
            optional={"at": TEXT | st.datetimes().map(lambda at: at.isoformat() + "+14:00")},
        ).map(lambda value: json.dumps(value).encode()),
    )
)
async def test_no_body_is_a_bug(installed: Installation, body: bytes) -> None:
    """Whatever is sent as a play."""
    answer = await installed.client.post("/api/v1/plays", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (201, 400)
    if answer.status_code == 400:
        check_shape(answer)

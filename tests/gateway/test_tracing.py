"""Requests: one id, one trace, and times by the template of the route, never by the path."""

import pytest
from opentelemetry.trace import SpanKind

from tests.gateway.standins import Installation
from tests.runtime.telemetry.collecting import collecting, counted, is_below, trace_of
from tonetouch_runtime.telemetry.names import HTTP

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_a_request_is_the_beginning_of_what_the_services_do(installed: Installation) -> None:
    """The client's trace goes on through the gateway and the bus, under the template of the route."""
    theirs = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "X-Request-Id": "story"}
    with collecting() as collected:
        answer = await installed.client.get("/api/v1/tracks/unheard-of", headers=theirs)
        request = await collected.one("GET /api/v1/tracks/{track_id}")
        asked = await collected.one("ask cmd.catalog.show-track")
        answered = await collected.one("answer cmd.catalog.show-track")
    assert (answer.status_code, answer.headers["X-Request-Id"]) == (404, "story")
    assert f"{trace_of(request):032x}" == "a" * 32
    assert request.kind is SpanKind.SERVER
    assert is_below(asked, request)
    assert is_below(answered, asked)
    assert dict(request.attributes or {})["http.response.status_code"] == 404
    assert request.status.is_unset


async def test_requests_are_timed_by_route_and_status(installed: Installation) -> None:
    """What no route is for is one series, whatever clients make up."""
    with counted() as counts:
        for path in ("/api/v1/tracks/a", "/api/v1/tracks/b", "/made/up", "/made/up/too"):
            await installed.client.get(path)
        await installed.client.request("BREW", "/coffee")
    times = {labels: sum(series.counts) for labels, series in counts.times[HTTP].items()}
    assert times.pop(("_OTHER", "none", "404"), None) or times.pop(("_OTHER", "none", "405"))
    assert times == {("GET", "/api/v1/tracks/{track_id}", "404"): 2, ("GET", "none", "404"): 2}

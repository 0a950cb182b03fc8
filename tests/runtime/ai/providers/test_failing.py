"""What a refusal means: one status has several meanings, and the code in the body decides."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonetouch_runtime.ai.errors import AIInputRefused, AIUnavailable, ProviderFailed
from tonetouch_runtime.ai.providers.failing import (
    LONGEST_DETAIL,
    Door,
    failed,
    retry_after,
    said_in,
    seconds_to_midnight,
)

DOOR = Door(provider="Somebody", setting="TONETOUCH_SOME_KEY", secrets=("sk-secret-4711", "cf-secret-4711"))
NOW = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)


def envelope(code: int, message: str = "said no") -> bytes:
    return msgspec.json.encode(
        {"result": None, "success": False, "errors": [{"code": code, "message": message}], "messages": []}
    )


def error(status: int | None, body: bytes, **headers: str) -> Exception:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return failed(DOOR, status=status, headers={"content-type": "application/json", **named}, body=body, now=NOW)


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (429, envelope(971), "rate_limited"),
        (429, b"", "rate_limited"),
        (429, envelope(3036), "daily_quota"),
        (429, envelope(3040), "out_of_capacity"),
        (429, b'{"error":"InferenceUpstreamError: 3040: Capacity temporarily exceeded"}', "out_of_capacity"),
        (429, b'{"error":{"type":"rate_limit_error","message":"slow down"}}', "rate_limited"),
        (
            429,
            b'{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"quota","details":'
            b'[{"@type":"x/QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerDayPerProject"}]}]}}',
            "daily_quota",
        ),
        (408, envelope(3007), "timeout"),
        (408, envelope(3008), "timeout"),
        (408, b"", "timeout"),
        (504, b"", "timeout"),
        (500, envelope(7009), "overloaded"),
        (400, envelope(7009), "overloaded"),
        (500, b"oops", "overloaded"),
        (502, b"<html>bad gateway</html>", "overloaded"),
        (503, b"", "overloaded"),
        (529, b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', "overloaded"),
        (409, b"", "overloaded"),
        (301, b"", "nonsense"),
        (400, b"<!doctype html><title>Portal</title>", "nonsense"),
        (400, envelope(5024, "JSON Mode couldn't be met"), "nonsense"),
        (None, b'{"type":"error","error":{"type":"overloaded_error"}}', "overloaded"),
        (None, b'{"error":{"type":"rate_limit_error"}}', "rate_limited"),
        (None, b'{"error":{"type":"timeout_error"}}', "timeout"),
        (None, b'{"errors":[{"code":3040,"message":"busy"}]}', "out_of_capacity"),
        (None, b'{"error":{"message":"something"}}', "overloaded"),
    ],
)
def test_failures_of_the_provider(status: int | None, body: bytes, failure: str) -> None:
    """These may be tried elsewhere, and most of them later."""
    refused = error(status, body)
    assert isinstance(refused, ProviderFailed)
    assert (refused.failure, refused.http_status) == (failure, status)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, b""),
        (403, b""),
        (400, envelope(10000, "Authentication error")),
        (401, b'{"success":false,"result":[],"messages":[],"error":[{"code":2009,"message":"Unauthorized"}]}'),
        (403, envelope(5016, "licence not accepted")),
        (403, envelope(5035, "needs the paid plan")),
        (400, b'{"error":{"code":400,"status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}'),
        (400, b'{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"API key not valid."}}'),
        (401, b'{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}'),
        (None, b'{"type":"error","error":{"type":"permission_error"}}'),
        (402, b""),
        (402, envelope(2021)),
        (429, b'{"error":{"type":"insufficient_quota","code":"insufficient_quota","message":"check your plan"}}'),
        (400, b'{"error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}'),
    ],
)
def test_a_key_that_does_not_open(status: int | None, body: bytes) -> None:
    """A key that is refused, may not do this, or has no money behind it: the setting is named."""
    refused = error(status, body)
    assert isinstance(refused, AIUnavailable)
    assert "TONETOUCH_SOME_KEY" in refused.setting


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b"not found"),
        (400, envelope(5007, "no such model")),
        (404, envelope(3042)),
        (400, envelope(7003)),
        (404, b'{"error":{"type":"invalid_request_error","code":"model_not_found","message":"no such model"}}'),
        (None, b'{"error":{"type":"not_found_error","message":"model: nothing"}}'),
    ],
)
def test_a_model_that_is_not_there(status: int | None, body: bytes) -> None:
    """A wrong name of a model is a matter of the routing table."""
    refused = error(status, body)
    assert isinstance(refused, AIUnavailable)
    assert "TONETOUCH_AI_ROUTES" in refused.setting


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, envelope(5004, "could not be decoded")),
        (413, envelope(3006, "too large")),
        (413, b"<html>413 Request Entity Too Large</html>"),
        (400, b'{"error":{"type":"invalid_request_error","message":"prompt is too long"}}'),
        (422, b"Failed to deserialize"),
        (400, envelope(5012, "AiError: AiError: no")),
        (None, b'{"error":{"type":"invalid_request_error","message":"no"}}'),
    ],
)
def test_an_input_that_is_to_blame(status: int | None, body: bytes) -> None:
    """Trying these again, here or elsewhere in the same words, changes nothing."""
    assert isinstance(error(status, body), AIInputRefused)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after": "Sun, 22 Nov 2026 18:00:30 GMT"}, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 17:00:00 GMT"}, 0.0),
        ({"retry-after": "Sun, 22 Nov 2026 18:00:30 GMT", "date": "Sun, 22 Nov 2026 18:00:20 GMT"}, 10.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, milliseconds and dates are understood; anything else is as if nothing had been said."""
    assert retry_after(headers, now=NOW) == seconds


def test_the_wait_comes_with_the_failure() -> None:
    """Header first, else what the body says; a day's allowance is there again at midnight UTC."""
    for body, headers, seconds in (
        (envelope(971), {"retry_after": "12"}, 12.0),
        (b'{"error":{"status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"37.5s"}]}}', {}, 37.5),
        (envelope(3036), {}, 6 * 3600.0),
        (envelope(3040), {}, None),
    ):
        refused = error(429, body, **headers)
        assert isinstance(refused, ProviderFailed)
        assert refused.retry_after_seconds == seconds
    assert seconds_to_midnight(NOW) == 6 * 3600


def test_what_may_pass() -> None:
    """A full minute and a busy model pass, a day's allowance does not."""
    passes = {
        code: refused.may_pass
        for code in (971, 3036, 3040)
        if isinstance(refused := error(429, envelope(code)), ProviderFailed)
    }
    assert passes == {971: True, 3036: False, 3040: True}


@given(message=st.text(max_size=600))
def test_secrets_are_struck_out(message: str) -> None:
    """A provider that repeats our key does not get it into our errors, which are short and on one line."""
    for status in (400, 401, 404, 429, 500):
        body = msgspec.json.encode({"error": {"message": f"key sk-secret-4711 {message} cf-secret-4711"}})
        text = str(error(status, body))
        assert "secret-4711" not in text
        assert "\n" not in text
        assert len(text) < LONGEST_DETAIL + 120


@given(body=st.binary(max_size=200), status=st.integers(100, 599))
def test_no_body_is_too_strange(body: bytes, status: int) -> None:
    """Whatever stands in a body, it comes down to one of our errors."""
    assert isinstance(error(status, body), AIUnavailable | AIInputRefused | ProviderFailed)


@given(
    document=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["error", "errors", "code", "type", "message", "details"]), inner)
        ),
        max_leaves=12,
    )
)
def test_no_document_is_too_strange(document: object) -> None:
    """The same for JSON of any shape."""
    said_in(msgspec.json.encode(document))


def test_a_deep_document() -> None:
    """A document that is nested beyond reading is words."""
    assert said_in(b"[" * 100_000).codes == ()

"""The history of waiting."""

from typing import Any, Literal

from tonetouch_contracts.identity import JobId
from tonetouch_contracts.job import JobThrottled
from tonetouch_contracts.ledger import ShowThrottling, Throttling
from tonetouch_runtime import Floor

Reason = Literal["paced", "rate_limited", "out_of_capacity", "daily_quota"]


def waited(job_id: str, at: str, ms: float, *, reason: Reason = "paced", model: str = "bge") -> JobThrottled:
    """An attempt that had to wait."""
    return JobThrottled(
        job_id=JobId(job_id),
        attempt=1,
        type="embeddings",
        feature="ingest.embed",
        provider="cloudflare",
        model=model,
        target="bge",
        reason=reason,
        limit_per_minute=1500,
        waited_ms=ms,
        throttled_at=at,
    )


async def lines(floor: Floor, **asked: Any) -> list[tuple[Any, ...]]:
    """What is said of each span."""
    answer: Throttling = (await floor.ask(ShowThrottling(**asked))).value
    return [(one.start, one.reason, one.times, one.jobs, one.waited_ms, one.longest_ms) for one in answer.lines]


async def test_waiting_is_counted_by_span_and_reason(floor: Floor) -> None:
    """An attempt may wait several times, and is one job even so."""
    for event in (
        waited("j1", "2026-01-01T10:00:01.000000Z", 10.0),
        waited("j1", "2026-01-01T10:00:02.000000Z", 30.0),
        waited("j2", "2026-01-01T10:00:59.000000Z", 20.0),
        waited("j2", "2026-01-01T10:01:00.000000Z", 5.0, reason="rate_limited"),
        waited("j3", "2026-01-02T10:01:00.000000Z", 7.0, model="llama"),
    ):
        positions = await floor.log.pour(event)
    await floor.seen(positions)
    assert await lines(floor, every="minute", to_day="2026-01-01") == [
        ("2026-01-01T10:00", "paced", 3, 2, 60.0, 30.0),
        ("2026-01-01T10:01", "rate_limited", 1, 1, 5.0, 5.0),
    ]
    assert [line[0] for line in await lines(floor, every="day")] == ["2026-01-01", "2026-01-01", "2026-01-02"]
    assert [line[0] for line in await lines(floor)] == ["2026-01-01T10", "2026-01-01T10", "2026-01-02T10"]
    assert [line[0] for line in await lines(floor, model="llama", from_day="2026-01-02")] == ["2026-01-02T10"]
    assert await lines(floor, feature="dj") == []
    assert [line[0] for line in await lines(floor, limit=1)] == ["2026-01-02T10"]

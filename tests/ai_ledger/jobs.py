"""Attempts at jobs to test with."""

from typing import Any

import msgspec

from tonetouch_contracts.identity import JobId
from tonetouch_contracts.job import JobRecorded, JobRepriced, JobStarted


def started(job_id: str, attempt: int = 1, **said: Any) -> JobStarted:
    """An attempt is about to be made."""
    event = JobStarted(
        job_id=JobId(job_id),
        attempt=attempt,
        type="embeddings",
        feature="ingest.embed",
        subject="track:t1",
        provider="local",
        model="small",
        gateway=None,
        input_hash="0" * 64,
        input_ref=f"ai/{'0' * 64}.input",
        started_at="2026-01-01T00:00:00.000000Z",
    )
    return msgspec.structs.replace(event, **said)


def recorded(job_id: str, attempt: int = 1, **said: Any) -> JobRecorded:
    """How the attempt ended."""
    event = JobRecorded(
        **msgspec.structs.asdict(started(job_id, attempt)),
        output_ref=f"ai/{'0' * 64}",
        prompt_tokens=12,
        cached_tokens=0,
        completion_tokens=34,
        cost_pico_usd=5_600_000_000,
        latency_ms=78.9,
        outcome="succeeded",
        cache="miss",
        usage_source="reported",
        recorded_at="2026-01-01T00:00:01.000000Z",
    )
    return msgspec.structs.replace(event, **said)


def repriced(job_id: str, cost: int | None) -> JobRepriced:
    """What an attempt costs by other prices."""
    return JobRepriced(
        job_id=JobId(job_id),
        attempt=1,
        cost_pico_usd=cost,
        previous_pico_usd=None,
        price_revision="2026-02-01",
        repriced_at="2026-02-01T00:00:00.000000Z",
    )

"""Times as a person types them."""

from datetime import UTC, datetime, timedelta

import pytest

from tonetouch_deploy.events.moments import moment_of, span_of
from tonetouch_deploy.settings import CannotStartError


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31", "2026-01-31T00:00:00.000000Z"),
        ("2026-01-31T10:00", "2026-01-31T10:00:00.000000Z"),
        ("2026-01-31T10:00:00.5Z", "2026-01-31T10:00:00.500000Z"),
        ("2026-01-31T10:00+02:00", "2026-01-31T08:00:00.000000Z"),
    ],
)
def test_a_time_is_utc_unless_it_says_otherwise(text: str, moment: str) -> None:
    """As times stand in events."""
    assert moment_of(text) == moment


def test_so_long_ago_is_a_time_too() -> None:
    """Two hours before the moment it was asked."""
    before = datetime.now(UTC)
    moment = datetime.fromisoformat(moment_of("2h"))
    assert before <= moment + timedelta(hours=2) <= datetime.now(UTC)
    assert span_of("90s") == timedelta(seconds=90)


@pytest.mark.parametrize("text", ["soon", "10", "-1h", ""])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    """The sentence says what would do."""
    with pytest.raises(CannotStartError, match="10m"):
        moment_of(text)
    with pytest.raises(CannotStartError, match="10m"):
        span_of(text)

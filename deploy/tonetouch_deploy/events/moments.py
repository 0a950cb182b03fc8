"""Times as a person types them."""

import re
from datetime import UTC, datetime, timedelta

from tonetouch_deploy.settings import CannotStartError

_AGO = re.compile(r"(\d+)(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment_of(text: str) -> str:
    """A time or a day in UTC (2026-01-31T10:00), or so long ago (90s, 10m, 2h, 7d), as RFC 3339.

    Raises CannotStartError for anything else.
    """
    if _AGO.fullmatch(text):
        return stamp(datetime.now(UTC) - span_of(text))
    try:
        said = datetime.fromisoformat(text)
    except ValueError:
        words = f"{text} is not a time; say 2026-01-31T10:00 (UTC), or 10m for ten minutes ago (s, m, h, d)."
        raise CannotStartError(words) from None
    return stamp(said if said.tzinfo else said.replace(tzinfo=UTC))


def span_of(text: str) -> timedelta:
    """A length of time, as 90s, 10m, 2h or 7d. Raises CannotStartError for anything else."""
    if (found := _AGO.fullmatch(text)) is None:
        raise CannotStartError(f"{text} is not a length of time; say 10m (s, m, h, d).")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def stamp(moment: datetime) -> str:
    """As times stand in events: they sort as text."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"

"""Time and identity, as an argument: decisions and tests never look at the wall."""

import os
from datetime import UTC, datetime
from typing import Protocol

from tonetouch_contracts.identity import uuid7


class Clock(Protocol):
    """Where times and new ids come from."""

    def now(self) -> datetime:
        """The time in UTC."""
        ...

    def new_id(self) -> str:
        """A new UUIDv7 of this moment."""
        ...


class SystemClock:
    """The machine's clock and the kernel's randomness."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def new_id(self) -> str:
        return uuid7(int(self.now().timestamp() * 1000), os.urandom(10))


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds: times of this form sort as text."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def moment(text: str) -> datetime:
    """The time that `stamp` wrote. Raises ValueError."""
    return datetime.fromisoformat(text).astimezone(UTC)

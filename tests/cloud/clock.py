"""The time of an account: the real one, moved by hand or held."""

import time
from datetime import UTC, datetime


class Clock:
    """Seconds since 1970. Runs like the real one until it is frozen; never waits for anything."""

    def __init__(self) -> None:
        self._offset = 0.0
        self._held: float | None = None

    def now(self) -> float:
        return time.time() + self._offset if self._held is None else self._held

    def advance(self, seconds: float) -> None:
        """Time passes at once."""
        if self._held is None:
            self._offset += seconds
        else:
            self._held += seconds

    def set(self, moment: datetime) -> None:
        """It is `moment` now."""
        self.advance(moment.timestamp() - self.now())

    def freeze(self) -> None:
        """Time stands still but for `advance` and `set`."""
        self._held = self.now()

    def resume(self) -> None:
        """Time runs again from where it stands."""
        if self._held is not None:
            self._offset, self._held = self._held - time.time(), None

    def text(self) -> str:
        """The moment as providers write it."""
        return datetime.fromtimestamp(self.now(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def day(self) -> int:
        """The UTC day, counted from 1970."""
        return int(self.now() // 86_400)

"""A gateway of an account: its settings, its exact cache and its logs."""

from dataclasses import dataclass, field
from typing import Any, Literal

from tests.cloud.asking import Answer
from tests.cloud.limiting import Limit

BODIES_AT_MOST = 500


@dataclass(frozen=True)
class CachedAnswer:
    """An answer and until when it is given again, on the account's clock."""

    answer: Answer
    until: float


@dataclass(kw_only=True)
class Log:
    """One entry of the logs, as the API tells it; the bodies are kept beside it."""

    told: dict[str, Any]
    created: float
    request: bytes | None = None
    response: bytes | None = None


@dataclass(kw_only=True)
class Gateway:
    """`cache_ttl` in seconds, 0 is off. `byok` holds providers whose key is stored here, by their slug."""

    name: str
    authentication: bool = True
    cache_ttl: int = 0
    collect_logs: bool = True
    rate_limiting_limit: int | None = None
    rate_limiting_interval: float = 60.0
    rate_limiting_technique: Literal["fixed", "sliding"] = "sliding"
    retry_max_attempts: int = 1
    retry_delay: int = 0
    byok: frozenset[str] = frozenset()
    cache: dict[str, CachedAnswer] = field(default_factory=dict)
    logs: list[Log] = field(default_factory=list)
    _limit: Limit | None = None

    def note(self, log: Log) -> None:
        """One more entry; only the latest keep their bodies."""
        self.logs.append(log)
        if len(self.logs) > BODIES_AT_MOST:
            old = self.logs[-BODIES_AT_MOST - 1]
            old.request = old.response = None

    def wait(self, now: float) -> float:
        """Seconds until the gateway lets a request in; 0.0 is at once."""
        if self.rate_limiting_limit is None:
            return 0.0
        if self._limit is None:
            self._limit = Limit(
                self.rate_limiting_limit, window=self.rate_limiting_technique, seconds=self.rate_limiting_interval
            )
        return self._limit.admit(now)

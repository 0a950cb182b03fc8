"""Everything beyond this process: who could answer, who does, at what pace, for how much.

A way is chosen from the routing table; a turn on it waits for its pace and its budget, makes one call and learns from
how that went.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence, Set
from contextlib import aclosing, asynccontextmanager
from typing import Any

import msgspec

from tonetouch_contracts.job import Considered, JobThrottled
from tonetouch_runtime._clock import Clock, stamp
from tonetouch_runtime._log import Log
from tonetouch_runtime.ai.accounting import Ending, Job, milliseconds_since
from tonetouch_runtime.ai.breaking import Breakers
from tonetouch_runtime.ai.budgeting import Budgets, Reservation
from tonetouch_runtime.ai.errors import AIInputRefused, AIUnavailable, ProviderFailed
from tonetouch_runtime.ai.pacing import Pace, Waited
from tonetouch_runtime.ai.pricing import PriceBook
from tonetouch_runtime.ai.providers import Ended, Provider, Reply, Target
from tonetouch_runtime.ai.routing import Routes, estimated_tokens
from tonetouch_runtime.ai.streaming import Live
from tonetouch_runtime.ai.tasks import AITask, AnyRequest, Chat, Speech
from tonetouch_runtime.ai.usage import Usage

WORTH_TELLING_MS = 20.0
"""A wait that is longer stands in the log as `job.throttled`."""

LONGEST_PAUSE_SECONDS = 30.0
"""What a provider may ask us to wait before a call gives up instead."""


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """A target, who serves it, and what else was looked at."""

    target: Target
    provider: Provider
    considered: tuple[Considered, ...]

    def of_the_job(self) -> dict[str, Any]:
        """What the row of an attempt says of the way it went."""
        return {
            "provider": self.target.provider,
            "gateway": self.provider.gateway,
            "target": self.target.name,
            "model": self.target.model,
            "considered": self.considered,
        }


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """A reply, and how long it took to come."""

    reply: Reply
    latency_ms: float
    first_token_ms: float | None
    queue_ms: float


class Upstream:
    """All targets of one process."""

    def __init__(
        self,
        *,
        providers: Mapping[str, Provider],
        routes: Routes,
        breakers: Breakers,
        pace: Pace,
        budgets: Budgets,
        prices: PriceBook,
        log: Log,
        clock: Clock,
    ) -> None:
        self._providers = providers
        self._routes = routes
        self._breakers = breakers
        self._pace = pace
        self._budgets = budgets
        self._prices = prices
        self._log = log
        self._clock = clock

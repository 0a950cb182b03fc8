"""AI clients on real servers, a provider that counts its calls, and the ledger's rows as the log has them.

``python -m tests.runtime.ai.clients <number> <folder> <seconds>`` is a client in a process of its own, whose leases
live for so many seconds. It asks the same question `number` times at once, its model answers when there is a file
``go`` in the folder, and it prints how many calls were made, how many different answers there were, and how many
answers.
"""

import asyncio
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import msgspec
from pydantic import SecretStr

from tests.cloud import Account
from tonetouch_contracts.job import BudgetExhausted, JobRecorded, JobStarted, JobThrottled
from tonetouch_contracts.manifest import stream_of
from tonetouch_runtime import Bus, Log, Objects, Settings, SystemClock
from tonetouch_runtime.ai import Embedded, TextToEmbed, Whose
from tonetouch_runtime.ai.client import AIClient
from tonetouch_runtime.ai.composing import connect, providers_of
from tonetouch_runtime.ai.providers import Piece, Provider, Reply, Target
from tonetouch_runtime.ai.providers.local import LocalProvider
from tonetouch_runtime.ai.tasks import AnyRequest, Chat, Embeddings, Speech
from tonetouch_runtime.provisioning import apply

PATIENCE_SECONDS = 20.0


class CountingProvider:
    """The embedded engines, with a count of what was asked upstream, a gate before it, and failures to order."""

    name = "local"
    gateway: str | None = None

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.calls = 0
        self.failures: list[Exception] = []
        self.gate: Callable[[], object] = lambda: None
        self._local = LocalProvider()

    async def call(self, target: Target, request: AnyRequest, *, about: Mapping[str, str] | None = None) -> Reply:
        await self._count(request)
        return await self._local.call(target, request, about=about)

    async def stream(
        self, target: Target, request: Chat | Speech, *, about: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Piece, None]:
        await self._count(request)
        async with aclosing(self._local.stream(target, request, about=about)) as pieces:
            async for piece in pieces:
                yield piece

    async def close(self) -> None:
        await self._local.close()

    async def _count(self, request: AnyRequest) -> None:
        if isinstance(request, Embeddings):
            self.batches.append(list(request.texts))
        self.calls += 1
        await asyncio.to_thread(self.gate)
        if self.failures:
            raise self.failures.pop(0)


TEST = Whose(feature="test", subject="test")
PRIVATE = Whose(feature="search", subject="search", share=False, keep_input=False)


class Connected(msgspec.Struct, frozen=True, kw_only=True):
    """A client with its own connection, and what it stands on."""

    ai: AIClient
    provider: CountingProvider
    bus: Bus
    log: Log
    objects: Objects

    async def rows(self) -> tuple[list[JobStarted], list[JobRecorded]]:
        """Every start and every end in the log, in order; the ends of what was answered are among them."""
        await self.ai.settled()
        return await rows(self.bus)


async def provision_ai(settings: Settings) -> None:
    """What the client stands on, and none of the other streams."""
    bus = await Bus.connect(settings.nats_url, "provisioning")
    await apply(bus.jetstream, [stream_of(JobStarted)], (), ())
    await bus.close()
    async with Objects(settings.object_store) as objects:
        await objects.ensure_bucket()


@asynccontextmanager
async def connected(
    settings: Settings,
    *,
    lease_seconds: float = 10.0,
    providers: Mapping[str, Provider] | None = None,
    make_log: type[Log] = Log,
) -> AsyncIterator[Connected]:
    """A client as a service has it, on a connection of its own; with the embedded engines, counted, and `providers`."""
    bus = await Bus.connect(settings.nats_url, "tests")
    clock, provider = SystemClock(), CountingProvider()
    log = make_log(bus, clock, service="tests", settle_seconds=10.0)
    async with Objects(settings.object_store) as objects:
        ai = AIClient(
            service="tests",
            bus=bus,
            log=log,
            objects=objects,
            clock=clock,
            upstream=connect(
                settings, bus=bus, log=log, clock=clock, providers={**(providers or {}), "local": provider}
            ),
            lease_seconds=lease_seconds,
        )
        yield Connected(ai=ai, provider=provider, bus=bus, log=log, objects=objects)
    await bus.close()


def in_the_cloud(settings: Settings, cloud: Account) -> Settings:
    """The same installation with accounts at Cloudflare, its gateway, Anthropic and Gemini, all of them simulated."""
    return in_the_cloud_of(settings, {name: getattr(cloud, name) for name in _OF_AN_ACCOUNT})


def in_the_cloud_of(settings: Settings, account: Mapping[str, str]) -> Settings:
    """The same with an account as a simulator in another process tells it."""
    return settings.model_copy(
        update={
            "cloudflare_account": account["id"],
            "cloudflare_token": SecretStr(account["token"]),
            "cloudflare_gateway": account["gateway"],
            "cloudflare_api_url": account["api_url"],
            "cloudflare_gateway_url": account["gateway_url"],
            "anthropic_key": SecretStr(account["anthropic_key"]),
            "gemini_key": SecretStr(account["gemini_key"]),
        }
    )


_OF_AN_ACCOUNT = ("id", "token", "gateway", "api_url", "gateway_url", "anthropic_key", "gemini_key")


@asynccontextmanager
async def connected_to_the_cloud(settings: Settings, cloud: Account) -> AsyncIterator[Connected]:
    """A client that reaches nothing but the simulated cloud and the embedded engines."""
    settings = in_the_cloud(settings, cloud)
    async with connected(settings, providers=providers_of(settings)) as client:
        yield client


async def rows(bus: Bus) -> tuple[list[JobStarted], list[JobRecorded]]:
    """Every start and every end in the log, in order."""
    started, recorded = [], []
    last = (await bus.jetstream.stream_info("AI")).state.last_seq
    for sequence in range(1, last + 1):
        message = await bus.jetstream.get_msg("AI", sequence)
        raw = msgspec.json.decode(message.data or b"{}", type=JobStarted | JobRecorded | JobThrottled | BudgetExhausted)
        if isinstance(raw, JobStarted):
            started.append(raw)
        elif isinstance(raw, JobRecorded):
            recorded.append(raw)
    return started, recorded


def caches(recorded: Sequence[JobRecorded]) -> Counter[str]:
    """How often each cache class stands in the rows."""
    return Counter(row.cache for row in recorded)


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition, within a bound."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.01)


async def until_started(bus: Bus, number: int = 1) -> None:
    """Wait until this many attempts have begun."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len((await rows(bus))[0]) < number:
            await asyncio.sleep(0.02)


async def until_recorded(bus: Bus, number: int = 1) -> None:
    """Wait until this many attempts have ended."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len((await rows(bus))[1]) < number:
            await asyncio.sleep(0.02)


def shut(gate: threading.Event) -> Callable[[], object]:
    """A gate that lets nobody through until the event is set."""
    return lambda: gate.wait(PATIENCE_SECONDS)


def the_same(number: int = 1, text: str = "a slow sad piano piece") -> list[TextToEmbed]:
    return [TextToEmbed(text=text, subject=f"track:{index}") for index in range(number)]


async def ask_singly(ai: AIClient, number: int) -> list[Embedded]:
    """The same question in so many calls at once."""
    found = await asyncio.gather(*(ai.embed([text], TEST) for text in the_same(number)))
    return [one for [one] in found]


async def _ask_in_this_process(number: int, folder: Path, lease_seconds: float) -> None:
    async with connected(Settings(), lease_seconds=lease_seconds) as client:
        client.provider.gate = lambda: _until_there(folder / "go")
        asked = asyncio.create_task(ask_singly(client.ai, number))
        print("asking", flush=True)
        answers = await asked
    print(client.provider.calls, len({one.vector.tobytes() for one in answers}), len(answers), flush=True)


def _until_there(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(_ask_in_this_process(int(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])))

"""``python -m tests.economics [--requests N]``: 200 artists, one simulated day, every configured model.

A real NATS, a real S3, the ledger and the AI client, against the simulated cloud, whose clock moves on from one request
to the next. Each external model writes about artists from their context blocks; in-runtime the same question is asked
with a context cut to the window of 24,000 tokens, and with one of 2,000. What is printed comes from the ledger.
"""

import argparse
import asyncio
import random
import re
import secrets
import tempfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.cloud import Account, simulator
from tests.cloud.models import LLAMA
from tests.economics.theory import ANSWER, PREFIX, SUFFIX, Price, break_even, expected_hit_ratio, zipf
from tests.runtime.ai.clients import Connected, connected, in_the_cloud
from tests.runtime.installation import provision
from tests.servers import nats_server, object_store
from tonetouch_ai_ledger.app import app
from tonetouch_contracts.ledger import EconomicsLine, ShowEconomics, Which
from tonetouch_runtime import Floor, Settings, running
from tonetouch_runtime.ai import Whose
from tonetouch_runtime.ai.composing import providers_of
from tonetouch_runtime.ai.tasks import Chat, Message

ARTISTS, HOURS, SEED = 200, 24.0, 3
BYTES_A_TOKEN = 4
"""The simulator's rule."""

IN_RUNTIME_CALLS = 20
CUT, TYPICAL = 23_600, 2_000
"""Tokens of an in-runtime prompt: as much as the window holds beside the answer, and a usual one."""


@dataclass(frozen=True, kw_only=True)
class Contender:
    """An external model: its target, its published prices, how long it keeps a prefix, and how it is asked to.

    Where a provider does not promise how long, it is the simulator's five minutes after the last read.
    """

    target: str
    provider: str
    model: str
    price: Price
    lifetime_hours: float
    lifetime: str | None = None


CONTENDERS = (
    Contender(
        target="gpt-nano",
        provider="openai",
        model="gpt-5-nano",
        price=Price(input=0.05, output=0.40, read=0.005, write=0.05),
        lifetime_hours=5 / 60,
    ),
    Contender(
        target="gemini-flash-lite",
        provider="gemini",
        model="gemini-2.5-flash-lite",
        price=Price(input=0.10, output=0.40, read=0.01, write=0.10),
        lifetime_hours=5 / 60,
    ),
    Contender(
        target="claude-haiku",
        provider="anthropic",
        model="claude-haiku-5-5",
        price=Price(input=0.10, output=0.50, read=0.01, write=0.125),
        lifetime_hours=5 / 60,
        lifetime="5m",
    ),
    Contender(
        target="claude-haiku-1h",
        provider="anthropic",
        model="claude-haiku-5-5",
        price=Price(input=0.10, output=0.50, read=0.01, write=0.20),
        lifetime_hours=1.0,
        lifetime="1h",
    ),
    Contender(
        target="gpt-mini",
        provider="openai",
        model="gpt-5-mini",
        price=Price(input=0.25, output=2.00, read=0.025, write=0.25),
        lifetime_hours=5 / 60,
    ),
    Contender(
        target="claude-sonnet",
        provider="anthropic",
        model="claude-sonnet-5-5",
        price=Price(input=2.0, output=10.0, read=0.10, write=2.5),
        lifetime_hours=5 / 60,
        lifetime="5m",
    ),
)


def words(tokens: int, of: str) -> str:
    """A text of so many tokens by the simulator's rule; another `of` is another text from its beginning."""
    sentence = f"{of} played the hall again that year, and the papers wrote of it. "
    size = tokens * BYTES_A_TOKEN
    return (sentence * (size // len(sentence) + 1))[:size]


def question(tokens: int, number: int, lifetime: str | None = None, *, of: str) -> Chat:
    """A request about an artist: its context block first, then what is asked this time."""
    return Chat(
        context=words(tokens, of),
        context_lifetime=lifetime,  # type: ignore[arg-type]
        messages=(Message("user", words(SUFFIX, f"Question {number} about {of}")),),
        max_tokens=ANSWER,
    )


async def a_day(client: Connected, cloud: Account, contender: Contender, requests: int) -> None:
    """Requests at random moments of a day about artists by their fame."""
    chance, shares = random.Random(SEED), zipf(ARTISTS)
    whose = Whose(feature=f"economics.{contender.target}", subject="economics", keep_input=False)
    for number in track(range(requests), description=f"{contender.target:<18}", transient=True):
        cloud.clock.advance(chance.expovariate(requests / (HOURS * 3600)))
        artist = chance.choices(range(ARTISTS), shares)[0]
        asked = question(PREFIX, number, contender.lifetime, of=f"{contender.target} artist {artist}")
        await client.ai.ask(asked, whose)


async def in_runtime(client: Connected) -> None:
    """The calls to compare with: none of them shares its prefix with another."""
    for tokens in (CUT, TYPICAL):
        whose = Whose(feature=f"economics.{tokens}", subject="economics", keep_input=False)
        for number in range(IN_RUNTIME_CALLS):
            await client.ai.ask(question(tokens - SUFFIX, number, of=f"artist {number}"), whose)


async def line(floor: Floor, feature: str) -> EconomicsLine:
    """What the ledger says of the calls of one feature."""
    economics = (await floor.ask(ShowEconomics(which=Which(type="chat", feature=feature)))).value
    [only] = economics.lines
    return only


FILLED = f"""
# Our own count is careful: by it a prompt that just fits the window would be sent elsewhere.
[targets.llama-filled]
provider = "cloudflare"
task = "chat"
model = "{LLAMA}"
window_tokens = 100_000

"""


def routes(folder: Path) -> Path:
    """The packaged routing table, with a route of its own for everything that is compared."""
    text = resources.files("tonetouch_runtime.ai").joinpath("routing.toml").read_text("utf-8")
    text = re.sub(r"per_minute = [\d_]+", "per_minute = 600_000", text)
    own = [(one.target, one.target.removesuffix("-1h")) for one in CONTENDERS]
    own += [(str(tokens), "llama-filled") for tokens in (CUT, TYPICAL)]
    tables = FILLED + "".join(
        f'[[routes]]\ntask = "chat"\nfeature = "economics.{name}"\ncandidates = ["{target}"]\nembedded = false\n\n'
        for name, target in own
    )
    before, first, after = text.partition("[[routes]]\ntask")
    path = folder / "routing.toml"
    path.write_text(f"{before}{tables}{first}{after}")
    return path


def shown(requests: int, lines: dict[str, EconomicsLine], cut: EconomicsLine, typical: EconomicsLine) -> Table:
    """The ledger beside the theory."""
    table = Table(title=f"{ARTISTS} artists, {requests} requests for each model over a day; USD a thousand requests")
    for name in ("model", "hit ratio", "theory", "a request", "theory", f"below {usd(cut)} (24k)?", "theory"):
        table.add_column(name, justify="left" if name == "model" else "right")
    table.add_column(f"below {usd(typical)} (2k)?", justify="right")
    table.add_column("theory", justify="right")
    for contender in CONTENDERS:
        found = lines[contender.target]
        expected = expected_hit_ratio(zipf(ARTISTS), requests / HOURS, contender.lifetime_hours)
        table.add_row(
            contender.target,
            f"{found.prompt_hit_ratio:.0%}",
            f"{expected:.0%}",
            usd(found),
            f"{contender.price.usd_per_thousand(expected):.2f}",
            holds(found, cut),
            break_even(contender.price, cut.mean_cost_pico_usd / 1e9),
            holds(found, typical),
            break_even(contender.price, typical.mean_cost_pico_usd / 1e9),
        )
    return table


def usd(of: EconomicsLine) -> str:
    return f"{of.mean_cost_pico_usd / 1e9:.2f}"


def holds(outside: EconomicsLine, inside: EconomicsLine) -> str:
    return "yes" if outside.mean_cost_pico_usd < inside.mean_cost_pico_usd else "no"


async def experiment(requests: int, folder: Path, settings: Settings, cloud: Account) -> Table:
    """Ask, then read the ledger."""
    for model in [*(one.model for one in CONTENDERS), LLAMA]:
        cloud.unlimit(model)
        cloud.plan(model, words(ANSWER, "The answer"))
    await provision(settings)
    settings = in_the_cloud(settings, cloud).model_copy(
        update={"openai_key": SecretStr(cloud.openai_key), "ai_routes": routes(folder)}
    )
    async with running(app, settings) as floor:
        async with connected(settings, providers=providers_of(settings)) as client:
            for contender in CONTENDERS:
                await a_day(client, cloud, contender, requests)
            await in_runtime(client)
            head = (await client.bus.jetstream.stream_info("AI")).state.last_seq
        await floor.seen({"AI": head}, 120.0)
        lines = {one.target: await line(floor, f"economics.{one.target}") for one in CONTENDERS}
        cut, typical = await line(floor, f"economics.{CUT}"), await line(floor, f"economics.{TYPICAL}")
    return shown(requests, lines, cut, typical)


def main() -> None:
    parser = argparse.ArgumentParser(prog="economics", description=__doc__)
    parser.add_argument("--requests", type=int, default=1500, help="requests for each model over the day")
    requests = parser.parse_args().requests
    with (
        tempfile.TemporaryDirectory() as name,
        nats_server(Path(name) / "nats") as nats,
        object_store(Path(name) / "s3") as s3,
        simulator() as cloud,
    ):
        settings = Settings(
            data=Path(name) / "data",
            nats_url=nats.fresh_account(),
            s3_endpoint=s3.endpoint,
            s3_bucket=f"economics-{secrets.token_hex(4)}",
            s3_access_key=SecretStr(s3.access_key),
            s3_secret_key=SecretStr(s3.secret_key),
            log_level="error",
        )
        Console(width=150).print(asyncio.run(experiment(requests, Path(name), settings, cloud.account())))


if __name__ == "__main__":
    main()

"""``tonetouch prices``: what models cost, what public lists say of it, and what history costs by the book of today."""

import asyncio
import json
from collections.abc import Iterable
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tonetouch_contracts.pricing import RepriceJobs, Repricing
from tonetouch_deploy.installation import installation
from tonetouch_deploy.nats_accounts import OPERATOR
from tonetouch_deploy.price_differences import HOURS_A_WEEK, Difference, differences
from tonetouch_deploy.price_lists import PINNED, GenaiPrices, PublicList, litellm_list, pinned
from tonetouch_deploy.settings import CannotStartError
from tonetouch_deploy.showing import say_failure
from tonetouch_runtime import Bus, Misconfigured, Settings, TonetouchError
from tonetouch_runtime.ai.prices.listed import ListedPrice, Rates
from tonetouch_runtime.ai.pricing import PriceBook

prices = typer.Typer(help="What models cost.", no_args_is_help=True)

Book = Annotated[
    Path | None,
    typer.Option(
        envvar="TONETOUCH_AI_PRICES",
        help="A price book instead of the packaged one.",
        show_default=False,
        dir_okay=False,
    ),
]
LiteLLMAt = Annotated[
    Path | None, typer.Option(help="LiteLLM's map: its JSON file or the package's wheel.", show_default=False)
]


@prices.command()
def show(
    model: Annotated[str, typer.Argument(help="A model's name, or a part of it.")],
    *,
    book: Book = None,
) -> None:
    """Show every price of a model that the book holds, the newest first, with its source."""
    loaded = _load(book)
    found = [key for key in loaded.entries() if model.lower() in key[1].lower()]
    if not found:
        raise _failure(f"The book {loaded.revision} has no price for {model!r}.")
    console = Console()
    for provider, name in found:
        for listed in loaded.history(provider, name):
            console.print(_price_table(loaded, provider, name, listed))


@prices.command()
def diff(
    models: Annotated[list[str] | None, typer.Argument(help="Parts of names; without any, all models.")] = None,
    *,
    book: Book = None,
    litellm: LiteLLMAt = None,
    genai_prices: Annotated[bool, typer.Option("--genai-prices", help="Read the installed package.")] = False,
    at: Annotated[datetime | None, typer.Option(help="The day to compare on, UTC.", formats=["%Y-%m-%d"])] = None,
) -> None:
    """Show where two public lists differ from our book and from each other, over the hours of a week.

    Without options the lists are the ones that were pinned when the packaged book was last compared with them.
    """
    loaded = _load(book)
    keys = [key for key in loaded.entries() if not models or any(part.lower() in key[1].lower() for part in models)]
    try:
        lists = _lists(keys, litellm, genai_prices)
    except CannotStartError as error:
        raise _failure(str(error)) from error
    moment = at.replace(tzinfo=UTC) if at else datetime.now(UTC)
    found = list(differences(loaded, lists, keys, moment))
    console = Console()
    console.print(_difference_table(found, lists, f"{loaded.revision} on {moment:%Y-%m-%d}"))
    unknown = [model for provider, model in keys if not any(one.amounts(provider, model, moment, 1) for one in lists)]
    if unknown:
        console.print(f"Neither list knows {', '.join(unknown)}.", highlight=False)


@prices.command()
def pin(
    *,
    litellm: LiteLLMAt = None,
    into: Annotated[Path, typer.Option(help="The folder of the pinned lists.")] = Path(str(PINNED)),
) -> None:
    """Keep what both lists say of our models now: LiteLLM by its file or package, genai-prices by its package."""
    keys = list(PriceBook.load().entries())
    try:
        lists: tuple[PublicList, ...] = (litellm_list(litellm, keys), GenaiPrices.of_package(keys))
    except CannotStartError as error:
        raise _failure(str(error)) from error
    into.mkdir(parents=True, exist_ok=True)
    for kept, name in zip(lists, ("litellm.json", "genai-prices.json"), strict=True):
        said = {"list": kept.name, "version": kept.version, "pinned": date.today().isoformat(), "prices": kept.entries}
        (into / name).write_text(json.dumps(said, indent=1, sort_keys=True, default=float) + "\n", "utf-8")
        typer.echo(f"{into / name}: {len(kept.entries)} models of {kept.name}")


@prices.command()
def reprice(
    *,
    from_day: Annotated[str | None, typer.Option("--from", help="First day, UTC.", metavar="YYYY-MM-DD")] = None,
    to_day: Annotated[str | None, typer.Option("--to", help="Last day, UTC.", metavar="YYYY-MM-DD")] = None,
    feature: Annotated[str | None, typer.Option(help="Only attempts of this feature.")] = None,
    model: Annotated[str | None, typer.Option(help="Only attempts at this model.")] = None,
    only_show: Annotated[bool, typer.Option("--only-show", help="Add nothing to the ledger.")] = False,
) -> None:
    """Price what the ledger holds by the book of today; corrections are added, nothing is changed.

    It may be stopped at any time and asked again: what was corrected is not corrected twice.
    """
    command = RepriceJobs(from_day=from_day, to_day=to_day, feature=feature, model=model, only_show=only_show)
    try:
        pages = asyncio.run(_pages(installation(), command))
    except (CannotStartError, TonetouchError) as error:
        raise _failure(str(error)) from error
    typer.echo(_summary(pages, only_show=only_show))


async def _pages(settings: Settings, command: RepriceJobs) -> list[Repricing]:
    bus = await Bus.join(settings, OPERATOR)
    pages: list[Repricing] = []
    try:
        while not pages or command.cursor:
            pages.append((await bus.ask(command)).value)
            command = _after(command, pages[-1].next_cursor)
    finally:
        await bus.close()
    return pages


def _after(command: RepriceJobs, cursor: str | None) -> RepriceJobs:
    return msgspec.structs.replace(command, cursor=cursor)


def _summary(pages: list[Repricing], *, only_show: bool) -> str:
    corrected = sum(page.corrected for page in pages)
    before, after = sum(page.before_pico_usd for page in pages), sum(page.after_pico_usd for page in pages)
    return (
        f"By {pages[-1].price_revision}: {sum(page.examined for page in pages):,} attempts looked at, {corrected:,} "
        f"{'would be' if only_show else 'are'} corrected from {dollars(before)} to {dollars(after)} USD; "
        f"{sum(page.newly_priced for page in pages):,} of them had no price, "
        f"{sum(page.unpriced for page in pages):,} have none in the book."
    )


def dollars(pico: int) -> str:
    """Pico-dollars as dollars, to the last digit that is there."""
    whole, rest = divmod(abs(pico), 10**12)
    return f"{'-' if pico < 0 else ''}{whole}.{rest:012d}".rstrip("0").rstrip(".")


def _lists(keys: list[tuple[str, str]], litellm: Path | None, genai_prices: bool) -> tuple[PublicList, PublicList]:
    one, other = pinned()
    return (
        litellm_list(litellm, keys) if litellm else one,
        GenaiPrices.of_package(keys) if genai_prices else other,
    )


def _difference_table(found: Iterable[Difference], lists: Iterable[PublicList], title: str) -> Table:
    table = Table(title=f"Dollars for a million tokens or another unit, by {title}")
    for heading in ("model", "what", "when", "ours", *(one.name for one in lists), ""):
        table.add_column(
            heading, overflow="fold", justify="left" if heading in ("model", "what", "when", "") else "right"
        )
    for one in found:
        above = f" above {one.above:,}" if one.above else ""
        when = "" if one.hours == HOURS_A_WEEK else f"{one.hours} h a week, as {one.since:%a %H:%M}"
        amounts = map(_amount, (one.ours, *one.theirs))
        table.add_row(f"{one.provider} {escape(one.model)}", one.what + above, when, *amounts, one.verdict)
    return table


def _amount(amount: Fraction | None) -> str:
    return "-" if amount is None else f"{float(amount):.12f}".rstrip("0").rstrip(".")


def _price_table(book: PriceBook, provider: str, model: str, listed: ListedPrice) -> Table:
    source = book.sources[listed.source]
    since = f"from {listed.since}" if listed.since else "as ever"
    read = f"{source.page}, read {source.read}" + (f" in {source.list}" if source.list else "")
    caption = f"{listed.note}\n{read}" if listed.note else read
    table = Table(title=f"{provider} {escape(model)}, {since}", caption=escape(caption), title_justify="left")
    table.add_column("what")
    table.add_column("neurons" if listed.currency == "neuron" else "USD", justify="right")
    for what, amount in _rates(listed):
        table.add_row(what, amount)
    for tier in listed.above:
        for what, amount in _rates(tier):
            table.add_row(f"{what}, prompt above {tier.prompt_tokens:,}", amount)
    for window in listed.windows:
        table.add_row(f"{' '.join(window.days)} {' '.join(window.hours)} UTC", f"x {window.times}")
    for term, multiple in listed.terms.items():
        spared = f", but not for {', '.join(multiple.spares)}" if multiple.spares else ""
        table.add_row(f"{term}{spared}", f"x {multiple.times}")
    return table


def _rates(rates: Rates) -> list[tuple[str, str]]:
    tokens = [(f"million tokens, {name}", f"{amount:f}") for name, amount in rates.million_tokens.items()]
    others = [(name.replace("_", " "), getattr(rates, name)) for name in Rates.__struct_fields__[1:]]
    return tokens + [(name, f"{amount:f}") for name, amount in others if amount is not None]


def _load(path: Path | None) -> PriceBook:
    try:
        return PriceBook.load(path)
    except Misconfigured as error:
        raise _failure(str(error)) from error


def _failure(words: str) -> typer.Exit:
    say_failure(CannotStartError(words))
    return typer.Exit(2)

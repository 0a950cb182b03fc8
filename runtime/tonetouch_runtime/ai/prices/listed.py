"""A price book as it stands in its file: lists of published prices, by provider and model, each with its source.

The file is TOML. Decimals are read as they are written, so no price is ever a binary fraction.
"""

import hashlib
import tomllib
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, get_args

import msgspec

from tonetouch_contracts.job import PromptCache
from tonetouch_runtime.errors import Misconfigured

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = get_args(Day)

TEXT_CLASSES = frozenset(
    {"input", "output", "reasoning", *(cache for cache in get_args(PromptCache) if cache != "none")}
)
TOKEN_CLASSES = TEXT_CLASSES | {f"{kind}_{name}" for kind in ("image", "audio") for name in TEXT_CLASSES}

MINUTES_A_DAY = 24 * 60


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The page a vendor publishes prices on, and the day they were read: there, or in the public lists named."""

    page: str
    read: date
    list: str = ""


class Rates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Prices of units, in the currency of their entry. What is not named has no price, not the price zero.

    ``million_tokens`` is by class: ``input``, ``output``, ``reasoning`` (as ``output`` where it is not named),
    ``read`` and ``write``/``write_5m``/... of the prompt cache; ``image_`` and ``audio_`` before them for tokens of
    that kind.
    """

    million_tokens: dict[str, Decimal] = {}
    thousand_characters: Decimal | None = None
    audio_minute: Decimal | None = None
    image: Decimal | None = None
    tile: Decimal | None = None
    step: Decimal | None = None
    request: Decimal | None = None

    def __post_init__(self) -> None:
        if strange := set(self.million_tokens) - TOKEN_CLASSES:
            raise ValueError(f"no class of tokens: {', '.join(sorted(strange))}")
        amounts = [getattr(self, name) for name in Rates.__struct_fields__ if name != "million_tokens"]
        if any(amount is not None and amount < 0 for amount in (*amounts, *self.million_tokens.values())):
            raise ValueError("a price is below zero")


class Above(Rates, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Other rates for the whole request once its prompt has more tokens than this. What is not named stays."""

    prompt_tokens: Annotated[int, msgspec.Meta(gt=0)]


class Times(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A multiple of every rate, but for the classes of tokens it spares."""

    times: Decimal
    spares: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.times < 0:
            raise ValueError("a multiple is below zero")


class Window(Times, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Hours of the week, UTC, at which everything costs a multiple. ``"22:00-24:00"``: its end is not in it."""

    days: tuple[Day, ...]
    hours: tuple[Annotated[str, msgspec.Meta(pattern=r"^\d\d:\d\d-\d\d:\d\d$")], ...]

    def spans(self) -> list[tuple[int, int]]:
        """The window as minutes of the week from Monday on, each with its end."""
        found = []
        for day in self.days:
            midnight = DAYS.index(day) * MINUTES_A_DAY
            for hours in self.hours:
                start, end = (int(clock[:2]) * 60 + int(clock[3:]) for clock in hours.split("-"))
                if not 0 <= start < end <= MINUTES_A_DAY:
                    raise ValueError(f"no hours of a day: {hours}")
                found.append((midnight + start, midnight + end))
        return found


class ListedPrice(
    Rates, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, rename={"since": "from"}
):
    """What models cost from a day on (00:00 UTC), until the next entry for the same model. No day: as ever.

    `windows` and `terms` multiply what `above` has settled. `terms` are what a request was made under (``batch``,
    ``flex``, ``priority``, a region): a provider names them in its answer.
    """

    provider: str
    models: tuple[str, ...]
    source: str
    since: date | None = None
    currency: Literal["usd", "neuron"] = "usd"
    note: str = ""
    above: tuple[Above, ...] = ()
    windows: tuple[Window, ...] = ()
    terms: dict[str, Times] = {}

    def __post_init__(self) -> None:
        super().__post_init__()
        thresholds = [tier.prompt_tokens for tier in self.above]
        if thresholds != sorted(set(thresholds)):
            raise ValueError(f"{self.models[0]}: `above` goes from few prompt tokens to many")
        spans = sorted(span for window in self.windows for span in window.spans())
        if any(later < end for (_, end), (later, _) in pairwise(spans)):
            raise ValueError(f"{self.models[0]}: two windows overlap")


class PriceList(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole file. With `extends` it stands before the packaged one: a model it names is priced by it alone.

    `providers` says in whose lists the models of a provider are looked up, where that is not its own.
    """

    revision: str
    usd_per_thousand_neurons: Decimal = Decimal("0.011")
    extends: Literal["packaged"] | None = None
    providers: dict[str, tuple[str, ...]] = {}
    sources: dict[str, Source] = {}
    price: tuple[ListedPrice, ...] = ()

    def __post_init__(self) -> None:
        seen = set()
        for price in self.price:
            if price.source not in self.sources:
                raise ValueError(f"{price.models}: there is no source {price.source!r}")
            for model in price.models:
                if (key := (price.provider, model, price.since)) in seen:
                    raise ValueError(f"{price.provider} {model} has two prices from the same day")
                seen.add(key)

    @property
    def pinned(self) -> str:
        """The revision with a digest of what it says: a changed price is another revision, whatever the file claims."""
        said = msgspec.json.encode(self, order="deterministic")
        return f"{self.revision}.{hashlib.sha256(said).hexdigest()[:8]}"


def read_price_list(path: Path) -> PriceList:
    """Read a file of prices. Raises Misconfigured with what is wrong in it."""
    try:
        with path.open("rb") as file:
            return msgspec.convert(tomllib.load(file, parse_float=Decimal), PriceList)
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise Misconfigured(f"The prices in {path} cannot be used: {error}") from error

"""Two public lists of prices, read for one purpose: to be compared with our own book. Nothing is ever priced by them.

What a list says of our models is kept as it said it, with the version of the list (`pinned`), so that a comparison
needs neither a network nor the packages. Newer lists are read from an installed package or a file.
"""

import importlib
import importlib.metadata
import importlib.util
import json
import re
import zipfile
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from fractions import Fraction
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, ClassVar, Protocol

from tonetouch_deploy.settings import CannotStartError

Amounts = dict[str, Fraction]
"""Dollars by class as in our book: for a million tokens of a class, a minute of sound, a thousand characters."""

PINNED: Traversable = files("tonetouch_runtime.ai") / "prices" / "pinned"


class PublicList(Protocol):
    """Somebody else's prices."""

    name: str
    version: str
    entries: dict[str, Any]

    def thresholds(self, provider: str, model: str) -> set[int]:
        """Numbers of prompt tokens above which a model costs something else."""
        ...

    def amounts(self, provider: str, model: str, at: datetime, prompt_tokens: int) -> Amounts | None:
        """What a model costs at a time, None where the list does not know it."""
        ...


class LiteLLM:
    """The map of the LiteLLM package. It knows hours of the week, and no days on which prices changed."""

    _PREFIXES: ClassVar = {"anthropic": "", "openai": ""}
    _CLASSES: ClassVar = {
        "input": ("input_cost_per_token", 10**6),
        "output": ("output_cost_per_token", 10**6),
        "reasoning": ("output_cost_per_reasoning_token", 10**6),
        "read": ("cache_read_input_token_cost", 10**6),
        "write": ("cache_creation_input_token_cost", 10**6),
        "write_1h": ("cache_creation_input_token_cost_above_1hr", 10**6),
        "write_12h": ("cache_creation_input_token_cost_above_12hr", 10**6),
        "audio_input": ("input_cost_per_audio_token", 10**6),
        "audio_read": ("cache_read_input_audio_token_cost", 10**6),
        "audio_minute": ("input_cost_per_second", 60),
        "thousand_characters": ("input_cost_per_character", 1_000),
    }
    _ABOVE = re.compile(r"_above_(\d+)k_tokens$")

    def __init__(self, version: str, entries: Mapping[str, Any]) -> None:
        self.name, self.version = f"LiteLLM {version}", version
        self.entries = dict(entries)

    @classmethod
    def key(cls, provider: str, model: str) -> str:
        """The name a model goes by in this list."""
        return cls._PREFIXES.get(provider, f"{provider}/") + model

    def thresholds(self, provider: str, model: str) -> set[int]:
        found = map(self._ABOVE.search, self.entries.get(self.key(provider, model), ()))
        return {int(match[1]) * 1_000 for match in found if match}

    def amounts(self, provider: str, model: str, at: datetime, prompt_tokens: int) -> Amounts | None:
        entry = self.entries.get(self.key(provider, model))
        if entry is None:
            return None
        said = {**entry, **(_off_peak(entry.get("off_peak_pricing"), at))}
        above = [threshold for threshold in self.thresholds(provider, model) if prompt_tokens > threshold]
        suffix = f"_above_{max(above) // 1_000}k_tokens" if above else ""
        chosen = {name: (said.get(key + suffix, said.get(key)), per) for name, (key, per) in self._CLASSES.items()}
        return {name: Fraction(amount) * per for name, (amount, per) in chosen.items() if amount is not None}


def _off_peak(pricing: Mapping[str, Any] | None, at: datetime) -> Mapping[str, Any]:
    """The keys that other prices hold for in this hour."""
    for window in (pricing or {}).get("windows", ()):
        hours = window["hours_utc"]
        spans = [hours] if isinstance(hours, str) else hours
        if at.isoweekday() in window["weekdays"] and any(_is_within(span, at) for span in spans):
            return pricing or {}
    return {}


def _is_within(span: str, at: datetime) -> bool:
    start, end = span.split("-")
    return start <= at.strftime("%H:%M") < (end if end != "00:00" else "24:00")


class GenaiPrices:
    """The list of the genai-prices package. It knows days and hours, but no days of the week."""

    _PROVIDERS: ClassVar = {"gemini": "google"}
    _CLASSES: ClassVar = {
        "input": ("input_mtok", Fraction(1)),
        "output": ("output_mtok", Fraction(1)),
        "read": ("cache_read_mtok", Fraction(1)),
        "write": ("cache_write_mtok", Fraction(1)),
        "write_1h": ("cache_write_1h_mtok", Fraction(1)),
        "audio_input": ("input_audio_mtok", Fraction(1)),
        "audio_read": ("cache_audio_read_mtok", Fraction(1)),
        "audio_minute": ("input_audio_hours", Fraction(1, 60)),
        "thousand_characters": ("input_mchars", Fraction(1, 1_000)),
    }

    def __init__(self, version: str, entries: Mapping[str, Any]) -> None:
        self.name, self.version = f"genai-prices {version}", version
        self.entries = dict(entries)

    @classmethod
    def key(cls, provider: str, model: str) -> str:
        """The name a model is kept under."""
        return f"{provider} {model}"

    @classmethod
    def of_package(cls, models: Iterable[tuple[str, str]]) -> "GenaiPrices":
        """What the installed package says of these models. Raises CannotStartError where it is not installed."""
        try:
            data = importlib.import_module("genai_prices.data")
        except ImportError as error:
            raise CannotStartError("The package genai-prices is not installed; `uv sync` installs it.") from error
        providers = {provider.id: provider for provider in data.providers}
        entries = {}
        for provider, model in models:
            theirs = providers.get(cls._PROVIDERS.get(provider, provider))
            if theirs is not None and (found := theirs.find_model(model)) is not None:
                entries[cls.key(provider, model)] = _conditions(found.prices)
        return cls(importlib.metadata.version("genai-prices"), entries)

    def thresholds(self, provider: str, model: str) -> set[int]:
        return {
            tier["start"]
            for condition in self.entries.get(self.key(provider, model), ())
            for price in condition["prices"].values()
            if isinstance(price, dict)
            for tier in price["tiers"]
        }

    def amounts(self, provider: str, model: str, at: datetime, prompt_tokens: int) -> Amounts | None:
        conditions = self.entries.get(self.key(provider, model))
        if conditions is None:
            return None
        # The last one that holds counts; the first one where none does.
        holding = next((one for one in reversed(conditions) if _holds(one, at)), conditions[0])
        found = {name: (holding["prices"].get(key), per) for name, (key, per) in self._CLASSES.items()}
        return {name: _tiered(price, prompt_tokens) * per for name, (price, per) in found.items() if price is not None}


def _conditions(prices: Any) -> list[dict[str, Any]]:
    """The package's prices of a model as plain structures, in its order."""
    several = prices if isinstance(prices, list) else [None]
    return [
        {
            **{name: str(value) for name, value in (vars(one.constraint) if one and one.constraint else {}).items()},
            "prices": {
                name: _plain(price) for name, price in vars(one.prices if one else prices).items() if price is not None
            },
        }
        for one in several
    ]


def _plain(price: Any) -> Any:
    if isinstance(price, Decimal):
        return str(price)
    tiers = [{"start": tier.start, "price": str(tier.price)} for tier in price.tiers]
    return {"base": str(price.base), "tiers": tiers}


def _holds(condition: Mapping[str, Any], at: datetime) -> bool:
    if (day := condition.get("start_date")) is not None:
        return at.date() >= date.fromisoformat(day)
    if (start := condition.get("start_time")) is not None:
        end = condition["end_time"]
        return time.fromisoformat(start) <= at.timetz() < time.fromisoformat(end)
    return True


def _tiered(price: Any, prompt_tokens: int) -> Fraction:
    if not isinstance(price, dict):
        return Fraction(price)
    above = [tier["price"] for tier in price["tiers"] if prompt_tokens > tier["start"]]
    return Fraction(above[-1] if above else price["base"])


def pinned() -> tuple[LiteLLM, GenaiPrices]:
    """What both lists said of our models when they were last looked at."""
    litellm, genai = (_json((PINNED / name).read_text("utf-8")) for name in ("litellm.json", "genai-prices.json"))
    return LiteLLM(litellm["version"], litellm["prices"]), GenaiPrices(genai["version"], genai["prices"])


def litellm_list(path: Path | None, models: Iterable[tuple[str, str]]) -> LiteLLM:
    """LiteLLM's map from a JSON file or a wheel, else from the installed package, which is not imported.

    Only the given models are kept. Raises CannotStartError where there is no such list.
    """
    version, text = _litellm_text(path)
    try:
        everything: dict[str, Any] = dict(_json(text))
        keys = [LiteLLM.key(*model) for model in models]
        return LiteLLM(version, {key: _prices_of(everything[key]) for key in keys if key in everything})
    except (ValueError, TypeError, AttributeError) as error:
        raise CannotStartError(f"{path or 'LiteLLM'} holds no map of prices: {error}.") from error


def _prices_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if "cost" in name or name in ("off_peak_pricing", "source")}


_MAP = "litellm/model_prices_and_context_window_backup.json"


def _litellm_text(path: Path | None) -> tuple[str, str]:
    try:
        if path is None:
            spec = importlib.util.find_spec("litellm")
            if spec is None or spec.origin is None:
                raise CannotStartError("LiteLLM is not installed; name its JSON file or its wheel with --litellm.")
            return importlib.metadata.version("litellm"), (Path(spec.origin).parents[1] / _MAP).read_text("utf-8")
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:
                return path.name.split("-")[1], wheel.read(_MAP).decode()
        return path.stem, path.read_text("utf-8")
    except (OSError, KeyError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise CannotStartError(f"{path or 'LiteLLM'} cannot be read: {error}.") from error


def _json(text: str) -> Any:
    """Numbers as they are written: a price is never a binary fraction."""
    return json.loads(text, parse_float=Decimal)

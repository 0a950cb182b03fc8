"""From each provider's own account of an attempt to one form: quantities that do not overlap.

What the providers mean by the same words differs:

- OpenAI and those like it: ``prompt_tokens`` holds the cached and the written ones, ``completion_tokens`` the
  reasoning (a few leave reasoning out of it; their ``total_tokens`` gives them away).
- Anthropic: ``input_tokens`` is what is left beside ``cache_read_input_tokens`` and ``cache_creation_input_tokens``.
- Google: ``promptTokenCount`` holds the cached ones, ``candidatesTokenCount`` does not hold the thoughts, and a count
  of zero is left out.
- DeepSeek: ``prompt_tokens`` is the sum of a hit and a miss.

An account that does not add up is never an error: what holds is kept as ``partial``, and if nothing does the source is
``none``. The provider's own words are kept either way. Zero is what a provider said, never what we do not know.
"""

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Literal

import msgspec

from tonetouch_contracts.job import Direction, Modality, PromptCache, Quantity
from tonetouch_runtime.ai.usage import Usage

LARGEST_COUNT = 10**12
LONGEST_RAW = 4096

_LIFETIMES: dict[Literal["5m", "1h"] | None, PromptCache] = {None: "write", "5m": "write_5m", "1h": "write_1h"}
_MODALITIES: dict[str, Modality] = {"IMAGE": "image", "VIDEO": "image", "DOCUMENT": "image", "AUDIO": "audio"}


def openai(raw: object, *, completes: bool = True, cut: bool = False) -> Usage:
    """``usage`` of OpenAI, of servers like it, of Workers AI, and of DeepSeek.

    `completes` says whether the task has output tokens at all; `cut`, that the stream had no end.
    """
    account = _Account(raw, cut=cut)
    prompt = account.first("prompt_tokens", "input_tokens")
    completion = account.first("completion_tokens", "output_tokens")
    total = account.first("total_tokens")
    ins = account.table("prompt_tokens_details", "input_tokens_details", "input_token_details")
    outs = account.table("completion_tokens_details", "output_tokens_details", "output_token_details")
    hit, miss = account.first("prompt_cache_hit_tokens"), account.first("prompt_cache_miss_tokens")
    cached = account.count(ins.get("cached_tokens"), absent=hit)
    reasoning = account.count(outs.get("reasoning_tokens")) or 0
    if completion is not None and reasoning and total == (prompt or 0) + completion + reasoning:
        completion += reasoning
    if prompt is None and not completes:
        prompt = total
    account.check(completion is not None or not completes)
    account.check(hit is None or miss is None or prompt == hit + miss)
    account.check(total is None or prompt is None or total == prompt + (completion or 0))
    parts: list[tuple[PromptCache, Modality, int | None]] = [
        ("read", "text", cached),
        ("write", "text", account.count(ins.get("cache_write_tokens"))),
        ("none", "audio", account.count(ins.get("audio_tokens"))),
        ("none", "image", account.count(ins.get("image_tokens"))),
    ]
    account.add("input", prompt, parts)
    if completes or completion is not None:
        audio = account.count(outs.get("audio_tokens"))
        account.add("output", completion, [("none", "audio", audio)], reasoning=reasoning)
    return account.usage()


def anthropic(raw: object, *, lifetime: Literal["5m", "1h"] | None = None, cut: bool = False) -> Usage:
    """``usage`` of Anthropic's messages; of a stream, its events' usages laid over each other.

    `lifetime` is what was asked of the cache, for an account that does not tell its writes apart.
    """
    account = _Account(raw, cut=cut)
    rest = account.first("input_tokens")
    read = account.first("cache_read_input_tokens") or 0
    written = account.first("cache_creation_input_tokens")
    split = account.table("cache_creation")
    five = account.count(split.get("ephemeral_5m_input_tokens")) or 0
    hour = account.count(split.get("ephemeral_1h_input_tokens")) or 0
    written = five + hour if written is None else written
    parts: list[tuple[PromptCache, Modality, int | None]] = [("read", "text", read)]
    if split and five + hour == written:
        parts += [("write_5m", "text", five), ("write_1h", "text", hour)]
    else:
        account.check(not split)
        parts.append((_LIFETIMES[lifetime], "text", written))
    account.add("input", None if rest is None else rest + read + written, parts)
    completion = account.first("output_tokens")
    account.check(completion is not None)
    account.add("output", completion, [])
    return account.usage()


def gemini(raw: object, *, cut: bool = False) -> Usage:
    """``usageMetadata`` of Google's generateContent."""
    account = _Account(raw, cut=cut)
    prompt = account.first("promptTokenCount")
    total = account.first("totalTokenCount")
    cached = account.first("cachedContentTokenCount") or 0
    tools = account.first("toolUsePromptTokenCount") or 0
    thoughts = account.first("thoughtsTokenCount") or 0
    candidates = account.first("candidatesTokenCount")
    if candidates is None and total is not None:
        candidates = 0  # a zero is left out of Google's JSON; the total below says whether it was one
    account.check(candidates is not None)
    account.check(total is None or prompt is None or total == prompt + tools + thoughts + (candidates or 0))
    ins, reads = account.modalities("promptTokensDetails"), account.modalities("cacheTokensDetails")
    parts: list[tuple[PromptCache, Modality, int | None]] = [("read", "text", cached - sum(reads.values()))]
    for kind, amount in ins.items():
        parts += [("none", kind, amount - reads.get(kind, 0)), ("read", kind, reads.get(kind, 0))]
    account.add("input", None if prompt is None else prompt + tools, parts)
    outs = account.modalities("candidatesTokensDetails")
    completion = None if candidates is None else candidates + thoughts
    account.add("output", completion, [("none", kind, amount) for kind, amount in outs.items()], reasoning=thoughts)
    return account.usage()


def listened(seconds: object, raw: object) -> Usage:
    """A recording that was heard, as the provider measured its length in seconds."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not isfinite(seconds):
        return missing(raw)
    milliseconds = round(seconds * 1000)
    if not 0 <= milliseconds <= LARGEST_COUNT:
        return missing(raw)
    quantity = Quantity(unit="audio_ms", direction="input", amount=milliseconds, modality="audio")
    return Usage(quantities=(quantity,), source="reported", raw=_kept(raw))


def spoken(text: str) -> Usage:
    """A text that was read out, counted by us in code points: no provider of speech says what it counted."""
    return Usage(quantities=(Quantity(unit="character", direction="input", amount=len(text)),), source="estimated")


def painted(size: tuple[int, int], *, steps: int) -> Usage:
    """A picture, counted by us: tiles of 512 by 512 pixels begun, and steps taken."""
    tiles = -(-size[0] // 512) * -(-size[1] // 512)
    return Usage(
        quantities=(
            Quantity(unit="tile", direction="output", amount=tiles, modality="image"),
            Quantity(unit="step", direction="output", amount=steps, modality="image"),
        ),
        source="estimated",
    )


def counted(*, prompt: int, completion: int, raw: object = None) -> Usage:
    """Tokens counted by us, where the provider did not say."""
    account = _Account(raw)
    account.add("input", prompt, [])
    account.add("output", completion, [])
    return Usage(quantities=account.usage().quantities, source="estimated", raw=_kept(raw))


def missing(raw: object = None) -> Usage:
    """Nothing is known."""
    return Usage(source="none", raw=_kept(raw))


def saved_by_gateway(raw: object) -> Usage:
    """A gateway answered from its cache: the account in the body is of an earlier call, this one used nothing."""
    return Usage(source="reported", raw=_kept({"cf-aig-cache-status": "HIT", "usage": raw}))


class _Account:
    """Gathers quantities and remembers whether everything added up."""

    def __init__(self, raw: object, *, cut: bool = False) -> None:
        self._raw = raw
        self._said: Mapping[str, object] = raw if isinstance(raw, dict) else {}
        self._sound = not cut
        self._known = False
        self._quantities: list[Quantity] = []

    def first(self, *names: str) -> int | None:
        """The count under the first of these names that is there."""
        return self.count(next((self._said[name] for name in names if self._said.get(name) is not None), None))

    def table(self, *names: str) -> Mapping[str, object]:
        """The breakdown under the first of these names that is there."""
        found = next((self._said[name] for name in names if self._said.get(name) is not None), None)
        self.check(found is None or isinstance(found, dict))
        return found if isinstance(found, dict) else {}

    def count(self, value: object, *, absent: int | None = None) -> int | None:
        """A count, or null for what is none: then the account does not hold."""
        if value is None:
            return absent
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LARGEST_COUNT:
            self._sound = False
            return None
        self.check(value == int(value))
        return int(value) if value == int(value) else None

    def modalities(self, name: str) -> dict[Modality, int]:
        """Google's list of counts by modality, without text: text is what is left."""
        counts: dict[Modality, int] = {}
        listed = self._said.get(name)
        for one in listed if isinstance(listed, list) else []:
            kind = _MODALITIES.get(str(one.get("modality"))) if isinstance(one, dict) else None
            if kind is not None:
                counts[kind] = counts.get(kind, 0) + (self.count(one.get("tokenCount")) or 0)
        return counts

    def check(self, holds: bool) -> None:
        """One thing that must be so."""
        self._sound = self._sound and holds

    def add(
        self,
        direction: Direction,
        total: int | None,
        parts: Iterable[tuple[PromptCache, Modality, int | None]],
        *,
        reasoning: int = 0,
    ) -> None:
        """A total as its parts and the rest of it; parts that do not fit into it are left out."""
        split = [(direction, cache, kind, amount or 0) for cache, kind, amount in parts]
        split.append(("reasoning", "none", "text", reasoning))
        if total is None:
            self._sound = False
            return
        self._known = True
        rest = total - sum(amount for *_, amount in split)
        if rest < 0 or any(amount < 0 for *_, amount in split):
            self._sound, rest, split = False, total, []
        for where, cache, kind, amount in [(direction, "none", "text", rest), *split]:
            if amount:
                one = Quantity(unit="token", direction=where, cache=cache, modality=kind, amount=amount)
                self._quantities.append(one)

    def usage(self) -> Usage:
        """What came of it."""
        if not self._known:
            return missing(self._raw)
        source: Literal["reported", "partial"] = "reported" if self._sound else "partial"
        return Usage(quantities=tuple(self._quantities), source=source, raw=_kept(self._raw))


def _kept(raw: object) -> str | None:
    if raw is None:
        return None
    text = msgspec.json.encode(raw).decode()
    return text if len(text) <= LONGEST_RAW else msgspec.json.encode({"too_long": len(text)}).decode()

"""What providers keep of a prompt: marked prefixes (Anthropic) and common prefixes in steps (everybody else)."""

import hashlib
from dataclasses import dataclass, field
from typing import Literal

from tests.cloud.tokens import BYTES_A_TOKEN

Lifetime = Literal["5m", "1h"]
SECONDS: dict[Lifetime, float] = {"5m": 300.0, "1h": 3600.0}
LOOK_BACK = 20
STEP_TOKENS = 128
SWEEP_AT = 100_000


@dataclass
class PromptCache:
    """Prefixes by their hash, each until its time is over. A hit begins its time anew."""

    _until: dict[str, tuple[float, float]] = field(default_factory=dict)
    _sweep_at: int = SWEEP_AT

    def alive(self, key: str, now: float) -> bool:
        until, _ = self._until.get(key, (0.0, 0.0))
        return now < until

    def keep(self, key: str, now: float, seconds: float) -> None:
        if len(self._until) >= self._sweep_at:
            self._until = {kept: times for kept, times in self._until.items() if now < times[0]}
            self._sweep_at = 2 * len(self._until) + SWEEP_AT
        self._until[key] = (now + seconds, seconds)

    def refresh(self, key: str, now: float) -> None:
        _, seconds = self._until[key]
        self._until[key] = (now + seconds, seconds)


@dataclass(frozen=True)
class Block:
    """One block of a prompt in its order: its hash holds everything before it, `tokens` count everything up to it."""

    key: str
    tokens: int
    mark: Lifetime | None = None


@dataclass(frozen=True)
class Kept:
    """How the input of a request is divided: read from the cache, written to it, the rest is neither."""

    read: int = 0
    written_5m: int = 0
    written_1h: int = 0
    entries: tuple[tuple[str, float], ...] = ()

    def commit(self, cache: PromptCache, now: float) -> None:
        """The answer has begun: from now on others can read what this request wrote."""
        for key, seconds in self.entries:
            cache.keep(key, now, seconds)


def marked_prefixes(cache: PromptCache, blocks: list[Block], *, minimum: int, now: float) -> Kept:
    """Anthropic's rule: read the longest kept prefix within 20 blocks of a mark, write from there to later marks."""
    marks = [index for index, block in enumerate(blocks) if block.mark and block.tokens >= minimum]
    hit = _longest_hit(cache, blocks, marks, now)
    if hit is not None:
        cache.refresh(blocks[hit].key, now)
    position = blocks[hit].tokens if hit is not None else 0
    written: dict[Lifetime, int] = {"5m": 0, "1h": 0}
    entries = []
    read = position
    for index in marks:
        block = blocks[index]
        lifetime = block.mark
        assert lifetime is not None
        if hit is not None and index <= hit:
            if cache.alive(block.key, now):
                cache.refresh(block.key, now)
            continue
        written[lifetime] += block.tokens - position
        position = block.tokens
        entries.append((block.key, SECONDS[lifetime]))
    return Kept(read=read, written_5m=written["5m"], written_1h=written["1h"], entries=tuple(entries))


def _longest_hit(cache: PromptCache, blocks: list[Block], marks: list[int], now: float) -> int | None:
    for mark in reversed(marks):
        for index in range(mark, max(mark - LOOK_BACK, -1), -1):
            if cache.alive(blocks[index].key, now):
                return index
    return None


def common_prefix(
    cache: PromptCache, rendered: str, *, scope: str, minimum: int, now: float, seconds: float, step: int = STEP_TOKENS
) -> Kept:
    """The rule of implicit caches: whole steps from the first token on, no shorter than `minimum`.

    `written_5m` is what was not there yet; most providers take no money for that.
    """
    data = rendered.encode()
    chain = hashlib.sha256(scope.encode())
    read = reached = 0
    keys = []
    for end in range(step, len(data) // BYTES_A_TOKEN + 1, step):
        chain.update(data[(end - step) * BYTES_A_TOKEN : end * BYTES_A_TOKEN])
        key = chain.hexdigest()
        keys.append(key)
        reached = end
        if read == end - step and cache.alive(key, now):
            read = end
    if reached < minimum:
        return Kept()
    if read < minimum:
        read = 0
    return Kept(read=read, written_5m=reached - read, entries=tuple((key, seconds) for key in keys))

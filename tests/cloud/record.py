"""What the simulator answered and what it charged for it: the other side of every ledger."""

from dataclasses import dataclass, field, fields
from typing import Literal

Surface = Literal["workers-ai", "gateway", "direct"]
Outcome = Literal["asked", "answered", "refused", "cut", "left"]


@dataclass(frozen=True, kw_only=True)
class Charged:
    """What is paid for. `prompt_tokens` holds all input, the cached and the written among them."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    completion_tokens: int = 0
    characters: int = 0
    audio_milliseconds: int = 0
    images: int = 0
    tiles: int = 0
    steps: int = 0
    micro_neurons: int = 0

    def __add__(self, other: "Charged") -> "Charged":
        return Charged(**{one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(Charged)})


@dataclass(kw_only=True)
class Call:
    """One request to one model, from its arrival to its end. `at` is the account's time in seconds since 1970."""

    number: int
    at: float
    provider: str
    model: str
    task: str
    surface: Surface
    streamed: bool
    texts: int = 0
    outcome: Outcome = "asked"
    status: int | None = None
    error: str | None = None
    charged: Charged = field(default_factory=Charged)
    request_id: str = ""
    log_id: str | None = None
    gateway: str | None = None
    gateway_cache: Literal["HIT", "MISS"] | None = None
    metadata: dict[str, str | int | float | bool | None] = field(default_factory=dict)
    fault: str | None = None
    superseded: bool = False
    body_sha256: str = ""
    ended_at: float | None = None


@dataclass(frozen=True, kw_only=True)
class Counts:
    """The calls of one model, summed. `refused` holds everything that was not answered whole."""

    calls: int = 0
    answered: int = 0
    refused: int = 0
    texts: int = 0
    charged: Charged = field(default_factory=Charged)


def counted(calls: list[Call]) -> Counts:
    """The sum over `calls`."""
    answered = sum(call.outcome in ("answered", "left") for call in calls)
    return Counts(
        calls=len(calls),
        answered=answered,
        refused=len(calls) - answered,
        texts=sum(call.texts for call in calls if call.outcome == "answered"),
        charged=sum((call.charged for call in calls), Charged()),
    )

"""An account: its keys, what a test has changed about it, and the record of what it answered."""

import secrets
from dataclasses import replace
from typing import Any, Literal

from tests.cloud.clock import Clock
from tests.cloud.faults import Fault, PlannedFault, Refused
from tests.cloud.gateways import Gateway
from tests.cloud.indexes import Indexes
from tests.cloud.limiting import Limit, busiest_window
from tests.cloud.models import WORKERS_AI, Model, known_model
from tests.cloud.prompt_caching import PromptCache
from tests.cloud.record import Call, Charged, Counts, counted
from tests.cloud.writing import Plan, Prompt

EVERY = "*"
RATE_LIMITED = 971


class Account:
    """One customer of the simulated cloud; nothing in it is shared with another."""

    def __init__(self, url: str, name: str | None = None, seed: str | None = None) -> None:
        self.id = name or secrets.token_hex(16)
        self.url = url
        keys = seed or secrets.token_hex(8)
        self.token = f"cf-{keys}"
        self.anthropic_key = f"sk-ant-{keys}"
        self.openai_key = f"sk-{keys}"
        self.gemini_key = f"AIza-{keys}"
        self.deepseek_key = f"ds-{keys}"
        self.gateway = "main"
        self.clock = Clock()
        self.body_limit_bytes = 10_000_000
        self.free_neurons: float | None = None
        self.log_delay_seconds = 0.0
        self.prompt_cache = PromptCache()
        self.gateways: dict[str, Gateway] = {}
        self.add_gateway(self.gateway)
        self.indexes = Indexes(self.clock)
        self._models: dict[tuple[str, str], Model] = {}
        self._record: list[Call] = []
        self._limits: dict[str, Limit] = {}
        self._latencies: dict[str, tuple[float, float]] = {}
        self._faults: dict[str, list[PlannedFault]] = {}
        self._plans: dict[str, list[tuple[Plan, int | None]]] = {}
        self._documented_limits()

    @property
    def api_url(self) -> str:
        return f"{self.url}/client/v4"

    @property
    def gateway_url(self) -> str:
        return f"{self.url}/v1"

    @property
    def anthropic_url(self) -> str:
        return f"{self.url}/anthropic"

    @property
    def openai_url(self) -> str:
        return f"{self.url}/openai/v1"

    @property
    def gemini_url(self) -> str:
        return f"{self.url}/gemini/v1beta"

    @property
    def deepseek_url(self) -> str:
        return f"{self.url}/deepseek"

    @property
    def keys(self) -> dict[str, str]:
        """The key of each provider."""
        return {
            "workers-ai": self.token,
            "anthropic": self.anthropic_key,
            "openai": self.openai_key,
            "google-ai-studio": self.gemini_key,
            "deepseek": self.deepseek_key,
        }

    @property
    def write_delay_seconds(self) -> float:
        """How long a write to Vectorize takes to be seen, on the account's clock."""
        return self.indexes.write_delay_seconds

    @write_delay_seconds.setter
    def write_delay_seconds(self, seconds: float) -> None:
        self.indexes.write_delay_seconds = seconds

    # What a test changes

    def limit(
        self,
        model: str,
        per_minute: int,
        *,
        window: Literal["sliding", "fixed"] = "sliding",
        says_retry_after: bool = True,
    ) -> None:
        """From now on at most that many requests a minute."""
        self._limits[model] = Limit(per_minute, window=window, says_retry_after=says_retry_after)

    def unlimit(self, model: str = EVERY) -> None:
        """No limit of requests any more: of one model, or of all."""
        if model == EVERY:
            self._limits.clear()
        else:
            self._limits.pop(model, None)

    def slow(self, model: str, seconds: float, *, per_chunk: float = 0.0) -> None:
        """Every answer takes this long before its first byte, and this long before every later chunk of a stream."""
        self._latencies[model] = (seconds, per_chunk)

    def fail(self, model: str, fault: Fault, *, times: int = 1, after: int = 0) -> None:
        """The next `times` requests to the model fail so, once `after` others have passed."""
        self._faults.setdefault(model, []).append(PlannedFault(fault, times, after))

    def recover(self, model: str) -> None:
        """Nothing is planned to go wrong with this model any more."""
        self._faults.pop(model, None)

    def plan(self, model: str, answer: Plan, *, times: int | None = None) -> None:
        """What the model answers, `times` times or for ever. Plans are used up in their order."""
        self._plans.setdefault(model, []).append((answer, times))

    def know(self, model: Model) -> None:
        """One more model, or another form of a known one."""
        self._models[model.provider, model.name] = model

    def add_gateway(self, name: str, **settings: Any) -> Gateway:
        """One more gateway; see `Gateway` for the settings."""
        self.gateways[name] = Gateway(name=name, **settings)
        return self.gateways[name]

    def reset(self) -> None:
        """Forgets everything it answered, kept, and was told to do; keys and clock stay."""
        self._record.clear()
        self.prompt_cache = PromptCache()
        self.indexes = Indexes(self.clock)
        for changed in (self._limits, self._latencies, self._faults, self._plans, self.gateways):
            changed.clear()
        self.add_gateway(self.gateway)
        self._documented_limits()

    # What it answered

    def calls(self, model: str | None = None) -> list[Call]:
        """Every request to a model, in the order they came."""
        return [call for call in list(self._record) if model in (None, call.model)]

    def counts(self) -> dict[str, Counts]:
        """The calls of each model, summed."""
        return {model: counted(self.calls(model)) for model in sorted({call.model for call in self.calls()})}

    def charged(self, model: str | None = None) -> Charged:
        """What is to be paid for."""
        return sum((call.charged for call in self.calls(model)), Charged())

    def busiest(self, model: str, seconds: float = 60.0) -> int:
        """The most requests that were let in within any window of that length."""
        let_in = [one for one in self.calls(model) if one.error != str(RATE_LIMITED) and one.gateway_cache != "HIT"]
        return busiest_window([call.at for call in let_in], seconds)

    def batches(self, model: str) -> list[int]:
        """The number of texts in each answered request."""
        return [call.texts for call in self.calls(model) if call.outcome == "answered"]

    # What the simulator asks it

    def model(self, provider: str, name: str) -> Model | None:
        """The model of that name at a provider."""
        return self._models.get((provider, name)) or known_model(provider, name)

    def begin(self, call: Call) -> Call:
        """A request has arrived."""
        self._record.append(replace(call, number=len(self._record) + 1, at=self.clock.now()))
        return self._record[-1]

    def admit(self, model: str) -> None:
        """Raises Refused (429) where the minute is full, and where the neurons of the day are used up."""
        for name in (model, EVERY):
            limit = self._limits.get(name)
            wait = limit.admit(self.clock.now()) if limit else 0.0
            if limit and wait:
                retry_after = wait if limit.says_retry_after else None
                raise Refused(429, RATE_LIMITED, "Rate limit of the model reached", retry_after=retry_after)

    def admit_neurons(self) -> None:
        """Raises Refused (429, 3036) where the free neurons of the UTC day are used up."""
        if self.free_neurons is None:
            return
        today = self.clock.day()
        used = sum(call.charged.micro_neurons for call in self.calls() if int(call.at // 86_400) == today)
        if used >= self.free_neurons * 1_000_000:
            raise Refused(429, 3036, "you have used up your daily free allocation of 10,000 neurons")

    def latency(self, model: str) -> tuple[float, float]:
        """Seconds to the first byte, and to each later chunk."""
        return self._latencies.get(model) or self._latencies.get(EVERY, (0.0, 0.0))

    def next_fault(self, model: str) -> Fault | None:
        """What goes wrong with this request, if anything."""
        for name in (model, EVERY):
            for planned in self._faults.get(name, ()):
                if planned.after > 0:
                    planned.after -= 1
                    return None
                if planned.times > 0:
                    planned.times -= 1
                    return planned.fault
        return None

    def planned(self, prompt: Prompt) -> str | None:
        """The answer a test has planned for this prompt, if any."""
        plans = self._plans.get(prompt.model, [])
        while plans and plans[0][1] == 0:
            plans.pop(0)
        if not plans:
            return None
        answer, times = plans[0]
        if times is not None:
            plans[0] = (answer, times - 1)
        return answer if isinstance(answer, str) else answer(prompt)

    def _documented_limits(self) -> None:
        for model in WORKERS_AI.values():
            if model.per_minute is not None:
                self.limit(model.name, model.per_minute)

"""Which target answers a call: a table in a file that an operator can read and change, and the choice from it.

The file says providers, targets and routes; ``routing.toml`` beside this module is the one that is used unless another
one is named, and explains itself. Choosing is pure: what is configured, broken, dear or out of money is told to it.
"""

import difflib
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar

import msgspec

from tonetouch_contracts.job import Considered
from tonetouch_runtime.ai.breaking import Breakers
from tonetouch_runtime.ai.errors import AIBudgetSpent, AIInputRefused, AIUnavailable, ProviderFailed
from tonetouch_runtime.ai.providers.provider import Target
from tonetouch_runtime.ai.tasks import AITask, AnyRequest, Chat, Embeddings, Moderation, Rerank, Translation
from tonetouch_runtime.errors import Misconfigured

MARGIN = 0.05
"""Added to our own count of a prompt before it is compared with a window."""

PACKAGED = "routing.toml"
_SETTING = "TONETOUCH_AI_ROUTES"
_WORDS = bytes(letter for letter in range(128) if chr(letter).isalpha()) + b" "

S = TypeVar("S", bound=msgspec.Struct)

Why = Literal["unable", "window", "unset", "other_model", "quality", "excluded", "budget", "open"]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A provider: where it is, and the settings without which nothing can be sent there."""

    place: Literal["runtime", "external", "local"]
    needs: tuple[str, ...] = ()


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """What may answer a task for the features that match: targets by name, in order. The file explains each key."""

    task: AITask
    feature: str = "*"
    candidates: tuple[str, ...] = ()
    quality_floor: float = 0.0
    cheapest: bool = False
    one_model: bool = False
    embedded: bool = True


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How large a request is by our own count, in tokens.

    Of the prompt `prefix_tokens` are its unchanging context. Of several texts that are read one by one the largest has
    `at_once` tokens; null where the prompt is read as a whole.
    """

    prompt_tokens: int
    prefix_tokens: int = 0
    answer_tokens: int = 0
    at_once: int | None = None

    @property
    def window_tokens(self) -> int:
        """What a window has to hold: the prompt with its margin, and the longest answer asked for."""
        read = self.prompt_tokens if self.at_once is None else self.at_once
        return round(read * (1 + MARGIN)) + self.answer_tokens


Estimate = Callable[[Target, AnyRequest, Size, float], int | None]
"""What a request of this size is expected to cost at a target, in pico-dollars, None where no price is known. The last
argument is the share of prefixes that the target was measured to read from its prompt cache, 0 to 1."""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The target that answers, and every candidate there was, as the ledger keeps them."""

    target: Target
    considered: tuple[Considered, ...]
    size: Size

    @property
    def expected_pico_usd(self) -> int | None:
        """What the call is expected to cost; None where no price is known."""
        return next(one.cost_pico_usd for one in self.considered if not one.passed_over)


class _Look(msgspec.Struct, frozen=True):
    target: Target
    cost: int | None
    why: Why | None = None
    words: str = ""


class Routes:
    """The routing table of one process."""

    def __init__(
        self, source: str, providers: Mapping[str, Place], targets: Mapping[str, Target], routes: Sequence[Route]
    ) -> None:
        self._source = source
        self.providers = providers
        self.targets = targets
        self.routes = tuple(routes)
        self._ways = lru_cache(maxsize=1024)(self._way)

    @classmethod
    def load(cls, path: Path | None = None, *, embedded: Sequence[Target] = ()) -> "Routes":
        """Read a file, or the packaged one. `embedded` are the targets of this process; the file may change them.

        Raises Misconfigured with the file, the table and the key where something is wrong.
        """
        source = PACKAGED if path is None else str(path)
        try:
            text = resources.files(__package__).joinpath(PACKAGED).read_text("utf-8") if path is None else _text(path)
            table = tomllib.loads(text)
        except (OSError, UnicodeDecodeError) as error:
            raise Misconfigured(f"The routing file {source} of {_SETTING} cannot be read: {error}") from None
        except tomllib.TOMLDecodeError as error:
            raise Misconfigured(f"{source} is not TOML: {error}") from None
        return _Reading(source).routes(table, embedded)

    def route(self, task: AITask, feature: str) -> Route:
        """The first route that matches. Raises AIUnavailable where there is none."""
        return self._ways(task, feature)[0]

    def _way(self, task: AITask, feature: str) -> tuple[Route, tuple[Target, ...]]:
        for route in self.routes:
            if route.task == task and fnmatchcase(feature, route.feature):
                return route, tuple(self.candidates(route))
        raise AIUnavailable(f"add a route for the task {task} and the feature {feature} to {self._named}.")

    def candidates(self, route: Route, model: str | None = None) -> list[Target]:
        """The targets of a route in order, the embedded ones of its task last.

        With `model` those of this model, and after them whatever else there is of it for the task.
        """
        named = [self.targets[name] for name in route.candidates]
        if model is not None:
            rest = [one for one in self.targets.values() if one.task == route.task and one not in named]
            return [one for one in (*named, *rest) if one.model == model]
        if not route.embedded:
            return named
        rest = [one for one in self.targets.values() if one.task == route.task and one not in named]
        return named + [one for one in rest if self._is_local(one)]

    def choose(
        self,
        request: AnyRequest,
        *,
        feature: str,
        available: Collection[str],
        breakers: Breakers | None = None,
        estimate: Estimate | None = None,
        hit_ratios: Mapping[str, float] | None = None,
        excluded: Mapping[str, str] | None = None,
        unaffordable: Mapping[str, AIBudgetSpent] | None = None,
        model: str | None = None,
    ) -> Choice:
        """The target for a request; with `model` one of that model.

        `available` are the names of the providers that are configured. By a target's name: `hit_ratios` are measured
        shares of prefixes read from its cache, `excluded` says why it is not to be asked (it failed for this call, its
        allowance is used up), `unaffordable` what its budget answered.

        Where nothing is left raises AIInputRefused if the request is larger than every window, AIUnavailable if a
        setting must change, AIBudgetSpent if only money is missing, ProviderFailed if another time may do.
        """
        (route, candidates), size = self._ways(request.task(), feature), measure(request)
        if model is not None:
            candidates = tuple(self.candidates(route, model))
            if not candidates:
                raise AIUnavailable(f"there is no target of the model {model} in {self._named}.")
        excluded, unaffordable, hit_ratios = excluded or {}, unaffordable or {}, hit_ratios or {}
        looks: list[_Look] = []
        for target in candidates:
            cost = estimate(target, request, size, hit_ratios.get(target.name, 0.0)) if estimate else None
            first = next((look.target for look in looks if look.why not in ("unable", "unset")), None)
            why, words = (
                self._refuses(route, target, request, size)
                or self._is_unset(target, available)
                or _is_another(route, target, first)
                or _is_out(target, excluded, unaffordable, breakers)
                or (None, "")
            )
            looks.append(_Look(target, cost, why, words))
        left = [look for look in looks if look.why is None]
        if not left:
            raise self._nobody(route, feature, size, looks, unaffordable)
        chosen = min(left, key=self._price) if route.cheapest else left[0]
        considered = tuple(_considered(look, chosen, by_cost=route.cheapest) for look in looks)
        return Choice(target=chosen.target, considered=considered, size=size)

    def _refuses(self, route: Route, target: Target, request: AnyRequest, size: Size) -> tuple[Why, str] | None:
        """What speaks against a target whoever has an account."""
        if self._is_local(target) and isinstance(request, Chat) and not _is_for_a_writer_of_facts(request):
            return "unable", "it fills templates with facts and is no language model"
        if target.quality < route.quality_floor:
            return "quality", f"its quality of {target.quality:g} is below the floor of {route.quality_floor:g}"
        if target.window_tokens is not None and size.window_tokens > target.window_tokens:
            return "window", f"about {size.window_tokens:,} tokens do not fit its {target.window_tokens:,}"
        return None

    def _is_unset(self, target: Target, available: Collection[str]) -> tuple[Why, str] | None:
        if target.provider in available:
            return None
        needs = self.providers[target.provider].needs
        return "unset", f"set {' and '.join(needs)}" if needs else f"the provider {target.provider} is not built in"

    def _price(self, look: _Look) -> tuple[bool, bool, int]:
        """What orders by cost: embedded engines last, unknown prices before them."""
        return self._is_local(look.target), look.cost is None, look.cost or 0

    def _is_local(self, target: Target) -> bool:
        return self.providers[target.provider].place == "local"

    @property
    def _named(self) -> str:
        return f"the routing file ({_SETTING}, now {self._source})"

    def _nobody(
        self,
        route: Route,
        feature: str,
        size: Size,
        looks: Sequence[_Look],
        unaffordable: Mapping[str, AIBudgetSpent],
    ) -> Exception:
        """What to raise where every candidate was passed over: what could be changed soonest comes first."""
        by: dict[Why, list[_Look]] = {}
        for look in looks:
            by.setdefault(look.why or "unable", []).append(look)
        all_words = "; ".join(f"{look.target.name}: {look.words}" for look in looks) or "it has no candidates"
        if "budget" in by:
            return unaffordable[by["budget"][0].target.name]
        if "open" in by or "excluded" in by:
            return ProviderFailed("overloaded", f"No target is left for {route.task}: {all_words}", reached=False)
        if "window" in by and "unset" not in by:
            largest = max((look.target for look in by["window"]), key=lambda one: one.window_tokens or 0)
            return AIInputRefused(
                f"The request needs about {size.window_tokens:,} tokens with its answer; the largest window for "
                f"{route.task} is {largest.window_tokens:,} ({largest.name})."
            )
        where = f"for {route.task} of {feature}"
        if "unset" in by:
            ways = "; or ".join(dict.fromkeys(look.words for look in by["unset"]))
            return AIUnavailable(f"{ways}, {where}. Passed over: {all_words}.")
        return AIUnavailable(f"change the route {where} in {self._named}. Passed over: {all_words}.")


def measure(request: AnyRequest) -> Size:
    """The size of a request; nothing where tokens are not what it is measured in."""
    match request:
        case Chat(messages=messages, instructions=instructions, context=context):
            prefix = count_tokens(context)
            rest = [instructions, *(message.content for message in messages)]
            shape = len(request.schema) // 3 if request.schema else 0
            prompt = prefix + shape + sum(map(count_tokens, rest))
            return Size(prompt_tokens=prompt, prefix_tokens=prefix, answer_tokens=request.max_tokens)
        case Embeddings(texts=texts):
            counts = [count_tokens(text) for text in texts]
            return Size(prompt_tokens=sum(counts), at_once=max(counts, default=0))
        case Rerank(query=query, passages=passages):
            counts = [count_tokens(query) + count_tokens(passage) for passage in passages]
            return Size(prompt_tokens=sum(counts), at_once=max(counts, default=0))
        case Translation(text=text):
            tokens = count_tokens(text)
            return Size(prompt_tokens=tokens, answer_tokens=tokens)
        case Moderation(text=text):
            return Size(prompt_tokens=count_tokens(text))
        case _:
            return Size(prompt_tokens=0)


def count_tokens(text: str) -> int:
    """How many tokens a text has at most, nearly always: a count that needs no vocabulary and takes no time.

    Letters and spaces of ASCII by three, its digits and signs one by one, everything else by 0.6 of its UTF-8 bytes.
    Against a vocabulary of 32,000 pieces (Llama 2's, which comes with the embedded engine) that is 1.0 to 3.1 times
    its count for prose in English, German, Russian, Arabic, Chinese, Japanese, Hindi and Thai and for rows of facts;
    only what that vocabulary spells byte by byte, Korean and emoji, has more, and vocabularies of today hold those as
    pieces. ``tests/runtime/ai/test_routing.py`` measures it.
    """
    ascii_bytes = text.encode("ascii", "ignore")
    signs = len(ascii_bytes.translate(None, _WORDS))
    others = 0 if len(ascii_bytes) == len(text) else len(text.encode("utf-8", "replace")) - len(ascii_bytes)
    return -(-(len(ascii_bytes) - signs) // 3) + signs + -(-others * 3 // 5)


def _is_for_a_writer_of_facts(request: Chat) -> bool:
    return bool(request.facts) and request.template is not None


def _is_another(route: Route, target: Target, first: Target | None) -> tuple[Why, str] | None:
    """With `one_model`, whatever comes after the first target that is configured."""
    if not route.one_model or first is None or first.model == target.model:
        return None
    return "other_model", f"its answers cannot be compared with those of {first.name}"


def _is_out(
    target: Target,
    excluded: Mapping[str, str],
    unaffordable: Mapping[str, AIBudgetSpent],
    breakers: Breakers | None,
) -> tuple[Why, str] | None:
    """What speaks against a target just now."""
    if target.name in excluded:
        return "excluded", excluded[target.name]
    if target.name in unaffordable:
        return "budget", str(unaffordable[target.name])
    if breakers is not None and (refusal := breakers.refusal(target.name)):
        return "open", refusal
    return None


def _considered(look: _Look, chosen: _Look, *, by_cost: bool) -> Considered:
    words = look.words
    if look.why is None and look is not chosen:
        words = f"{chosen.target.name} {'costs less' if by_cost else 'comes first'}"
    return Considered(target=look.target.name, cost_pico_usd=look.cost, passed_over=words)


def _text(path: Path) -> str:
    return path.read_text("utf-8")


class _Reading:
    """Reads one file, and says where in it something is wrong."""

    def __init__(self, source: str) -> None:
        self._source = source

    def routes(self, table: Mapping[str, Any], embedded: Sequence[Target]) -> Routes:
        self._known(table, ("providers", "targets", "routes"), "the file")
        providers = {
            name: self._shaped(row, Place, f"[providers.{name}]")
            for name, row in self._rows(table, "providers").items()
        }
        rows = {one.name: msgspec.to_builtins(one) for one in embedded}
        for name, row in self._rows(table, "targets").items():
            rows[name] = {**rows.get(name, {}), **self._table(row, f"[targets.{name}]"), "name": name}
        targets = {name: self._target(row, providers, f"[targets.{name}]") for name, row in rows.items()}
        routes = [
            self._route(row, targets, f"[[routes]] number {number}")
            for number, row in enumerate(table.get("routes", ()), 1)
        ]
        self._all_reached(routes)
        return Routes(self._source, providers, targets, routes)

    def _target(self, row: dict[str, Any], providers: Mapping[str, Place], where: str) -> Target:
        target = self._shaped(row, Target, where)
        if target.provider not in providers:
            self._wrong(where, "provider", f"there is no [providers.{target.provider}]")
        for key in ("window_tokens", "per_minute", "at_most", "timeout_seconds"):
            if (value := getattr(target, key)) is not None and value <= 0:
                self._wrong(where, key, f"it is {value}, and must be more than 0")
        if not 0 <= target.quality <= 1:
            self._wrong(where, "quality", f"it is {target.quality}, and must be between 0 and 1")
        return target

    def _route(self, row: Any, targets: Mapping[str, Target], where: str) -> Route:
        route = self._shaped(row, Route, where)
        for name in route.candidates:
            if name not in targets:
                self._wrong(where, "candidates", f"there is no [targets.{name}]{_meant(name, targets)}")
            if targets[name].task != route.task:
                self._wrong(where, "candidates", f"{name} is a target for {targets[name].task}, not for {route.task}")
        return route

    def _all_reached(self, routes: Sequence[Route]) -> None:
        for number, route in enumerate(routes, 1):
            for earlier, other in enumerate(routes[: number - 1], 1):
                if other.task == route.task and other.feature in ("*", route.feature):
                    where, words = f"[[routes]] number {number}", f"number {earlier} matches all of it before"
                    self._wrong(where, "feature", words)

    def _rows(self, table: Mapping[str, Any], name: str) -> dict[str, Any]:
        return self._table(table.get(name, {}), f"[{name}]")

    def _table(self, row: Any, where: str) -> dict[str, Any]:
        if not isinstance(row, dict):
            raise Misconfigured(f"{self._source}: {where} is not a table.")
        return row

    def _shaped(self, row: Any, shape: type[S], where: str) -> S:
        self._known(self._table(row, where), shape.__struct_fields__, where)
        try:
            return msgspec.convert(row, shape)
        except msgspec.ValidationError as error:
            words, _, path = str(error).partition(" - at `$")
            self._wrong(where, path.strip("`.") or None, words[:1].lower() + words[1:])

    def _known(self, row: Mapping[str, Any], keys: Collection[str], where: str) -> None:
        for key in row:
            if key not in keys:
                self._wrong(where, key, f"there is no such key{_meant(key, keys)}")

    def _wrong(self, where: str, key: str | None, words: str) -> NoReturn:
        raise Misconfigured(f"{self._source}: {where}{f', {key}' if key else ''}: {words}.")


def _meant(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {close[0]}?" if close else ""

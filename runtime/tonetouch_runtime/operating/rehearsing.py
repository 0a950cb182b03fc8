"""Rehearsing: a handler runs, and what it would do is written down instead of done.

It sees the log, the tables and the objects as they are, and what it has itself decided. Where it needs an answer that
only doing would give, the rehearsal stops there and says so.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, NoReturn, TypeVar

from tonetouch_contracts.manifest import stream_of
from tonetouch_contracts.message import Command, Event, Positions
from tonetouch_runtime._bus import Answered
from tonetouch_runtime._floor import Floor
from tonetouch_runtime._log import Log
from tonetouch_runtime._objects import Objects
from tonetouch_runtime._recorded import Decision, Loaded, S
from tonetouch_runtime._tables import Database
from tonetouch_runtime.ai.asking import Answered as AIAnswered
from tonetouch_runtime.ai.asking import Whose
from tonetouch_runtime.ai.client import AIClient
from tonetouch_runtime.ai.tasks import Request, Result

R = TypeVar("R")
A = TypeVar("A", bound=Result)

_ONLY_READS = ("show-", "list-", "find-")
"""How the names of commands begin that change nothing."""


class Stopped(BaseException):
    """The rehearsal cannot go on. Like a cancellation it is no Exception: no handler takes it for its own failure."""


class Rehearsal(Floor):
    """A floor on which nothing happens. `effects` is what would have."""

    def __init__(self, floor: Floor) -> None:
        self.__dict__.update(floor.__dict__)
        self.effects: list[str] = []
        self.log = _RehearsedLog(floor.log, self.effects)
        self.objects = _RehearsedObjects(floor.objects, self.effects)
        self.ai = _RehearsedAI(floor.ai, self.effects)
        self.read = _RehearsedDatabase(floor.read, self.effects)
        self.state = _RehearsedDatabase(floor.state, self.effects)

    async def ask(self, command: Command[R], *, after: Positions | None = None, timeout: float = 30.0) -> Answered[R]:
        """Questions are asked; whatever may change something is where the rehearsal ends."""
        service, _, verb = command.wire_name().partition(".")
        if verb.startswith(_ONLY_READS):
            return await super().ask(command, after=after, timeout=timeout)
        raise _stopped(self.effects, f"asks {service} to {verb.replace('-', ' ')}")

    async def enqueue(self, queue: str, step: str, entity_id: str) -> bool:
        """Nothing is queued."""
        self.effects.append(f"queues {step} of {entity_id} on {queue}, unless it waits there already")
        return True


class _RehearsedLog(Log):
    def __init__(self, log: Log, effects: list[str]) -> None:
        self.__dict__.update(log.__dict__)
        self._effects = effects
        self._decided: dict[str, list[Event]] = {}

    async def append(self, *decisions: Decision) -> Positions:
        stream, _ = self._prepare(decisions)
        for decision in decisions:
            self._decide(*decision.events)
        return {stream: 0}

    async def load(self, stream: str, entity_id: str, initial: S) -> Loaded[S]:
        loaded = await super().load(stream, entity_id, initial)
        state = loaded.state
        for event in self._decided.get(entity_id, ()):
            state = state.evolve(event) if stream_of(type(event)).name == stream else state
        return Loaded(state=state, version=loaded.version)

    async def pour(self, *events: Event, once: bool = False) -> Positions:
        self._decide(*events)
        return {}

    async def append_ahead(self, *events: Event) -> "asyncio.Task[Positions]":
        return asyncio.create_task(self.pour(*events))

    def _decide(self, *events: Event) -> None:
        for event in events:
            self._decided.setdefault(event.entity_id, []).append(event)
            self._effects.append(f"appends {event.wire_name()} of {event.entity_id} to {stream_of(type(event)).name}")


class _RehearsedObjects(Objects):
    def __init__(self, objects: Objects, effects: list[str]) -> None:
        self.__dict__.update(objects.__dict__)
        self._effects = effects

    async def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> None:
        self._effects.append(f"puts {len(data):,} bytes at {key}")

    async def upload(self, key: str, parts: AsyncIterator[bytes]) -> NoReturn:
        raise _stopped(self._effects, f"uploads to {key}")

    async def copy(self, source: str, target: str) -> None:
        self._effects.append(f"copies {source} to {target}")

    async def delete(self, key: str) -> None:
        self._effects.append(f"deletes {key}")


class _RehearsedDatabase(Database):
    def __init__(self, database: Database, effects: list[str]) -> None:
        self.__dict__.update(database.__dict__)
        self._effects = effects

    async def write(self, work: Any) -> NoReturn:
        raise _stopped(self._effects, "writes into a table of its service")


class _RehearsedAI(AIClient):
    def __init__(self, ai: AIClient, effects: list[str]) -> None:
        self.__dict__.update(ai.__dict__)
        self._effects = effects

    async def ask(self, request: Request[A], whose: Whose) -> AIAnswered[A]:
        question = f"asks a model for {whose.feature} of {whose.subject}"
        if (kept := await self.kept(request, whose)) is None:
            raise _stopped(self._effects, f"{question}: the answer is not kept, it would be billed")
        self._effects.append(f"{question}: the answer is kept, nothing is billed")
        return kept

    async def stream(self, request: Request[A], whose: Whose) -> NoReturn:
        raise _stopped(self._effects, f"asks a model for {whose.feature} of {whose.subject}, and reads along")

    async def embed(self, texts: Sequence[Any], whose: Whose, *, model: str | None = None) -> NoReturn:
        raise _stopped(self._effects, f"asks for the vectors of {len(texts)} texts")

    def step(self, **_: Any) -> NoReturn:
        raise _stopped(self._effects, "does a step of work that is accounted for")


def _stopped(effects: list[str], what: str) -> Stopped:
    effects.append(what)
    return Stopped(what)

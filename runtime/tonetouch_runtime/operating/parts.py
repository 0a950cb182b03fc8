"""The parts of a service, by name: its projections, its listeners and its workers."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from tonetouch_contracts.message import Event
from tonetouch_contracts.operating import PartKind
from tonetouch_runtime._hearing import Listener
from tonetouch_runtime._keeping import Keeper
from tonetouch_runtime._pulling import Pull
from tonetouch_runtime._working import Worker
from tonetouch_runtime.errors import Refused

Heard = Mapping[type[Event], Callable[..., Awaitable[None]]]
"""A consumer's handlers, ``async (fact, floor)``, by the events they hear."""


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of a service that follows the log or takes work. `heard` are the handlers of each listener."""

    keepers: Mapping[str, Keeper]
    listeners: Mapping[str, Listener]
    workers: Mapping[str, Sequence[Worker]]
    heard: Mapping[str, Heard]

    @property
    def pulls(self) -> dict[str, tuple[PartKind, list[Pull]]]:
        """The durable consumers that are read, each with its kind; work may be taken by several hands."""
        heard: dict[str, tuple[PartKind, list[Pull]]] = {
            name: ("listener", [listener.pull]) for name, listener in self.listeners.items()
        }
        return heard | {name: ("worker", [worker.pull for worker in hands]) for name, hands in self.workers.items()}

    def keepers_of(self, part: str) -> list[Keeper]:
        """The keepers that keep this table: one for each stream it follows."""
        return [keeper for keeper in self.keepers.values() if part in keeper.parts]

    def kind_of(self, part: str) -> PartKind:
        """What a part is. Raises Refused, with the names there are, for one that is none."""
        if self.keepers_of(part):
            return "projection"
        if part in self.listeners:
            return "listener"
        if part in self.workers:
            return "worker"
        tables = {name for keeper in self.keepers.values() for name in keeper.parts}
        names = ", ".join(sorted({*tables, *self.listeners, *self.workers})) or "none"
        raise Refused("not_found", f"There is no part {part} here.", f"The parts are: {names}.")

    def begin(self, paused: Sequence[str]) -> None:
        """Before anything runs: these stand still from the start."""
        for keeper in self.keepers.values():
            keeper.paused = frozenset(paused)
        for name, (_, pulls) in self.pulls.items():
            for pull in pulls:
                if name in paused:
                    pull.gate.close()

    async def follow(self, part: str, stands_still: bool) -> None:
        """Let a part stand still or go on. A part that is none any more is nobody's business."""
        for keeper in self.keepers_of(part):
            if stands_still:
                await keeper.stand_still(part)
            else:
                keeper.go_on(part)
        for pull in self.pulls.get(part, ("listener", []))[1]:
            pull.gate.close() if stands_still else pull.gate.open()


def one_per_name(workers: Sequence[Worker]) -> dict[str, list[Worker]]:
    """Workers by the consumer they take from."""
    found: dict[str, list[Worker]] = {}
    for worker in workers:
        found.setdefault(worker.pull.consumer.name, []).append(worker)
    return found


def bound(handlers: Heard, floor: Any) -> dict[type[Event], Callable[[Any], Awaitable[None]]]:
    """Handlers that stand on this floor."""

    def stand(handler: Callable[..., Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
        async def run(fact: Any) -> None:
            await handler(fact, floor)

        return run

    return {event: stand(handler) for event, handler in handlers.items()}

"""What a handler stands on: the log, the tables, the objects, the AI client, the clock, and other services."""

import time
from collections.abc import Mapping
from typing import Any, TypeVar

import nats.errors
import nats.js.errors
from nats.js.api import Header

from tonetouch_contracts.envelope import encode_value
from tonetouch_contracts.manifest import queue_named
from tonetouch_contracts.message import Command, Positions
from tonetouch_contracts.subjects import queue_subject
from tonetouch_runtime._bus import CAUSATION, CORRELATION, Answered, Bus
from tonetouch_runtime._clock import Clock
from tonetouch_runtime._keeping import Keeper
from tonetouch_runtime._log import Log
from tonetouch_runtime._objects import Objects
from tonetouch_runtime._standing import Tables
from tonetouch_runtime._tables import Database
from tonetouch_runtime._telemetry import current_cause
from tonetouch_runtime._working import QUEUE_FULL
from tonetouch_runtime.ai.client import AIClient
from tonetouch_runtime.errors import Unavailable
from tonetouch_runtime.settings import Settings
from tonetouch_runtime.telemetry.hops import queueing

R = TypeVar("R")
T = TypeVar("T")


class Floor:
    """One process's floor. Handlers get it as their second argument; they make nothing themselves."""

    def __init__(
        self,
        *,
        service: str,
        settings: Settings,
        clock: Clock,
        bus: Bus,
        log: Log,
        objects: Objects,
        ai: AIClient,
        read: Database,
        state: Database,
        tables: Tables,
        keepers: Mapping[str, Keeper],
    ) -> None:
        self.service = service
        self.settings = settings
        self.clock = clock
        self.bus = bus
        self.log = log
        self.objects = objects
        self.ai = ai
        self.read = read
        self.state = state
        self.tables = tables
        self.keepers = keepers
        self._resources: dict[type[Any], Any] = {}

    async def ask(self, command: Command[R], *, after: Positions | None = None, timeout: float = 30.0) -> Answered[R]:
        """Ask another service. Raises Refused with its problem, or Unavailable."""
        return await self.bus.ask(command, after=after, timeout=timeout)

    async def seen(self, positions: Positions, seconds: float | None = None) -> None:
        """Return when this service's tables show these positions; streams it does not keep are not its business.

        Raises NotNow after the bound.
        """
        deadline = time.monotonic() + (seconds or self.settings.position_wait_seconds)
        for stream, sequence in positions.items():
            if keeper := self.keepers.get(stream):
                await keeper.wait_for(sequence, max(deadline - time.monotonic(), 0.01))

    async def enqueue(self, queue: str, step: str, entity_id: str) -> bool:
        """Put a step on a work queue. False where it is there already: asking twice is asking once."""
        segment = queue_named(queue).segment
        with queueing(queue_subject(segment, step)):
            return await self._enqueue(queue, queue_subject(segment, step, entity_id), entity_id)

    async def _enqueue(self, queue: str, subject: str, entity_id: str) -> bool:
        cause = current_cause()
        headers = {CORRELATION: encode_value(cause.correlation or entity_id), Header.EXPECTED_STREAM.value: queue}
        if cause.causation:
            headers[CAUSATION] = encode_value(cause.causation)
        if cause.traceparent:
            headers["traceparent"] = cause.traceparent
        try:
            await self.bus.jetstream.publish(subject, b"", headers=headers, timeout=5.0)
        except nats.js.errors.APIError as error:
            if error.err_code == QUEUE_FULL and "per subject" in (error.description or ""):
                return False
            # The same code says that there is no room at all: then nothing was queued.
            raise Unavailable(f"{queue} does not take {subject} ({error.description})") from error
        except (TimeoutError, nats.errors.Error) as error:
            raise Unavailable(f"{queue} does not take {subject} ({type(error).__name__})") from error
        return True

    def get(self, kind: type[T]) -> T:
        """A resource the app opened, by its type. Raises KeyError for one it does not open."""
        resource: T = self._resources[kind]
        return resource

    def keep(self, resource: object) -> None:
        """Make a resource available to handlers under its type and its parents'."""
        for kind in type(resource).__mro__[:-1]:
            self._resources.setdefault(kind, resource)

"""The AI client: a library in every service, no proxy hop."""

from tonetouch_runtime._bus import Bus
from tonetouch_runtime._clock import Clock
from tonetouch_runtime._log import Log
from tonetouch_runtime._objects import Objects


class AIClient:
    """Every call to a model goes through here, and every call is accounted for."""

    def __init__(self, *, service: str, bus: Bus, log: Log, objects: Objects, clock: Clock) -> None:
        self._service = service
        self._bus = bus
        self._log = log
        self._objects = objects
        self._clock = clock

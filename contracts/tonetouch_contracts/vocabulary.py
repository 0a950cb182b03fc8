"""From wire name to type and back: how a body in the log becomes an event of today.

A name that was retired stays readable for ever through its upcaster. A name nobody here knows is `Unknown`, never an
error: other teams' readers must survive our new events, and an old service must survive a new one's.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from tonetouch_contracts.message import Event

Upcaster = Callable[[Any], Event]


class Unknown(Event, frozen=True, kw_only=True, tag="unknown"):
    """An event of a type this reader does not know; its body is kept as it came."""

    wire: str
    body: bytes


class UndecodableError(ValueError):
    """The body is not what its type promises."""


class Vocabulary:
    """The events one reader understands, and the upcasters for retired shapes.

    ``upcasters`` maps a retired struct to a function that makes the next shape of it; chains are followed.
    """

    def __init__(self, events: Iterable[type[Event]], upcasters: Mapping[type[Event], Upcaster] | None = None) -> None:
        self._upcasters = dict(upcasters or {})
        known = {event.wire_name(): event for event in (*events, *self._upcasters)}
        self._decoders = {name: msgspec.json.Decoder(event) for name, event in known.items()}

    def __contains__(self, wire_name: str) -> bool:
        return wire_name in self._decoders

    def decode(self, wire_name: str, body: bytes) -> Event:
        """The event in ``body``, in its newest shape, or `Unknown`. Raises UndecodableError."""
        decoder = self._decoders.get(wire_name)
        if decoder is None:
            return Unknown(wire=wire_name, body=body)
        try:
            event: Event = decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UndecodableError(f"{wire_name} cannot be read: {error}") from error
        while self._upcasters and (upcast := self._upcasters.get(type(event))):
            event = upcast(event)
        return event

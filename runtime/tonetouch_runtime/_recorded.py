"""What stands in the log, and what is decided to stand there: the nouns of appending and loading."""

from typing import Generic, Protocol, Self, TypeVar

import msgspec
from nats.aio.msg import Msg

from tonetouch_contracts.envelope import Envelope, EnvelopeError
from tonetouch_contracts.manifest import VOCABULARY
from tonetouch_contracts.message import Event, Positions
from tonetouch_contracts.vocabulary import UndecodableError, Vocabulary
from tonetouch_runtime._telemetry import Cause
from tonetouch_runtime.errors import TonetouchError
from tonetouch_runtime.people import NOBODY, People

E = TypeVar("E", bound=Event)


class State(Protocol):
    """A noun: pure, with defaults for an entity nobody has heard of."""

    def evolve(self, event: Event) -> Self:
        """The state after this event. Events it does not care about leave it as it is."""
        ...


S = TypeVar("S", bound=State)


class Recorded(msgspec.Struct, Generic[E], frozen=True, kw_only=True):
    """An event as it stands in the log. `sequence` counts within its stream; `time` is RFC 3339 in UTC."""

    event: E
    stream: str
    sequence: int
    id: str
    time: str
    causation: str | None = None
    correlation: str | None = None
    traceparent: str | None = None


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The events of one entity that were decided together, seeing it at `expected` (0: it was new; None: unchecked).

    `key` makes the events' ids from what was asked, so that asking again appends nothing new. `cause` is whose they are
    where it is not what runs while they are appended.
    """

    entity_id: str
    events: tuple[Event, ...]
    expected: int | None
    key: str | None = None
    cause: Cause | None = None


class Loaded(msgspec.Struct, Generic[S], frozen=True, kw_only=True):
    """An entity's state, and the sequence of its last event (0 where there is none)."""

    state: S
    version: int


class Outcome(msgspec.Struct, Generic[S], frozen=True, kw_only=True):
    """What became of a decision. No events: there was nothing to do."""

    state: S
    events: tuple[Event, ...]
    positions: Positions


class ConflictError(TonetouchError):
    """Somebody else appended to the entity first; nothing of this append was kept."""

    outcome = "conflict"


class AppendRefusedError(TonetouchError):
    """The server will not take this append at all (too large, no such stream); nothing of it was kept."""

    outcome = "refused"


def read_message(
    message: Msg,
    vocabulary: Vocabulary = VOCABULARY,
    origin: tuple[str, int] | None = None,
    *,
    people: People = NOBODY,
) -> Recorded[Event]:
    """Read a message that came from a consumer or from a direct get. Raises UndecodableError.

    `origin` is what `origin_of` says of it, for whoever has asked already. What `people` said is opened.
    """
    stream, sequence = origin or origin_of(message)
    try:
        envelope = Envelope.from_headers(message.headers)
    except EnvelopeError as error:
        raise UndecodableError(f"{stream}@{sequence}: {error}") from error
    return Recorded(
        event=people.opened(vocabulary.decode(envelope.type, message.data)),
        stream=stream,
        sequence=sequence,
        id=envelope.id,
        time=envelope.time,
        causation=envelope.causation,
        correlation=envelope.correlation,
        traceparent=envelope.traceparent,
    )


def origin_of(message: Msg) -> tuple[str, int]:
    """The stream and sequence a message came from."""
    headers = message.headers
    if headers and (sequence := headers.get("Nats-Sequence")):
        return headers["Nats-Stream"], int(sequence)
    # $JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>..., or with two more tokens in front in the newer form.
    tokens = message.reply.split(".")
    shift = 2 if len(tokens) > 9 else 0
    return tokens[2 + shift], int(tokens[5 + shift])

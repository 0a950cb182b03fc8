"""What an operator asks of any service: how far it is, what it has parked, and to pause, redrive, skip or replay.

Every service answers these on ``cmd.<service>.<verb>``; the runtime does it for all of them. A *part* of a service is
one of its projections (by the name of its table) or one of its durable consumers (by its name in the manifest).
Whatever changes something carries who wants it and why, and is kept in the service's record of operations.
"""

from typing import Any, Literal

import msgspec

from tonetouch_contracts.message import Command, Page, Positions

# Repairing: lag, parked events, pausing, replaying, and the record of what operators did.

PartKind = Literal["projection", "listener", "worker"]
PartState = Literal["following", "behind", "stalled", "paused", "broken"]


class PartLag(msgspec.Struct, frozen=True, kw_only=True):
    """How far one part of a service is with one stream.

    ``events_behind`` counts what it has still to take; ``seconds_behind`` is the age of the first of these. ``rate`` is
    in events per second, over the last ten seconds or so. ``state`` is ``stalled`` where there is something to take and
    the part has not moved for a while, ``broken`` where it says so itself; ``note`` has the words.
    """

    part: str
    kind: PartKind
    stream: str
    position: int
    head: int
    events_behind: int
    seconds_behind: float
    rate: float
    state: PartState
    in_hand: int = 0
    parked: int = 0
    oldest_parked_seconds: float = 0.0
    note: str = ""


class ServiceLag(msgspec.Struct, frozen=True, kw_only=True):
    """How far all parts of a service are."""

    service: str
    parts: tuple[PartLag, ...]


class ShowLag(Command[ServiceLag], frozen=True, kw_only=True, tag="every.show-lag"):
    """Asks a service how far behind each of its projections and consumers is, and whether they move."""


class ParkedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that a part could not handle, or that waits behind one of its entity that could not.

    ``error`` is null for those that wait.
    """

    part: str
    stream: str
    sequence: int
    wire_name: str
    entity_id: str
    parked_at: str
    attempts: int
    error: str | None = None


class ListParked(Command[Page[ParkedEvent]], frozen=True, kw_only=True, tag="every.list-parked"):
    """Asks a service for its parked events, the oldest first; of one part or of one entity where they are named.

    ``only_broken`` leaves out those that only wait.
    """

    part: str | None = None
    entity_id: str | None = None
    only_broken: bool = False
    cursor: str | None = None
    limit: int = 100


class ParkedDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A parked event as it stands in the log, and how many wait behind it.

    ``body`` is the text of the message; null where it is not text.
    """

    parked: ParkedEvent
    subject: str
    time: str
    event_id: str
    waiting: int
    correlation: str | None = None
    body: str | None = None


class ShowParked(Command[ParkedDetail], frozen=True, kw_only=True, tag="every.show-parked"):
    """Asks a service for one parked event with its content; null `part` where only one part has parked it."""

    stream: str
    sequence: int
    part: str | None = None


class Attempted(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one event: it was ``done``, ``failed`` again, is ``running`` still, or was left (``waiting``)."""

    part: str
    stream: str
    sequence: int
    wire_name: str
    entity_id: str
    outcome: Literal["done", "failed", "running", "waiting"]
    note: str = ""


class Redriven(msgspec.Struct, frozen=True, kw_only=True):
    """What a redrive did, and how many events are parked still."""

    attempted: tuple[Attempted, ...]
    done: int
    failed: int
    left: int


class RedriveParked(Command[Redriven], frozen=True, kw_only=True, tag="every.redrive-parked"):
    """Asks a service to handle parked events again, in order per entity, `at_most` so many.

    An entity whose event fails again stays parked from there on; others go on. After `within_seconds` nothing new is
    begun and the answer is given.
    """

    operator: str
    reason: str = ""
    part: str | None = None
    entity_id: str | None = None
    at_most: int = 100
    within_seconds: float = 20.0


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """The event that was passed over, and how many of its entity wait to be redriven."""

    skipped: ParkedEvent
    waiting: int


class SkipParked(Command[Skipped], frozen=True, kw_only=True, tag="every.skip-parked"):
    """Asks a service to pass over a parked event for good: it stays in the log, and this part leaves it out.

    Only the first event that is parked of an entity can be skipped. A reason is required.
    """

    stream: str
    sequence: int
    operator: str
    reason: str
    part: str | None = None


class Paused(msgspec.Struct, frozen=True, kw_only=True):
    """A part that was told to stand still, since when, by whom and why; null `since` where it goes on."""

    part: str
    kind: PartKind
    since: str | None = None
    operator: str = ""
    reason: str = ""


class PausePart(Command[Paused], frozen=True, kw_only=True, tag="every.pause-part"):
    """Asks a service to let a part stand still until it is resumed, also over restarts."""

    part: str
    operator: str
    reason: str = ""


class ResumePart(Command[Paused], frozen=True, kw_only=True, tag="every.resume-part"):
    """Asks a service to let a paused part go on from where it stands."""

    part: str
    operator: str
    reason: str = ""


class ReplayedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What an event did, or would do, when it was handed to a consumer's handler once more.

    ``outcome``: ``done``, ``rehearsed`` (a dry run to its end), ``stopped`` (a dry run that came to what it may not
    do), ``failed``, ``would_bill`` (its AI output is not kept), ``parked`` (its entity is parked). ``effects`` are in
    words, in order.
    """

    sequence: int
    wire_name: str
    entity_id: str
    outcome: Literal["done", "rehearsed", "stopped", "failed", "would_bill", "parked"]
    effects: tuple[str, ...] = ()
    note: str = ""


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch of a replay. ``next_sequence`` is where to go on; null at the end.

    ``passed_over`` counts events of the stretch that the consumer does not hear.
    """

    events: tuple[ReplayedEvent, ...]
    passed_over: int
    next_sequence: int | None = None


class ReplayRange(Command[Replayed], frozen=True, kw_only=True, tag="every.replay-range"):
    """Asks a service to hand recorded events to one of its consumers again, in order, from one sequence to another.

    With `dry_run` nothing is appended, queued, asked or called; the answer says what would be. Otherwise AI outputs
    come from what is kept; an event that would need a new one is left, unless `may_bill`.
    """

    consumer: str
    first: int
    last: int
    operator: str
    reason: str = ""
    dry_run: bool = True
    may_bill: bool = False
    entity_id: str | None = None
    at_most: int = 100
    within_seconds: float = 20.0


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """Something an operator did: when, who, what, about what, and why."""

    number: int
    at: str
    operator: str
    what: str
    about: str
    reason: str


class ListOperations(Command[Page[Operation]], frozen=True, kw_only=True, tag="every.list-operations"):
    """Asks a service for what operators did to it, the latest first."""

    cursor: str | None = None
    limit: int = 50


# Stepping: what an entity was after each of its events.


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One event of an entity, and the fields of its noun that it changed, with their new values as JSON.

    ``note`` has the words where the event could not be read.
    """

    sequence: int
    wire_name: str
    changed: dict[str, Any]
    note: str = ""


class SteppedNoun(msgspec.Struct, frozen=True, kw_only=True):
    """A noun's way through the events of one entity on one stream.

    ``before`` is its state ahead of the first step. ``next_after`` is where to go on; null at the end.
    """

    noun: str
    stream: str
    before: dict[str, Any]
    steps: tuple[Step, ...]
    next_after: int | None = None


class Stepped(msgspec.Struct, frozen=True, kw_only=True):
    """The nouns of one service that an entity is; none where it is nothing to this service."""

    service: str
    nouns: tuple[SteppedNoun, ...]


class StepThrough(Command[Stepped], frozen=True, kw_only=True, tag="every.step-through"):
    """Asks a service for the state of its nouns after each event of an entity, from `after` on, `limit` at the most.

    `noun` asks for one noun alone, as ``next_after`` belongs to one.
    """

    entity_id: str
    after: int = 0
    limit: int = 200
    noun: str | None = None


# Rebuilding: read models made anew beside the live ones, compared with them, and looked at as they were.

RebuildKind = Literal["rebuild", "verify", "recall"]
TablesPhase = Literal[
    "waiting", "filling", "indexing", "comparing", "compared", "switched", "verified", "recalled", "cancelled", "failed"
]


class RowDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A row that is not the same in both tables: its key, and what differs as text, column by column.

    `live` is null where the live table lacks the row, `anew` where the new one does.
    """

    key: dict[str, str]
    live: dict[str, str] | None
    anew: dict[str, str] | None


class TableComparison(msgspec.Struct, frozen=True, kw_only=True):
    """A table made anew beside the live one, when both had read the same events.

    ``missing`` rows are only in the live table, ``extra`` only in the new one, ``different`` in both with other values.
    """

    table: str
    live_rows: int
    rows: int
    missing: int = 0
    extra: int = 0
    different: int = 0
    examples: tuple[RowDifference, ...] = ()


class TablesRebuild(msgspec.Struct, frozen=True, kw_only=True):
    """The making of a read model anew: a table with those beside it, which move together.

    A ``rebuild`` ends with the change to the new tables, a ``verify`` with the comparison, a ``recall`` with tables as
    they were at `until`. ``done`` and ``total`` count events. ``problem`` says why it failed, or does not go on.
    ``replaced_kept``: the tables it replaced are still there; ``kept``: its own are, though they are not live.
    """

    id: str
    table: str
    kind: RebuildKind
    phase: TablesPhase
    stands_as: str
    done: int
    total: int
    operator: str
    reason: str
    started_at: str
    ended_at: str | None = None
    per_second: float | None = None
    seconds_left: float | None = None
    problem: str = ""
    until: Positions = msgspec.field(default_factory=dict)
    comparisons: tuple[TableComparison, ...] = ()
    kept: bool = False
    replaced_kept: bool = False


class TablesRebuilds(msgspec.Struct, frozen=True, kw_only=True):
    """Rebuilds of one service, the latest first, and the read models it has."""

    service: str
    tables: tuple[str, ...]
    rebuilds: tuple[TablesRebuild, ...]


class ListRebuilds(Command[TablesRebuilds], frozen=True, kw_only=True, tag="every.list-rebuilds"):
    """Asks a service for its latest rebuilds, those under way among them."""


class RebuildTables(Command[TablesRebuilds], frozen=True, kw_only=True, tag="every.rebuild-tables"):
    """Asks a service to make a read model anew from the log beside the live one, or all of them one after the other.

    Readers are answered from the live tables until the new ones have read as much, were compared, and take their place
    in one step. ``switch`` says when: where they are the ``same``, ``always``, or ``when_told`` by `SwitchTables`.
    """

    operator: str
    reason: str = ""
    table: str | None = None
    switch: Literal["same", "always", "when_told"] = "same"


class VerifyTables(Command[TablesRebuilds], frozen=True, kw_only=True, tag="every.verify-tables"):
    """Asks a service to make a read model anew, compare every row with the live one, and drop it again."""

    operator: str
    reason: str = ""
    table: str | None = None


class RecallTable(Command[TablesRebuild], frozen=True, kw_only=True, tag="every.recall-table"):
    """Asks a service for a read model as it was, in a scratch database: at a moment, or at these positions.

    ``at`` is RFC 3339: what the log had stored by then counts. Streams without a position are read to their heads.
    """

    table: str
    operator: str
    reason: str = ""
    at: str | None = None
    positions: Positions = msgspec.field(default_factory=dict)


class RecalledRows(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a table as they were, in the order of their keys; bytes are base64."""

    table: str
    rows: tuple[dict[str, Any], ...]
    next_offset: int | None = None


class ListRecalled(Command[RecalledRows], frozen=True, kw_only=True, tag="every.list-recalled"):
    """Asks a service for rows of a recalled read model; `key` is the value of the first key column.

    `beside` names one of the tables that are kept beside the first.
    """

    id: str
    key: str | None = None
    beside: str | None = None
    offset: int = 0
    limit: int = 100


class CancelTables(Command[TablesRebuild], frozen=True, kw_only=True, tag="every.cancel-tables"):
    """Asks a service to stop a rebuild that is under way; the live tables stay. It can go on later, or be dropped."""

    id: str
    operator: str
    reason: str = ""


class ContinueTables(Command[TablesRebuild], frozen=True, kw_only=True, tag="every.continue-tables"):
    """Asks a service to go on with a rebuild that was cancelled or failed, from where it stopped."""

    id: str
    operator: str
    reason: str = ""


class SwitchTables(Command[TablesRebuild], frozen=True, kw_only=True, tag="every.switch-tables"):
    """Asks a service to let the new tables of a rebuild take the place of the live ones, though rows may differ."""

    id: str
    operator: str
    reason: str = ""


class DropTables(Command[TablesRebuild], frozen=True, kw_only=True, tag="every.drop-tables"):
    """Asks a service to drop what a rebuild left: the tables it replaced, or its own where they did not go live."""

    id: str
    operator: str
    reason: str = ""

"""How an event looks: as one line, in full, and to a program."""

import base64
from typing import Any

import msgspec
from rich.console import Console

from tonetouch_contracts.manifest import VOCABULARY
from tonetouch_contracts.vocabulary import UndecodableError, Unknown
from tonetouch_deploy.events.stored import Stored
from tonetouch_deploy.ledger_showing import UNKNOWN, say

_LONG = 80
_LINE = 160


class EventView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event for programs. `problem` says why nobody can read it; `data_base64` is a body that is no JSON."""

    stream: str
    sequence: int
    subject: str
    type: str
    entity: str
    time: str
    stored_at: str
    id: str | None = None
    source: str | None = None
    causation: str | None = None
    correlation: str | None = None
    traceparent: str | None = None
    data: msgspec.Raw | None = None
    data_base64: str | None = None
    problem: str = ""


def view_of(event: Stored) -> EventView:
    """Everything that is known of an event."""
    envelope = event.envelope
    said = msgspec.structs.asdict(envelope) if envelope else {}
    is_json = _as_json(event.body) is not None
    return EventView(
        stream=event.stream,
        sequence=event.sequence,
        subject=event.subject,
        type=event.type,
        entity=event.entity,
        time=event.time,
        stored_at=event.stored_at,
        data=msgspec.Raw(event.body) if is_json else None,
        data_base64=None if is_json else base64.b64encode(event.body).decode(),
        problem=problem_of(event),
        **{name: said.get(name) for name in ("id", "source", "causation", "correlation", "traceparent")},
    )


def problem_of(event: Stored) -> str:
    """Why a reader of today cannot read it; nothing where it can."""
    if event.envelope is None:
        return "its headers are not those of an event"
    try:
        known = VOCABULARY.decode(event.envelope.type, event.body)
    except UndecodableError as error:
        return str(error)
    return f"nobody here knows {event.envelope.type}" if isinstance(known, Unknown) else ""


def say_event_line(console: Console, event: Stored) -> None:
    """Time, place, type, entity, and what it says, in one line."""
    problem = problem_of(event)
    what = f"! {problem}" if problem else words_of(_as_json(event.body) or {}, of=event.entity)
    place = f"{event.time[:23].replace('T', ' ')}  {event.stream}@{event.sequence}"
    say(console, cut(f"{place}  {event.type}  {event.entity}  {what}"))


def say_event(console: Console, event: Stored) -> None:
    """Its place, its envelope and its body, a line for each field."""
    view = view_of(event)
    say(console, f"{view.stream}@{view.sequence}  {view.type}  of {view.entity}")
    for name in ("time", "stored_at", "id", "source", "causation", "correlation", "traceparent"):
        say(console, f"  {name:<12} {getattr(view, name) or UNKNOWN}")
    if view.problem:
        say(console, f"  cannot be read: {view.problem}")
    body = _as_json(event.body)
    text = event.body.decode(errors="replace") if body is None else msgspec.json.format(event.body).decode()
    say(console, "\n".join(f"  {line}" for line in text.splitlines()))


def words_of(fields: Any, *, of: str | None = None) -> str:
    """The fields of an event or of a state, the long ones cut short; whom it is `of` need not be said again."""
    if not isinstance(fields, dict):
        return shortened(fields)
    told = {name: value for name, value in fields.items() if name != "event" and value not in (None, of)}
    return " ".join(f"{name}={shortened(value)}" for name, value in told.items())


def cut(line: str) -> str:
    """A line that is not too long."""
    return line if len(line) <= _LINE else f"{line[: _LINE - 1]}…"


def shortened(value: Any) -> str:
    """A value as JSON that fits beside others."""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"


def _as_json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None

"""The life of an entity: its events in order, what each changed, and what it is after the last."""

from typing import Any

import msgspec

from tonetouch_deploy.events.tailing_showing import EventView

Fields = dict[str, Any]


class NounChange(msgspec.Struct, frozen=True, kw_only=True):
    """What an event did to one noun of a service: the fields that it changed, what they were and what they are."""

    service: str
    noun: str
    was: Fields
    changed: Fields
    note: str = ""


class HistoryEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of the entity, and what it changed."""

    event: EventView
    changes: tuple[NounChange, ...]


class NounState(msgspec.Struct, frozen=True, kw_only=True):
    """A noun of a service, whole, after the last event that is shown."""

    service: str
    noun: str
    stream: str
    state: Fields


class History(msgspec.Struct, frozen=True, kw_only=True):
    """The life of an entity. `notes` say what could not be learned, and from whom."""

    entity: str
    events: tuple[HistoryEvent, ...]
    states: tuple[NounState, ...]
    notes: tuple[str, ...]

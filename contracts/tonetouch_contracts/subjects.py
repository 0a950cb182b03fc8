"""How names become subjects. Nobody writes a subject by hand.

===============  ==============================  ==========================
what             subject                         example
===============  ==============================  ==========================
an event         ``<noun>.<verb>.<entity id>``   ``track.uploaded.0192...``
a command        ``cmd.<service>.<verb>``        ``cmd.catalog.show-track``
a queued step    ``q.<queue>.<step>.<entity>``   ``q.ingest.embed.0192...``
an announcement  ``log.<event's subject>``       ``log.track.uploaded.0192...``
===============  ==============================  ==========================
"""

from typing import Any

from tonetouch_contracts.identity import is_entity_id
from tonetouch_contracts.message import Command, Event


class MalformedIdError(ValueError):
    """The id cannot be a subject token, so nothing can be known under it."""


def event_subject(event: Event) -> str:
    """The subject an event is appended to. Raises ValueError where the entity id cannot be a subject token."""
    return f"{event.wire_name()}.{_entity_token(event.entity_id)}"


def entity_filter(entity_id: str) -> str:
    """All events of one entity, whatever their nouns. Raises ValueError for what cannot be an entity id.

    This is the one spelling of the filter: a replicated stream compares filters as text, and a second spelling
    would let two writers win.
    """
    return f"*.*.{_entity_token(entity_id)}"


def type_filter(wire_name: str) -> str:
    """All events of one type."""
    return f"{wire_name}.*"


def command_subject(command: type[Command[Any]], service: str | None = None) -> str:
    """Where a command is sent; `service` addresses the commands that every service answers."""
    owner, _, verb = command.wire_name().partition(".")
    return f"cmd.{service or owner}.{verb}"


def announced(subject: str) -> str:
    """Where the log announces what it has taken: its headers, with stream and sequence, once it is on the disk.

    Those who only listen hear it there; on the event's own subject also appends go by that the log refuses.
    """
    return f"log.{subject}"


def queue_subject(queue: str, step: str, entity_id: str = "*") -> str:
    """One queued step of one entity: a queue holds at most one message of it. Without an entity, the step's filter.

    Raises ValueError for what cannot be an entity id.
    """
    return f"q.{queue}.{step}.{entity_id if entity_id == '*' else _entity_token(entity_id)}"


def _entity_token(entity_id: str) -> str:
    # An id of "*" that came in with a request would otherwise name every entity there is.
    if not is_entity_id(entity_id):
        raise MalformedIdError(f"{entity_id!r} cannot be an entity id: letters, digits, '-' and '_' only, 64 at most")
    return entity_id

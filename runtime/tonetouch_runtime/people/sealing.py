"""What of an event is sealed under a person's key, and which events are left out once that person is erased.

Fields marked as a person's own words are sealed where events are appended, and opened where they are read: nothing in
between, a backup or another team's copy of the log among it, has them in the clear. What is marked as conduct stays
readable; the tables leave out those things whose events say what a person did, of every person who was erased.
"""

from functools import cache
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from tonetouch_contracts.manifest import EVENTS
from tonetouch_contracts.message import Event
from tonetouch_contracts.personal import marks_of
from tonetouch_runtime.people.keys import Keys

E = TypeVar("E", bound=Event)


class People:
    """The people whom an installation knows by their keys. Without a folder nothing is sealed, and nobody erased."""

    def __init__(self, folder: Path | None = None) -> None:
        self.keys = None if folder is None else Keys(folder)

    def sealed(self, event: E) -> E:
        """The event as it goes into the log. Raises Unavailable where a key cannot be kept."""
        person, words = _marks(type(event))
        if self.keys is None or not words or not (whose := getattr(event, person)):
            return event
        said = {name: value for name in words if isinstance(value := getattr(event, name), str)}
        return msgspec.structs.replace(event, **{name: self.keys.seal(whose, text) for name, text in said.items()})

    def opened(self, event: E) -> E:
        """The event as it was said, with `ERASED` for words whose key is gone."""
        _, words = _marks(type(event))
        if self.keys is None or not words:
            return event
        said = {name: value for name in words if isinstance(value := getattr(event, name), str)}
        opened = {name: self.keys.open(text) for name, text in said.items()}
        return event if opened == said else msgspec.structs.replace(event, **opened)

    def leaves_out(self, event: Event) -> bool:
        """Whether tables are made as if this had never been said: it is about what an erased person did."""
        if self.keys is None or _noun(type(event)) not in _conduct():
            return False
        person, _ = _marks(type(event))
        return bool(person) and self.keys.is_erased(getattr(event, person))


NOBODY: Final = People()


@cache
def _marks(event: type[Event]) -> tuple[str, tuple[str, ...]]:
    """The field that says whom an event is about, none where it says nobody, and those with this person's words."""
    marks = marks_of(event)
    person = next((name for name, kind in marks.items() if kind == "id"), "")
    return person, tuple(name for name, kind in marks.items() if kind == "words" and person)


@cache
def _conduct() -> frozenset[str]:
    """What a person does or has made for them, as a whole: a playlist with its name and its end, not the name alone."""
    return frozenset(_noun(event) for event in EVENTS if "conduct" in marks_of(event).values())


@cache
def _noun(event: type[Event]) -> str:
    return event.wire_name().partition(".")[0]

"""How the life of an entity looks on a terminal."""

from collections.abc import Iterator
from typing import Any

import msgspec
from rich.console import Console

from tonetouch_deploy.events.life import History, NounChange
from tonetouch_deploy.events.tailing_showing import cut, words_of
from tonetouch_deploy.ledger_showing import say


def say_history(console: Console, history: History) -> None:
    """Each event on a line, and below it what it changed, a field to a line."""
    for lived in history.events:
        event = lived.event
        what = (
            f"! {event.problem}"
            if event.problem
            else words_of(msgspec.json.decode(event.data or b"null"), of=event.entity)
        )
        place = f"{event.time[:23].replace('T', ' ')}  {event.stream}@{event.sequence}  {event.type}"
        say(console, cut(f"{place}  {what}"))
        for change in lived.changes:
            for line in changed_words(change):
                say(console, f"    {change.service} {change.noun}{line}")
    say(console, f"{len(history.events):,} events of {history.entity}.")
    _say_notes(console, history)


def changed_words(change: NounChange) -> Iterator[str]:
    """What became of each field; of one that holds others by name, of those that are not as they were."""
    if change.note:
        yield f"  {change.note}"
    for name, value in change.changed.items():
        was = change.was.get(name)
        if isinstance(value, dict) and isinstance(was, dict):
            for inner in sorted(value.keys() | was.keys()):
                if value.get(inner) != was.get(inner):
                    yield f".{name}.{inner} = {_words(value[inner]) if inner in value else 'gone'}"
        else:
            yield f".{name} = {_words(value)}"


def say_states(console: Console, history: History) -> None:
    """Each noun with all its fields."""
    for noun in history.states:
        say(console, f"{noun.noun} of {noun.service}, from {noun.stream}")
        for name, value in noun.state.items():
            say(console, f"    {name} = {cut(words_of(value))}")
    if not history.states:
        say(console, f"{history.entity} was nothing to any service then.")
    elif history.events:
        last = history.events[-1].event
        say(console, f"After {last.stream}@{last.sequence} ({last.type}) of {last.time[:19].replace('T', ' ')}.")
    _say_notes(console, history)


def _words(value: Any) -> str:
    """A value in a line. An event that a noun keeps whole stands in the line of that event."""
    return f"the {value['event']}" if isinstance(value, dict) and "event" in value else cut(words_of(value))


def _say_notes(console: Console, history: History) -> None:
    for note in history.notes:
        say(console, note)

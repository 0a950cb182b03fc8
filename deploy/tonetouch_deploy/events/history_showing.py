"""How the life of an entity looks on a terminal."""

from typing import TYPE_CHECKING

from rich.console import Console

from tonetouch_deploy.events.tailing_showing import shortened, words_of
from tonetouch_deploy.ledger_showing import say

if TYPE_CHECKING:
    from tonetouch_deploy.events.history import History


def say_history(console: Console, history: "History") -> None:
    """Each event on a line, and below it what it changed, a field to a line."""
    for lived in history.events:
        event = lived.event
        say(console, f"{event.time[:23].replace('T', ' ')}  {event.stream}@{event.sequence}  {event.type}")
        if event.problem:
            say(console, f"    cannot be read: {event.problem}")
        for change in lived.changes:
            if change.note:
                say(console, f"    {change.service} {change.noun}  {change.note}")
            for name, value in change.changed.items():
                words = words_of(value) if isinstance(value, dict) else shortened(value)
                say(console, f"    {change.service} {change.noun}.{name} = {shortened(words)}")
    say(console, f"{len(history.events):,} events of {history.entity}.")
    _say_notes(console, history)


def say_states(console: Console, history: "History") -> None:
    """Each noun with all its fields."""
    for noun in history.states:
        say(console, f"{noun.noun} of {noun.service}, from {noun.stream}")
        for name, value in noun.state.items():
            say(console, f"    {name} = {words_of(value) if isinstance(value, dict) else shortened(value)}")
    if not history.states:
        say(console, f"{history.entity} was nothing to any service then.")
    elif history.events:
        last = history.events[-1].event
        say(console, f"After {last.stream}@{last.sequence} ({last.type}) of {last.time[:19].replace('T', ' ')}.")
    _say_notes(console, history)


def _say_notes(console: Console, history: "History") -> None:
    for note in history.notes:
        say(console, note)

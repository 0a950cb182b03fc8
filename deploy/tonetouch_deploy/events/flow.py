"""`flow`: one story as a tree: who caused what, in which service, and how long each hop took.

A story's id is the id of its first event, a UUIDv7, so it is known when it began. From there on the headers of the
streams are read, for as long as is asked. Of the entities that were found then, all events are looked up, also those
that happened later; what nobody reads is said.
"""

from collections.abc import Iterable, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
import typer
from nats.aio.client import Client
from rich.console import Console

from tonetouch_contracts.story import Flow, time_of, told
from tonetouch_deploy.events._root import SEE, AsJson, events, say_json
from tonetouch_deploy.events.flow_showing import flow_tree, say_notes
from tonetouch_deploy.events.looking import TRUTH, entity_history
from tonetouch_deploy.events.moments import moment_of, span_of, stamp
from tonetouch_deploy.events.passing import BATCH, Passage, Start
from tonetouch_deploy.events.reaching import reach, together
from tonetouch_deploy.events.stored import Stored
from tonetouch_deploy.settings import CannotStartError

MOST_ENTITIES = 200
"""Entities whose events are looked up beyond the time that is read."""

_EARLIER = timedelta(seconds=5)
"""The clock of who said it and that of the server may differ by so much."""


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """The stretch of time that is read, RFC 3339, by the server's clock."""

    begin: str
    end: str


@events.command(rich_help_panel=SEE)
def flow(
    correlation: Annotated[str, typer.Argument(help="The story's correlation, or the id of an entity: its first one.")],
    *,
    within: Annotated[str, typer.Option(help="How long from its beginning the streams are read (10m, 2h).")] = "1h",
    since: Annotated[str | None, typer.Option(help="When it began, for an id that does not tell.")] = None,
    at_most: Annotated[int, typer.Option(min=1, help="The most events of one stream that are read.")] = 500_000,
    as_json: AsJson = False,
) -> None:
    """Show one story, as an upload, as a tree: who caused what, and how long each hop took."""
    found = reach(lambda client: flowed(client, correlation, within=within, since=since, at_most=at_most))
    if as_json:
        say_json(found)
        return
    console = Console()
    console.print(flow_tree(found))
    say_notes(console, found)


async def flowed(
    client: Client, asked_for: str, *, within: str = "1h", since: str | None = None, at_most: int = 500_000
) -> Flow:
    """The story of a correlation or of an entity. Raises CannotStartError where there is none."""
    correlation, began = await _beginning(client, asked_for, since)
    window = Window(begin=stamp(began - _EARLIER), end=stamp(began + span_of(within)))
    parts = await together(*(_read(client, stream, correlation, window, at_most) for stream in TRUTH))
    found = {(event.stream, event.sequence): event for part in parts for event in part.found}
    later = await _of_its_entities(client, correlation, found.values())
    found |= {(event.stream, event.sequence): event for event in later}
    if not found:
        raise CannotStartError(
            f"No event from {window.begin[:19]} to {window.end[:19]} belongs to {correlation}; "
            "--since says when it began, --within how long to read."
        )
    return told(correlation, list(found.values()), read=sum(part.read for part in parts), notes=_notes(parts, window))


async def _beginning(client: Client, asked_for: str, since: str | None) -> tuple[str, datetime]:
    """The correlation that is meant, and when it began."""
    history = await entity_history(client, asked_for)
    envelopes = [event.envelope for event in history if event.envelope and event.envelope.correlation]
    correlation = envelopes[0].correlation or "" if envelopes else asked_for
    if since is not None:
        return correlation, datetime.fromisoformat(moment_of(since))
    if (began := time_of(correlation)) is not None:
        return correlation, began
    if envelopes:
        return correlation, datetime.fromisoformat(envelopes[0].time)
    words = f"{asked_for} does not tell when it began and no event is about it; --since 2h says where to read from."
    raise CannotStartError(words)


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one stream gave: the story's events, how many were read for it, and where the reading was broken off."""

    stream: str
    found: list[Stored]
    read: int
    goes_on: bool
    broken_off: str


async def _read(client: Client, stream: str, correlation: str, window: Window, at_most: int) -> _Part:
    start = Start(moment=window.begin)
    passage = await Passage.begin(client, stream, start, headers_only=True, batch=min(at_most, BATCH))
    read, found, goes_on, broken_off = 0, list[Stored](), False, ""
    async with aclosing(passage.to_the_end()) as batches:
        async for batch in batches:
            inside = [event for event in batch if event.stored_at <= window.end]
            found += [event for event in inside if event.envelope and event.envelope.correlation == correlation]
            read, goes_on = read + len(inside), len(inside) < len(batch)
            if read >= at_most and passage.left > 0:
                broken_off = batch[-1].stored_at
            if goes_on or broken_off:
                break
    return _Part(stream=stream, found=found, read=read, goes_on=goes_on, broken_off=broken_off)


def _notes(parts: Sequence[_Part], window: Window) -> list[str]:
    """What nobody has read, and how to have it read."""
    notes = [
        f"{part.stream} was not read after {part.broken_off[:19]}: --at-most reads more of it."
        for part in parts
        if part.broken_off
    ]
    if any(part.goes_on for part in parts):
        notes.append(
            f"Read up to {window.end[:19]}: of what happened later, only that about the entities shown is here; "
            "--within reads on."
        )
    return notes


async def _of_its_entities(client: Client, correlation: str, found: Iterable[Stored]) -> list[Stored]:
    """Everything of the story about the entities that are known to be of it, whenever it happened."""
    entities = list(dict.fromkeys(event.entity for event in found))[:MOST_ENTITIES]
    histories = await together(*(entity_history(client, entity) for entity in entities))
    return [
        event
        for history in histories
        for event in history
        if event.envelope and event.envelope.correlation == correlation
    ]

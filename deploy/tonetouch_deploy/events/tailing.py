"""`tail` and `show`: events as they come, and one event in full."""

from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing
from typing import Annotated, Any

import msgspec
import typer
from nats.aio.client import Client
from rich.console import Console

from tonetouch_contracts.manifest import STREAMS
from tonetouch_contracts.subjects import entity_filter
from tonetouch_deploy.events._root import SEE, AsJson, events, say_json, say_json_line
from tonetouch_deploy.events.looking import TRUTH, in_order, message_at, truth_streams
from tonetouch_deploy.events.moments import moment_of
from tonetouch_deploy.events.passing import Passage, Start
from tonetouch_deploy.events.reaching import reach, together
from tonetouch_deploy.events.stored import Stored
from tonetouch_deploy.events.tailing_showing import say_event, say_event_line, view_of
from tonetouch_deploy.ledger_showing import say
from tonetouch_deploy.settings import CannotStartError

MOST_LOOKED_BACK = 1_000_000
"""Sequences of one stream: so far back `--last` looks for events that pass the filters."""

Handed = Callable[[Sequence[Stored]], None]


class Which(msgspec.Struct, frozen=True, kw_only=True):
    """Which events are wanted; nothing said is all of them. `types` may end in ``.*`` for all of a noun."""

    types: tuple[str, ...] = ()
    entity: str | None = None
    correlation: str | None = None

    def filters(self) -> dict[str, list[str]]:
        """For each stream that can have such events, the subjects to ask for. Raises CannotStartError for no stream."""
        wanted = {}
        for stream in STREAMS:
            names = [event.wire_name() for event in stream.says if self._is_wanted(event.wire_name())]
            if names:
                wanted[stream.name] = self._subjects(names)
        if not wanted:
            words = f"No stream says {', '.join(self.types)}; contracts/README.md lists every event."
            raise CannotStartError(words)
        return wanted

    def has(self, event: Stored) -> bool:
        """Whether an event that passed the subjects is one of them: of correlations the server knows nothing."""
        if self.correlation is None:
            return True
        return event.envelope is not None and event.envelope.correlation == self.correlation

    def _is_wanted(self, wire_name: str) -> bool:
        if not self.types:
            return True
        noun = wire_name.partition(".")[0]
        return wire_name in self.types or f"{noun}.*" in self.types

    def _subjects(self, wire_names: list[str]) -> list[str]:
        if not self.types:
            return [entity_filter(self.entity)] if self.entity else []
        return [f"{name}.{self.entity or '*'}" for name in wire_names]


Types = Annotated[
    list[str] | None, typer.Option("--type", help="Only of this type, as track.uploaded or track.*; may be repeated.")
]
Entity = Annotated[str | None, typer.Option(help="Only of this entity, by its id.")]
Correlation = Annotated[str | None, typer.Option(help="Only of this story, by its correlation.")]


@events.command(rich_help_panel=SEE)
def tail(
    *,
    types: Types = None,
    entity: Entity = None,
    correlation: Correlation = None,
    last: Annotated[int, typer.Option(min=0, help="Begin with so many that are there already.")] = 10,
    since: Annotated[str | None, typer.Option(help="Begin at this time, or so long ago (10m, 2h), instead.")] = None,
    follow: Annotated[bool, typer.Option(help="Stay, and show what comes.")] = True,
    as_json: AsJson = False,
) -> None:
    """Show the latest events of all streams and those that come, one to a line."""
    console = Console()

    def hand(found: Sequence[Stored]) -> None:
        for event in found:
            if as_json:
                say_json_line(view_of(event))
            else:
                say_event_line(console, event)

    def tailing(client: Client) -> Coroutine[Any, Any, None]:
        which = Which(types=tuple(types or ()), entity=entity, correlation=correlation)
        return tailed(client, which, hand, last=last, since=since and moment_of(since), follow=follow)

    try:
        reach(tailing)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@events.command(rich_help_panel=SEE)
def show(
    where: Annotated[str, typer.Argument(help="CATALOG@17, or 17 for the seventeenth event of every stream.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show one event in full: envelope, body, and whether it can be read."""
    found = reach(lambda client: events_at(client, where))
    if as_json:
        say_json([view_of(event) for event in found])
        return
    console = Console()
    for event in found:
        say_event(console, event)
    if len(found) > 1:
        say(console, f"{len(found)} streams have a {where}; `show {found[0].stream}@{where}` shows one.")


async def events_at(client: Client, where: str) -> list[Stored]:
    """The event at a place, or those of all streams at a sequence. Raises CannotStartError where there is none."""
    stream, _, number = where.rpartition("@")
    if not number.isdecimal() or (stream and stream not in TRUTH):
        raise CannotStartError(f"{where} is no place in the log; say {TRUTH[0]}@17. The streams: {', '.join(TRUTH)}.")
    places = [stream] if stream else TRUTH
    found = [event for event in await together(*(message_at(client, name, int(number)) for name in places)) if event]
    if not found:
        raise CannotStartError(f"There is no {where}; `tonetouch events streams` shows how far each stream goes.")
    return found


async def tailed(
    client: Client, which: Which, hand: Handed, *, last: int = 0, since: str | None = None, follow: bool = True
) -> None:
    """Hand over what is there, in one order, then what comes, as it comes."""
    filters = which.filters()
    begun = await together(*(_begun(client, stream, which, filters[stream], last, since) for stream in filters))
    there = in_order([events for events, _ in begun])
    hand(there if since else there[len(there) - min(last, len(there)) :])
    if follow:
        following = zip(filters, begun, strict=True)
        await together(
            *(_followed(client, stream, which, filters[stream], place, hand) for stream, (_, place) in following)
        )


async def _begun(
    client: Client, stream: str, which: Which, filters: list[str], last: int, since: str | None
) -> tuple[list[Stored], int]:
    """What is there of one stream, and where to go on."""
    [info] = await truth_streams(client, [stream])
    head, found, back = info.state.last_seq, list[Stored](), max(last, 1)
    if since is not None:
        found = await _passed(client, stream, which, filters, Start(moment=since))
    while last and since is None:
        found = await _passed(client, stream, which, filters, Start(sequence=head - back + 1))
        if len(found) >= last or back >= min(head, MOST_LOOKED_BACK):
            break
        back *= 10
    return found, max(head, found[-1].sequence if found else 0) + 1


async def _passed(client: Client, stream: str, which: Which, filters: list[str], start: Start) -> list[Stored]:
    passage = await Passage.begin(client, stream, start, filters=filters)
    async with aclosing(passage.to_the_end()) as batches:
        return [event async for batch in batches for event in batch if which.has(event)]


async def _followed(client: Client, stream: str, which: Which, filters: list[str], start: int, hand: Handed) -> None:
    passage = await Passage.begin(client, stream, Start(sequence=start), filters=filters)
    async with aclosing(passage.onwards()) as batches:
        async for batch in batches:
            hand([event for event in batch if which.has(event)])

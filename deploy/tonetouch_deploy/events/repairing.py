"""`parked`, `pause`, `resume`, `operations` and `ingest`: what an operator does about what went wrong.

Whatever changes something is kept in the service's record, with who did it and why.
"""

import getpass
from typing import Annotated

import msgspec
import typer
from nats.aio.client import Client
from rich.console import Console

from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.operating import (
    ListOperations,
    ListParked,
    Operation,
    ParkedDetail,
    ParkedEvent,
    Paused,
    PausePart,
    Redriven,
    RedriveParked,
    ResumePart,
    SkipParked,
    Skipped,
)
from tonetouch_contracts.upload import IngestView, ListIngests, RetryIngest
from tonetouch_deploy.events._root import AsJson, events, say_json
from tonetouch_deploy.events.asking_all import Place, ask_all, named, parked_at, service_of
from tonetouch_deploy.events.reaching import NoAnswerError, asked, reach
from tonetouch_deploy.events.repairing_showing import (
    ingest_table,
    operation_table,
    parked_table,
    redriven_table,
    say_parked,
)
from tonetouch_deploy.ledger_showing import say

PAGE = 200
PATIENCE_SECONDS = 60.0
"""How much longer than a service promises to take we wait for its answer: it ends what it has begun."""

parked = typer.Typer(help="Events that a part could not handle, and those that wait behind them.", no_args_is_help=True)
ingest = typer.Typer(help="Uploads that stand still.", no_args_is_help=True)
events.add_typer(parked, name="parked")
events.add_typer(ingest, name="ingest")

OneService = Annotated[str | None, typer.Option("--service", help="Only this service.", show_default=False)]
OnePart = Annotated[
    str | None, typer.Option("--part", help="One table or consumer, by its name in `lag`.", show_default=False)
]
OneEntity = Annotated[str | None, typer.Option("--entity", help="Only of this entity.", show_default=False)]
Where = Annotated[str, typer.Argument(help="The event: CATALOG@17.")]
Part = Annotated[str, typer.Argument(help="A table or a consumer, by its name in `lag`.")]
Operator = Annotated[str, typer.Option(help="Who you are, for the record.", default_factory=getpass.getuser)]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A parked event and the service it is parked in."""

    service: str
    event: ParkedEvent


class Did(msgspec.Struct, frozen=True, kw_only=True):
    """An operation and the service it was done to."""

    service: str
    operation: Operation


@parked.command("list")
def list_parked(
    *,
    service: OneService = None,
    part: OnePart = None,
    entity: OneEntity = None,
    broken: Annotated[bool, typer.Option("--broken", help="Without those that only wait.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many of each service at the most.")] = PAGE,
    as_json: AsJson = False,
) -> None:
    """What is parked, the oldest first."""
    command = ListParked(part=part, entity_id=entity, only_broken=broken)
    rows, silent = reach(lambda client: _parked(client, command, service, limit))
    if as_json:
        say_json([Found(service=name, event=event) for name, event in rows])
    else:
        Console().print(parked_table(rows))
    _end(silent)


@parked.command("show")
def show_parked(where: Where, *, part: OnePart = None, service: OneService = None, as_json: AsJson = False) -> None:
    """One parked event: what it says, why it is parked, and what waits behind it."""
    name, detail = reach(lambda client: _shown(client, where, part, service))
    if as_json:
        say_json(detail)
    else:
        say_parked(Console(), name, detail)


@parked.command("redrive")
def redrive_parked(
    *,
    operator: Operator,
    reason: Reason = "",
    service: OneService = None,
    part: OnePart = None,
    entity: OneEntity = None,
    at_most: Annotated[int, typer.Option(min=1, max=1000, help="How many events of each service.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Handle parked events again, in order per entity; fails where one fails again."""
    command = RedriveParked(operator=operator, reason=reason, part=part, entity_id=entity, at_most=at_most)
    answers, silent = reach(lambda client: _redriven(client, command, service))
    if as_json:
        say_json(dict(answers))
    else:
        console = Console()
        console.print(redriven_table(answers))
        left = sum(answer.left for _, answer in answers)
        say(console, f"{left:,} events are parked still." if left else "Nothing of it is parked any more.")
    _end(silent, failed=any(answer.failed for _, answer in answers))


@parked.command("skip")
def skip_parked(
    where: Where,
    *,
    operator: Operator,
    reason: Annotated[str, typer.Option(help="Why, for the record.", show_default=False)],
    part: OnePart = None,
    service: OneService = None,
    as_json: AsJson = False,
) -> None:
    """Pass over the first parked event of an entity for good; the event stays in the log."""
    skipped = reach(lambda client: _skipped(client, where, part, service, operator, reason))
    if as_json:
        say_json(skipped)
        return
    event = skipped.skipped
    say(Console(), f"{event.part} passes over {event.stream}@{event.sequence} for good.")
    if skipped.waiting:
        say(Console(), f"{skipped.waiting} waited behind it: `tonetouch events parked redrive --part {event.part}`.")


@events.command()
def pause(
    part: Part, *, operator: Operator, reason: Reason = "", service: OneService = None, as_json: AsJson = False
) -> None:
    """Let a table or a consumer stand still until it is resumed, also over restarts."""
    paused = reach(lambda client: _told(client, PausePart(part=part, operator=operator, reason=reason), part, service))
    if as_json:
        say_json(paused)
    else:
        say(Console(), f"{part} stands still since {paused.since}; `tonetouch events resume {part}` lets it go on.")


@events.command()
def resume(
    part: Part, *, operator: Operator, reason: Reason = "", service: OneService = None, as_json: AsJson = False
) -> None:
    """Let a paused table or consumer go on from where it stands."""
    resumed = reach(
        lambda client: _told(client, ResumePart(part=part, operator=operator, reason=reason), part, service)
    )
    if as_json:
        say_json(resumed)
    else:
        say(Console(), f"{part} goes on; `tonetouch events lag` shows how far it is.")


@events.command()
def operations(
    service: Annotated[str | None, typer.Argument(help="Only of this service.", show_default=False)] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many of each service.")] = 50,
    as_json: AsJson = False,
) -> None:
    """What operators did, when and why; the latest first."""
    rows, silent = reach(lambda client: _operations(client, service, limit))
    if as_json:
        say_json([Did(service=name, operation=one) for name, one in rows])
    else:
        Console().print(operation_table(rows))
    _end(silent)


@ingest.command()
def stuck(
    *,
    after: Annotated[float, typer.Option(min=0, help="Seconds without anything new.")] = 120.0,
    as_json: AsJson = False,
) -> None:
    """Uploads that stand still and uploads that failed: at which step, after how many attempts, and why."""
    rows = reach(lambda client: _stuck(client, after))
    if as_json:
        say_json(rows)
        return
    Console().print(ingest_table(rows))
    if rows:
        say(Console(), "`tonetouch events ingest retry TRACK` goes on from the step that failed.")


@ingest.command()
def retry(
    tracks: Annotated[list[str], typer.Argument(help="The tracks, by their ids.")], *, as_json: AsJson = False
) -> None:
    """Go on with uploads that failed, from the step that failed."""
    rows = reach(lambda client: _retried(client, tracks))
    if as_json:
        say_json(rows)
    else:
        Console().print(ingest_table(rows))


async def _parked(
    client: Client, command: ListParked, service: str | None, limit: int
) -> tuple[list[tuple[str, ParkedEvent]], list[NoAnswerError]]:
    found: list[tuple[str, ParkedEvent]] = []
    silent: list[NoAnswerError] = []
    for name in named(service):
        page = msgspec.structs.replace(command, limit=min(limit, PAGE))
        try:
            many = 0
            while many < limit:
                answer = await asked(client, page, name)
                found += [(name, event) for event in answer.items[: limit - many]]
                many += len(answer.items)
                if answer.next_cursor is None:
                    break
                page = msgspec.structs.replace(page, cursor=answer.next_cursor)
        except NoAnswerError as error:
            silent.append(error)
    return sorted(found, key=lambda row: row[1].parked_at), silent


async def _shown(client: Client, where: str, part: str | None, service: str | None) -> tuple[str, ParkedDetail]:
    return await parked_at(client, Place.read(where), part, service)


async def _redriven(
    client: Client, command: RedriveParked, service: str | None
) -> tuple[list[tuple[str, Redriven]], list[NoAnswerError]]:
    answered: list[tuple[str, Redriven]] = []
    silent: list[NoAnswerError] = []
    for name in named(service):
        try:
            if not (await asked(client, ListParked(part=command.part, entity_id=command.entity_id), name)).items:
                continue
            patience = command.within_seconds + PATIENCE_SECONDS
            answered.append((name, await asked(client, command, name, timeout=patience)))
        except NoAnswerError as error:
            silent.append(error)
    return answered, silent


async def _skipped(
    client: Client, where: str, part: str | None, service: str | None, operator: str, reason: str
) -> Skipped:
    place = Place.read(where)
    name, detail = await parked_at(client, place, part, service)
    command = SkipParked(
        stream=place.stream, sequence=place.sequence, operator=operator, reason=reason, part=detail.parked.part
    )
    return await asked(client, command, name)


async def _told(client: Client, command: PausePart | ResumePart, part: str, service: str | None) -> Paused:
    return await asked(client, command, await service_of(client, part, service))


async def _operations(
    client: Client, service: str | None, limit: int
) -> tuple[list[tuple[str, Operation]], list[NoAnswerError]]:
    answers = await ask_all(client, ListOperations(limit=limit), named(service))
    silent = [answer for _, answer in answers if isinstance(answer, NoAnswerError)]
    rows = [(name, one) for name, page in answers if not isinstance(page, NoAnswerError) for one in page.items]
    return sorted(rows, key=lambda row: row[1].at, reverse=True), silent


async def _stuck(client: Client, after: float) -> list[IngestView]:
    found: list[IngestView] = []
    for command in (ListIngests(state="stuck", stuck_after_seconds=after), ListIngests(state="failed")):
        cursor: str | None = None
        while True:
            page = await asked(client, msgspec.structs.replace(command, limit=PAGE, cursor=cursor), "ingest")
            found += page.items
            if (cursor := page.next_cursor) is None:
                break
    return found


async def _retried(client: Client, tracks: list[str]) -> list[IngestView]:
    return [await asked(client, RetryIngest(track_id=TrackId(track)), "ingest") for track in tracks]


def _end(silent: list[NoAnswerError], *, failed: bool = False) -> None:
    """What a service did not answer is said where nothing else is, and is a failure."""
    for error in silent:
        say(Console(stderr=True), str(error))
    if silent or failed:
        raise typer.Exit(1)

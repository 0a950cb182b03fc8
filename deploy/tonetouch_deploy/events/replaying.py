"""`replay`: recorded events are handed to one consumer again, or it is said what they would do there."""

from typing import Annotated

import msgspec
import typer
from nats.aio.client import Client
from rich.console import Console

from tonetouch_contracts.manifest import consumer as declared
from tonetouch_contracts.operating import ReplayedEvent, ReplayRange
from tonetouch_deploy.events._root import AsJson, events, say_json_line
from tonetouch_deploy.events.reaching import asked, reach
from tonetouch_deploy.events.repairing import PATIENCE_SECONDS, OneEntity, Operator, Reason
from tonetouch_deploy.events.repairing_showing import say_replayed
from tonetouch_deploy.ledger_showing import say
from tonetouch_deploy.settings import CannotStartError


@events.command()
def replay(
    *,
    consumer: Annotated[str, typer.Option(help="The consumer whose handler gets the events, by its name in `lag`.")],
    first: Annotated[int, typer.Option("--from", min=1, help="The first sequence of its stream.")],
    last: Annotated[int, typer.Option("--to", min=1, help="The last sequence of its stream.")],
    operator: Operator,
    reason: Reason = "",
    entity: OneEntity = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run/--run", help="Only say what would happen, or do it: saying is the default.")
    ] = True,
    may_bill: Annotated[
        bool, typer.Option("--may-bill", help="Ask models also what was never asked; else such events are left.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Hand recorded events to one consumer's handler again, in order. Fails where one fails.

    What has happened does not happen twice: handlers decide on the log, queues hold a step once, objects lie under
    their hash, and AI is answered from what is kept.
    """
    command = ReplayRange(
        consumer=consumer,
        first=first,
        last=last,
        operator=operator,
        reason=reason,
        entity_id=entity,
        dry_run=dry_run,
        may_bill=may_bill,
    )
    counts = reach(lambda client: _replayed(client, command, as_json=as_json))
    if not as_json:
        said = ", ".join(f"{many:,} {outcome.replace('_', ' ')}" for outcome, many in counts.items() if many)
        say(Console(), f"{said or 'No event of this range is heard there'}.")
        if dry_run:
            say(Console(), "Nothing was done; `--run` does it.")
    if counts.get("failed"):
        raise typer.Exit(1)


async def _replayed(client: Client, command: ReplayRange, *, as_json: bool) -> dict[str, int]:
    """Stretch after stretch, each shown as it comes; leaving ends it after the stretch under way."""
    try:
        owned = declared(command.consumer)
    except KeyError:
        words = f"There is no consumer {command.consumer}; `tonetouch events lag` lists them."
        raise CannotStartError(words) from None
    counts: dict[str, int] = {}
    following: int | None = command.first
    while following is not None:
        stretch = msgspec.structs.replace(command, first=following)
        patience = command.within_seconds + PATIENCE_SECONDS
        answer = await asked(client, stretch, owned.owner, timeout=patience)
        for event in answer.events:
            counts[event.outcome] = counts.get(event.outcome, 0) + 1
            _say_replayed(event, owned.stream, as_json=as_json)
        counts["not_heard"] = counts.get("not_heard", 0) + answer.passed_over
        following = answer.next_sequence
    return counts


def _say_replayed(event: ReplayedEvent, stream: str, *, as_json: bool) -> None:
    if as_json:
        say_json_line(event)
    else:
        say_replayed(Console(), event, stream)

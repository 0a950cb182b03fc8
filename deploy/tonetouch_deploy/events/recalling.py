"""`at`: rows of a read model as they were at a time, or at a place in the log."""

from typing import Annotated, Any

import msgspec
import typer
from nats.aio.client import Client
from rich.console import Console

from tonetouch_contracts.message import Positions
from tonetouch_contracts.operating import DropTables, ListRecalled, RecallTable, TablesRebuild
from tonetouch_deploy.events._root import AsJson, events, say_json
from tonetouch_deploy.events.moments import moment_of
from tonetouch_deploy.events.reaching import asked, reach
from tonetouch_deploy.events.rebuilding import Operator, Reason, Service, watched
from tonetouch_deploy.events.rebuilding_showing import rebuild_words
from tonetouch_deploy.ledger_showing import say, table, words
from tonetouch_deploy.settings import CannotStartError

PAGE = 500


class Recalled(msgspec.Struct, frozen=True, kw_only=True):
    """A read model as it was, or the rows of it that were asked for. `more` says that there are others."""

    service: str
    table: str
    until: Positions
    rows: tuple[dict[str, Any], ...]
    more: bool


@events.command()
def at(
    service: Service,
    table: Annotated[str, typer.Argument(help="The read model, by the name of its table.")],
    *,
    operator: Operator,
    time: Annotated[str | None, typer.Option(help="As of this time (UTC), or so long ago (10m, 2h).")] = None,
    seq: Annotated[list[str] | None, typer.Option(help="As of this event, as CATALOG@17; one for each stream.")] = None,
    key: Annotated[str | None, typer.Option(help="The row of this key alone.")] = None,
    beside: Annotated[str | None, typer.Option(help="A table that is kept beside the read model.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows at the most.")] = 100,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Rows of a read model as they were, made in a scratch database; the live tables are left alone."""
    if time is None and not seq:
        raise typer.BadParameter("say --time or --seq")

    async def conversation(client: Client) -> Recalled:
        moment, positions = time and moment_of(time), dict(map(_place, seq or ()))
        command = RecallTable(table=table, operator=operator, reason=reason, at=moment, positions=positions)
        begun = await asked(client, command, service)
        [made] = await watched(client, service, [begun.id], quiet=as_json)
        if made.phase != "recalled":
            raise CannotStartError(rebuild_words(made))
        try:
            return await _rows(client, service, made, key=key, beside=beside, limit=limit)
        finally:
            await asked(client, DropTables(id=made.id, operator=operator, reason="shown"), service)

    found = reach(conversation)
    if as_json:
        say_json(found)
    else:
        _show(Console(), found)


async def _rows(
    client: Client, service: str, made: TablesRebuild, *, key: str | None, beside: str | None, limit: int
) -> Recalled:
    rows: list[dict[str, Any]] = []
    offset: int | None = 0
    while offset is not None and len(rows) < limit:
        size = min(PAGE, limit - len(rows))
        page = await asked(client, ListRecalled(id=made.id, key=key, beside=beside, offset=offset, limit=size), service)
        rows += page.rows
        offset = page.next_offset
    name = beside or made.table
    return Recalled(service=service, table=name, until=made.until, rows=tuple(rows), more=offset is not None)


def _place(said: str) -> tuple[str, int]:
    stream, _, sequence = said.partition("@")
    if not sequence.isdecimal():
        raise CannotStartError(f"{said} is no place in the log; say it like CATALOG@17.")
    return stream, int(sequence)


def _show(console: Console, found: Recalled) -> None:
    places = ", ".join(f"{stream}@{sequence}" for stream, sequence in sorted(found.until.items()))
    names = [name for name in (found.rows[0] if found.rows else ()) if any(row[name] is not None for row in found.rows)]
    console.print(table(f"{found.table} at {places}", [words(name) for name in names], found.rows))
    if found.more:
        say(console, "There are more rows: ask for them with --limit, or for one with --key.")

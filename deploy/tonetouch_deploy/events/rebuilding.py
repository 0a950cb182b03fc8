"""`rebuild`, `rebuilds`, `verify` and what follows from them: read models made anew while the live ones answer.

The services do the work and remember it; leaving a command ends nothing.
"""

import asyncio
import getpass
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Literal, TypeVar

import typer
from nats.aio.client import Client
from rich.console import Console

from tonetouch_contracts.message import Command
from tonetouch_contracts.operating import (
    CancelTables,
    ContinueTables,
    DropTables,
    ListRebuilds,
    RebuildTables,
    SwitchTables,
    TablesPhase,
    TablesRebuild,
    TablesRebuilds,
    VerifyTables,
)
from tonetouch_deploy.events._root import AsJson, events, say_json
from tonetouch_deploy.events.reaching import NoAnswerError, asked, reach
from tonetouch_deploy.events.rebuilding_showing import Bars, rebuild_table, rebuild_words, say_differences
from tonetouch_deploy.ledger_showing import say
from tonetouch_deploy.settings import CannotStartError

LOOK_SECONDS = 0.3
MOST_FAILURES = 100
"""Looks in a row that may fail: the service may be restarting, and goes on with the rebuild then."""

UNDER_WAY: tuple[TablesPhase, ...] = ("waiting", "filling", "indexing", "comparing")

R = TypeVar("R")


class Switch(StrEnum):
    """When the new tables take the place of the live ones."""

    SAME = "same"
    ALWAYS = "always"
    WHEN_TOLD = "when-told"


_SWITCHES: Mapping[Switch, Literal["same", "always", "when_told"]] = {
    Switch.SAME: "same",
    Switch.ALWAYS: "always",
    Switch.WHEN_TOLD: "when_told",
}

Service = Annotated[str, typer.Argument(help="The service: catalog, ingest, recommend, agents, ai-ledger.")]
OneTable = Annotated[str | None, typer.Argument(help="One read model, by the name of its table; else all.")]
LastTable = Annotated[str | None, typer.Argument(help="The read model; else the latest rebuild that it fits.")]
Operator = Annotated[str, typer.Option(help="Who you are, for the record.", default_factory=getpass.getuser)]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]
Watch = Annotated[bool, typer.Option(help="Stay until it is over, and show how far it is.")]
Switching = Annotated[
    Switch, typer.Option(help="Take the live tables' place where the rows are the same, always, or not until told.")
]


@events.command()
def rebuild(
    service: Service,
    table: OneTable = None,
    *,
    operator: Operator,
    switch: Switching = Switch.SAME,
    reason: Reason = "",
    watch: Watch = True,
    as_json: AsJson = False,
) -> None:
    """Make read models anew from the log beside the live ones, compare, and let them take their place in one step."""
    command = RebuildTables(operator=operator, reason=reason, table=table, switch=_SWITCHES[switch])
    _end(reach(lambda client: _made(client, service, command, watch=watch, quiet=as_json)), as_json)


@events.command()
def verify(
    service: Service,
    table: OneTable = None,
    *,
    operator: Operator,
    reason: Reason = "",
    watch: Watch = True,
    as_json: AsJson = False,
) -> None:
    """Make read models anew in scratch tables and compare every row with the live ones; fails where one differs."""
    command = VerifyTables(operator=operator, reason=reason, table=table)
    _end(reach(lambda client: _made(client, service, command, watch=watch, quiet=as_json)), as_json)


@events.command()
def rebuilds(service: Service, *, as_json: AsJson = False) -> None:
    """The latest rebuilds of a service: how far they are, what they found, and what they left."""
    found = reach(lambda client: asked(client, ListRebuilds(), service))
    if as_json:
        say_json(found)
        return
    console = Console()
    console.print(rebuild_table(found))
    say(console, f"{service} can make anew: {', '.join(found.tables) or 'nothing'}.")


@events.command()
def cancel(
    service: Service, table: LastTable = None, *, operator: Operator, reason: Reason = "", as_json: AsJson = False
) -> None:
    """Stop a rebuild that is under way; the live tables stay, and `continue` goes on with it."""
    _moved(service, table, (*UNDER_WAY, "compared"), _asking(CancelTables, operator, reason), as_json=as_json)


@events.command("continue")
def go_on(
    service: Service,
    table: LastTable = None,
    *,
    operator: Operator,
    reason: Reason = "",
    watch: Watch = True,
    as_json: AsJson = False,
) -> None:
    """Go on with a rebuild that was cancelled or failed, from where it stopped."""
    asking = _asking(ContinueTables, operator, reason)
    _moved(service, table, ("cancelled", "failed"), asking, watch=watch, as_json=as_json)


@events.command()
def switch(
    service: Service,
    table: LastTable = None,
    *,
    operator: Operator,
    reason: Reason = "",
    watch: Watch = True,
    as_json: AsJson = False,
) -> None:
    """Let new tables that were compared take the place of the live ones, though rows may differ."""
    asking = _asking(SwitchTables, operator, reason)
    _moved(service, table, ("compared",), asking, watch=watch, as_json=as_json)


@events.command()
def drop(
    service: Service, table: LastTable = None, *, operator: Operator, reason: Reason = "", as_json: AsJson = False
) -> None:
    """Drop the tables that a rebuild replaced, or its own where they did not go live."""
    phases: tuple[TablesPhase, ...] = ("switched", "cancelled", "failed", "compared", "recalled")
    _moved(service, table, phases, _asking(DropTables, operator, reason), as_json=as_json, leaving=True)


def last_of(
    found: TablesRebuilds, table: str | None, phases: Sequence[TablesPhase], *, leaving: bool = False
) -> TablesRebuild:
    """The latest rebuild in one of these phases, of a table where one is named.

    `leaving` means one that left tables. Raises CannotStartError where there is none.
    """
    for rebuild in found.rebuilds:
        left_something = rebuild.kept or rebuild.replaced_kept
        if rebuild.phase in phases and table in (None, rebuild.table) and (left_something or not leaving):
            return rebuild
    what = f"rebuild of {table}" if table else "rebuild"
    seen = "that left tables" if leaving else f"that is {', '.join(phases)}"
    raise CannotStartError(
        f"{found.service} has no {what} {seen}; `tonetouch events rebuilds {found.service}` lists them."
    )


def _asking(kind: Callable[..., Command[R]], operator: str, reason: str) -> Callable[[str], Command[R]]:
    return lambda rebuild_id: kind(id=rebuild_id, operator=operator, reason=reason)


def _moved(
    service: str,
    table: str | None,
    phases: Sequence[TablesPhase],
    asking: Callable[[str], Command[TablesRebuild]],
    *,
    as_json: bool,
    watch: bool = False,
    leaving: bool = False,
) -> None:
    async def conversation(client: Client) -> list[TablesRebuild]:
        last = last_of(await asked(client, ListRebuilds(), service), table, phases, leaving=leaving)
        answer = await asked(client, asking(last.id), service)
        return await watched(client, service, [answer.id], quiet=as_json) if watch else [answer]

    _end(reach(conversation), as_json, failing=watch)


async def _made(
    client: Client, service: str, command: Command[TablesRebuilds], *, watch: bool, quiet: bool
) -> list[TablesRebuild]:
    before = {rebuild.id for rebuild in (await asked(client, ListRebuilds(), service)).rebuilds}
    begun = [one for one in (await asked(client, command, service)).rebuilds if one.id not in before]
    return await watched(client, service, [one.id for one in begun], quiet=quiet) if watch else begun


async def watched(client: Client, service: str, ids: Sequence[str], *, quiet: bool) -> list[TablesRebuild]:
    """Follow rebuilds to their ends, also over a restart of the service."""
    with Bars(quiet=quiet) as bars:
        while True:
            found = await _look(client, service)
            mine = [rebuild for rebuild in found.rebuilds if rebuild.id in ids]
            bars.show(mine)
            if not any(rebuild.phase in UNDER_WAY for rebuild in mine):
                return mine[::-1]
            await asyncio.sleep(LOOK_SECONDS)


async def _look(client: Client, service: str) -> TablesRebuilds:
    for left in reversed(range(MOST_FAILURES)):
        try:
            return await asked(client, ListRebuilds(), service)
        except NoAnswerError:
            if not left:
                raise
            await asyncio.sleep(LOOK_SECONDS)
    raise AssertionError("the last failure is raised")


def _end(found: Sequence[TablesRebuild], as_json: bool, *, failing: bool = True) -> None:
    if as_json:
        say_json(found)
    else:
        console = Console()
        for rebuild in found:
            say(console, rebuild_words(rebuild))
            say_differences(console, rebuild)
    if failing and any(is_bad(rebuild) for rebuild in found):
        raise typer.Exit(1)


def is_bad(rebuild: TablesRebuild) -> bool:
    """Whether it did not come to where it was to go, or found what should not be."""
    differs = any(one.missing or one.extra or one.different for one in rebuild.comparisons)
    return rebuild.phase in ("failed", "cancelled") or (rebuild.phase in ("compared", "verified") and differs)

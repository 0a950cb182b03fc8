"""`lag`: how far every projection and consumer is behind, and whether it moves."""

from typing import Annotated

import msgspec
import typer
from nats.aio.client import Client
from rich.console import Console

from tonetouch_contracts.operating import PartLag, ShowLag
from tonetouch_deploy.events._root import AsJson, events, say_json
from tonetouch_deploy.events.asking_all import ask_all, named
from tonetouch_deploy.events.reaching import NoAnswerError, reach
from tonetouch_deploy.events.repairing_showing import lag_table
from tonetouch_deploy.ledger_showing import say

ALARMING = frozenset({"stalled", "broken"})


class Lags(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of each service, and why a service did not answer."""

    services: dict[str, tuple[PartLag, ...]]
    silent: dict[str, str]


@events.command()
def lag(
    service: Annotated[str | None, typer.Argument(help="Only this service.", show_default=False)] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """How far each projection and consumer is behind, in events and seconds; fails where one is stalled or broken."""
    found = reach(lambda client: _lags(client, service))
    if as_json:
        say_json(found)
    else:
        console = Console()
        console.print(lag_table([(name, part) for name, parts in found.services.items() for part in parts]))
        for name, words in found.silent.items():
            say(console, f"{name}: {words}")
    if found.silent or any(part.state in ALARMING for parts in found.services.values() for part in parts):
        raise typer.Exit(1)


async def _lags(client: Client, service: str | None) -> Lags:
    answers = await ask_all(client, ShowLag(), named(service))
    return Lags(
        services={name: answer.parts for name, answer in answers if not isinstance(answer, NoAnswerError)},
        silent={name: str(answer) for name, answer in answers if isinstance(answer, NoAnswerError)},
    )

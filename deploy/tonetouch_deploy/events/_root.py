"""Where the commands of `tonetouch events` come together, and how all of them speak to programs."""

from typing import Annotated, Any

import msgspec
import typer

events = typer.Typer(
    help="The log: see it, follow it, step through it, take it out and bring it back. Every command knows --json.",
    no_args_is_help=True,
)

SEE, CARRY, PROTECT = "See", "Carry a log elsewhere", "Protect"
"""The headings of the list of commands."""

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON, for programs.")]


def say_json(answer: Any) -> None:
    """The answer as indented JSON on standard output."""
    typer.echo(msgspec.json.format(msgspec.json.encode(answer), indent=2))


def say_json_line(answer: Any) -> None:
    """One answer of many, as a line of its own."""
    typer.echo(msgspec.json.encode(answer))

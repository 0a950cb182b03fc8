"""Where the commands of `tonetouch events` come together, and the option they all have."""

from typing import Annotated

import typer

events = typer.Typer(
    help="The log: see it, follow it, step through it, take it out and bring it back. Every command knows --json.",
    no_args_is_help=True,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON, for programs.")]

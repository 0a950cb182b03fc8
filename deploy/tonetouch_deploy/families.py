"""Families of commands, each read when it is asked for: the runtime behind some takes longer to read than they run."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

FAMILIES = {
    "events": "tonetouch_deploy.events",
    "indexes": "tonetouch_deploy.indexes",
    "ledger": "tonetouch_deploy.ledger",
    "prices": "tonetouch_deploy.pricing",
    "versions": "tonetouch_deploy.versions",
}
"""Each family's module; it holds a Typer application of the family's name."""


class Families(TyperGroup):
    """A group with a family of commands for each name in `FAMILIES`, beside its own commands."""

    # Some versions of Typer have a Click of their own and others use the one that is installed, so no type is named.

    def list_commands(self, ctx: Any) -> list[str]:
        """Its own commands, then the families."""
        return [*super().list_commands(ctx), *FAMILIES]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command or family by name; None where there is none."""
        module = FAMILIES.get(cmd_name)
        if module is None:
            return super().get_command(ctx, cmd_name)
        family = typer.main.get_group(getattr(import_module(module), cmd_name))
        family.name = cmd_name
        return family

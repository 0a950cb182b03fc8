"""Families of commands are there without being read before they are asked for."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from tonetouch_deploy.commands import app
from tonetouch_deploy.families import FAMILIES

READ = "import sys, tonetouch_deploy.commands; print(*sorted(sys.modules))"


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_says_what_it_can_do(name: str) -> None:
    """Asked for by its name, like any command."""
    result = CliRunner().invoke(app, [name, "--help"])
    assert (result.exit_code, f" {name} [OPTIONS]" in result.output) == (0, True), result.output


def test_the_list_of_commands_has_the_families_and_the_rest() -> None:
    """Somebody who looks at the help sees both kinds."""
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    assert all(f" {name} " in result.output for name in (*FAMILIES, "up", "provision"))


def test_what_nobody_asked_for_is_not_read() -> None:
    """A command that needs no family does not wait for the runtime to be read."""
    read = subprocess.run([sys.executable, "-c", READ], capture_output=True, text=True, check=True).stdout.split()
    assert "tonetouch_deploy.composing" in read
    assert not {"tonetouch_runtime", "sqlalchemy", *FAMILIES.values()} & set(read)

"""The command line `tonetouch`."""

import asyncio
import os
import subprocess
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tonetouch_deploy.composing import (
    SERVICES,
    health_probe,
    provisioning_command,
    provisioning_environment,
    reader_url,
)
from tonetouch_deploy.families import Families
from tonetouch_deploy.finding import find_audio
from tonetouch_deploy.ledger_showing import say
from tonetouch_deploy.ports import LOOPBACK
from tonetouch_deploy.probing import http_probe
from tonetouch_deploy.run_record import RunRecord, last_run_record, run_record
from tonetouch_deploy.settings import (
    CannotStartError,
    admin_token,
    delete_data_folder,
    prepare_data_folder,
    read_settings,
)
from tonetouch_deploy.showing import ending_table, file_progress, process_table, say_failure, say_where
from tonetouch_deploy.supervising import Row
from tonetouch_deploy.up import run_up
from tonetouch_deploy.uploading import upload as upload_files

app = typer.Typer(
    cls=Families,
    help="Tone Touch Music on one machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

RelativeTo = Annotated[
    Path | None, typer.Option("--relative-to", help="The folder that relative paths start from.", show_default=False)
]


@app.command()
def up(
    paths: Annotated[list[Path] | None, typer.Argument(help="Music to upload instead of the demo album.")] = None,
    *,
    demo: Annotated[bool, typer.Option(help="Fill an empty catalogue with the demo album.")] = True,
    relative_to: RelativeTo = None,
) -> None:
    """Start everything and stay in the foreground; Ctrl-C stops it in order."""
    try:
        run_up(read_settings(), _absolute(paths or [], relative_to), demo=demo, console=Console())
    except CannotStartError as error:
        raise _failure(error) from error


@app.command()
def upload(
    paths: Annotated[list[Path], typer.Argument(help="Audio files, or folders with audio files at any depth.")],
    *,
    relative_to: RelativeTo = None,
    at_once: Annotated[int, typer.Option(min=1, max=16, help="How many files are sent at the same time.")] = 3,
) -> None:
    """Upload music to the running API and follow each track until it is published; fails if one of them fails."""
    console = Console()
    try:
        record = run_record(read_settings().data_folder)
        found = find_audio(_absolute(paths, relative_to))
        with file_progress(console) as progress:
            endings = asyncio.run(
                upload_files(
                    found.files, api_url=record.api_url, token=record.admin_token, progress=progress, at_once=at_once
                )
            )
    except CannotStartError as error:
        raise _failure(error) from error
    except KeyboardInterrupt:
        console.print("Stopped watching; what was accepted goes on. `uv run just upload` again is harmless.")
        raise typer.Exit(130) from None
    console.print(ending_table(endings))
    if found.skipped:
        console.print(f"{found.skipped} other files were skipped: not audio by their names.")
    if any(ending.outcome in ("failed", "unfinished") for ending in endings):
        raise typer.Exit(1)


@app.command()
def status() -> None:
    """Show what runs, where, and how it is; fails unless everything is ready."""
    console = Console()
    try:
        folder = read_settings().data_folder
        record = run_record(folder)
    except CannotStartError as error:
        raise _failure(error) from error
    rows = asyncio.run(_rows(record))
    console.print(process_table(rows))
    if any(row.state != "ready" for row in rows):
        raise typer.Exit(1)
    say_where(console, record, folder)


@app.command()
def provision() -> None:
    """Make streams, consumers and the bucket match the manifest: of the servers in TONETOUCH_*, else of `up`'s."""
    try:
        settings = read_settings()
        record = last_run_record(settings.data_folder)
        meant = any(name in os.environ for name in ("TONETOUCH_NATS_URL", "TONETOUCH_S3_ENDPOINT"))
        environment = dict(os.environ) if meant or record is None else provisioning_environment(settings, record.ports)
    except CannotStartError as error:
        raise _failure(error) from error
    raise typer.Exit(subprocess.run(provisioning_command(), env=environment, check=False).returncode)


@app.command()
def token() -> None:
    """Print the admin token of this data folder."""
    try:
        settings = read_settings()
        prepare_data_folder(settings.data_folder)
        typer.echo(admin_token(settings))
    except CannotStartError as error:
        raise _failure(error) from error


@app.command()
def reader() -> None:
    """Print the address of the log for other teams, with the name and password of the user who may only read."""
    try:
        settings = read_settings()
        typer.echo(reader_url(settings, run_record(settings.data_folder).ports))
    except CannotStartError as error:
        raise _failure(error) from error


@app.command("accounts")
def print_accounts() -> None:
    """Print who may do what on the bus, for the configuration of a NATS server of your own.

    It takes the passwords from its environment: NATS_PASSWORD_CATALOG and so on, one for each user that is printed.
    """
    from tonetouch_deploy.nats_accounts import accounts_for_a_server

    typer.echo(accounts_for_a_server(), nl=False)


@app.command()
def clean(*, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Delete the data folder: all music, events and secrets. Asks first."""
    try:
        folder = read_settings().data_folder
        if not yes:
            typer.confirm(f"Delete {folder} with all music, events and secrets in it?", abort=True)
        delete_data_folder(folder)
    except CannotStartError as error:
        raise _failure(error) from error


@app.command("ai-check")
def ai_check() -> None:
    """Make one small call for each AI task: what came back, from which target, what it cost. Fails if one fails."""
    # The client takes seconds to load, for which no other command should wait.
    from tonetouch_deploy.ai_checking import all_checks, check_table, waiting_for
    from tonetouch_deploy.installation import installation
    from tonetouch_runtime import TonetouchError

    console = Console()
    try:
        with console.status("Asking one question of each task ..."):
            checks = asyncio.run(all_checks(installation()))
    except (CannotStartError, TonetouchError) as error:
        raise _failure(error) from error
    console.print(check_table(checks))
    for setting, targets in waiting_for(checks).items():
        say(console, f"To use {', '.join(targets)}: {setting}.")
    if any(check.failure for check in checks):
        raise typer.Exit(1)


async def _rows(record: RunRecord) -> list[Row]:
    bus = http_probe(f"http://{LOOPBACK}:{record.ports['nats-monitor']}/healthz")
    objects = f"http://{LOOPBACK}:{record.ports['object-store']}"
    probes = {
        ("nats", f"nats://{LOOPBACK}:{record.ports['nats']}"): bus,
        ("object-store", objects): http_probe(objects, any_answer=True),
    }
    for name in SERVICES:
        port = record.ports["api" if name == "gateway" else f"{name}-health"]
        probes[name, f"http://{LOOPBACK}:{port}"] = health_probe(name, record.ports)
    missing = await asyncio.gather(*(probe() for probe in probes.values()))
    return [
        Row(
            name=name,
            where=where,
            pid=record.pids.get(name),
            state="not ready" if words else "ready",
            health=words or "ready",
            restarts=0,
        )
        for (name, where), words in zip(probes, missing, strict=True)
    ]


def _absolute(paths: list[Path], relative_to: Path | None) -> list[Path]:
    start = relative_to or Path.cwd()
    return [start / path.expanduser() for path in paths]


def _failure(error: Exception) -> typer.Exit:
    say_failure(error)
    return typer.Exit(2)


if __name__ == "__main__":
    app()

"""Making an installation of a backup, where there is none, and checking it against what was backed up.

The server makes a stream of a snapshot only for somebody who may, and nobody may while services run: the stores are
started for this alone, with a user who is gone when they stop.
"""

import json
import secrets
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import nats.errors
from nats.aio.client import Client

from tonetouch_contracts import manifest
from tonetouch_deploy.appearing import appearing
from tonetouch_deploy.composing import chosen_ports, service_environment, stores
from tonetouch_deploy.events.backup import Backup, Place, StreamCopy, copy_database, digest_of, refuse_damaged, said
from tonetouch_deploy.events.counting import Counter
from tonetouch_deploy.events.looking import StreamInfo, all_streams
from tonetouch_deploy.events.reaching import Door, api
from tonetouch_deploy.events.snapshots import digest, put_back
from tonetouch_deploy.nats_accounts import account, user
from tonetouch_deploy.nats_server import write_nats_config
from tonetouch_deploy.settings import CannotStartError, locked, prepare_data_folder
from tonetouch_deploy.settings import Settings as LauncherSettings
from tonetouch_deploy.supervising import Supervisor
from tonetouch_runtime import Objects, Settings, TonetouchError
from tonetouch_runtime.provisioning import apply

RESTORING = "restoring"
_NEXT_STEP = "TONETOUCH_DATA names another data folder, `tonetouch clean` empties this one."


@asynccontextmanager
async def stores_alone(own: LauncherSettings) -> AsyncIterator[tuple[Door, Settings]]:
    """The bus and the object store of a data folder for as long as the block lasts, with a user who may do anything.

    Raises CannotStartError where `up` runs on the folder, or they do not start.
    """
    prepare_data_folder(own.data_folder)
    with locked(own.data_folder):
        ports = chosen_ports(own)
        processes = stores(own, ports)
        password = secrets.token_urlsafe(24)
        anything = user(RESTORING, json.dumps(password), '{ publish: ">", subscribe: ">" }')
        # The next start of `up` writes it anew, without this user.
        write_nats_config(
            own.data_folder / "nats",
            port=ports["nats"],
            monitor_port=ports["nats-monitor"],
            accounts="accounts {\n" + account("TONETOUCH", [anything]) + "}\n",
        )
        environment = service_environment(own, ports)
        said = {name.removeprefix("TONETOUCH_").lower(): value for name, value in environment.items()}
        ours = {name: said[name] for name in Settings.model_fields if name in said}
        supervisor = Supervisor(logs=own.data_folder / "logs")
        try:
            await supervisor.start(processes)
            for row in supervisor.status():
                if row.state != "ready":
                    raise CannotStartError(f"{row.name} at {row.where} did not become ready ({row.health}).")
            yield Door(url=ours["nats_url"], user=RESTORING, password=password), Settings.model_validate(ours)
        finally:
            await supervisor.stop()


async def restored(client: Client, settings: Settings, place: Place, counter: Counter) -> Backup:
    """Make an installation of a backup and prove that it is what was backed up.

    Raises CannotStartError, before anything is written, where the backup is damaged or the installation is not empty.
    """
    backup = said(place)
    refuse_damaged(place, backup)
    try:
        async with Objects(settings.object_store) as objects:
            await objects.ensure_bucket()
            await _refuse_what_is_there(client, settings, objects)
            for name, copy in backup.streams.items():
                await put_back(client, name, copy.snapshot, place.stream(name))
            counter.expect(backup.objects)
            await _bring_objects(objects, place, counter)
            _bring_databases(settings, place, backup)
            await apply(client.jetstream(), manifest.STREAMS, manifest.QUEUES, manifest.CONSUMERS)
            await _move_consumers(client, backup.consumers)
            await _prove(client, settings, objects, place, backup)
    except (TonetouchError, nats.errors.Error, OSError, sqlite3.Error) as error:
        raise CannotStartError(f"The backup was not brought back whole ({error}). {_NEXT_STEP}") from error
    return backup


async def _refuse_what_is_there(client: Client, settings: Settings, objects: Objects) -> None:
    """A backup becomes an installation of its own; it is never mixed into another."""
    there = [info.config.name for info in await all_streams(client)]
    there += [str(path) for path in (settings.data / "tables").glob("*/*.db")]
    async for found in objects.list():
        there.append(f"the object {found.key}")
        break
    if there:
        raise CannotStartError(f"There is an installation already ({there[0]}). {_NEXT_STEP}")


async def _bring_objects(objects: Objects, place: Place, counter: Counter) -> None:
    for copy in place.objects():
        arrived = await objects.upload(copy.key, _parts(place.object(copy.key)))
        if arrived.sha256 != copy.sha256:
            raise CannotStartError(f"The object {copy.key} is not what was backed up. {_NEXT_STEP}")
        counter.add(1)


async def _parts(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            yield chunk


def _bring_databases(settings: Settings, place: Place, backup: Backup) -> None:
    """Only what is not in the log: the services make the tables they read from anew when they start."""
    for service in backup.databases:
        path = settings.data / "tables" / service / "state.db"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with appearing(path) as draft:
            copy_database(place.database(service), draft)


async def _move_consumers(client: Client, positions: Mapping[str, int]) -> None:
    """What a consumer was done with it does not hear again. One that the manifest has no more is left out."""
    declared = {f"{consumer.stream}.{consumer.name}" for consumer in manifest.CONSUMERS}
    for consumer, position in positions.items():
        if consumer in declared and position > 0:
            await api(client, f"CONSUMER.RESET.{consumer}", {"seq": position + 1}, dict[str, object])


async def _prove(client: Client, settings: Settings, objects: Objects, place: Place, backup: Backup) -> None:
    """Read everything that was brought back once more. Raises CannotStartError with the first difference."""
    for name, copy in backup.streams.items():
        await _prove_stream(client, name, copy)
    for service, database in backup.databases.items():
        if digest_of(settings.data / "tables" / service / "state.db") != database.digest:
            raise CannotStartError(f"The state of {service} is not what was backed up. {_NEXT_STEP}")
    expected = {copy.key: copy.size for copy in place.objects()}
    if {found.key: found.size async for found in objects.list()} != expected:
        raise CannotStartError(f"The objects are not those that were backed up. {_NEXT_STEP}")


async def _prove_stream(client: Client, name: str, copy: StreamCopy) -> None:
    state = (await api(client, f"STREAM.INFO.{name}", {}, StreamInfo)).state
    if (state.messages, state.last_seq) != (copy.messages, copy.last_seq):
        raise CannotStartError(f"{name} has {state.messages:,} messages instead of {copy.messages:,}. {_NEXT_STEP}")
    if copy.digest and await digest(client, name, copy.last_seq) != (copy.messages, copy.digest):
        raise CannotStartError(f"The messages of {name} are not those that were backed up. {_NEXT_STEP}")

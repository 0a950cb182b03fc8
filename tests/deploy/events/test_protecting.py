"""`events backup` and `events restore`: an installation in a folder, and another one made of it."""

import asyncio
import json
import shutil
import sqlite3
import uuid
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nats
import pytest
import pytest_asyncio
from nats.js import JetStreamContext
from typer.testing import CliRunner, Result

from tests.deploy.events.conftest import as_operator
from tests.deploy.events.story import Story, told
from tests.servers import NatsServer, ObjectStoreServer
from tonetouch_contracts import manifest
from tonetouch_contracts.subjects import queue_subject
from tonetouch_deploy.commands import app
from tonetouch_deploy.events.restoring import stores_alone
from tonetouch_deploy.settings import Settings as LauncherSettings
from tonetouch_runtime import Objects, Settings

CONSUMER = "ingest-starting"
WAITING = queue_subject("ingest", "analyse", "one")
OBJECTS = {"incoming/one": b"just uploaded", "audio/ab12": b"sound" * 100_000, "image/cd34": b""}
Place = dict[str, str]


@dataclass(frozen=True)
class Origin:
    """An installation with a story in its log, and where the backup of it lies."""

    story: Story
    where: Place
    folder: Path
    summary: dict[str, Any]


def place(url: str, s3: ObjectStoreServer, data: Path) -> Place:
    """An installation on the servers of the tests, with a bucket and a data folder of its own."""
    return as_operator(url) | {
        "TONETOUCH_S3_ENDPOINT": s3.endpoint,
        "TONETOUCH_S3_ACCESS_KEY": s3.access_key,
        "TONETOUCH_S3_SECRET_KEY": s3.secret_key,
        "TONETOUCH_S3_BUCKET": f"bucket-{uuid.uuid4().hex[:12]}",
        "TONETOUCH_DATA": str(data),
    }


def settings_of(where: Place) -> Settings:
    """The same for what speaks to it directly."""
    return Settings.model_validate({name.removeprefix("TONETOUCH_").lower(): value for name, value in where.items()})


async def command(where: Place, *arguments: str) -> Result:
    """`tonetouch events ...` on an installation."""
    return await asyncio.to_thread(CliRunner().invoke, app, ["events", *arguments], env=where | {"COLUMNS": "250"})


async def fill(where: Place, url: str) -> None:
    """What an installation has beside its events: objects, state, work that waits, and a consumer that is half done."""
    async with Objects(settings_of(where).object_store) as objects:
        await objects.ensure_bucket()
        for key, body in {**OBJECTS, "incoming/said.voice": b"what somebody just said"}.items():
            await objects.put(key, body)
    state = Path(where["TONETOUCH_DATA"]) / "tables" / "catalog" / "state.db"
    state.parent.mkdir(parents=True)
    with closing(sqlite3.connect(state)) as database, database:
        database.execute("pragma journal_mode = wal")
        database.execute("create table parked (event text, why text)")
        database.execute("insert into parked values ('1', 'Ærø – 夜'), ('2', null)")
    bus = await nats.connect(url)
    stream = bus.jetstream()
    await stream.publish(WAITING, b'{"track_id": "one"}')
    taking = await stream.pull_subscribe_bind(CONSUMER, stream="CATALOG")
    (first,) = await taking.fetch(1, timeout=5)
    await first.ack_sync()
    await bus.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session", name="origin")
async def _origin(nats_server: NatsServer, s3: ObjectStoreServer, tmp_path_factory: pytest.TempPathFactory) -> Origin:
    """Backed up by its operator, with no more rights than those."""
    folder = tmp_path_factory.mktemp("backup")
    story = await told(nats_server.fresh_installation(readable=True).url)
    where = place(story.url, s3, folder / "data")
    await fill(where, story.url)
    result = await command(where, "backup", str(folder / "backup"), "--json")
    assert result.exit_code == 0, result.output
    return Origin(story=story, where=where, folder=folder / "backup", summary=json.loads(result.stdout))


async def everything(stream: JetStreamContext) -> list[tuple[Any, ...]]:
    """Every message of truth: where it stands, since when, and all of it."""
    found = []
    for declared in manifest.STREAMS:
        info = await stream.stream_info(declared.name)
        for sequence in range(1, info.state.last_seq + 1):
            message = await stream.get_msg(declared.name, sequence)
            found.append((declared.name, sequence, message.subject, message.time, message.headers, message.data))
    return found


async def objects_of(settings: Settings) -> dict[str, bytes]:
    """The objects of an installation."""
    async with Objects(settings.object_store) as objects:
        return {found.key: await objects.get(found.key, max_bytes=1 << 20) async for found in objects.list()}


async def test_a_backup_says_what_is_in_it(origin: Origin) -> None:
    """Messages by stream, rows of state, objects; what somebody said to the search is nobody's to keep."""
    assert origin.summary["streams"] == {
        **dict.fromkeys((stream.name for stream in manifest.STREAMS), 0),
        "CATALOG": 3,
        "INGEST": 1,
        "AI": 1,
        "INGEST_Q": 1,
        "AGENTS_Q": 0,
    }
    assert origin.summary["state"] == {"catalog": 2}
    assert (origin.summary["objects"], origin.summary["object_bytes"]) == (3, sum(map(len, OBJECTS.values())))


async def test_a_backup_has_a_folder_of_its_own(origin: Origin) -> None:
    """Nothing is written into a folder that holds something."""
    result = await command(origin.where, "backup", str(origin.folder))
    assert (result.exit_code, "is not empty" in result.output) == (2, True)


async def test_state_in_postgresql_is_not_left_out_silently(origin: Origin, tmp_path: Path) -> None:
    """It says which tool has to be run first."""
    where = origin.where | {"TONETOUCH_DATABASE_URL": "postgresql+psycopg://me:secret@127.0.0.1:1/none"}
    refused = await command(where, "backup", str(tmp_path / "backup"))
    assert (refused.exit_code, "pg_dump" in refused.output, "secret" in refused.output) == (2, True, False)
    done = await command(where, "backup", str(tmp_path / "backup"), "--without-state", "--json")
    assert (done.exit_code, json.loads(done.stdout)["state"]) == (0, {})


async def test_restored_servers_hold_what_was_backed_up(
    origin: Origin, nats_server: NatsServer, s3: ObjectStoreServer, tmp_path: Path
) -> None:
    """Messages with their sequences, times and headers; rows; objects; waiting work; and what was heard already."""
    url = nats_server.fresh_account()
    where = place(url, s3, tmp_path / "data")
    result = await command(where, "restore", str(origin.folder), "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == origin.summary
    before, after = await nats.connect(origin.story.url), await nats.connect(url)
    told, back = before.jetstream(), after.jetstream()
    try:
        assert await everything(back) == await everything(told)
        for stream in manifest.STREAMS:
            there, here = await told.stream_info(stream.name), await back.stream_info(stream.name)
            assert here.config == there.config
        assert (await back.get_last_msg("INGEST_Q", WAITING)).data == b'{"track_id": "one"}'
        taking = await back.pull_subscribe_bind(CONSUMER, stream="CATALOG")
        (second,) = await taking.fetch(1, timeout=5)
        assert second.metadata.sequence.stream == origin.story.elsewhere.sequence
    finally:
        await before.close()
        await after.close()
    assert await objects_of(settings_of(where)) == OBJECTS
    with closing(sqlite3.connect(tmp_path / "data" / "tables" / "catalog" / "state.db")) as database:
        assert database.execute("select * from parked").fetchall() == [("1", "Ærø – 夜"), ("2", None)]


async def test_nothing_is_restored_over_an_installation(
    origin: Origin, nats_server: NatsServer, s3: ObjectStoreServer, tmp_path: Path
) -> None:
    """Whether it has streams, tables or objects; and it is left as it was."""
    refused = await command(origin.where, "restore", str(origin.folder))
    assert (refused.exit_code, "installation already" in refused.output) == (2, True)
    where = place(nats_server.fresh_account(), s3, tmp_path)
    async with Objects(settings_of(where).object_store) as objects:
        await objects.ensure_bucket()
        await objects.put("audio/other", b"another's")
    refused = await command(where, "restore", str(origin.folder))
    assert (refused.exit_code, "audio/other" in refused.output) == (2, True)
    assert await objects_of(settings_of(where)) == {"audio/other": b"another's"}


@pytest.mark.parametrize("part", ["streams/CATALOG.snapshot", "state/catalog.db", "objects/audio/ab12", "backup.json"])
async def test_a_damaged_backup_is_refused_whole(
    origin: Origin, nats_server: NatsServer, s3: ObjectStoreServer, tmp_path: Path, part: str
) -> None:
    """One byte is enough, in whatever file; it is named, and nothing has been brought back."""
    damaged = tmp_path / "damaged"
    shutil.copytree(origin.folder, damaged)
    body = bytearray((damaged / part).read_bytes())
    body[len(body) // 2] ^= 0xFF
    (damaged / part).write_bytes(body)
    url = nats_server.fresh_account()
    refused = await command(place(url, s3, tmp_path / "data"), "restore", str(damaged))
    assert (refused.exit_code, Path(part).name in refused.output.replace("\n", "")) == (2, True)
    bus = await nats.connect(url)
    assert await bus.jetstream().streams_info() == []
    await bus.close()


async def test_a_data_folder_is_made_of_a_backup(origin: Origin, tmp_path: Path) -> None:
    """The stores are started for it alone; afterwards they hold everything, and nobody but the usual users is known."""
    data = tmp_path / "data"
    where = {"TONETOUCH_DATA": str(data)}
    result = await command(where, "restore", str(origin.folder), "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == origin.summary
    assert (data / "tables" / "catalog" / "state.db").stat().st_size > 0
    again = await command(where, "restore", str(origin.folder))
    assert (again.exit_code, "installation already" in again.output) == (2, True)
    async with stores_alone(LauncherSettings(data=data)) as (_, settings):
        assert await objects_of(settings) == OBJECTS


async def test_a_backup_is_of_one_moment_while_others_go_on(
    nats_server: NatsServer, s3: ObjectStoreServer, tmp_path: Path
) -> None:
    """One writer says a cause on one stream and then what follows from it on another: nothing follows from nothing."""
    url = nats_server.fresh_installation(readable=True).url
    await told(url)
    where = place(url, s3, tmp_path / "data")
    async with Objects(settings_of(where).object_store) as objects:
        await objects.ensure_bucket()
    begun = asyncio.Event()

    async def going_on() -> None:
        bus = await nats.connect(url)
        for count in range(200):
            for subject in ("track.rejected", "step.skipped"):
                await bus.jetstream().publish(f"{subject}.cause{count}", b"{}")
            begun.set()
        await bus.close()

    writing = asyncio.create_task(going_on())
    await begun.wait()
    done = await command(where, "backup", str(tmp_path / "backup"), "--json")
    await writing
    assert done.exit_code == 0, done.output
    streams = json.loads(done.stdout)["streams"]
    causes, effects = streams["CATALOG"] - 3, streams["INGEST"] - 1
    assert causes > 0
    assert causes - effects in (0, 1)

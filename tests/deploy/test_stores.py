"""The embedded bus and object store: the real programs, on free ports, supervised."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import boto3
import httpx
import nats
import pytest
from botocore.client import Config
from nats.aio.client import Client

from tests.deploy.waiting import is_gone, until
from tests.servers import free_port
from tonetouch_contracts.manifest import STREAMS
from tonetouch_deploy.composing import (
    BUCKET,
    chosen_ports,
    nats_password,
    reader_url,
    service_environment,
    services,
    stores,
)
from tonetouch_deploy.nats_accounts import PROVISIONING, READER, ROLES
from tonetouch_deploy.nats_server import nats_server_binary
from tonetouch_deploy.settings import Settings
from tonetouch_deploy.supervising import Pace, Supervisor
from tonetouch_runtime._objects import PART_BYTES, Objects, ObjectStoreAddress
from tonetouch_runtime.provisioning import apply

QUICK = Pace(first_delay=0.05, probe_every=0.05, probe_every_until_ready=0.05)
CATALOG = STREAMS[0]
Running = Callable[[], AbstractAsyncContextManager[tuple[Supervisor, dict[str, str]]]]


@pytest.fixture(name="running")
def _running(tmp_path: Path) -> Running:
    """Runs both stores on one data folder, as often as asked."""

    @asynccontextmanager
    async def run() -> AsyncIterator[tuple[Supervisor, dict[str, str]]]:
        settings = Settings(data=tmp_path / "my data")
        settings.data.mkdir(exist_ok=True)
        ports = chosen_ports(settings)
        (tmp_path / "ports.json").write_text(json.dumps(ports))
        supervisor = Supervisor(logs=settings.data / "logs", pace=QUICK)
        try:
            await supervisor.start(stores(settings, ports), within_seconds=30)
            assert [row.state for row in supervisor.status()] == ["ready", "ready"]
            yield supervisor, service_environment(settings, ports)
        finally:
            await supervisor.stop()

    return run


def s3_client(environment: dict[str, str], *, secret: str | None = None) -> Any:
    """An S3 client with the keys a service is given (or another secret)."""
    return boto3.client(
        "s3",
        endpoint_url=environment["TONETOUCH_S3_ENDPOINT"],
        aws_access_key_id=environment["TONETOUCH_S3_ACCESS_KEY"],
        aws_secret_access_key=secret or environment["TONETOUCH_S3_SECRET_KEY"],
        region_name="us-east-1",
        config=Config(
            s3={"addressing_style": "path"},
            retries={"max_attempts": 1},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


async def connected(environment: dict[str, str], role: str = "operator") -> Client:
    """The bus, as a role of this installation."""
    return await nats.connect(
        environment["TONETOUCH_NATS_URL"],
        user=role,
        password=nats_password(Path(environment["TONETOUCH_DATA"]), role),
        inbox_prefix=f"_INBOX_{role}",
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.05,
    )


async def make_catalog(environment: dict[str, str]) -> None:
    """One of the streams of the manifest, made by the role that may."""
    bus = await connected(environment, PROVISIONING)
    await apply(bus.jetstream(), [CATALOG], (), (), leases=())
    await bus.close()


def objects_of(environment: dict[str, str]) -> Objects:
    """The bucket as a service with this environment opens it."""
    return Objects(
        ObjectStoreAddress(
            endpoint=environment["TONETOUCH_S3_ENDPOINT"],
            bucket=environment["TONETOUCH_S3_BUCKET"],
            access_key=environment["TONETOUCH_S3_ACCESS_KEY"],
            secret_key=environment["TONETOUCH_S3_SECRET_KEY"],
            region="us-east-1",
        )
    )


async def test_both_answer_and_stop(running: Running) -> None:
    """The bus acknowledges, the object store gives back what it was given, and both are gone after the stop."""
    async with running() as (supervisor, environment):
        pids = [row.pid for row in supervisor.status()]
        bus = await connected(environment)
        await make_catalog(environment)
        assert (await bus.jetstream().publish("track.uploaded.one", b"1")).seq == 1
        await bus.close()
        client = s3_client(environment)
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="audio/a b", Body=b"sound")
        assert client.get_object(Bucket=BUCKET, Key="audio/a b")["Body"].read() == b"sound"
    await until(lambda: all(pid is not None and is_gone(pid) for pid in pids))


async def test_what_was_acknowledged_survives_kill_9(running: Running) -> None:
    """Both are killed with SIGKILL, come back by themselves, and have everything they acknowledged."""
    async with running() as (supervisor, environment):
        bus = await connected(environment)
        log = bus.jetstream()
        await make_catalog(environment)
        for number in range(20):
            await log.publish(f"track.uploaded.{number}", b"x")
        client = s3_client(environment)
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="audio/one", Body=b"sound" * 1000)

        for row in supervisor.status():
            assert row.pid is not None
            os.kill(row.pid, signal.SIGKILL)
        await until(lambda: all(row.restarts == 1 and row.state == "ready" for row in supervisor.status()))

        await until(lambda: bus.is_connected)
        assert (await log.stream_info("CATALOG")).state.messages == 20
        assert client.get_object(Bucket=BUCKET, Key="audio/one")["Body"].read() == b"sound" * 1000
        await bus.close()


async def test_objects_are_the_same_after_a_restart_though_the_store_hashes_nothing(running: Running) -> None:
    """Small and multipart uploads, copies and facts work without the store's own hash, before and after a restart."""
    body = os.urandom(PART_BYTES + 1000)

    async def parts() -> AsyncIterator[bytes]:
        yield body

    async with running() as (_, environment), objects_of(environment) as objects:
        await objects.ensure_bucket()
        await objects.put("image/small", b"picture")
        assert (await objects.upload("incoming/large", parts())).size == len(body)
        await objects.copy("incoming/large", "audio/large")
    async with running() as (_, environment), objects_of(environment) as objects:
        facts = await objects.head("audio/large")
        assert facts is not None
        assert (facts.size, facts.etag) == (len(body), "")
        assert await objects.get("audio/large", max_bytes=len(body)) == body
        assert [found.key async for found in objects.list()] == ["audio/large", "image/small", "incoming/large"]


async def test_leftovers_of_a_killed_upload_are_swept_at_the_next_start(running: Running, tmp_path: Path) -> None:
    """An upload that a kill cut short leaves no bytes behind after the next start, and no object."""
    objects = tmp_path / "my data" / "objects"
    async with running() as (supervisor, environment):
        client = s3_client(environment)
        client.create_bucket(Bucket=BUCKET)
        upload = client.create_multipart_upload(Bucket=BUCKET, Key="incoming/half")["UploadId"]
        body = os.urandom(5 * 1024 * 1024)
        client.upload_part(Bucket=BUCKET, Key="incoming/half", UploadId=upload, PartNumber=1, Body=body)
        supervisor.kill()
    left = [path for path in objects.rglob("*") if path.is_file()]
    assert left, "the object store leaves a part behind when it is killed; if not, the sweep is not needed any more"
    async with running() as (_, environment):
        assert not [path for path in objects.rglob("*") if path.is_file()]
        listed = s3_client(environment).list_objects_v2(Bucket=BUCKET)
        assert "Contents" not in listed


async def test_the_object_store_refuses_strangers(running: Running) -> None:
    """Another secret key opens nothing, not even the list of buckets."""
    async with running() as (_, environment):
        with pytest.raises(Exception, match="SignatureDoesNotMatch"):
            s3_client(environment, secret="x" * 40).list_buckets()


async def test_no_secret_is_on_a_command_line(tmp_path: Path) -> None:
    """What everybody on the machine can list does not open the object store; what its process is told does."""
    settings = Settings(data=tmp_path)
    ports = chosen_ports(settings)
    secret = service_environment(settings, ports)["TONETOUCH_S3_SECRET_KEY"]
    _, objects = stores(settings, ports)
    assert not any(secret in argument for argument in objects.command)
    assert secret in objects.env["RCLONE_AUTH_KEY"]


async def test_services_are_told_what_a_person_set_and_where_the_servers_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database of one's own reaches the services; addresses and keys are the launcher's, whatever was set."""
    monkeypatch.setenv("TONETOUCH_DATABASE_URL", "postgresql+psycopg://somebody@db/music")
    monkeypatch.setenv("TONETOUCH_NATS_URL", "nats://elsewhere:4222")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a key of somebody's")
    settings = Settings(data=tmp_path)
    ports = chosen_ports(settings)
    environment = service_environment(settings, ports)
    assert environment["TONETOUCH_DATABASE_URL"] == "postgresql+psycopg://somebody@db/music"
    assert environment["TONETOUCH_NATS_URL"] == f"nats://127.0.0.1:{ports['nats']}"
    assert "AWS_ACCESS_KEY_ID" not in environment


async def test_the_log_is_on_disk_before_it_is_acknowledged(running: Running, tmp_path: Path) -> None:
    """The server's own account of itself: every write is synchronised, kept in the data folder, loopback only."""
    async with running():
        monitor = json.loads((tmp_path / "ports.json").read_text())["nats-monitor"]
        async with httpx.AsyncClient(trust_env=False) as client:
            said = (await client.get(f"http://127.0.0.1:{monitor}/varz")).json()
        assert said["jetstream"]["config"]["sync_always"] is True
        assert said["jetstream"]["config"]["store_dir"].startswith(str(tmp_path / "my data" / "nats"))
        assert (said["host"], said["http_host"]) == ("127.0.0.1", "127.0.0.1")


async def test_each_service_is_told_its_own_password_and_no_other(tmp_path: Path) -> None:
    """It is made up for this data folder, and lies there for its owner only, as does what the server reads."""
    settings = Settings(data=tmp_path)
    ports = chosen_ports(settings)
    stores(settings, ports)
    secrets = {role: nats_password(tmp_path, role) for role in (*ROLES, READER)}
    assert len(set(secrets.values())) == len(secrets)
    for service in services(settings, ports):
        assert service.env["TONETOUCH_NATS_USER"] == service.name
        assert {secret for secret in secrets.values() if secret in service.env.values()} == {secrets[service.name]}
    kept = [*(tmp_path / "secrets").glob("nats-*"), tmp_path / "nats" / "nats-server.conf"]
    assert len(kept) == len(secrets) + 1
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}


async def test_nobody_comes_in_without_a_password(running: Running) -> None:
    """Not without a name, and not with that of a service and another's password."""
    async with running() as (_, environment):
        url = environment["TONETOUCH_NATS_URL"]
        for told in ({}, {"user": "catalog", "password": environment["TONETOUCH_NATS_PASSWORD"]}):
            with pytest.raises(nats.errors.Error, match=r"(?i)authorization"):
                await nats.connect(url, allow_reconnect=False, error_cb=in_silence, **told)


async def test_the_log_of_a_version_without_accounts_is_found(running: Running, tmp_path: Path) -> None:
    """What was said before there were accounts is still there, and goes on."""
    store = tmp_path / "my data" / "nats" / "jetstream"
    config = tmp_path / "older.conf"
    port = free_port()
    config.write_text(f"listen: 127.0.0.1:{port}\njetstream {{ store_dir: {json.dumps(str(store))} }}\n")
    before = subprocess.Popen([str(nats_server_binary()), "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        await until(lambda: listens(port))
        client = await nats.connect(f"nats://127.0.0.1:{port}")
        await apply(client.jetstream(), [CATALOG], (), (), leases=())
        await client.jetstream().publish("track.uploaded.one", b"1")
        await client.close()
    finally:
        before.terminate()
        before.wait(10)
    async with running() as (_, environment):
        bus = await connected(environment)
        assert (await bus.jetstream().stream_info("CATALOG")).state.messages == 1
        assert (await bus.jetstream().publish("track.uploaded.two", b"2")).seq == 2
        await bus.close()


def listens(port: int) -> bool:
    """Whether somebody takes connections on a port of loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_the_printed_address_is_that_of_the_reader(running: Running, tmp_path: Path) -> None:
    """With it a client comes in, and may listen to what is announced only."""
    async with running():
        ports = json.loads((tmp_path / "ports.json").read_text())
        said: list[str] = []

        async def note(error: Exception) -> None:
            said.append(str(error))

        client = await nats.connect(reader_url(Settings(data=tmp_path / "my data"), ports), error_cb=note)
        await client.subscribe("log.>")
        await client.subscribe("cmd.>")
        await until(lambda: len(said) == 1)
        assert '"cmd.>"' in said[0]
        await client.close()


async def in_silence(_: Exception) -> None:
    """What the client says beside raising."""

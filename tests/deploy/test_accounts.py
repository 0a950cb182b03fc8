"""What each service may do on the bus and what it may not, refusal by refusal, on a real server."""

import asyncio
import json
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs
from typer.testing import CliRunner

from tests.deploy.tenants import furnish, visiting
from tests.servers import NatsServer, Tenant
from tonetouch_contracts.manifest import CONSUMERS, LEASES, QUEUES, STREAMS
from tonetouch_contracts.parties import PARTIES, party
from tonetouch_contracts.subjects import type_filter
from tonetouch_deploy.commands import app
from tonetouch_deploy.composing import SERVICES
from tonetouch_deploy.nats_accounts import OPERATOR, PROVISIONING, READER, ROLES, permissions_of
from tonetouch_deploy.nats_server import nats_server_binary
from tonetouch_runtime import Bus, Settings

TRUTH = tuple(stream.name for stream in STREAMS)
EVERYBODY = (*ROLES, READER)


@pytest.fixture(name="home", scope="module")
def _home(nats_server: NatsServer) -> Tenant:
    """An installation's account, with nothing in it: what is refused is refused before anybody looks."""
    return nats_server.fresh_installation(readable=True)


async def not_refused(home: Tenant, role: str, subjects: Iterable[str]) -> list[str]:
    """The subjects of these which a role is not refused."""
    async with visiting(home, role) as visitor:
        return await visitor.not_refused(subjects)


def test_a_server_of_ones_own_takes_the_printed_accounts(tmp_path: Path) -> None:
    """With a password in its environment for every user, and without one of them it says so."""
    printed = CliRunner().invoke(app, ["accounts"])
    assert printed.exit_code == 0
    config = tmp_path / "nats.conf"
    config.write_text(f"jetstream {{ store_dir: {json.dumps(str(tmp_path))} }}\n{printed.stdout}")
    names = {f"NATS_PASSWORD_{role.upper().replace('-', '_')}": "letters4and2digits" for role in EVERYBODY}
    command = [str(nats_server_binary()), "-t", "-c", str(config)]
    assert subprocess.run(command, env=names, capture_output=True, timeout=30).returncode == 0
    del names["NATS_PASSWORD_READER"]
    refused = subprocess.run(command, env=names, capture_output=True, text=True, timeout=30)
    assert (refused.returncode, "NATS_PASSWORD_READER" in refused.stderr) == (1, True)


def test_every_service_that_is_started_has_permissions() -> None:
    """Those of the launcher are those that are declared."""
    assert {party.name for party in PARTIES} == set(SERVICES)


@pytest.mark.parametrize("role", EVERYBODY)
async def test_nobody_may_delete_or_purge(home: Tenant, role: str) -> None:
    """No stream, no message of a stream of truth or of a queue, not the whole account; the operator neither."""
    streams = (*TRUTH, *(queue.name for queue in QUEUES))
    verbs = ("STREAM.PURGE", "STREAM.DELETE", "STREAM.MSG.DELETE", "STREAM.RESTORE", "STREAM.PEER.REMOVE")
    subjects = [f"$JS.API.{verb}.{stream}" for verb in verbs for stream in streams]
    subjects += [f"$JS.API.{verb}.{leases.name}" for verb in verbs[:2] for leases in LEASES]
    subjects += ["$JS.API.ACCOUNT.PURGE.TONETOUCH", "$SYS.REQ.SERVER.PING"]
    assert await not_refused(home, role, subjects) == []


@pytest.mark.parametrize("role", [role for role in EVERYBODY if role != PROVISIONING])
async def test_only_provisioning_changes_streams(home: Tenant, role: str) -> None:
    """An age limit deletes as well as a purge does."""
    subjects = [f"$JS.API.STREAM.{verb}.{stream}" for verb in ("CREATE", "UPDATE") for stream in (*TRUTH, "MINE")]
    assert await not_refused(home, role, subjects) == []


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_says_only_what_it_owns(home: Tenant, service: str) -> None:
    """Its own events and those that every service says; those of the others are refused, type by type."""
    others = [stream for stream in STREAMS if stream.owner not in (service, "every service")]
    foreign = [event.wire_name() for stream in others for event in stream.says]
    assert foreign
    assert await not_refused(home, service, [f"{name}.x" for name in foreign]) == []
    own = {type_filter(event.wire_name()) for stream in STREAMS if stream not in others for event in stream.says}
    assert own <= set(permissions_of(service).publish)


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_takes_only_its_own_work(home: Tenant, service: str) -> None:
    """It neither queues what another works on nor pulls, acknowledges or resets another's consumer."""
    queued = [subject.replace("*", "x") for queue in QUEUES if queue.owner != service for subject in queue.subjects]
    places = [f"{one.stream}.{one.name}" for one in CONSUMERS if one.owner != service]
    api = [f"$JS.API.CONSUMER.{verb}.{place}" for verb in ("MSG.NEXT", "RESET", "DELETE") for place in places]
    # `$JS.ACK` cannot be tried with a word that is none: the server closes the connection.
    assert await not_refused(home, service, queued + api) == []
    assert not {f"$JS.ACK.{place}.>" for place in places} & set(permissions_of(service).publish)


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_reads_only_what_it_declares(home: Tenant, service: str) -> None:
    """Neither single messages nor a reader of a stream that is not its business, and no consumer with a name."""
    declared = party(service)
    assert declared is not None
    foreign = [name for name in TRUTH if name not in declared.streams_read]
    verbs = ("DIRECT.GET", "STREAM.MSG.GET", "CONSUMER.CREATE")
    subjects = [f"$JS.API.{verb}.{stream}" for verb in verbs for stream in foreign]
    subjects += [f"$JS.API.CONSUMER.{verb}.{stream}.mine" for verb in ("CREATE", "DURABLE.CREATE") for stream in TRUTH]
    assert await not_refused(home, service, subjects) == []


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_answers_for_itself_and_hears_its_own_answers(home: Tenant, service: str) -> None:
    """Not for another, not with an ear on another's inbox, and on nothing that goes by."""
    deaf = [f"cmd.{other}.>" for other in SERVICES if other != service]
    deaf += [f"_INBOX_{other}.>" for other in (*ROLES, "") if other != service]
    deaf += ["_INBOX.>", ">", "cmd.>", "track.uploaded.*", "q.>", "$JS.>", "$SYS.>"]
    async with visiting(home, service) as visitor:
        own = [f"cmd.{service}.>", f"_INBOX_{service}.x"]
        assert await visitor.heard([*deaf, *own]) == own


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_asks_only_whom_it_declares(home: Tenant, service: str) -> None:
    """A request to anybody else does not leave; a declared one arrives, and its answer comes back."""
    declared = party(service)
    assert declared is not None
    foreign = [f"cmd.{other}.show-health" for other in SERVICES if other not in declared.asks]
    assert await not_refused(home, service, foreign) == []
    asked = declared.asks[0]
    async with visiting(home, asked) as answering, visiting(home, service) as asking:
        subscription = await answering.client.subscribe(f"cmd.{asked}.show-health")
        await answering.settled()
        request = asking.client.request(f"cmd.{asked}.show-health", b"how are you", timeout=5)

        async def answer() -> None:
            await (await subscription.next_msg(timeout=5)).respond(b"well")

        reply, _ = await asyncio.gather(request, answer())
        assert reply.data == b"well"
        # What nobody asked is not answered: the permission ends with the answer.
        assert await answering.is_refused(f"_INBOX_{service}.guessed")


async def test_the_operator_asks_every_service_and_reads_every_stream(home: Tenant) -> None:
    """And hears nothing that is not said to it, but for what is announced."""
    async with visiting(home, OPERATOR) as operator:
        asked = [f"cmd.{service}.show-health" for service in SERVICES]
        read = [f"$JS.API.DIRECT.GET.{stream}" for stream in TRUTH]
        assert await operator.not_refused([*asked, *read]) == [*asked, *read]
        deaf = [">", "cmd.>", "_INBOX_catalog.>", "track.uploaded.*"]
        assert await operator.heard([*deaf, "log.>"]) == ["log.>"]


async def test_what_is_refused_is_not_in_the_log(nats_server: NatsServer) -> None:
    """The server does not say no and store it all the same; what is allowed is stored."""
    home = nats_server.fresh_installation(readable=True)
    await furnish(home)
    async with visiting(home, "ingest") as ingest, visiting(home, "catalog") as catalog:
        assert await ingest.is_refused("track.uploaded.one")
        log = catalog.client.jetstream()
        assert (await log.stream_info("CATALOG")).state.messages == 0
        assert (await log.publish("track.uploaded.one", b"1")).seq == 1


async def test_a_service_that_is_refused_says_so_in_its_log(home: Tenant) -> None:
    """Whoever asked only sees that no answer comes."""
    settings = Settings(nats_url=home.url, nats_user=home.user, nats_password=SecretStr(home.password))
    bus = await Bus.join(settings, "agents")
    with capture_logs() as logged:
        await bus.nats.publish("track.uploaded.one", b"{}")
        async with asyncio.timeout(10):
            while not logged:
                await asyncio.sleep(0.01)
    await bus.close()
    assert [(entry["event"], "track.uploaded.one" in entry["error"]) for entry in logged] == [("bus_refused", True)]

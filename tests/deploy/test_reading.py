"""Other teams' reader: it reads the declared streams, and nothing else comes of anything it does."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.deploy.tenants import Visitor, furnish, visiting
from tests.servers import NatsServer, Tenant
from tonetouch_contracts.manifest import CONSUMERS, LEASES, QUEUES, STREAMS
from tonetouch_deploy.nats_accounts import OPERATOR, READER

TRUTH = tuple(stream.name for stream in STREAMS)
NO_TRUTH = (*(queue.name for queue in QUEUES), *(leases.name for leases in LEASES))


@pytest.fixture(name="home")
async def _home(nats_server: NatsServer) -> Tenant:
    """An installation with one event in each stream of truth."""
    home = nats_server.fresh_installation(readable=True)
    await furnish(home)
    async with visiting(home, OPERATOR) as operator:
        for stream in STREAMS:
            await operator.client.jetstream().publish(f"{stream.says[0].wire_name()}.one", stream.name.encode())
    return home


@pytest.fixture(name="reader")
async def _reader(home: Tenant) -> AsyncIterator[Visitor]:
    async with visiting(home, READER) as visitor:
        yield visitor


async def counted(home: Tenant) -> dict[str, int]:
    """How many messages each stream of an installation holds."""
    async with visiting(home, OPERATOR) as operator:
        infos = [await operator.client.jetstream().stream_info(name) for name in TRUTH]
        return {str(info.config.name): info.state.messages for info in infos}


async def test_every_declared_stream_can_be_read(reader: Visitor) -> None:
    """The first event of each, as it was said."""
    log = reader.client.jetstream()
    for stream in STREAMS:
        message = await log.get_msg(stream.name, seq=1, direct=True)
        assert (message.subject, message.data) == (f"{stream.says[0].wire_name()}.one", stream.name.encode())


async def test_a_new_event_is_announced_once_it_is_in_the_log(home: Tenant, reader: Visitor) -> None:
    """With its stream and place and without its body; what the log refuses is not announced."""
    announced = await reader.client.subscribe("log.track.uploaded.*")
    await reader.settled()
    async with visiting(home, "catalog") as catalog:
        refused = {"Nats-Expected-Last-Sequence": "77"}
        await catalog.client.request("track.uploaded.never", b"0", headers=refused)
        await catalog.client.jetstream().publish("track.uploaded.two", b"2", headers={"ce-id": "an id"})
    message = await announced.next_msg(timeout=5)
    assert (message.subject, message.data) == ("log.track.uploaded.two", b"")
    headers = message.headers or {}
    assert (headers["Nats-Stream"], headers["Nats-Sequence"], headers["ce-id"]) == ("CATALOG", "2", "an id")


async def test_it_is_refused_everything_else(reader: Visitor) -> None:
    """To say a fact, to ask, to queue; every other verb of the log's interface; what is no stream of truth."""
    facts = [f"{event.wire_name()}.x" for stream in STREAMS for event in stream.says]
    queued = [subject.replace("*", "x") for queue in QUEUES for subject in queue.subjects]
    leased = [subject.replace("*", "x") for leases in LEASES for subject in leases.subjects]
    verbs = (
        *("STREAM.INFO", "STREAM.CREATE", "STREAM.UPDATE", "STREAM.DELETE", "STREAM.PURGE", "STREAM.SNAPSHOT"),
        *("STREAM.MSG.GET", "STREAM.MSG.DELETE", "CONSUMER.CREATE", "CONSUMER.LIST", "CONSUMER.NAMES"),
    )
    api = [f"$JS.API.{verb}.{stream}" for verb in verbs for stream in TRUTH]
    api += [f"$JS.API.CONSUMER.{verb}.{one.stream}.{one.name}" for verb in ("MSG.NEXT", "RESET") for one in CONSUMERS]
    api += [f"$JS.API.DIRECT.GET.{name}" for name in NO_TRUTH]
    api += ["$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$JS.API.ACCOUNT.PURGE.TONETOUCH"]
    others = [
        "cmd.catalog.show-health",
        "log.track.uploaded.x",
        "_INBOX_catalog.x",
        "_INBOX.x",
        "anything",
        "$SYS.REQ.x",
    ]
    assert await reader.not_refused([*facts, *queued, *leased, *api, *others]) == []


async def test_it_hears_nothing_but_answers_and_announcements(reader: Visitor) -> None:
    """No request, no answer to somebody else, no event that is not in the log yet, no work."""
    deaf = [">", "*.*.*", "cmd.>", "_INBOX_catalog.>", "track.uploaded.*", "q.>", "lease.>", "$JS.>", "$SYS.>"]
    assert await reader.heard([*deaf, "log.>"]) == ["log.>"]


async def test_an_answer_to_it_is_never_a_fact_or_a_request(home: Tenant, reader: Visitor) -> None:
    """Whatever it names as the place for an answer is a place in its own account."""
    before = await counted(home)
    asked = msgspec.json.encode({"seq": 1, "batch": 10, "next_by_subj": "*.*.*"})
    async with visiting(home, "catalog") as catalog:
        heard = await catalog.client.subscribe("cmd.catalog.>")
        await catalog.settled()
        for place in ("ingest.started.x", "cmd.catalog.withdraw-track", "q.ingest.stage.x", "_INBOX_catalog.x"):
            await reader.client.publish("$JS.API.DIRECT.GET.CATALOG", asked, reply=place)
        # Requests are taken in order: once this one is answered, so were those before it.
        assert (await reader.client.jetstream().get_msg("CATALOG", seq=1, direct=True)).seq == 1
        assert await counted(home) == before
        with pytest.raises(TimeoutError):
            await heard.next_msg(timeout=0.05)


async def test_within_one_account_permissions_would_not_hold_that(home: Tenant) -> None:
    """Why the reader has an account of its own: the server itself writes where the answer of a request is to go.

    The gateway may not say that a track was uploaded, and has it said.
    """
    before = (await counted(home))["CATALOG"]
    async with visiting(home, "gateway") as gateway:
        assert await gateway.is_refused("track.uploaded.forged")
        asked = msgspec.json.encode({"seq": 1})
        await gateway.client.publish("$JS.API.DIRECT.GET.INGEST", asked, reply="track.uploaded.forged")
        await gateway.settled()
    async with asyncio.timeout(10):
        while (await counted(home))["CATALOG"] == before:
            await asyncio.sleep(0.01)

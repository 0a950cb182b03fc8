"""Operators see streams, lag, parked events, the pipeline and stories over HTTP, and do something about them."""

import asyncio

import pytest

from tests.gateway.operating import LISTENER, standing
from tests.gateway.standins import Installation
from tests.gateway.stories import get, park, parked, said, story, until, uploaded
from tonetouch_contracts.indexing import ListIndexes
from tonetouch_contracts.upload import ListIngests
from tonetouch_gateway.operations import storytelling
from tonetouch_gateway.operations.everybody import SERVICES, ServiceName, ask_everybody
from tonetouch_gateway.problems import MEDIA_TYPE
from tonetouch_runtime._reading import Reader

pytestmark = pytest.mark.asyncio(loop_scope="package")


@pytest.fixture(name="gives_up_soon", autouse=True)
def _gives_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Handlers that fail are parked after the second attempt."""
    monkeypatch.setattr("tonetouch_runtime._hearing.FIRST_DELAY_SECONDS", 0.001)
    monkeypatch.setattr("tonetouch_runtime._hearing.ATTEMPTS", 2)


async def test_every_service_is_asked() -> None:
    """Those the API names are those that are declared."""
    assert set(ServiceName.__args__) == set(SERVICES)  # type: ignore[attr-defined]


async def test_all_streams_are_shown(installed: Installation) -> None:
    """Those of truth with their owner, head and rate; queues and leases as what they are."""
    before = {stream["name"]: stream for stream in (await get(installed, "streams"))["items"]}
    await said(installed, "catalog", "CATALOG", uploaded("seen-in-streams"))
    after = {stream["name"]: stream for stream in (await get(installed, "streams"))["items"]}
    catalog = after["CATALOG"]
    assert (catalog["kind"], catalog["owner"]) == ("truth", "catalog")
    assert catalog["head"] == before["CATALOG"]["head"] + 1 == catalog["messages"]
    assert catalog["per_second"] > 0
    assert catalog["last_at"]
    assert [after[name]["kind"] for name in ("INGEST_Q", "AI_LEASES")] == ["queue", "leases"]
    assert after["INGEST_Q"]["per_second"] is None


async def test_how_far_every_part_is(installed: Installation) -> None:
    """The listener of ingest is there, and comes to the head; nobody is silent."""

    async def is_there() -> bool:
        lag = await get(installed, "lag")
        [part] = [part for part in lag["items"] if part["part"] == LISTENER]
        assert (part["service"], part["kind"], part["stream"]) == ("ingest", "listener", "CATALOG")
        assert lag["silent"] == []
        return bool(part["state"] == "following" and part["events_behind"] == 0)

    await said(installed, "catalog", "CATALOG", uploaded("seen-in-lag"))
    await until(is_there)
    assert (await get(installed, "lag", service="catalog"))["items"] == []


async def test_a_service_that_does_not_answer_is_named(installed: Installation) -> None:
    """The others are heard all the same."""
    answered, silent = await ask_everybody(installed.gateway, ListIndexes(), ("recommend", "agents"))
    assert list(answered) == ["recommend"]
    assert [one.service for one in silent] == ["agents"]
    assert "nobody answers" in silent[0].detail


async def test_a_parked_event_is_looked_at_and_handled_again(installed: Installation) -> None:
    """With its error and its body; unmended it fails again and stays, mended it is heard and gone."""
    event = await park(installed, "to-redrive")
    assert (event["service"], event["part"], event["stream"]) == ("ingest", LISTENER, "CATALOG")
    assert event["error"] == "RuntimeError('to-redrive.bad is unbearable')"
    whole = await get(installed, f"parked/ingest/CATALOG/{event['sequence']}")
    assert (whole["subject"], whole["waiting"]) == ("track.uploaded.to-redrive", 0)
    assert '"track_id":"to-redrive"' in whole["body"]

    wanted = {"service": "ingest", "part": LISTENER, "entity_id": "to-redrive", "reason": "mended"}
    again = await installed.client.post("/api/v1/operations/parked/redrive", json=wanted)
    assert (again.status_code, again.json()["failed"], again.json()["done"]) == (200, 1, 0)
    assert len(await parked(installed, "to-redrive")) == 1

    installed.services.listening.broken.clear()
    mended = await installed.client.post("/api/v1/operations/parked/redrive", json=wanted)
    assert (mended.json()["failed"], mended.json()["done"]) == (0, 1)
    assert await parked(installed, "to-redrive") == []
    assert "to-redrive" in installed.services.listening.heard


async def test_a_parked_event_is_passed_over_for_a_reason(installed: Installation) -> None:
    """Not without one; who did it and why is in the record, the latest first."""
    event = await park(installed, "to-skip")
    wanted = {"service": "ingest", "stream": "CATALOG", "sequence": event["sequence"], "reason": " "}
    no = await installed.client.post("/api/v1/operations/parked/skip", json=wanted)
    assert (no.status_code, no.headers["content-type"]) == (400, MEDIA_TYPE)
    assert len(await parked(installed, "to-skip")) == 1

    wanted["reason"] = "a test file"
    skipped = await installed.client.post("/api/v1/operations/parked/skip", json=wanted)
    assert (skipped.status_code, skipped.json()["skipped"]["entity_id"]) == (200, "to-skip")
    assert await parked(installed, "to-skip") == []
    [latest, *_] = (await get(installed, "record", service="ingest"))["items"]
    assert (latest["service"], latest["operator"], latest["what"]) == ("ingest", "admin", "skip")
    assert latest["reason"] == "a test file"
    gone = await installed.client.post("/api/v1/operations/parked/skip", json=wanted)
    assert gone.status_code == 404


async def test_parked_events_come_in_pages_of_one_service(installed: Installation) -> None:
    """Of all services it is said who has more; a cursor without a service is refused."""
    for track in ("page-one", "page-two"):
        await park(installed, track)
    first = await get(installed, "parked", limit=1)
    assert (len(first["items"]), first["next_cursor"], first["more_in"]) == (1, None, ["ingest"])
    of_one = await get(installed, "parked", limit=1, service="ingest")
    second = await get(installed, "parked", limit=1, service="ingest", cursor=of_one["next_cursor"])
    assert [page["items"][0]["entity_id"] for page in (of_one, second)] == ["page-one", "page-two"]
    refused = await installed.client.get("/api/v1/operations/parked", params={"cursor": of_one["next_cursor"]})
    assert refused.status_code == 400
    installed.services.listening.broken.clear()
    body = {"service": "ingest", "reason": "the test is over"}
    assert (await installed.client.post("/api/v1/operations/parked/redrive", json=body)).json()["left"] == 0


async def test_the_board_has_those_on_top_that_need_somebody(installed: Installation) -> None:
    """Stuck ones, then failed ones, then the others, each once and at its step."""
    views = [
        standing("fine", "analyse"),
        standing("over", None, status="published"),
        standing("twice", "analyse", "waiting", status="duplicate"),
        standing("failed", "embed", "failed", status="failed", reason="no model"),
        standing("rejected", "stage", "failed", status="rejected"),
        standing("stuck", "fingerprint"),
    ]
    installed.services.ingests.update({view.track_id: view for view in views})
    installed.services.stuck.add("stuck")
    board = await get(installed, "pipeline")
    assert board["steps"][:2] == ["stage", "fingerprint"]
    assert [(one["track_id"], one["at"], one["stuck"]) for one in board["items"]] == [
        ("stuck", "fingerprint", True),
        ("failed", "embed", False),
        ("fine", "analyse", False),
        ("over", None, False),
        ("twice", None, False),
        ("rejected", None, False),
    ]
    assert len(board["items"][0]["steps"]) == len(board["steps"])
    assert {command.state for command in installed.services.asked if isinstance(command, ListIngests)} == {
        "stuck",
        "failed",
        None,
    }


async def test_the_story_of_a_track_is_a_tree_of_causes(installed: Installation) -> None:
    """Over the streams of all services, with what its job did; another upload of the same minute is not in it."""
    first, _, step, over = await story(installed, "told")
    await story(installed, "another")
    elsewhere = await said(installed, "catalog", "CATALOG", uploaded("caused-by-it"), step)
    flow = await get(installed, "flows/told")
    assert flow["correlation"] == first.correlation
    assert [(hop["depth"], hop["type"], hop["service"]) for hop in flow["hops"]] == [
        (0, "track.uploaded", "catalog"),
        (1, "ingest.started", "ingest"),
        (2, "step.started", "ingest"),
        (3, "ingest.completed", "ingest"),
        (3, "track.uploaded", "catalog"),
    ]
    assert [flow["hops"][index]["id"] for index in (3, 4)] == [over.id, elsewhere.id]
    assert flow["took_ms"] == flow["hops"][-1]["since_beginning_ms"] > 0
    assert flow["notes"] == []
    by_name = await get(installed, f"flows/{flow['correlation']}")
    assert by_name["hops"] == flow["hops"]


async def test_what_was_not_read_of_a_story_is_said(installed: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is about the track itself is there however little of the streams was read."""
    events = await story(installed, "long-ago")
    for number in range(3):
        await said(installed, "catalog", "CATALOG", uploaded(f"later-{number}"))
    monkeypatch.setattr(storytelling, "MOST_READ", 1)
    flow = await get(installed, "flows/long-ago")
    assert [hop["id"] for hop in flow["hops"]] == [event.id for event in events]
    assert any(note.startswith("CATALOG was not read after") for note in flow["notes"])


async def test_a_story_that_nobody_has_told_is_not_found(installed: Installation) -> None:
    """Whether or not its name says when it would have begun."""
    for name in ("nobody", "0192f0c4-7a1e-7c53-9c0d-5f2d9b6a4e10"):
        answer = await installed.client.get(f"/api/v1/operations/flows/{name}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_story_is_read_by_its_headers(installed: Installation) -> None:
    """The bodies, vectors among them, stay with the server."""
    await story(installed, "headers")
    bus = installed.gateway.bus
    reader = Reader(bus, "CATALOG", start=1, headers_only=True)
    try:
        placed = await asyncio.wait_for(reader.batch(1000), 10)
    finally:
        await reader.close()
    assert placed
    assert {message.data for _, message in placed} == {b""}
    assert all(message.headers and message.headers["ce-id"] for _, message in placed)


@pytest.mark.parametrize("path", ["streams", "lag", "parked", "record", "pipeline", "flows/x"])
async def test_it_needs_the_token(installed: Installation, path: str) -> None:
    """Without it nothing is shown."""
    answer = await installed.client.get(f"/api/v1/operations/{path}", headers={"authorization": "Bearer wrong"})
    assert answer.status_code == 401

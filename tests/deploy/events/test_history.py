"""`events history` and `events state`: the log is real, and so are the nouns that the services answer with."""

from collections.abc import AsyncIterator

import msgspec
import nats
import pytest
from nats.aio.msg import Msg

from tests.deploy.events.conftest import Asked, Command
from tests.deploy.events.story import Story, told
from tests.servers import NatsServer
from tonetouch_agents.app import app as agents
from tonetouch_ai_ledger.app import app as ai_ledger
from tonetouch_catalog.app import app as catalog
from tonetouch_contracts.identity import PlaylistId, TrackId, UserId
from tonetouch_contracts.message import Positions
from tonetouch_contracts.operating import Stepped, StepThrough
from tonetouch_contracts.playlist import PlaylistCreated, PlaylistTracksAdded
from tonetouch_deploy.events.history import SERVICES_WITH_NOUNS
from tonetouch_deploy.events.history_showing import changed_words
from tonetouch_deploy.events.life import NounChange
from tonetouch_ingest.app import app as ingest
from tonetouch_runtime import App, Bus, Decision, Log, SystemClock
from tonetouch_runtime._answering import answer_on
from tonetouch_runtime._stepping import stepping

APPS = (catalog, ingest, agents, ai_ledger)


async def nothing_to_wait_for(_: Positions) -> None:
    """The log itself answers: nobody has to catch up."""


async def answering(url: str, *apps: App) -> Bus:
    """The part of these services that steps through their nouns."""
    bus = await Bus.connect(url, "services")
    for app in apps:
        log = Log(bus, SystemClock(), service=app.name)
        answer_on(bus, app.name, StepThrough, stepping(app.name, app.nouns, log), nothing_to_wait_for)
    await bus.broker.start()
    await bus.nats.flush()
    return bus


@pytest.fixture(name="services")
async def _services(story: Story) -> AsyncIterator[Bus]:
    bus = await answering(story.url, *APPS)
    yield bus
    await bus.close()


def test_every_service_with_nouns_is_asked() -> None:
    """What the command knows of the services is what they say of themselves."""
    assert {app.name for app in APPS if app.nouns} == set(SERVICES_WITH_NOUNS)


@pytest.mark.usefixtures("services")
async def test_a_track_is_told_over_all_streams_with_its_states(asked: Asked, story: Story) -> None:
    """Each event in order, and what it made of the nouns of every service that cares."""
    told_of = await asked("history", story.track_id)
    events = told_of["events"]
    assert [event["event"]["type"] for event in events] == ["track.uploaded", "ingest.started", "track.published"]
    first, second, third = ({change["noun"]: change["changed"] for change in event["changes"]} for event in events)
    assert [change["was"] for change in events[2]["changes"]] == [{"published": None}]
    assert first["Track"]["uploaded"]["title"] == "Ærø – 夜"
    assert second["Upload"]["started"]["track_id"] == story.track_id
    assert set(third["Track"]) == {"published"}
    assert told_of["notes"] == []
    track = next(state for state in told_of["states"] if state["noun"] == "Track")
    assert (track["service"], track["stream"]) == ("catalog", "CATALOG")
    assert {name for name, value in track["state"].items() if value} == {"uploaded", "published"}


@pytest.mark.usefixtures("services")
async def test_it_reads_as_a_story(command: Command, story: Story) -> None:
    """An event on a line, the fields it changed below."""
    result = await command("history", story.track_id)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].endswith("…")
    assert "CATALOG@1  track.uploaded  uploaded_by=admin object_key=incoming/" in lines[0]
    assert lines[1] == "    catalog Track.uploaded = the track.uploaded"
    assert lines[-1] == f"3 events of {story.track_id}."


def test_of_a_field_with_others_only_what_changed_is_shown() -> None:
    """One step of eight, not all of them; a field that went; a field of one value, and a note."""
    change = NounChange(
        service="ingest",
        noun="Upload",
        was={"steps": {"stage": {"state": "waiting"}, "embed": {"state": "waiting"}, "old": 1}, "error": None},
        changed={"steps": {"stage": {"state": "done"}, "embed": {"state": "waiting"}}, "error": "none"},
        note="noted",
    )
    assert list(changed_words(change)) == ["  noted", ".steps.old = gone", ".steps.stage = state=done", ".error = none"]


@pytest.mark.usefixtures("services")
async def test_the_state_at_an_event_or_a_time_knows_nothing_of_later(asked: Asked, story: Story) -> None:
    """After the second of three events the track is not published yet, by sequence and by time alike."""

    async def track(*when: str) -> dict[str, object]:
        states = await asked("state", story.track_id, *when)
        found: dict[str, object] = next(state["state"] for state in states if state["noun"] == "Track")
        return found

    assert (await track())["published"] is not None
    assert (await track("--seq", "INGEST@1"))["published"] is None
    assert (await track("--time", story.started.time))["published"] is None
    assert await asked("state", story.track_id, "--time", "2020-01-01") == []


async def test_a_service_that_is_away_is_named(command: Command, story: Story) -> None:
    """The events are told all the same: they are in the log."""
    result = await command("history", story.track_id)
    assert result.exit_code == 0, result.output
    assert "3 events of" in result.output
    assert "The states of catalog are missing: catalog does not answer" in result.output
    bare = await command("history", story.track_id, "--no-states")
    assert "missing" not in bare.output


async def test_a_life_of_many_steps_is_told_whole(nats_server: NatsServer, asked: Asked) -> None:
    """A playlist of 1,100 tracks in 220 steps: more than one answer holds, by count and by bytes."""
    story = await told(nats_server.fresh_account())
    bus = await answering(story.url, *APPS)
    log = Log(bus, SystemClock(), service="catalog", settle_seconds=20.0)
    playlist, user = PlaylistId("p"), UserId("u")
    tracks = tuple(TrackId(f"track-{number:05}") for number in range(1100))
    created = PlaylistCreated(playlist_id=playlist, user_id=user, name="Long", at="")
    added = [
        PlaylistTracksAdded(playlist_id=playlist, user_id=user, track_ids=tracks[at : at + 5])
        for at in range(0, len(tracks), 5)
    ]
    await log.append(Decision(entity_id="p", events=(created, *added), expected=0))
    told_of = await asked("history", "p", url=story.url)
    await bus.close()
    assert told_of["notes"] == []
    assert [len(event["changes"]) for event in told_of["events"]] == [1] * 221
    [state] = told_of["states"]
    assert state["state"]["tracks"] == list(tracks)


async def test_an_answer_that_is_no_answer_is_a_note(command: Command, story: Story) -> None:
    """A service of another version does not spoil the rest."""
    connection = await nats.connect(story.url)

    async def reply(message: Msg) -> None:
        value = msgspec.json.encode(Stepped(service="catalog", nouns=()))[:-1]
        await message.respond(b'{"value":' + value.replace(b"nouns", b"words") + b"}}")

    await connection.subscribe("cmd.catalog.step-through", cb=reply)
    await connection.flush()
    result = await command("history", story.track_id)
    await connection.close()
    assert result.exit_code == 0, result.output
    assert "catalog answered what cannot be read" in result.output


async def test_nobody_knows_it_is_one_sentence(command: Command) -> None:
    """An id that nobody said, and one that cannot be one."""
    for words, entity in (("No event is about nobody", "nobody"), ("cannot be an entity id", "a.b")):
        result = await command("history", entity)
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
        assert words in result.stderr
    elsewhere = await command("state", "nobody", "--seq", "CATALOG@1")
    assert elsewhere.exit_code == 2


async def test_a_place_of_another_entity_is_refused(command: Command, story: Story) -> None:
    """It names the places that are the entity's own."""
    result = await command("state", story.track_id, "--seq", "CATALOG@2")
    assert result.exit_code == 2
    assert "its events are CATALOG@1, INGEST@1, CATALOG@3" in result.stderr

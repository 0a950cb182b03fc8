"""Starting and stopping a service as a process: one clear sentence where it cannot work, patience where it can."""

import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import nats
import pytest
from nats.js import JetStreamContext

from tests.runtime.installation import provision
from tests.runtime.processes import service, variables
from tests.servers import free_port, nats_server
from tonetouch_contracts import manifest
from tonetouch_contracts.message import ShowHealth
from tonetouch_contracts.track import ShowTrack, TrackRejected, TrackUploaded
from tonetouch_runtime import App, Router, Settings
from tonetouch_runtime.provisioning import consumer_config, truth_config


@pytest.fixture(name="jetstream")
async def _jetstream(settings: Settings) -> AsyncIterator[JetStreamContext]:
    """A provisioned installation, and the operator's hands on its log."""
    await provision(settings)
    client = await nats.connect(settings.nats_url)
    yield client.jetstream()
    await client.close()


def refusal(folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """The exit code and last words of a service that does not start; no traceback among what it said."""
    with service(folder, environment) as tiny:
        code = tiny.ended()
        assert not any("Traceback" in line for line in tiny.complained)
        return code, tiny.complained[-1]


async def test_a_stream_that_differs_keeps_a_service_from_starting(
    jetstream: JetStreamContext, settings: Settings, tmp_path: Path
) -> None:
    """It says which stream, what is different, and what to run."""
    config = truth_config(manifest.STREAMS[0])
    config.duplicate_window = 60.0
    await jetstream.update_stream(config)
    code, said = refusal(tmp_path, variables(settings))
    assert code == 75
    assert said.startswith("tiny cannot start: The stream CATALOG differs from the manifest: duplicate_window is 60")
    assert "tonetouch provision" in said


async def test_a_consumer_that_is_missing_keeps_a_service_from_starting(
    jetstream: JetStreamContext, settings: Settings, tmp_path: Path
) -> None:
    """The one it reads from, by name."""
    await jetstream.delete_consumer("CATALOG", "ingest-starting")
    code, said = refusal(tmp_path, variables(settings))
    assert code == 75
    assert said.startswith("tiny cannot start: The consumer ingest-starting on CATALOG differs")
    assert "it does not exist" in said


async def test_a_consumer_that_differs_keeps_a_service_from_starting(
    jetstream: JetStreamContext, settings: Settings, tmp_path: Path
) -> None:
    """A consumer that gives up after five deliveries would lose events."""
    config = consumer_config(manifest.consumer("ingest-starting"))
    config.max_deliver = 5
    await jetstream.add_consumer("CATALOG", config)
    code, said = refusal(tmp_path, variables(settings))
    assert code == 75
    assert "max_deliver is 5, not -1" in said


def test_a_taken_health_port_is_named(settings: Settings, tmp_path: Path) -> None:
    """It does not wait for the bus to find out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        nowhere = {"TONETOUCH_NATS_URL": f"nats://127.0.0.1:{free_port()}"}
        code, said = refusal(tmp_path, {**variables(settings), **nowhere, "TONETOUCH_HEALTH_PORT": port})
    assert code == 78
    assert said.startswith(f"tiny cannot start: port {port} on 127.0.0.1 cannot be used")
    assert said.endswith("set TONETOUCH_HEALTH_PORT")


def test_a_folder_that_cannot_be_written_is_named(settings: Settings, tmp_path: Path) -> None:
    """Where a folder should be, there is a file."""
    (tmp_path / "file").write_text("")
    code, said = refusal(tmp_path, {**variables(settings), "TONETOUCH_DATA": str(tmp_path / "file")})
    assert code == 78
    assert said.endswith("set TONETOUCH_DATA")
    assert str(tmp_path / "file") in said


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"TONETOUCH_LOG_LEVEL": "loud"}, "TONETOUCH_LOG_LEVEL: Input should be 'debug', 'info', 'warning' or 'error'"),
        (
            {"TONETOUCH_S3_ENDPOINT": "https://objects.example", "TONETOUCH_S3_SECRET_KEY": "changeme"},
            "TONETOUCH_S3_SECRET_KEY is missing or a placeholder: set the store's real key",
        ),
        ({"TONETOUCH_NATS_URL": "nats://127.0.0.1:no-port"}, "the bus of TONETOUCH_NATS_URL cannot be used"),
    ],
)
def test_a_wrong_setting_is_named(settings: Settings, tmp_path: Path, wrong: dict[str, str], words: str) -> None:
    """Which one, and what it could be; never the value of a secret."""
    code, said = refusal(tmp_path, {**variables(settings), **wrong})
    assert code == 78
    assert said.startswith(f"tiny cannot start: {words}")
    assert "changeme" not in said


def test_the_bus_refusing_us_is_said(nats_url: str, settings: Settings, tmp_path: Path) -> None:
    """A wrong password is not waited for, and not repeated."""
    wrong = nats_url.replace("nats://", "nats://tenant0:not-the-password@")
    code, said = refusal(tmp_path, {**variables(settings), "TONETOUCH_NATS_URL": wrong})
    assert code == 78
    assert said.startswith("tiny cannot start: the bus of TONETOUCH_NATS_URL cannot be used")
    assert "not-the-password" not in said


async def test_a_service_waits_for_the_bus_and_stops_when_told(settings: Settings, tmp_path: Path) -> None:
    """Services are started in any order; one that is told to stop while it waits ends at once, without complaint."""
    away = settings.model_copy(update={"nats_url": f"nats://127.0.0.1:{free_port()}"})
    with service(tmp_path, variables(away)) as tiny:
        tiny.until(lambda: "bus_not_reached" in tiny.logged_events())
        tiny.tell(signal.SIGTERM)
        assert tiny.ended(5.0) == 0


async def test_a_service_starts_once_the_bus_is_there(settings: Settings, tmp_path: Path) -> None:
    """And ends with 0 on SIGTERM when its work is done."""
    with nats_server(tmp_path / "nats") as server:
        later = settings.model_copy(update={"nats_url": server.url})
        await provision(later)
        server.kill()
        with service(tmp_path, variables(later)) as tiny:
            tiny.until(lambda: "bus_not_reached" in tiny.logged_events())
            server.restart()
            tiny.until(lambda: "service_started" in tiny.logged_events())
            tiny.tell(signal.SIGTERM)
            assert tiny.ended(15.0) == 0


async def _nobody(*_: object) -> None:
    """A handler that is never called."""


def test_two_handlers_of_one_thing_are_refused() -> None:
    """NATS would give a request to one of them by chance, and one of two tables would be forgotten."""
    router, other = Router(), Router()
    router.answers(ShowTrack)(_nobody)
    other.answers(ShowTrack)(_nobody)
    with pytest.raises(ValueError, match=r"answers cmd\.catalog\.show-track twice"):
        App(name="catalog", routers=(router, other))
    with pytest.raises(ValueError, match=r"two handlers answer catalog\.show-track"):
        router.answers(ShowTrack)(_nobody)
    health = Router()
    health.answers(ShowHealth)(_nobody)
    with pytest.raises(ValueError, match="twice"):
        App(name="catalog", routers=(health,))


def test_a_handler_that_would_never_be_called_is_refused() -> None:
    """Its consumer has to exist and to bring what it hears."""
    wrong, unknown, queue = Router(), Router(), Router()
    wrong.hears(TrackRejected, consumer="ingest-starting")(_nobody)
    with pytest.raises(ValueError, match=r"ingest-starting does not bring track\.rejected"):
        App(name="ingest", routers=(wrong,))
    unknown.hears(TrackUploaded, consumer="nobody")(_nobody)
    with pytest.raises(ValueError, match="declares no consumer nobody"):
        App(name="ingest", routers=(unknown,))
    queue.works("INGEST_Q", "embed", consumer="ingest-stage")(_nobody)
    with pytest.raises(ValueError, match="ingest-stage does not bring"):
        App(name="ingest", routers=(queue,))

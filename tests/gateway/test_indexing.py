"""Operators see the indexes, and have them made anew."""

import pytest

from tests.gateway.indexes import rebuilt
from tests.gateway.standins import Installation
from tonetouch_contracts.indexing import CancelRebuild, RebuildIndexes
from tonetouch_runtime import Refused

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_the_indexes_are_listed(installed: Installation) -> None:
    """Each with its size, model, position and lag; unknown is null, and without a rebuild there is none."""
    answer = (await installed.client.get("/api/v1/indexes")).json()
    [tracks] = answer["items"]
    assert (tracks["name"], tracks["points"], tracks["model"], tracks["behind"]) == ("tracks", 18_240, "words@1", 12)
    assert tracks["positions"] == {"CATALOG": 40_211, "INGEST": 391_022}
    assert (tracks["memory_bytes"], answer["rebuild"], answer["search"]) == (None, None, "")


async def test_a_rebuild_is_accepted_and_shown(installed: Installation) -> None:
    """Those that are named, or all; it has only begun."""
    installed.services.indexes.views[:] = [rebuilt()]
    answer = await installed.client.post("/api/v1/indexes/rebuild", json={"names": ["tracks", "taste"]})
    assert (answer.status_code, answer.json()["rebuild"]["phase"]) == (202, "filling")
    assert installed.services.last(RebuildIndexes).names == ("tracks", "taste")
    await installed.client.post("/api/v1/indexes/rebuild", json={})
    assert installed.services.last(RebuildIndexes).names == ()


async def test_a_rebuild_is_cancelled(installed: Installation) -> None:
    """What is answered is how everything stands then."""
    installed.services.indexes.views[:] = [rebuilt(phase="cancelled")]
    answer = await installed.client.delete("/api/v1/indexes/rebuild")
    assert (answer.status_code, answer.json()["rebuild"]["phase"]) == (200, "cancelled")
    assert installed.services.last(CancelRebuild)


async def test_what_cannot_be_rebuilt_is_said(installed: Installation) -> None:
    """An index nobody has, and one while another is being made anew."""
    unknown = await installed.client.post("/api/v1/indexes/rebuild", json={"names": ["songs"]})
    assert (unknown.status_code, unknown.json()["code"]) == (400, "invalid")
    installed.services.refusing[RebuildIndexes] = [Refused("conflict", "taste are being made anew.")]
    busy = await installed.client.post("/api/v1/indexes/rebuild", json={"names": ["tracks"]})
    assert (busy.status_code, busy.json()["detail"]) == (409, "taste are being made anew.")

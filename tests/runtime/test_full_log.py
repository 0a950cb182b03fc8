"""The log has no room: appends wait and then say so, nothing acknowledged is lost, and with room they go on."""

import asyncio
from pathlib import Path

import pytest

from tests.cluster.nodes import give_room, small_node
from tests.runtime.test_appending import told
from tonetouch_contracts import manifest
from tonetouch_runtime import Bus, Decision, Log, SystemClock, Unavailable
from tonetouch_runtime.provisioning import apply

BYTES = 200_000


async def test_a_log_without_room(tmp_path: Path) -> None:
    """The one that does not fit is neither kept nor refused for good; the same append is kept once there is room."""
    with small_node(tmp_path, room="1MB") as node:
        bus = await Bus.connect(node.url, "test")
        catalog = [stream for stream in manifest.STREAMS if stream.name == "CATALOG"]
        await apply(bus.jetstream, catalog, (), (), leases=())
        log = Log(bus, SystemClock(), service="test", settle_seconds=0.5)

        def append(number: int, log: Log = log) -> asyncio.Task[dict[str, int]]:
            event = told("a", f"{number}" * BYTES)
            return asyncio.create_task(log.append(Decision(entity_id="a", events=(event,), expected=number)))

        kept = 0
        with pytest.raises(Unavailable):
            for number in range(9):
                await append(number)
                kept += 1
        assert 0 < kept < 9
        assert len(await log.history("CATALOG", "a")) == kept
        waiting = append(kept, Log(bus, SystemClock(), service="test", settle_seconds=30.0))
        node.kill()
        give_room(node, "64MB")
        node.start()
        assert await asyncio.wait_for(waiting, 30.0) == {"CATALOG": kept + 1}
        assert len(await log.history("CATALOG", "a")) == kept + 1
        await bus.close()

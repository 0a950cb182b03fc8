"""The servers of the tests hold what the tests rely on."""

from pathlib import Path

import nats
import pytest

from tests.servers import nats_server, object_store


@pytest.mark.parametrize("kill", [True, False])
async def test_a_nats_server_comes_back_with_its_data(tmp_path: Path, kill: bool) -> None:
    """Killed or stopped, it starts again at the same address with every acknowledged message."""
    with nats_server(tmp_path) as server:
        client = await nats.connect(server.url)
        await client.jetstream().add_stream(name="FACTS", subjects=["fact"])
        await client.jetstream().publish("fact", b"said")
        await client.close()
        if kill:
            server.kill()
            assert server.process.poll() is not None
        server.restart()
        client = await nats.connect(server.url)
        assert (await client.jetstream().get_msg("FACTS", 1)).data == b"said"
        await client.close()


def test_a_server_is_gone_when_its_block_ends(tmp_path: Path) -> None:
    """Whatever happened inside the block."""
    with pytest.raises(KeyError), object_store(tmp_path / "s3") as s3, nats_server(tmp_path / "nats") as bus:
        raise KeyError
    assert s3.process.poll() is not None
    assert bus.process.poll() is not None

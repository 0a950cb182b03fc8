"""The settings say which engine keeps the vectors, and what they lack is told in one sentence."""

import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from tests.cloud import Account
from tests.recommend.vectors.behaviour import TRACKS
from tests.recommend.vectors.qdrant_rest import KEY, StandIn
from tonetouch_recommend.vectors.choosing import chosen_engine
from tonetouch_recommend.vectors.qdrant_edge import QdrantEdgeEngine
from tonetouch_recommend.vectors.vectorize import VectorizeEngine
from tonetouch_runtime import Misconfigured, Settings

NOBODY = "http://127.0.0.1:9"


async def test_without_a_word_vectors_are_kept_in_the_process(tmp_path: Path) -> None:
    """In the folder of everything that is kept on this machine."""
    engine = await chosen_engine(Settings(data=tmp_path))
    assert isinstance(engine, QdrantEdgeEngine)
    await engine.close()
    assert (tmp_path / "vectors").is_dir()


async def test_vectorize_is_opened_with_the_account_of_the_models(cloud: Account) -> None:
    """It has answered once when it is given out."""
    engine = await chosen_engine(_over(cloud))
    assert isinstance(engine, VectorizeEngine)
    assert cloud.indexes.requests.total() == 1
    await engine.close()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"cloudflare_account": ""}, "set TONETOUCH_CLOUDFLARE_ACCOUNT too"),
        ({"cloudflare_token": SecretStr("")}, "set TONETOUCH_CLOUDFLARE_TOKEN too"),
        ({"cloudflare_token": SecretStr("cf-\nsecret")}, "TONETOUCH_CLOUDFLARE_TOKEN holds characters"),
        ({"cloudflare_token": SecretStr("cf-secret")}, r"TONETOUCH_CLOUDFLARE_TOKEN needs the permission.*10000"),
        ({"cloudflare_api_url": "api.cloudflare.com"}, "TONETOUCH_CLOUDFLARE_API_URL is no address"),
        ({"vectors": "qdrant"}, "set TONETOUCH_QDRANT_URL too"),
        ({"vectors": "qdrant", "qdrant_url": "qdrant:6333"}, "TONETOUCH_QDRANT_URL is no address"),
        ({"vectors": "qdrant", "qdrant_url": NOBODY, "qdrant_key": SecretStr("ä")}, "TONETOUCH_QDRANT_KEY holds"),
    ],
)
async def test_what_is_missing_or_wrong_is_named(cloud: Account, changes: dict[str, Any], told: str) -> None:
    """And no secret is in the sentence."""
    with pytest.raises(Misconfigured, match=told) as raised:
        await chosen_engine(_over(cloud).model_copy(update=changes))
    assert "secret" not in str(raised.value)


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection", "ignore:Payload indexes have no")
async def test_a_qdrant_server_is_opened_with_its_key() -> None:
    """It has answered once when it is given out; with another key it does not start, and the setting is named."""
    standin = StandIn()
    async with standin.served() as url:
        settings = Settings(vectors="qdrant", qdrant_url=url, qdrant_key=SecretStr(KEY), vectors_prefix="music")
        engine = await chosen_engine(settings)
        assert type(engine).__name__ == "QdrantServerEngine"
        await engine.open(TRACKS)
        await engine.close()
        assert await standin.kept.collection_exists("music-tracks")
        with pytest.raises(Misconfigured, match=r"TONETOUCH_QDRANT_KEY is wrong.*401") as raised:
            await chosen_engine(settings.model_copy(update={"qdrant_key": SecretStr("wrong-secret")}))
        assert "secret" not in str(raised.value)


async def test_a_server_needs_its_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has not installed the extra is told its name."""
    monkeypatch.setitem(sys.modules, "qdrant_client", None)
    monkeypatch.delitem(sys.modules, "tonetouch_recommend.vectors.qdrant_server", raising=False)
    with pytest.raises(Misconfigured, match="extra `qdrant`"):
        await chosen_engine(Settings(vectors="qdrant", qdrant_url=NOBODY))


def _over(cloud: Account) -> Settings:
    return Settings(
        vectors="vectorize",
        cloudflare_account=cloud.id,
        cloudflare_token=SecretStr(cloud.token),
        cloudflare_api_url=cloud.api_url,
    )

"""The whole product with accounts: started with four settings, every model call goes to the simulated cloud."""

import csv
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cloud import Account
from tests.cloud.models import BGE_M3, LLAMA, LLAVA
from tests.cloud.serving import Simulator
from tests.journeys.platform import Platform, running_platform


@pytest.fixture(scope="module", name="account")
def _account(cloud_simulator: Simulator) -> Account:
    return cloud_simulator.account()


@pytest.fixture(scope="module", name="platform")
def _platform(tmp_path_factory: pytest.TempPathFactory, account: Account) -> Iterator[Platform]:
    """Started once on an empty folder with the demo album. The last two addresses are the simulator's."""
    settings = {
        "TONETOUCH_CLOUDFLARE_ACCOUNT": account.id,
        "TONETOUCH_CLOUDFLARE_TOKEN": account.token,
        "TONETOUCH_CLOUDFLARE_GATEWAY": account.gateway,
        "TONETOUCH_ANTHROPIC_KEY": account.anthropic_key,
        "TONETOUCH_CLOUDFLARE_API_URL": account.api_url,
        "TONETOUCH_CLOUDFLARE_GATEWAY_URL": account.gateway_url,
    }
    with running_platform(tmp_path_factory.mktemp("cloud") / "data", settings=settings) as platform:
        yield platform


@pytest.fixture(scope="module", name="tracks")
def _tracks(platform: Platform) -> list[Any]:
    """The demo album, when it is published and every text about it is written."""

    def written() -> bool:
        items = platform.get("/tracks", limit=50)["items"]
        return len(items) >= 8 and all(track["status"] == "published" and track["about"] for track in items)

    platform.until(written, 300.0)
    items: list[Any] = platform.get("/tracks", limit=50)["items"]
    return items


@pytest.mark.timeout(600)
def test_the_demo_album_is_described_by_models_of_the_cloud(platform: Platform, tracks: list[Any]) -> None:
    """Embeddings, covers and texts come from Workers AI, and each row of a call has its cost or says it is unknown."""
    jobs = platform.get("/ai/jobs", subject=f"track:{tracks[0]['id']}", limit=100)["items"]
    by_type = {job["type"]: job for job in jobs if job["provider"] == "cloudflare"}
    assert {name: job["model"] for name, job in by_type.items()} == {
        "embeddings": BGE_M3,
        "image_description": LLAVA,
        "chat": LLAMA,
    }
    assert by_type["chat"]["cost_usd"] > 0
    assert by_type["image_description"]["cost_usd"] is None


def test_every_call_of_the_cloud_is_in_the_ledger(platform: Platform, account: Account, tracks: list[Any]) -> None:
    """Request by request: what the simulator answered is what the rows name, and nothing else was asked."""
    exported = platform.http.get("/api/v1/ai/jobs.csv").raise_for_status().text
    rows = list(csv.DictReader(exported.splitlines()))
    asked = Counter(row["model"] for row in rows if row["provider"] == "cloudflare" and row["cache"] == "miss")
    assert asked.keys() == account.counts().keys()
    requests = {row["provider_request_id"] for row in rows if row["provider_request_id"]}
    assert requests == {call.request_id for call in account.calls() if call.outcome == "answered"}


def test_a_title_is_found(platform: Platform, tracks: list[Any]) -> None:
    """Search asks the same model as the index holds."""
    found = platform.get("/search", q=tracks[0]["title"])["items"]
    assert found[0]["track"]["id"] == tracks[0]["id"]
    assert platform.get(f"/tracks/{tracks[0]['id']}/similar")["items"]

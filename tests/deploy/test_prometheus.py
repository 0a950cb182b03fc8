"""Prometheus itself reads what is written for it: the rules fire as they say, and the panels find what is counted.

Its Debian package has both programs (`apt-get install prometheus`); without them these tests are skipped.
"""

import asyncio
import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.runtime.telemetry.collecting import hopping
from tests.servers import free_port, prometheus
from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.track import ShowTrack
from tonetouch_deploy.dashboards.writing import FOLDER, files
from tonetouch_deploy.targets import write_targets
from tonetouch_runtime import Floor, Refused, Settings, SystemClock
from tonetouch_runtime.telemetry import switch
from tonetouch_runtime.telemetry.names import ANSWERED, CALL, FIRST_PIECE, HTTP, ROOT, WAITED

TELEMETRY = FOLDER.parents[1]
PATIENCE_SECONDS = 60.0
SHOWN_IN_TROUBLE = {"Checks that fail", "Behind, and not moved for five minutes", "Stalled, paused or broken"}

pytestmark = pytest.mark.skipif(not shutil.which("prometheus"), reason="Prometheus is not installed on this machine")


def copied(folder: Path, **replaced: str) -> Path:
    """The configuration and its rules in a folder of the test, with these words in place of others."""
    for name in ("alerts.yaml", "prometheus.yaml"):
        text = (TELEMETRY / name).read_text(encoding="utf-8")
        for old, new in replaced.items():
            text = text.replace(old, new)
        (folder / name).write_text(text, encoding="utf-8")
    return folder / "prometheus.yaml"


def promtool(*arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def found(client: httpx.Client, query: str) -> list[dict[str, Any]]:
    """The series of an answer; a query that is refused fails the test."""
    answer = client.get("/query", params={"query": query}).json()
    assert answer["status"] == "success", (query, answer)
    series: list[dict[str, Any]] = answer["data"]["result"]
    return series


def panels() -> list[tuple[str, list[str]]]:
    """The title and the queries of every panel, for the service `catalog`."""
    read = [panel for text in files().values() for panel in json.loads(text)["panels"]]
    return [
        (panel["title"], [_filled(target["expr"]) for target in panel["targets"]])
        for panel in read
        if "targets" in panel
    ]


def _filled(query: str) -> str:
    return query.replace("$__rate_interval", "30s").replace("${source}", "p").replace(f"${ROOT}", "catalog")


def test_the_rules_and_the_configuration_are_in_order(tmp_path: Path) -> None:
    """As `promtool check` reads them."""
    config = copied(tmp_path)
    promtool("check", "rules", str(tmp_path / "alerts.yaml"))
    promtool("check", "config", str(config))


def test_each_rule_fires_when_it_should_and_not_before(tmp_path: Path) -> None:
    """On series made for it, with the words that somebody will read at night."""
    copied(tmp_path)
    shutil.copy(Path(__file__).with_name("alerts.test.yaml"), tmp_path)
    promtool("test", "rules", str(tmp_path / "alerts.test.yaml"))
    rules = (TELEMETRY / "alerts.yaml").read_text(encoding="utf-8")
    tried = (tmp_path / "alerts.test.yaml").read_text(encoding="utf-8")
    for line in rules.splitlines():
        if "- alert: " in line:
            assert f"alertname: {line.rpartition(' ')[2]}" in tried, line


async def test_a_service_is_scraped_and_every_panel_shows_it(settings: Settings, tmp_path: Path) -> None:
    """What it did and how it stands; when it has ended, the rule for that begins to wait."""
    # Where everything is allowed: the service is made up, and nobody declares what it hears.
    settings = settings.model_copy(update={"nats_user": "", "health_port": free_port()})
    targets = write_targets(tmp_path, {"catalog-health": settings.health_port})
    config = copied(tmp_path, **{"../../.data/telemetry/targets.json": str(targets), "15s": "1s"})
    with prometheus(config) as url, httpx.Client(base_url=f"{url}/api/v1") as client:
        async with hopping(settings) as (_, floor), asyncio.timeout(PATIENCE_SECONDS):
            while await asyncio.to_thread(empty, client) != SHOWN_IN_TROUBLE:
                await be_busy(floor)
        await asyncio.to_thread(until_gone, client)
        assert await asyncio.to_thread(health_of_rules, client) == {"ok"}


async def be_busy(floor: Floor) -> None:
    """Every kind of hop over the bus, well and refused; and what only the gateway and callers of models count."""
    await floor.ask(ShowTrack(track_id=TrackId(SystemClock().new_id())))
    with pytest.raises(Refused):
        await floor.ask(ShowTrack(track_id=TrackId("nobody")))
    assert switch.counts is not None
    for status in ("200", "503"):
        switch.counts.time(HTTP, ("GET", "/api/v1/tracks", status), 0.01)
    for outcome in ("done", "timeout"):
        switch.counts.time(CALL, ("cloudflare", "llama", "chat", outcome), 1.0)
    for metric in (FIRST_PIECE, WAITED):
        switch.counts.time(metric, ("cloudflare", "llama", "chat"), 0.2)
    for cache in ("hit", "miss"):
        switch.counts.add(ANSWERED, ("chat", "about", cache))


def empty(client: httpx.Client) -> set[str]:
    """The panels without a line."""
    return {title for title, queries in panels() if not any(found(client, query) for query in queries)}


def health_of_rules(client: httpx.Client) -> set[str]:
    """How Prometheus fared with the rules."""
    groups = client.get("/rules").json()["data"]["groups"]
    return {rule["health"] for group in groups for rule in group["rules"]}


def until_gone(client: httpx.Client) -> None:
    """Return when the rule for a service that does not answer has seen it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not found(client, 'ALERTS{alertname="TonetouchServiceGone", alertstate="pending"}'):
        assert time.monotonic() < deadline
        time.sleep(0.1)

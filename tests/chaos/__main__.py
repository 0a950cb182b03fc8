"""``uv run just chaos``: kill and pause parts of a running installation while it is used, then check what it promises.

    python -m tests.chaos --rounds 300 --seed 1
    python -m tests.chaos --minutes 120

The whole installation runs on ports and in a folder of its own, its model calls go to the simulated cloud. Ends with 1,
and every violation in words, where something was lost, done twice, out of order or rebuilt differently, and where too
little succeeded or too little went wrong to show anything.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from tests.chaos.checking import (
    enough_happened,
    ingests_in_order,
    ledger_is_the_clouds,
    ledger_rows,
    names_in_order,
    nothing_parked,
    plays_kept,
    uploads_arrived,
)
from tests.chaos.faults import Injected, planned
from tests.chaos.load import Load
from tests.chaos.log import heads, read_logs, waiting
from tests.chaos.rebuilding import behind, differing
from tests.cloud import Call, CloudProcess, launched
from tests.journeys.platform import Platform, running_platform

EVERY_NTH_ROUND_AN_UPLOAD = 6
RECOVER_SECONDS = 300.0
SETTLE_SECONDS = 900.0


def run(folder: Path, *, rounds: int, minutes: float | None, seed: int) -> list[str]:
    """One run; gives what it found wrong, and prints what happened."""
    with (
        launched(folder) as cloud,
        running_platform(
            folder / "data", "--no-demo", settings=_settings(cloud), program="tests.chaos.launching"
        ) as platform,
    ):
        load, injected = Load(platform, f"chaos {seed}", folder), Injected()
        began, lived = time.monotonic(), 0
        with load.going_on():
            for lived, fault in zip(count(1), planned(seed), strict=False):
                injected.inject(fault, platform)
                print(f"{lived:5} {time.monotonic() - began:7.1f} s  {fault.kind} {fault.victim}", flush=True)
                if lived % EVERY_NTH_ROUND_AN_UPLOAD == 0:
                    load.upload_another()
                if fault.is_last:
                    load.get_on(RECOVER_SECONDS)
                if _is_over(lived, rounds, minutes, time.monotonic() - began):
                    break
        print(
            f"the last fault was {time.monotonic() - began:.0f} s after the first; waiting until all is done",
            flush=True,
        )
        calls = settled(platform, load, cloud)
        found = list(violations(platform, load, injected, calls, lived))
        _tell(load, injected, calls, time.monotonic() - began)
        print("\n".join(found) or "Every promise was kept.", flush=True)
    return found


def _is_over(lived: int, rounds: int, minutes: float | None, seconds: float) -> bool:
    return lived >= rounds if minutes is None else seconds >= 60 * minutes


def _settings(cloud: CloudProcess) -> dict[str, str]:
    account = cloud.account
    for model in ("@cf/meta/llama-3.3-70b-instruct-fp8-fast", "@cf/baai/bge-m3"):
        cloud.change("limits", model=model, per_minute=None)
    return {
        "TONETOUCH_CLOUDFLARE_ACCOUNT": account["id"],
        "TONETOUCH_CLOUDFLARE_TOKEN": account["token"],
        "TONETOUCH_CLOUDFLARE_GATEWAY": account["gateway"],
        "TONETOUCH_CLOUDFLARE_API_URL": account["api_url"],
        "TONETOUCH_CLOUDFLARE_GATEWAY_URL": account["gateway_url"],
    }


def settled(platform: Platform, load: Load, cloud: CloudProcess) -> list[Call]:
    """Wait until every upload has come to an end, no work waits, nobody asks a model, and all tables show all."""
    platform.settled(list(load.acknowledged.uploads), SETTLE_SECONDS)
    platform.until(lambda: not platform.get("/ingest", state="running")["items"], SETTLE_SECONDS)
    platform.until(lambda: not any(asyncio.run(waiting(platform.data)).values()), SETTLE_SECONDS)

    def quiet() -> bool:
        before = asyncio.run(heads(platform.data))
        calls = len(cloud.calls())
        time.sleep(3.0)
        same = before == asyncio.run(heads(platform.data)) and calls == len(cloud.calls())
        return same and not behind(platform.data, before)

    platform.until(quiet, SETTLE_SECONDS)
    return cloud.calls()


def violations(platform: Platform, load: Load, injected: Injected, calls: list[Call], lived: int) -> Iterator[str]:
    """What is wrong, in words; nothing where every promise was kept."""
    acknowledged, logs = load.acknowledged, asyncio.run(read_logs(platform.data))
    yield from plays_kept(acknowledged, logs)
    yield from names_in_order(acknowledged, logs)
    yield from uploads_arrived(acknowledged, logs)
    yield from ingests_in_order(logs)
    yield from ledger_is_the_clouds(calls, ledger_rows(platform.data))
    yield from nothing_parked(platform.data)
    yield from differing(platform.data, logs)
    yield from enough_happened(lived, injected, acknowledged, calls)


def _tell(load: Load, injected: Injected, calls: list[Call], seconds: float) -> None:
    said = load.acknowledged
    print(
        f"{sum(injected.kills.values())} kills and {sum(injected.pauses.values())} pauses in {seconds:.0f} s; "
        f"acknowledged: {len(said.plays)} plays, {len(said.names)} names, {len(said.uploads)} uploads, "
        f"{said.searches} searches; {said.failures} requests were not; {len(calls)} calls of models"
    )
    print("kills: " + ", ".join(f"{name} {kills}" for name, kills in injected.kills.items()))


def main() -> int:
    parser = argparse.ArgumentParser(prog="just chaos", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=40, help="faults; one takes some five seconds (default 40)")
    parser.add_argument("--minutes", type=float, help="go on for so long instead")
    parser.add_argument("--seed", type=int, default=1, help="which faults come when (default 1)")
    parser.add_argument("--folder", type=Path, help="keep the installation here; a temporary folder otherwise")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chaos-") as temporary:
        folder = asked.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        found = run(folder, rounds=asked.rounds, minutes=asked.minutes, seed=asked.seed)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

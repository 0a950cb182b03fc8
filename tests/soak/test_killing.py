"""``kill -9`` of the AI client and of the ledger, again and again: nothing is lost, nothing is counted twice.

    TONETOUCH_SOAK_ROUNDS=20 pytest -m soak tests/soak/test_killing.py -s

A client asks the simulated cloud in a process of its own and is killed at a random moment, a hundred times; the ledger
is killed in between. In the end the ledger's rows are held against the simulator's own record, call by call.
"""

import asyncio
import os
import random
import subprocess
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cloud import Call, launched
from tests.runtime.installation import provision
from tests.soak.installation import process, said
from tonetouch_ai_ledger.app import app
from tonetouch_ai_ledger.recording import AIJobRow
from tonetouch_ai_ledger.sweeping import Sweep
from tonetouch_runtime import Bus, Floor, Settings, running
from tonetouch_runtime._tables import table_of

ROUNDS = int(os.environ.get("TONETOUCH_SOAK_ROUNDS", "100"))
LONGEST_ROUND_SECONDS = 4.0
SEED = 7


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_what_the_cloud_answered_is_what_the_ledger_says(settings: Settings, tmp_path: Path) -> None:
    """Every call has one row and no row has two; tokens and costs are equal but for rows that say `unknown`."""
    await provision(settings)
    chance = random.Random(SEED)
    with launched(tmp_path) as cloud:
        for model in ("@cf/meta/llama-3.3-70b-instruct-fp8-fast", "@cf/baai/bge-m3"):
            cloud.change("limits", model=model, per_minute=None)
            cloud.change("latencies", model=model, seconds=0.02)
        await asyncio.to_thread(kill_again_and_again, settings, cloud.account, chance)
        calls = cloud.calls()
    async with running(app, settings) as floor:
        await caught_up(floor)
        while await Sweep(floor, older_than=timedelta()).once():
            await caught_up(floor)
        await caught_up(floor)
        rows = [dict(row) for row in await floor.tables.all(table_of(AIJobRow).select())]
    compare(calls, rows)


def kill_again_and_again(settings: Settings, cloud: dict[str, str], chance: random.Random) -> None:
    """The client in every round; the ledger lives through a few of them."""
    lap = 0
    while lap < ROUNDS:
        with process(settings, cloud, "tonetouch_ai_ledger"):
            for _ in range(chance.randint(1, 8)):
                with process(settings, cloud, "tests.soak.asking", str(lap)) as client:
                    assert said(client) == "asking"
                    client_lives = chance.uniform(0.0, LONGEST_ROUND_SECONDS)
                    try:
                        client.wait(client_lives)
                    except subprocess.TimeoutExpired:
                        pass
                    else:
                        raise AssertionError("the client ended by itself")
                lap += 1


async def caught_up(floor: Floor) -> None:
    """Wait until the ledger's tables show the head of the log."""
    bus: Bus = floor.bus
    head = (await bus.jetstream.stream_info("AI")).state.last_seq
    await floor.seen({"AI": head}, 300.0)


def compare(calls: list[Call], rows: list[dict[str, object]]) -> None:
    """Call by call: the gateway's metadata names the job, the row names the provider's request."""
    assert rows and all(row["outcome"] != "running" for row in rows)
    assert not [row for row in rows if row["contradicted_at"] is not None]
    asked = [row for row in rows if row["cache"] in ("miss", None) and row["provider"] == "cloudflare"]
    known = [row for row in asked if row["outcome"] != "unknown"]
    unknown = {str(row["job_id"]) for row in asked if row["outcome"] == "unknown"}
    by_request = Counter(str(row["provider_request_id"]) for row in known if row["provider_request_id"])
    by_id = {call.request_id: call for call in calls}
    print(
        f"\n{len(calls)} calls, {len(asked)} rows of them, {len(unknown)} of these unknown; "
        f"{len(rows) - len(asked)} rows of answers that were there already"
    )
    # Every row that names a request names one that was made, once. Texts of one batch share theirs; where the client
    # was killed while it kept their answers, the ends of the others are unknown.
    assert by_request.keys() <= by_id.keys()
    for request_id, shared in by_request.items():
        assert 1 <= shared <= max(1, by_id[request_id].texts), request_id
    untold = sum(call.texts - by_request[call.request_id] for call in calls if call.texts)
    assert untold <= sum(row["outcome"] == "unknown" and row["type"] == "embeddings" for row in asked)
    # Every call is in the ledger: under its request, or under its job as one of which the end is not known.
    lost = [call for call in calls if call.request_id not in by_request and str(call.metadata["job"]) not in unknown]
    assert not lost
    jobs = Counter(str(call.metadata["job"]) for call in calls)
    assert jobs.most_common(1)[0][1] == 1, "a job was asked twice"
    told = [call for call in calls if call.request_id in by_request and not call.texts]
    chats = [row for row in known if row["type"] == "chat" and row["outcome"] == "succeeded"]
    for tokens in ("prompt_tokens", "completion_tokens"):
        assert sum(int(str(row[tokens])) for row in chats) == sum(getattr(call.charged, tokens) for call in told)
    neurons = sum(call.charged.micro_neurons for call in told)
    # 0.011 USD a thousand neurons are 11 pico-dollars a millionth; each row is rounded once.
    assert abs(sum(int(str(row["cost_pico_usd"])) for row in chats) - neurons * 11) <= 11 * len(chats)

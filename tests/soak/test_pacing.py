"""1,500 tracks to embed at once, under a provider's limit of 1,500 requests a minute, from three processes.

    pytest -m soak tests/soak/test_pacing.py -s

Never above the limit in any window of 60 seconds, 95 % of it used, no batch above 25, and who searches meanwhile waits
less than a second.
"""

import asyncio
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cloud import launched
from tests.cloud.models import BGE_M3
from tests.runtime.ai.clients import connected, in_the_cloud_of
from tests.runtime.installation import provision
from tests.soak.installation import process, said
from tonetouch_runtime import Settings
from tonetouch_runtime.ai import TextToEmbed, Whose
from tonetouch_runtime.ai.composing import providers_of

TRACKS, PROCESSES, LIMIT = 1_500, 3, 1_500


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_a_limit_is_used_and_never_passed(settings: Settings, tmp_path: Path) -> None:
    """The simulator counts, the ledger's rows tell who waited how long."""
    await provision(settings)
    with launched(tmp_path) as cloud, ExitStack() as stack:
        cloud.change("limits", model=BGE_M3, per_minute=LIMIT)
        share = TRACKS // PROCESSES
        processes = [
            stack.enter_context(
                process(settings, cloud.account, "tests.soak.queueing", str(n * share), str((n + 1) * share))
            )
            for n in range(PROCESSES)
        ]
        assert {said(one) for one in processes} == {"ready"}
        for one in processes:
            assert one.stdin is not None
            print("go", file=one.stdin, flush=True)
        waits = await search_meanwhile(settings, cloud.account, processes)
        busiest, calls = cloud.busiest(BGE_M3), cloud.calls(BGE_M3)
    answered = [call for call in calls if call.status == 200]
    refused = [call for call in calls if call.status == 429]
    print(
        f"\n{len(answered)} calls, {busiest} in the busiest minute, {len(refused)} refused; searches waited "
        f"{max(waits):.0f} ms at most, {sorted(waits)[len(waits) // 2]:.0f} ms at the median of {len(waits)}"
    )
    assert busiest <= LIMIT
    assert not refused
    assert busiest >= 0.95 * LIMIT
    assert max(call.texts for call in answered) <= 25
    assert max(waits) < 1_000


async def search_meanwhile(
    settings: Settings, account: dict[str, str], processes: list[subprocess.Popen[str]]
) -> list[float]:
    """Ask for one text after the other until all have embedded theirs; gives the milliseconds each waited."""
    ends = asyncio.gather(*(asyncio.to_thread(said, one) for one in processes))
    whose = Whose(feature="search", subject="search", share=False, keep_input=False)
    settings = in_the_cloud_of(settings, account)  # whose account it is decides whose limit it is
    async with connected(settings, providers=providers_of(settings)) as client:
        number = 0
        while not ends.done():
            await client.ai.embed([TextToEmbed(text=f"search {number}", subject="search")], whose)
            number += 1
            await asyncio.wait([ends], timeout=0.5)
        assert set(await ends) == {"done"}
        _, recorded = await client.rows()
    return [row.queue_ms or 0.0 for row in recorded if row.feature == "search"]

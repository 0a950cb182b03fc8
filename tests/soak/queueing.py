"""``python -m tests.soak.queueing <first> <last>``: one process of ingest that embeds its tracks, all queued at once.

It says ``ready``, waits for a line, embeds the tracks from `first` up to `last` as a step of ingest does, and says
``done``. Most tracks have three texts; every fiftieth has thirty.
"""

import asyncio
import sys

from tonetouch_runtime import Bus, Log, Objects, Settings, SystemClock
from tonetouch_runtime.ai import TextToEmbed, Whose
from tonetouch_runtime.ai.client import AIClient
from tonetouch_runtime.ai.composing import connect

AT_ONCE = 40
"""Tracks in the hands of one process, as a queue's consumer hands them out."""


def texts_of(track: int) -> list[TextToEmbed]:
    """The texts of one track; no two are the same."""
    count = 30 if track % 50 == 0 else 3
    return [TextToEmbed(text=f"passage {number} of track {track}", subject=f"track:{track}") for number in range(count)]


async def main(first: int, last: int) -> None:
    settings, clock = Settings(), SystemClock()
    bus = await Bus.connect(settings.nats_url, "soak")
    log = Log(bus, clock, service="soak")
    hands = asyncio.Semaphore(AT_ONCE)
    whose = Whose(feature="ingest.embed", subject="", priority="ingest", keep_input=False)
    async with Objects(settings.object_store) as objects:
        upstream = connect(settings, bus=bus, log=log, clock=clock)
        ai = AIClient(service="soak", bus=bus, log=log, objects=objects, clock=clock, upstream=upstream)

        async def embed(track: int) -> None:
            async with hands:
                await ai.embed(texts_of(track), whose)

        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await asyncio.gather(*(embed(track) for track in range(first, last)))
        await ai.close()
    await bus.close()
    print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))

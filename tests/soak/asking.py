"""``python -m tests.soak.asking <round>``: a client that asks without end, until it is killed.

Single chats, streams, batches of texts, and now and then a question of an earlier round; what it asks is numbered, so
that every round asks something new. It says ``asking`` when it has begun.
"""

import asyncio
import itertools
import sys
from contextlib import suppress

from tonetouch_runtime import Bus, Log, Objects, Settings, SystemClock
from tonetouch_runtime.ai import TextToEmbed, Whose
from tonetouch_runtime.ai.client import AIClient
from tonetouch_runtime.ai.composing import connect
from tonetouch_runtime.ai.tasks import Chat, Message
from tonetouch_runtime.errors import TonetouchError

AT_ONCE = 6
TEXTS = 7


def chat(words: str) -> Chat:
    return Chat(messages=(Message("user", f"[F1] {words} came out in 1994."),), max_tokens=50)


async def ask_on(ai: AIClient, lap: str, hand: int) -> None:
    """One hand: its questions one after the other. What fails is in the ledger."""
    for number in itertools.count():
        whose = Whose(feature="soak", subject=f"round:{lap}", priority="ingest")
        words = f"Album {lap} {hand} {number}"
        with suppress(TonetouchError):
            match number % 4:
                case 0:
                    await ai.ask(chat(words), whose)
                case 1:
                    await (await ai.stream(chat(words), whose)).answered()
                case 2:
                    texts = [TextToEmbed(text=f"{words} {index}", subject="track:1") for index in range(TEXTS)]
                    await ai.embed(texts, whose)
                case _:
                    await ai.ask(chat(f"Album shared {number % 8}"), whose)


async def main(lap: str) -> None:
    settings, clock = Settings(), SystemClock()
    bus = await Bus.connect(settings.nats_url, "soak")
    log = Log(bus, clock, service="soak")
    async with Objects(settings.object_store) as objects:
        upstream = connect(settings, bus=bus, log=log, clock=clock)
        ai = AIClient(service="soak", bus=bus, log=log, objects=objects, clock=clock, upstream=upstream)
        print("asking", flush=True)
        await asyncio.gather(*(ask_on(ai, lap, hand) for hand in range(AT_ONCE)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

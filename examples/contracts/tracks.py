"""Every track there is, by title, from typed events: nothing of Tone Touch Music but its package of contracts.

    pip install nats-py ./contracts          # in a checkout of Tone Touch Music
    export TONETOUCH_READER="$(uv run tonetouch reader)"
    python examples/contracts/tracks.py

The types decode and check, know the older forms of an event, and pass over those of a newer version than theirs.
"""

import asyncio
import json
import os
import sys

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg

from tonetouch_contracts.envelope import Envelope
from tonetouch_contracts.manifest import VOCABULARY, stream_of
from tonetouch_contracts.subjects import type_filter
from tonetouch_contracts.track import TrackPublished
from tonetouch_contracts.vocabulary import Unknown


async def tracks(client: Client) -> list[TrackPublished]:
    """The track of every `track.published`, in the order in which they were published."""
    found: list[TrackPublished] = []
    place, stream = 0, stream_of(TrackPublished).name
    while messages := await read(client, stream, type_filter(TrackPublished.wire_name()), place):
        for message in messages:
            headers = message.headers or {}
            place = int(headers["Nats-Sequence"])
            event = VOCABULARY.decode(Envelope.from_headers(headers).type, message.data)
            if isinstance(event, TrackPublished):
                found.append(event)
            elif isinstance(event, Unknown):
                print("passed over", event, file=sys.stderr)
    return found


async def read(client: Client, stream: str, subject: str, after: int) -> list[Msg]:
    """The next messages of a stream after a place; an empty list where there are no more."""
    inbox = client.new_inbox()
    answers = await client.subscribe(inbox)
    asked = {"seq": after + 1, "batch": 500, "next_by_subj": subject}
    await client.publish(f"$JS.API.DIRECT.GET.{stream}", json.dumps(asked).encode(), reply=inbox)
    messages = []
    while "Status" not in ((message := await answers.next_msg(timeout=10)).headers or {}):
        messages.append(message)
    await answers.unsubscribe()
    return messages


async def main() -> None:
    client = await nats.connect(os.environ["TONETOUCH_READER"])
    try:
        for track in sorted(await tracks(client), key=lambda track: track.title):
            print(f"{track.title} ({track.track_id})")
    finally:
        await client.close()


if __name__ == "__main__":
    asyncio.run(main())

"""Follow one type of event of Tone Touch Music: everything that was ever said, then each new one. Plain nats-py.

    pip install nats-py
    export TONETOUCH_READER="$(uv run tonetouch reader)"     # where the platform runs, or ask its operator
    python subscribe.py CATALOG track.published

Each event is a line of JSON with its place in the stream. To go on where you stopped: ``--after <the last place>``.
"""

import argparse
import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from urllib.parse import unquote

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg

AT_ONCE = 500
LOOK_ANYWAY_SECONDS = 30


async def follow(client: Client, stream: str, subject: str, after: int) -> AsyncIterator[Msg]:
    """The messages of a stream under a subject, from a place on and for ever, in order and without a gap.

    What is announced under ``log.>`` only says that there is something new. It is read from the stream, so nothing is
    lost when an announcement is, or when this program is away.
    """
    something_new = asyncio.Event()

    async def note(_: Msg) -> None:
        something_new.set()

    await client.subscribe(f"log.{subject}", cb=note)
    while True:
        something_new.clear()
        while messages := await read(client, stream, subject, after):
            for message in messages:
                after = int((message.headers or {})["Nats-Sequence"])
                yield message
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(something_new.wait(), LOOK_ANYWAY_SECONDS)


async def read(client: Client, stream: str, subject: str, after: int) -> list[Msg]:
    """The next messages after a place, some hundred at the most; an empty list where there are no more."""
    inbox = client.new_inbox()
    answers = await client.subscribe(inbox)
    try:
        asked = {"seq": after + 1, "batch": AT_ONCE, "next_by_subj": subject}
        await client.publish(f"$JS.API.DIRECT.GET.{stream}", json.dumps(asked).encode(), reply=inbox)
        messages: list[Msg] = []
        while True:
            message = await answers.next_msg(timeout=10)
            if "Status" in (message.headers or {}):  # 204: that was all of it; 404: there is nothing
                return messages
            messages.append(message)
    finally:
        await answers.unsubscribe()


def shown(message: Msg) -> str:
    """One event as a line of JSON. Header values are percent-encoded, as CloudEvents on NATS wants them."""
    headers = {name.lower(): unquote(value) for name, value in (message.headers or {}).items()}
    said = {name: headers.get(f"ce-{name}") for name in ("id", "type", "subject", "time")}
    return json.dumps({"place": int(headers["nats-sequence"]), **said, "data": json.loads(message.data)})


async def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("stream", help="CATALOG, LIBRARY, INGEST, RECOMMEND, AGENTS or AI")
    parser.add_argument("type", help="such as track.published; '*.*' for all that the stream says")
    parser.add_argument("--after", type=int, default=0, help="the last place you have seen")
    told = parser.parse_args()
    client = await nats.connect(os.environ["TONETOUCH_READER"], max_reconnect_attempts=-1)
    async for message in follow(client, told.stream, f"{told.type}.*", told.after):
        print(shown(message), flush=True)


if __name__ == "__main__":
    if "TONETOUCH_READER" not in os.environ:
        sys.exit("Set TONETOUCH_READER to what `uv run tonetouch reader` prints.")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())

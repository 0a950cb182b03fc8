"""Everything that stands in the log after a run."""

from pathlib import Path

from nats.js.api import ConsumerConfig, DeliverPolicy

from tests.journeys.log_reading import log_of
from tonetouch_contracts.manifest import QUEUES, STREAMS
from tonetouch_contracts.message import Event
from tonetouch_runtime import Recorded, Settings
from tonetouch_runtime._recorded import read_message
from tonetouch_runtime.people import People

Logs = dict[str, list[Recorded[Event]]]


async def read_logs(data: Path) -> Logs:
    """Every event of every stream, in order, and what people said in the open."""
    logs: Logs = {}
    people = People(Settings(data=data).people_folder)
    async with log_of(data) as jetstream:
        for stream in STREAMS:
            head = (await jetstream.stream_info(stream.name)).state.last_seq
            events: list[Recorded[Event]] = []
            logs[stream.name] = events
            if not head:
                continue
            everything = ConsumerConfig(deliver_policy=DeliverPolicy.ALL)
            order = await jetstream.subscribe("", stream=stream.name, ordered_consumer=True, config=everything)
            while not events or events[-1].sequence < head:
                events.append(read_message(await order.next_msg(timeout=30), people=people))
            await order.unsubscribe()
    return logs


async def waiting(data: Path) -> dict[str, int]:
    """How much work each queue holds."""
    async with log_of(data) as jetstream:
        return {queue.name: (await jetstream.stream_info(queue.name)).state.messages for queue in QUEUES}


async def heads(data: Path) -> dict[str, int]:
    """The last sequence of each stream."""
    async with log_of(data) as jetstream:
        return {stream.name: (await jetstream.stream_info(stream.name)).state.last_seq for stream in STREAMS}

"""Up to where streams are read for a read model as it was: at a moment, or at positions."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import msgspec
import nats.errors
import nats.js.errors

from tonetouch_contracts.message import Positions
from tonetouch_runtime._bus import Bus
from tonetouch_runtime._clock import moment, stamp
from tonetouch_runtime._recorded import origin_of
from tonetouch_runtime.errors import Refused, Unavailable

_SECONDS = 5.0


async def places(bus: Bus, streams: Sequence[str], positions: Mapping[str, int], at: str | None) -> Positions:
    """The last sequence of each stream that counts: by its position, else by the moment, else its head.

    Raises Refused for a stream that is not among them and for what is no time, Unavailable.
    """
    if unknown := sorted(set(positions) - set(streams)):
        words = f"It does not follow {', '.join(unknown)}."
        raise Refused("invalid", words, f"It follows {', '.join(streams)}.")
    heads = {stream: await _head(bus, stream) for stream in streams}
    if at is not None:
        heads = {stream: await _head_at(bus, stream, _just_after(at), head) for stream, head in heads.items()}
    return {stream: max(0, min(positions.get(stream, head), head)) for stream, head in heads.items()}


def _just_after(at: str) -> str:
    try:
        return stamp(moment(at) + timedelta(microseconds=1))
    except (ValueError, TypeError, OverflowError):
        raise Refused("invalid", f"{at!r} is not a time.", "Say it like 2026-01-31T20:15:00Z.") from None


async def _head(bus: Bus, stream: str) -> int:
    try:
        return int((await bus.jetstream.stream_info(stream)).state.last_seq)
    except (TimeoutError, nats.errors.Error, nats.js.errors.Error) as error:
        raise Unavailable(f"{stream} does not answer ({type(error).__name__})") from error


async def _head_at(bus: Bus, stream: str, after: str, head: int) -> int:
    """The last sequence before the first message that was stored after this."""
    request = msgspec.json.encode({"start_time": after, "batch": 1, "next_by_subj": ">"})
    try:
        found = await bus.nats.request(f"$JS.API.DIRECT.GET.{stream}", request, _SECONDS)
    except (TimeoutError, nats.errors.Error) as error:
        raise Unavailable(f"{stream} does not answer ({type(error).__name__})") from error
    if (found.headers or {}).get("Nats-Sequence") is None:
        return head
    return min(head, origin_of(found)[1] - 1)

"""State that all processes share: one small message for each key, on the bus. It is not truth; it is soon forgotten."""

import asyncio

import nats.errors
import nats.js.errors
from nats.js.api import Header

from tonetouch_contracts.manifest import AI_SHARES
from tonetouch_runtime._bus import Bus
from tonetouch_runtime.errors import Unavailable

_REQUEST_SECONDS = 2.0
_TAKEN = frozenset({10071, 10164})
"""Wrong last sequence, and the same under concurrency on a replicated stream."""


class Shares:
    """State that all processes share: one small message per key, replaced only by who has seen the last one.

    Raises Unavailable where the bus does not answer.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def read(self, key: str) -> tuple[bytes | None, int]:
        """The state and its sequence, as the leader has it; None and 0 where there is none."""
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                message = await self._bus.jetstream.get_last_msg(AI_SHARES.name, AI_SHARES.subject(key))
        except nats.js.errors.NotFoundError as error:
            if error.err_code == 10037:
                return None, 0
            raise Unavailable(f"{AI_SHARES.name}: {error.description}") from error
        except (TimeoutError, nats.errors.Error) as error:
            raise Unavailable(f"{AI_SHARES.name} does not answer ({type(error).__name__})") from error
        return message.data or b"", int(message.seq or 0)

    async def swap(self, key: str, body: bytes, *, expected: int, seconds: float) -> int | None:
        """Replace the state and give its sequence, or None where the last one is not the `expected` one any more."""
        headers = {
            Header.EXPECTED_STREAM.value: AI_SHARES.name,
            Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value: str(expected),
            "Nats-TTL": f"{max(int(seconds), 1)}s",
        }
        try:
            ack = await self._bus.jetstream.publish(
                AI_SHARES.subject(key), body, timeout=_REQUEST_SECONDS, headers=headers
            )
        except nats.js.errors.APIError as error:
            if error.err_code in _TAKEN:
                return None
            raise Unavailable(f"{AI_SHARES.name}: {error.description}") from error
        except (TimeoutError, nats.errors.Error) as error:
            raise Unavailable(f"{AI_SHARES.name} does not answer ({type(error).__name__})") from error
        return ack.seq

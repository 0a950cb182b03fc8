"""One call at a time for one question, across processes: whoever holds the lease asks, the others wait.

A lease is one message under the question's hash with a time to live. Taking it is an append that expects none to be
there, renewing it one that expects ours. It saves money and guards nothing: two holders at once only ask twice.
"""

import asyncio
from contextlib import suppress

import nats.errors
import nats.js.errors
import structlog
from nats.js.api import Header

from tonetouch_contracts.manifest import AI_LEASES
from tonetouch_runtime._bus import Bus
from tonetouch_runtime.errors import Unavailable

LEASE_SECONDS = 10.0
"""How long the others wait for a holder that was killed."""

_TAKEN = frozenset({10071, 10164})
"""Wrong last sequence, and the same under concurrency on a replicated stream."""

_REQUEST_SECONDS = 5.0

log = structlog.get_logger()


class Leases:
    """Leases on questions. The server takes no time to live under one second."""

    def __init__(self, bus: Bus, *, owner: str, seconds: float = LEASE_SECONDS) -> None:
        self._bus = bus
        self._owner = owner
        self.seconds = seconds

    async def take(self, key: str) -> "Lease | None":
        """The lease on `key`, or None while somebody has it. Raises Unavailable."""
        sequence = await self.write(key, expected=0)
        return None if sequence is None else Lease(self, key, sequence)

    async def write(self, key: str, *, expected: int) -> int | None:
        """Take or renew, and give the new sequence; None where the last message is not the `expected` one."""
        headers = {
            Header.EXPECTED_STREAM.value: AI_LEASES.name,
            Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value: str(expected),
            "Nats-TTL": f"{int(self.seconds * 1000)}ms",
        }
        try:
            ack = await self._bus.jetstream.publish(
                AI_LEASES.subject(key), self._owner.encode(), timeout=_REQUEST_SECONDS, headers=headers
            )
        except nats.js.errors.APIError as error:
            if error.err_code in _TAKEN:
                return None
            raise Unavailable(f"{AI_LEASES.name}: {error.description}") from error
        except (TimeoutError, nats.errors.Error) as error:
            raise Unavailable(f"{AI_LEASES.name} does not answer ({type(error).__name__})") from error
        return ack.seq

    async def remove(self, sequence: int) -> None:
        """Let go of a lease by its sequence, which nobody else's can have. Where that fails it runs out."""
        with suppress(TimeoutError, nats.errors.Error):
            await self._bus.jetstream.delete_msg(AI_LEASES.name, sequence)


class Lease:
    """A lease that renews itself until it is ended or its process dies."""

    def __init__(self, leases: Leases, key: str, sequence: int) -> None:
        self._leases = leases
        self._key = key
        self._sequence = sequence
        self._renewing: asyncio.Task[None] | None = None
        # Most leases end before they have to be renewed: a timer takes less than a task.
        self._timer = asyncio.get_running_loop().call_later(leases.seconds / 3, self._begin_renewing)

    async def release(self) -> None:
        """Somebody else may take it at once."""
        self.leave()
        await self._leases.remove(self._sequence)

    def leave(self) -> None:
        """Stop renewing and let it run out.

        That is how it ends when the answer was kept: whoever looked for the answer just before finds the lease taken,
        and looks once more.
        """
        self._timer.cancel()
        if self._renewing is not None:
            self._renewing.cancel()

    def _begin_renewing(self) -> None:
        self._renewing = asyncio.create_task(self._renew())

    async def _renew(self) -> None:
        while True:
            with suppress(Unavailable):
                sequence = await self._leases.write(self._key, expected=self._sequence)
                if sequence is None:
                    log.warning("ai_lease_lost", key=self._key)
                    return
                self._sequence = sequence
            await asyncio.sleep(self._leases.seconds / 3)

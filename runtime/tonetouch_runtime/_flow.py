"""Flow control of a reader: the server goes on when what it has sent was taken, not when it has arrived.

With a callback the client says at once that all of it was handled (nats-py 2.16), so that a slow reader has the stream
piling up in its process: at 128 MiB the client drops what comes, and all that waits is read again.
"""

from typing import Any

from nats.js import JetStreamContext


class Flow:
    """Answers the server's flow control for one subscription, when what came before has left the client's queue."""

    def __init__(self, subscription: JetStreamContext.PushSubscription) -> None:
        # The client has no place to put this. Where a later version keeps it elsewhere, that one does it by itself.
        subscribed: Any = getattr(subscription, "_sub", None)
        self._control: Any = getattr(subscribed, "_jsi", None)
        self._queue: Any = getattr(subscribed, "_pending_queue", None)
        self._connection: Any = getattr(subscribed, "_conn", None)
        if self._control is not None:
            self._control.get_js_delivered = self._taken

    async def go_on(self) -> None:
        """Answer, if the server waits for what has been taken by now."""
        waited_for: str | None = getattr(self._control, "_fcr", None)
        if waited_for and self._taken() >= self._control._fcd:
            self._control._fcr, self._control._fcd = None, 0
            await self._connection.publish(waited_for)

    def _taken(self) -> int:
        return int(self._control._fciseq - self._queue.qsize())

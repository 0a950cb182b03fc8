"""Asking the services on behalf of a request."""

from typing import Annotated, TypeVar

from fastapi import Depends, Header, Request, Response

from tonetouch_contracts.message import Command, Positions, same_positions
from tonetouch_gateway import positions
from tonetouch_runtime import Floor, Unavailable

R = TypeVar("R")

ANSWER_SECONDS = 15.0
"""Longer than any service waits for its own tables to catch up, and shorter than people and proxies wait."""


def floor_of(request: Request) -> Floor:
    """The floor of this process."""
    floor: Floor = request.app.state.floor
    return floor


class Asking:
    """Asks commands in the light of what the client has seen, and tells it what was written."""

    def __init__(self, floor: Floor, response: Response, seen: Positions) -> None:
        self._floor = floor
        self._response = response
        self._seen = seen
        self._written: Positions = {}

    async def __call__(self, command: Command[R], *, timeout: float = ANSWER_SECONDS) -> R:
        """The answer of the service that owns the command. Raises Refused, or Unavailable after the timeout."""
        if not self._floor.bus.is_connected:
            raise Unavailable("the bus is not connected right now")
        answered = await self._floor.ask(command, after=self._seen or None, timeout=timeout)
        if answered.positions:
            self._seen = same_positions(self._seen, answered.positions)
            self._written = same_positions(self._written, answered.positions)
            self._response.headers[positions.HEADER] = positions.format_positions(self._written)
        return answered.value


def asking(
    request: Request,
    response: Response,
    seen: Annotated[
        str | None,
        Header(
            alias=positions.HEADER,
            description="How far the client has seen the log, as an earlier answer said it. The answer includes that.",
        ),
    ] = None,
) -> Asking:
    """The dependency behind `Ask`."""
    return Asking(floor_of(request), response, positions.parse_positions(seen or ""))


Ask = Annotated[Asking, Depends(asking)]
OnFloor = Annotated[Floor, Depends(floor_of)]

"""What a test has planned to go wrong with a request to Vectorize, and the count of requests."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response, StreamingResponse

from tests.cloud.accounts import accounts_of
from tests.cloud.answering import HTML, NONSENSE
from tests.cloud.faults import Refused

VECTORIZE = "vectorize"


class Faulty(APIRoute):
    """A route whose requests are counted, limited, and fail as planned for the model ``vectorize``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler with all that around it."""
        answer = super().get_route_handler()

        async def handle(request: Request) -> Response:
            account = accounts_of(request).named(request.path_params["account_id"])
            if account is None:
                return await answer(request)
            account.indexes.requests[request.url.path.rpartition("/")[2]] += 1
            account.admit(VECTORIZE)
            fault = account.next_fault(VECTORIZE)
            if fault is None:
                return await answer(request)
            await asyncio.sleep(fault.delay_seconds)
            if fault.html or fault.nonsense:
                return Response(HTML if fault.html else NONSENSE, fault.status or 200)
            if fault.status is not None:
                raise Refused(fault.status, fault.code or fault.status, fault.message, retry_after=fault.retry_after)
            good = await answer(request)
            return StreamingResponse(_broken_off(good), good.status_code) if fault.abrupt else good

        return handle


async def _broken_off(response: Response) -> AsyncIterator[bytes]:
    yield bytes(response.body[:20])
    raise ConnectionAbortedError("planned")

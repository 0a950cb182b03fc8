"""From a web request to what was asked, and from a refusal to a response."""

import math
from typing import Any

from fastapi import Request
from starlette.responses import Response

from tests.cloud.account import Account
from tests.cloud.asking import Asked, Dialect, encoded
from tests.cloud.faults import Refused
from tests.cloud.record import Call, Surface

REQUEST_ID = "req_refused"


async def asked_of(request: Request, account: Account, path: str, surface: Surface) -> Asked:
    """The request, read to its end; `path` is the provider's own."""
    return Asked(
        account=account,
        path=path,
        headers=dict(request.headers),
        raw=await request.body(),
        surface=surface,
        query=dict(request.query_params),
    )


def refused(dialect: Dialect, no: Refused) -> Response:
    """The refusal of a request that never became a call to a model."""
    answer = dialect.refuse(no, REQUEST_ID)
    return Response(answer.body, answer.status, answer.headers, answer.content_type)


def refused_unasked(asked: Asked, dialect: Dialect, no: Refused, gateway: str | None = None) -> Response:
    """The refusal of a request in which no question was found. It is in the record, as model ``unknown``."""
    response = refused(dialect, no)
    note_refusal(asked.account, dialect.provider, asked.surface, response, no, gateway)
    return response


def note_refusal(
    account: Account, provider: str, surface: Surface, response: Response, no: Refused, gateway: str | None
) -> None:
    """Puts a refused request into the record."""
    account.begin(
        Call(
            number=0,
            at=0.0,
            provider=provider,
            model="unknown",
            task="unknown",
            surface=surface,
            streamed=False,
            outcome="refused",
            status=response.status_code,
            error=str(no.code),
            gateway=gateway,
        )
    )


def unauthorised(provider: str) -> Refused:
    """What a provider says to a wrong key."""
    if provider == "workers-ai":
        return Refused(401, 10000, "Authentication error")
    if provider == "anthropic":
        return Refused(401, "authentication_error", "invalid x-api-key")
    if provider == "google-ai-studio":
        return Refused(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.")
    return Refused(401, "invalid_api_key", "Incorrect API key provided.")


def enveloped(result: Any, **beside: Any) -> Response:
    """A result in Cloudflare's envelope."""
    body = {"result": result, "success": True, "errors": [], "messages": [], **beside}
    return Response(encoded(body), media_type="application/json")


async def refused_in_envelope(request: Request, error: Exception) -> Response:
    """A refusal in Cloudflare's envelope."""
    assert isinstance(error, Refused)
    told = {"code": error.code, "message": error.message}
    body = {"result": None, "success": False, "errors": [told], "messages": []}
    headers = {} if error.retry_after is None else {"retry-after": str(math.ceil(error.retry_after))}
    return Response(encoded(body), error.status, headers, "application/json")

"""Every failure as one shape, RFC 9457 problem details. The only file that knows the status codes of failures.

=================  ======  ==============================================
code               status  means
=================  ======  ==============================================
invalid            400     ask differently; `errors` says where
not_identified     401     the token is missing or wrong
not_found          404     there is no such thing, or no such path
not_allowed        405     the path does not take this method
conflict           409     it is not in a state for this
not_fulfilled      412     a condition of the request does not hold
too_large          413     send less
unsupported        415     not in this form
out_of_range       416     the bytes asked for are not there
internal           500     our bug
not_yet            503     ask again soon; `Retry-After` says when
unavailable        503     a part is down; `Retry-After` says when
=================  ======  ==============================================
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import nats.errors
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from tonetouch_contracts.message import ProblemCode
from tonetouch_gateway.bounding import give_up_body
from tonetouch_gateway.identifying import NotIdentified
from tonetouch_gateway.lingering import Lingering
from tonetouch_gateway.multipart import ClientLeft, EmptyFile, Malformed, MissingFile, TooLarge, UploadRefused
from tonetouch_runtime import Refused, Unavailable

log = structlog.get_logger()

Code = ProblemCode | Literal["not_identified", "not_allowed", "not_fulfilled", "out_of_range"]

MEDIA_TYPE = "application/problem+json"
_CODES: dict[Code, tuple[int, str]] = {
    "invalid": (400, "Bad Request"),
    "not_identified": (401, "Unauthorized"),
    "not_found": (404, "Not Found"),
    "not_allowed": (405, "Method Not Allowed"),
    "conflict": (409, "Conflict"),
    "not_fulfilled": (412, "Precondition Failed"),
    "too_large": (413, "Content Too Large"),
    "unsupported": (415, "Unsupported Media Type"),
    "out_of_range": (416, "Range Not Satisfiable"),
    "internal": (500, "Internal Server Error"),
    "not_yet": (503, "Service Unavailable"),
    "unavailable": (503, "Service Unavailable"),
}
_RETRY_AFTER_SECONDS: dict[Code, int] = {"not_yet": 1, "unavailable": 5}
_CODE_OF_STATUS: dict[int, Code] = {status: code for code, (status, _) in _CODES.items() if status != 503}
_FORM_NEXT_STEPS: dict[type[UploadRefused], str] = {
    Malformed: "Send multipart/form-data with a part named 'file'.",
    MissingFile: "Send the audio in a part named 'file'.",
    EmptyFile: "Choose a file with music in it.",
    TooLarge: "Send less.",
}


class FieldError(BaseModel):
    """What is wrong with one field of a request."""

    field: str = Field(description="Where: `query.limit`, `body.track_id`.")
    detail: str


class ProblemDetails(BaseModel):
    """Why something was not done (RFC 9457)."""

    type: str = "about:blank"
    title: str = Field(description="The status in words.")
    status: int
    detail: str = Field(description="What happened, for a person.")
    code: Code = Field(description="What happened, for a program.")
    next_step: str | None = Field(None, description="What can be done about it.")
    errors: list[FieldError] | None = Field(None, description="What is wrong with which field.")
    request_id: str | None = Field(None, description="Finds this request in the logs.")


def documented(*codes: Code) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI responses of an operation that may fail in these ways."""
    return {status_of(code): _described(_CODES[code][1]) for code in codes}


def _described(words: str) -> dict[str, Any]:
    # A media type of its own, where FastAPI would say application/json for a model.
    schema = {"$ref": "#/components/schemas/ProblemDetails"}
    return {"description": words, "content": {MEDIA_TYPE: {"schema": schema}}}


def status_of(code: Code) -> int:
    """The HTTP status that says this."""
    return _CODES[code][0]


def problem(
    request: Request,
    code: Code,
    detail: str,
    *,
    next_step: str = "",
    errors: Iterable[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer that says no, in the one shape. A client that is still sending is given the time to read it."""
    status, title = _CODES[code]
    said = ProblemDetails(
        title=title,
        status=status,
        detail=_fit_for_json(detail),
        code=code,
        next_step=next_step or None,
        errors=list(errors) or None,
        request_id=request.scope.get("request_id"),
    )
    found = {"cache-control": "no-store", **(headers or {})}
    if seconds := _RETRY_AFTER_SECONDS.get(code):
        found["retry-after"] = str(seconds)
    answer = JSONResponse(said.model_dump(exclude_none=True), status, found, MEDIA_TYPE)
    return Lingering(answer) if give_up_body(request) else answer


def in_shape(request: Request, answer: Response) -> Response:
    """An answer about conditions or ranges: as it is, or where it says no, in the one shape with its headers."""
    if answer.status_code < 400:
        return answer
    kept = {name: value for name, value in answer.headers.items() if name not in ("content-length", "content-type")}
    said = {
        "not_fulfilled": "What is here is not what the condition of the request names.",
        "out_of_range": "The bytes asked for lie behind the end; Content-Range says how many there are.",
    }
    code = _CODE_OF_STATUS[answer.status_code]
    return problem(request, code, said[code], headers=kept)


def answer_with_problems(api: FastAPI) -> None:
    """Let every exception of the API end as a problem."""
    handlers: dict[Any, Any] = {
        Refused: _refused,
        Unavailable: _unavailable,
        nats.errors.Error: _unavailable,
        NotIdentified: _not_identified,
        UploadRefused: _upload_refused,
        RequestValidationError: _not_valid,
        HTTPException: _http,
        Exception: _bug,
    }
    for kind, handler in handlers.items():
        api.add_exception_handler(kind, handler)


async def _refused(request: Request, refused: Refused) -> Response:
    said = refused.problem
    return problem(request, said.code, said.detail, next_step=said.next_step)


async def _unavailable(request: Request, error: Exception) -> Response:
    log.warning("request_not_answered", path=request.url.path, error=f"{type(error).__name__}: {error}")
    return problem(
        request, "unavailable", f"{_capital(str(error) or type(error).__name__)}.", next_step="Try again in a moment."
    )


async def _not_identified(request: Request, error: NotIdentified) -> Response:
    challenge = 'Bearer realm="tonetouch"' + (', error="invalid_token"' if error.token_given else "")
    detail = "The token is not the right one." if error.token_given else "There is no bearer token in the request."
    hint = "Send the header 'Authorization: Bearer <token>'; `tonetouch token` prints the right one."
    return problem(request, "not_identified", detail, next_step=hint, headers={"www-authenticate": challenge})


async def _upload_refused(request: Request, error: UploadRefused) -> Response:
    code: Code = "too_large" if isinstance(error, TooLarge) else "invalid"
    if isinstance(error, ClientLeft):
        log.info("client_left", path=request.url.path)
    return problem(request, code, f"{_capital(str(error))}.", next_step=_FORM_NEXT_STEPS.get(type(error), ""))


async def _not_valid(request: Request, error: RequestValidationError) -> Response:
    # What was sent is not repeated: it may be anything, and as long as anything.
    errors = [FieldError(field=_place(said["loc"]), detail=_fit_for_json(said["msg"])) for said in error.errors()]
    detail = "; ".join(f"{one.field}: {one.detail}" for one in errors[:3])
    return problem(request, "invalid", f"The request cannot be read: {detail}.", errors=errors[:20])


async def _http(request: Request, error: HTTPException) -> Response:
    if isinstance(error.__cause__, UploadRefused):
        # What is raised while FastAPI reads a body comes wrapped.
        return await _upload_refused(request, error.__cause__)
    code = _CODE_OF_STATUS.get(error.status_code, "invalid" if error.status_code < 500 else "internal")
    words: dict[Code, str] = {
        "not_found": f"There is nothing at {request.url.path[:200]}.",
        "not_allowed": f"{request.method} is not for {request.url.path[:200]}.",
        "invalid": "The body of the request cannot be read.",
    }
    hint = "The paths are listed at /docs." if code in ("not_found", "not_allowed") else ""
    return problem(request, code, words.get(code, str(error.detail)), next_step=hint, headers=error.headers)


async def _bug(request: Request, error: Exception) -> Response:
    log.error("request_failed", path=request.url.path, exc_info=error)
    detail = f"Something broke while answering ({type(error).__name__}); the log has the details."
    return problem(request, "internal", detail)


def _place(location: Iterable[str | int]) -> str:
    return _fit_for_json(".".join(str(part) for part in location))[:120]


def _fit_for_json(text: str) -> str:
    """JSON can spell half a surrogate pair, UTF-8 cannot; a client may have sent one in a name."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


PROBLEMS = documented("invalid", "not_identified", "unavailable") | {"default": _described("Any other problem")}
"""What every operation under /api/v1 may answer."""

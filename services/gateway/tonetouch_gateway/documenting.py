"""What the API says about itself: OpenAPI at ``/openapi.json``, and a page to read and try it at ``/docs``.

FastAPI's own page loads Swagger UI from a public server. Here it comes out of `fastapi-offline`: a typed wrapper of
a hundred lines, released a few times a year since 2021, each time with the Swagger UI of the day inside.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline

from tonetouch_gateway.problems import ProblemDetails

_TAGS = {
    "uploading": "A file becomes a track.",
    "browsing": "Tracks, their audio and their covers.",
    "watching": "Where an upload stands.",
    "searching": "Finding by meaning and by likeness.",
    "playing": "What was heard.",
    "judging": "What listeners say of tracks and artists.",
    "gathering": "Playlists.",
    "relating": "What recordings are to each other.",
    "recommending": "Mixes made for the listener.",
    "copywriting": "Texts about artists, albums and tracks, sentence by sentence.",
    "reporting": "What AI did, call by call.",
    "accounting": "What AI cost, and what the caches saved.",
    "timing": "How long AI took, and why it waited.",
    "budgeting": "What AI may cost.",
    "auditing": "Why a text says what it says.",
    "exporting": "The rows as a file.",
    "indexing": "The vector indexes, for operators.",
    "operating": "Streams, lag, parked events, the pipeline and the stories in the log, for operators.",
    "health": "Whether everything works.",
}
_DESCRIPTION = """\
Lists are `{"items": [], "next_cursor"}` and page by `limit` and `cursor`. Whatever goes wrong is answered with
`application/problem+json` (RFC 9457). An answer that wrote something has a `Tonetouch-Position`; sent back, it makes
the next answer include that write.
"""


def described_api() -> FastAPI:
    """An API without routes, with its documentation."""
    api: FastAPI = FastAPIOffline(
        title="Tone Touch Music",
        version="1",
        description=_DESCRIPTION,
        docs_url="/docs",
        redoc_url=None,
        redirect_slashes=False,
        openapi_tags=[{"name": name, "description": said} for name, said in _TAGS.items()],
        generate_unique_id_function=_function_name,
    )
    _describe_problems(api)
    return api


def _function_name(route: APIRoute) -> str:
    return route.name


def _describe_problems(api: FastAPI) -> None:
    """Add the schema that the problem responses refer to: FastAPI adds only those of models it writes itself."""
    plain = api.openapi

    def openapi() -> dict[str, Any]:
        document = plain()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        if "ProblemDetails" not in schemas:
            schema = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= {**schema.pop("$defs", {}), "ProblemDetails": schema}
            document["components"]["schemas"] = dict(sorted(schemas.items()))
        return document

    api.openapi = openapi  # type: ignore[method-assign]

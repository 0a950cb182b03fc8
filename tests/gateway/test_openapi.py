"""What the API says of itself is true, complete, and the same as the document in the repository."""

import re
from typing import Any

import pytest

from tests.gateway.standins import Installation
from tonetouch_gateway.app import make_api
from tonetouch_gateway.generating import DOCUMENT, openapi_document
from tonetouch_gateway.problems import MEDIA_TYPE

API: dict[str, Any] = make_api().openapi()
OPERATIONS = [
    pytest.param(path, method, operation, id=operation["operationId"])
    for path, methods in API["paths"].items()
    for method, operation in methods.items()
]


def test_the_document_in_the_repository_is_in_step() -> None:
    """`python -m tonetouch_gateway.generating` would change nothing."""
    assert DOCUMENT.read_text(encoding="utf-8") == openapi_document()


def test_the_paths_are_those_that_were_promised() -> None:
    """They stay: other programs call them."""
    promised = {
        "post /api/v1/tracks",
        "get /api/v1/tracks",
        "get /api/v1/tracks/{track_id}",
        "get /api/v1/tracks/{track_id}/audio",
        "get /api/v1/tracks/{track_id}/cover",
        "get /api/v1/tracks/{track_id}/similar",
        "post /api/v1/tracks/{track_id}/version-of",
        "get /api/v1/ingest",
        "get /api/v1/ingest/{track_id}",
        "post /api/v1/ingest/{track_id}/retry",
        "get /api/v1/ingest/{track_id}/events",
        "get /api/v1/search",
        "post /api/v1/search/voice",
        "get /api/v1/indexes",
        "post /api/v1/indexes/rebuild",
        "delete /api/v1/indexes/rebuild",
        "post /api/v1/plays",
        "post /api/v1/tracks/{track_id}/feedback",
        "post /api/v1/artists/{artist_id}/feedback",
        "get /api/v1/me/likes",
        "get /api/v1/playlists",
        "post /api/v1/playlists",
        "get /api/v1/playlists/{playlist_id}",
        "patch /api/v1/playlists/{playlist_id}",
        "delete /api/v1/playlists/{playlist_id}",
        "post /api/v1/playlists/{playlist_id}/tracks",
        "delete /api/v1/playlists/{playlist_id}/tracks",
        "get /api/v1/me/made-for-you",
        "get /api/v1/me/because/{track_id}",
        "get /api/v1/me/new-for-you",
        "get /api/v1/radio",
        "get /api/v1/mixes/mood/{name}",
        "get /api/v1/path",
        "get /api/v1/alchemy",
        "get /api/v1/me/lists",
        "get /api/v1/me/lists/{list_id}",
        "get /api/v1/me/lists/{list_id}/replay",
        "get /api/v1/artists/{artist_id}/copy",
        "post /api/v1/artists/{artist_id}/copy",
        "get /api/v1/albums/{album_id}/copy",
        "post /api/v1/albums/{album_id}/copy",
        "get /api/v1/tracks/{track_id}/copy",
        "post /api/v1/tracks/{track_id}/copy",
        "get /api/v1/ai/jobs",
        "get /api/v1/ai/jobs.csv",
        "get /api/v1/ai/jobs/{job_id}",
        "get /api/v1/ai/jobs/{job_id}/trace",
        "post /api/v1/ai/jobs/{job_id}/replay",
        "get /api/v1/ai/unaccounted",
        "get /api/v1/ai/usage",
        "get /api/v1/ai/caching",
        "get /api/v1/ai/economics",
        "get /api/v1/ai/latency",
        "get /api/v1/ai/throttling",
        "get /api/v1/ai/budgets",
        "put /api/v1/ai/budgets",
        "get /api/v1/ai/spent",
        "get /api/v1/operations/streams",
        "get /api/v1/operations/lag",
        "get /api/v1/operations/parked",
        "get /api/v1/operations/parked/{service}/{stream}/{sequence}",
        "post /api/v1/operations/parked/redrive",
        "post /api/v1/operations/parked/skip",
        "get /api/v1/operations/record",
        "get /api/v1/operations/pipeline",
        "get /api/v1/operations/flows/{entity_id}",
        "get /healthz",
        "get /readyz",
    }
    assert {f"{method} {path}" for path, methods in API["paths"].items() for method in methods} == promised


def test_operations_have_names_of_their_own() -> None:
    """Generated clients call their functions by them."""
    names = [operation["operationId"] for methods in API["paths"].values() for operation in methods.values()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names)


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_an_operation_is_described(path: str, method: str, operation: dict[str, Any]) -> None:
    """In words, under a tag that is described too; under /api it needs the token and its problems are named."""
    assert operation["summary"]
    assert operation["description"]
    assert set(operation["tags"]) <= {tag["name"] for tag in API["tags"]}
    if path.startswith("/api/"):
        assert operation["security"] == [{"token": []}]
        assert {"400", "401", "503", "default"} <= operation["responses"].keys()
        assert "422" not in operation["responses"]


def test_every_problem_is_of_the_one_shape() -> None:
    """And every reference in the document leads somewhere."""
    failures = [
        response
        for path, methods in API["paths"].items()
        for operation in methods.values()
        for status, response in operation["responses"].items()
        if path.startswith("/api/") and (status == "default" or int(status) >= 400)
    ]
    assert len(failures) > 50
    assert all(response["content"].keys() == {MEDIA_TYPE} for response in failures)
    text = openapi_document()
    for name in set(re.findall(r'"#/components/schemas/([^"]+)"', text)):
        assert name in API["components"]["schemas"], name


@pytest.mark.asyncio(loop_scope="package")
async def test_the_page_loads_nothing_from_elsewhere(installed: Installation) -> None:
    """Every script and style comes from this server: it works without a network."""
    page = (await installed.client.get("/docs")).text
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(addresses) >= 2
    for address in addresses:
        assert address.startswith("/"), address
        assert (await installed.client.get(address)).status_code == 200
    assert "/openapi.json" in page
    assert (await installed.client.get("/openapi.json")).json() == API

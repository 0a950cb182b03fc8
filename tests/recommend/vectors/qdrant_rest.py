"""A stand-in for a Qdrant server: its REST API as far as we use it, over the local mode of Qdrant's own client.

Every body is read with the models that Qdrant generates from its API, which know no other fields; the key is looked at;
a test can have requests fail. What a server does inside (graphs, quantisation, replicas, its log) is not here.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from fastapi import APIRouter, FastAPI, Request
from fastapi.encoders import jsonable_encoder
from qdrant_client import AsyncQdrantClient
from qdrant_client.http import models
from starlette.responses import JSONResponse, Response

KEY = "qdrant-key"
LARGEST_BODY = 32 << 20  # as a server is installed

router = APIRouter()


@dataclass(frozen=True)
class Failure:
    """One answer that is none: `done` says whether the work is done all the same."""

    status: int
    done: bool = False
    retry_after: int | None = None


@dataclass
class StandIn:
    """What it keeps, what is planned for the next requests (None: nothing fails), and which came."""

    kept: AsyncQdrantClient = field(default_factory=lambda: AsyncQdrantClient(":memory:"))
    failures: list[Failure | None] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def client(self, *, key: str = KEY) -> AsyncQdrantClient:
        """A client that reaches nothing but this."""
        transport = httpx.ASGITransport(app=self._application())
        return AsyncQdrantClient(
            url="https://qdrant.test", api_key=key, check_compatibility=False, timeout=10, transport=transport
        )

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        """Its address on loopback, for the length of the block."""
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(self._application(), lifespan="off", log_level="critical"))
        serving = asyncio.create_task(server.serve([listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"  # connections wait until it accepts them
        finally:
            server.should_exit = True
            await serving
            listener.close()

    def _application(self) -> FastAPI:
        app = FastAPI()
        app.state.standin = self
        app.include_router(router)
        app.middleware("http")(self._admit)
        return app

    async def _admit(self, request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        self.requests.append(f"{request.method} {request.url.path}")
        if request.headers.get("api-key") != KEY:
            return JSONResponse({"status": {"error": "Invalid API key or JWT"}, "time": 0.0}, 401)
        if int(request.headers.get("content-length", 0)) > LARGEST_BODY:
            return JSONResponse({"status": {"error": "Payload too large"}, "time": 0.0}, 413)
        failure = self.failures.pop(0) if self.failures else None
        if failure is None:
            return await call_next(request)
        if failure.done:
            await call_next(request)
        headers = {} if failure.retry_after is None else {"retry-after": f"{failure.retry_after}"}
        return JSONResponse({"status": {"error": "planned"}, "time": 0.0}, failure.status, headers)


def _kept(request: Request) -> AsyncQdrantClient:
    standin: StandIn = request.app.state.standin
    return standin.kept


def _answered(result: Any) -> Response:
    return JSONResponse({"result": jsonable_encoder(result), "status": "ok", "time": 0.0})


def _missing(name: str) -> Response:
    return JSONResponse({"status": {"error": f"Not found: Collection `{name}` doesn't exist!"}, "time": 0.0}, 404)


@router.get("/collections")
async def every(request: Request) -> Response:
    return _answered(await _kept(request).get_collections())


@router.get("/collections/{name}/exists")
async def exists(request: Request, name: str) -> Response:
    return _answered({"exists": await _kept(request).collection_exists(name)})


@router.put("/collections/{name}")
async def create(request: Request, name: str, body: models.CreateCollection) -> Response:
    if await _kept(request).collection_exists(name):
        return JSONResponse({"status": {"error": f"Collection `{name}` already exists!"}, "time": 0.0}, 409)
    assert isinstance(body.vectors, models.VectorParams)
    return _answered(await _kept(request).create_collection(name, vectors_config=body.vectors, metadata=body.metadata))


@router.get("/collections/{name}")
async def one(request: Request, name: str) -> Response:
    if not await _kept(request).collection_exists(name):
        return _missing(name)
    return _answered(await _kept(request).get_collection(name))


@router.patch("/collections/{name}")
async def update(request: Request, name: str, body: models.UpdateCollection) -> Response:
    return _answered(await _kept(request).update_collection(name, metadata=body.metadata))


@router.delete("/collections/{name}")
async def delete(request: Request, name: str) -> Response:
    return _answered(await _kept(request).delete_collection(name))


@router.put("/collections/{name}/index")
async def index(request: Request, name: str, body: models.CreateFieldIndex) -> Response:
    return _answered(await _kept(request).create_payload_index(name, body.field_name, body.field_schema))


@router.post("/collections/{name}/points/batch")
async def write(request: Request, name: str, body: models.UpdateOperations) -> Response:
    return _answered(await _kept(request).batch_update_points(name, body.operations))


@router.post("/collections/{name}/points/query")
async def query(request: Request, name: str, body: models.QueryRequest) -> Response:
    found = await _kept(request).query_points(
        name,
        query=body.query.nearest if isinstance(body.query, models.NearestQuery) else body.query,
        query_filter=body.filter,
        limit=body.limit or 10,
        with_payload=body.with_payload or False,
        with_vectors=body.with_vector or False,
    )
    return _answered(found)


@router.post("/collections/{name}/points")
async def retrieve(request: Request, name: str, body: models.PointRequest) -> Response:
    found = await _kept(request).retrieve(
        name, body.ids, with_payload=body.with_payload or False, with_vectors=body.with_vector or False
    )
    return _answered(found)


@router.post("/collections/{name}/points/scroll")
async def scroll(request: Request, name: str, body: models.ScrollRequest) -> Response:
    points, following = await _kept(request).scroll(
        name,
        scroll_filter=body.filter,
        limit=body.limit or 10,
        offset=body.offset,
        with_payload=body.with_payload or False,
        with_vectors=body.with_vector or False,
    )
    return _answered({"points": points, "next_page_offset": following})


@router.post("/collections/{name}/points/count")
async def count(request: Request, name: str, body: models.CountRequest) -> Response:
    return _answered(await _kept(request).count(name, body.filter, exact=bool(body.exact)))

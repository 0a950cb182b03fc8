"""Stands in for a service under the launcher: answers on its health port; as the gateway, it has the API too."""

import asyncio
import os
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.deploy.standin import StandIn, standin_app


async def ready(request: Request) -> JSONResponse:
    """Ready at once."""
    return JSONResponse({"ready": True, "checks": {"bus": "ok"}})


async def serve(name: str) -> None:
    """Serve until SIGTERM. Fails like a service when it was not told where things are."""
    for told in ("DATA", "NATS_URL", "S3_ENDPOINT", "S3_ACCESS_KEY", "S3_SECRET_KEY", "S3_BUCKET", "LOG_LEVEL"):
        assert os.environ[f"TONETOUCH_{told}"]
    served = [_server(Starlette(routes=[Route("/readyz", ready)]), os.environ["TONETOUCH_HEALTH_PORT"])]
    if name == "tonetouch_gateway":
        served.append(_server(standin_app(StandIn()), os.environ["TONETOUCH_HTTP_PORT"]))
    await asyncio.gather(*(server.serve() for server in served))


def _server(app: Starlette, port: str) -> uvicorn.Server:
    return uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=int(port), log_level="warning", lifespan="off"))


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))

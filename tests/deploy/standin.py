"""A small HTTP server that answers the paths of the API which the upload command uses, on a real socket."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TOKEN = "the-token-of-the-standin"
STEPS = ("stage", "fingerprint", "dedupe", "analyse", "embed", "describe_cover", "write_about", "publish")


@dataclass
class Upload:
    """One file as it arrived, and how often its track has been asked for."""

    name: str
    body: bytes
    lyrics: str | None
    cover: bytes | None
    asked: int = 0


@dataclass
class StandIn:
    """What the server got. How a track ends follows from its file's name: `twin`, `noise`, `crash`, `stuck`."""

    url: str = ""
    uploads: list[Upload] = field(default_factory=list)

    async def post_track(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return _problem(401, "Unauthorized", "a bearer token is needed")
        async with request.form() as form:
            file, cover, lyrics = form["file"], form.get("cover"), form.get("lyrics")
            assert isinstance(file, UploadFile)
            body = await file.read()
            if not body:
                return _problem(422, "Empty file", "there is no audio in it")
            picture = await cover.read() if isinstance(cover, UploadFile) else None
            text = lyrics if isinstance(lyrics, str) else None
            track_id = f"t{len(self.uploads)}"
            self.uploads.append(Upload(name=file.filename or "", body=body, lyrics=text, cover=picture))
        return JSONResponse({"id": track_id, "status": "uploaded"}, status_code=202)

    async def get_tracks(self, request: Request) -> Response:
        return JSONResponse({"items": [{"id": "t0"}] if self.uploads else [], "next_cursor": None})

    async def get_track(self, request: Request) -> Response:
        upload = self._of(request)
        upload.asked += 1
        if upload.asked == 1:  # the read model has not seen it yet
            return _problem(404, "Not found", "no such track")
        track: dict[str, Any] = {"id": request.path_params["id"], "title": f"Title of {upload.name}"}
        track |= self._end(upload) if upload.asked > 3 else {"status": "processing"}
        return JSONResponse(track)

    async def get_ingest(self, request: Request) -> Response:
        upload = self._of(request)
        done = min(upload.asked, 3)
        states = ["done"] * done + ["running"] + ["waiting"] * (len(STEPS) - done - 1)
        steps = [
            {"name": name, "state": state, "attempts": 1, "error": None}
            for name, state in zip(STEPS, states, strict=True)
        ]
        if "crash" in upload.name and upload.asked > 3:
            steps[3] |= {"state": "failed", "attempts": 5, "error": "the analysis worker died"}
        return JSONResponse({"track_id": request.path_params["id"], "status": "processing", "steps": steps})

    def _of(self, request: Request) -> Upload:
        return self.uploads[int(request.path_params["id"][1:])]

    def _end(self, upload: Upload) -> dict[str, Any]:
        if "stuck" in upload.name:
            return {"status": "processing"}
        if "twin" in upload.name:
            return {"status": "duplicate", "duplicate_of": "t0"}
        if "noise" in upload.name:
            return {"status": "rejected", "reason": "pure silence"}
        return {"status": "failed" if "crash" in upload.name else "published"}


def standin_app(api: StandIn) -> Starlette:
    """The stand-in as an application."""
    return Starlette(
        routes=[
            Route("/api/v1/tracks", api.post_track, methods=["POST"]),
            Route("/api/v1/tracks", api.get_tracks),
            Route("/api/v1/tracks/{id}", api.get_track),
            Route("/api/v1/ingest/{id}", api.get_ingest),
        ]
    )


@contextmanager
def standing_in() -> Iterator[StandIn]:
    """Serve on a free loopback port until the block ends."""
    api = StandIn()
    config = uvicorn.Config(standin_app(api), host="127.0.0.1", port=0, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    listening = config.bind_socket()
    api.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    listening.listen()  # connections wait in the queue until the thread serves them
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield api
    finally:
        server.should_exit = True
        thread.join()


def _problem(status: int, title: str, detail: str) -> Response:
    return JSONResponse(
        {"title": title, "detail": detail, "status": status},
        status_code=status,
        media_type="application/problem+json",
    )

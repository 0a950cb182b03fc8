"""The smallest gateway that takes an upload: the form reader between uvicorn and a real object store.

`python -m tests.gateway.door` serves it in a process of its own, whose memory can be asked for; the address of the
store comes from the environment, and the first line on standard output is the port.
"""

import asyncio
import os
import re
from dataclasses import asdict
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.servers import web_server
from tonetouch_gateway.lingering import Lingering
from tonetouch_gateway.multipart import ClientLeft, TooLarge, UploadRefused, read_upload
from tonetouch_runtime._objects import Objects, ObjectStoreAddress


def door(objects: Objects, *, max_bytes: int, refused: list[UploadRefused] | None = None) -> Starlette:
    """`POST /{key}` stores the form's file under the key; what is refused is also noted in `refused`."""

    async def upload(request: Request) -> Response:
        key = request.path_params["key"]
        try:
            form = await read_upload(request, store=lambda file: objects.upload(key, file), max_bytes=max_bytes)
        except UploadRefused as error:
            if refused is not None:
                refused.append(error)
            status = 413 if isinstance(error, TooLarge) else 499 if isinstance(error, ClientLeft) else 400
            return Lingering(JSONResponse({"error": type(error).__name__}, status_code=status))
        return JSONResponse({"file": asdict(form.file), "fields": form.fields})

    async def memory(_: Request) -> Response:
        return JSONResponse({"peak_bytes": peak_memory_bytes()})

    return Starlette(routes=[Route("/memory", memory), Route("/{key:path}", upload, methods=["POST"])])


def peak_memory_bytes() -> int:
    """The most memory this process has held at any time (VmHWM, the high-water mark of its resident set)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


async def main() -> None:
    """Serves until the process is ended."""
    address = ObjectStoreAddress(
        endpoint=os.environ["DOOR_ENDPOINT"],
        bucket=os.environ["DOOR_BUCKET"],
        access_key=os.environ["DOOR_ACCESS_KEY"],
        secret_key=os.environ["DOOR_SECRET_KEY"],
    )
    async with Objects(address) as objects, web_server(door(objects, max_bytes=2**30)) as port:
        print(port, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())

"""The pages: ``/ledger``, plots and tables of what AI did and cost, and ``/operations``, how everything runs.

Their files are public, as they say nothing: what is on a page comes from the API, with the token. Plotly draws plots;
it is released every few weeks since 2013 and its wheel holds the one script, so that nothing is loaded from elsewhere.
What both pages need (asking, tables, the style) lies with the first.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from tonetouch_runtime import Refused

router = APIRouter(include_in_schema=False)

_FOLDER = Path(__file__).parent
_SCRIPT = "text/javascript; charset=utf-8"
_TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": _SCRIPT}
_LEDGER = ("page.css", "page.js", "asking.js", "job.js", "plots.js", "tables.js", "plotly.min.js")
_OPERATIONS = ("operations.css", "page.js", "board.js", "repairing.js", "picture.js", "layout.js")
# A browser reports one refusal while it reads the plots: the styles of their maps, of which we draw none.
SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "content-security-policy": SECURITY_POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    # Asked for again each time, and answered with 304: a new version shows at once.
    "cache-control": "no-cache",
    "vary": "accept-encoding",
}


@dataclass(frozen=True, kw_only=True)
class Asset:
    """A file of the page as it is sent."""

    plain: bytes
    zipped: bytes
    etag: str
    content_type: str


@router.get("/ledger")
async def show_ledger(request: Request) -> Response:
    """The page of what AI did and cost."""
    return await _answer(request, "ledger_page/page.html")


@router.get("/ledger/{name}")
async def get_ledger_file(name: str, request: Request) -> Response:
    """A script or a style of the page."""
    if name not in _LEDGER:
        raise Refused("not_found", "The ledger page has no such file.")
    return await _answer(request, f"ledger_page/{name}")


@router.get("/operations")
async def show_operations(request: Request) -> Response:
    """The page of how everything runs."""
    return await _answer(request, "operations_page/page.html")


@router.get("/operations/{name}")
async def get_operations_file(name: str, request: Request) -> Response:
    """A script or a style of the page."""
    if name not in _OPERATIONS:
        raise Refused("not_found", "The operations page has no such file.")
    return await _answer(request, f"operations_page/{name}")


async def _answer(request: Request, path: str) -> Response:
    # Packing the plots takes 0.15 s, once.
    asset = await run_in_threadpool(_asset, path)
    headers = _HEADERS | {"etag": f'"{asset.etag}"'}
    if asset.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers |= {"content-encoding": "gzip"}
        return Response(asset.zipped, media_type=asset.content_type, headers=headers)
    return Response(asset.plain, media_type=asset.content_type, headers=headers)


@cache
def _asset(path: str) -> Asset:
    file = _plotly() if path.endswith("plotly.min.js") else _FOLDER / path
    plain = file.read_bytes()
    return Asset(
        plain=plain,
        zipped=gzip.compress(plain, 6, mtime=0),
        etag=hashlib.sha256(plain).hexdigest()[:32],
        content_type=_TYPES[file.suffix],
    )


def _plotly() -> Path:
    # Found, not imported: of the package only the file beside it is wanted.
    spec = find_spec("plotly")
    if spec is None or spec.origin is None:
        raise RuntimeError("plotly is not installed, though the gateway needs it")
    return Path(spec.origin).parent / "package_data" / "plotly.min.js"

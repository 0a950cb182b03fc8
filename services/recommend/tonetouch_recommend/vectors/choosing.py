"""Which engine keeps the vectors, as the settings say."""

from typing import Final
from urllib.parse import urlsplit

from tonetouch_runtime import Misconfigured, Settings, Unavailable

from .collection import UnreachableError
from .engine import VectorEngine
from .qdrant_edge import QdrantEdgeEngine
from .vectorize import VectorizeEngine
from .vectorize_rest import VectorizeRefusedError, VectorizeRest

_TIMEOUT_SECONDS: Final = 30


async def chosen_engine(settings: Settings) -> VectorEngine:
    """The engine that `settings.vectors` names, which has answered if it is not in this process.

    Raises Misconfigured naming the setting that is missing or wrong, Unavailable where a right one leads to nobody, and
    `HeldElsewhereError` where another process has the folder.
    """
    match settings.vectors:
        case "edge":
            return QdrantEdgeEngine(settings.data / "vectors", on_disk=settings.vectors_on_disk)
        case "qdrant":
            return await _qdrant(settings)
        case "vectorize":
            return await _vectorize(settings)


async def _vectorize(settings: Settings) -> VectorizeEngine:
    token = settings.cloudflare_token.get_secret_value()
    for name, value in (("CLOUDFLARE_ACCOUNT", settings.cloudflare_account), ("CLOUDFLARE_TOKEN", token)):
        if not value:
            raise Misconfigured(f"TONETOUCH_VECTORS is vectorize: set TONETOUCH_{name} too")
        _refuse_broken(name, value)
    _refuse_no_address("CLOUDFLARE_API_URL", settings.cloudflare_api_url)
    rest = VectorizeRest(settings.cloudflare_api_url, account=settings.cloudflare_account, token=token)
    try:
        await rest.get("")
    except VectorizeRefusedError as refused:
        await rest.close()
        raise Misconfigured(
            "TONETOUCH_VECTORS is vectorize: TONETOUCH_CLOUDFLARE_TOKEN needs the permission to edit Vectorize in the "
            f"account of TONETOUCH_CLOUDFLARE_ACCOUNT. {refused}"
        ) from None
    except UnreachableError as error:
        await rest.close()
        raise Unavailable(str(error)) from None
    return VectorizeEngine(rest, prefix=settings.vectors_prefix)


async def _qdrant(settings: Settings) -> VectorEngine:
    if not settings.qdrant_url:
        raise Misconfigured("TONETOUCH_VECTORS is qdrant: set TONETOUCH_QDRANT_URL too, as http://127.0.0.1:6333")
    _refuse_no_address("QDRANT_URL", settings.qdrant_url)
    key = settings.qdrant_key.get_secret_value()
    _refuse_broken("QDRANT_KEY", key)
    try:
        # A second and 50 MB that nobody else pays for.
        from qdrant_client import AsyncQdrantClient

        from .qdrant_server import QdrantRefusedError, QdrantServerEngine
    except ImportError:
        raise Misconfigured(
            "TONETOUCH_VECTORS is qdrant: install tonetouch-recommend with its extra `qdrant`, which brings the client"
        ) from None
    client = AsyncQdrantClient(
        url=settings.qdrant_url, api_key=key or None, timeout=_TIMEOUT_SECONDS, check_compatibility=False
    )
    engine = QdrantServerEngine(client, prefix=settings.vectors_prefix)
    try:
        await engine.check()
    except QdrantRefusedError as refused:
        await engine.close()
        raise Misconfigured(f"TONETOUCH_QDRANT_URL or TONETOUCH_QDRANT_KEY is wrong. {refused}") from None
    except UnreachableError as error:
        await engine.close()
        raise Unavailable(str(error)) from None
    return engine


def _refuse_broken(name: str, value: str) -> None:
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise Misconfigured(f"TONETOUCH_{name} holds characters that belong into no such value: copy it once more")


def _refuse_no_address(name: str, address: str) -> None:
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # a port beyond 65535, or half an IPv6 address
        usable = False
    if not usable:
        raise Misconfigured(f"TONETOUCH_{name} is no address of a server: it begins with http:// or https://")

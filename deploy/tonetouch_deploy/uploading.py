"""The command `tonetouch upload`: sends audio files to the API and follows each until it is published or refused."""

import asyncio
import contextlib
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self

import httpx

from tonetouch_deploy.finding import sidecars_of
from tonetouch_deploy.settings import CannotStartError

FINAL = ("published", "duplicate", "rejected", "failed")
_CONNECT_ATTEMPTS = 6
# Each is asked about twice a second; those beyond wait, already sent, and are often at their end when it is their turn.
_FOLLOWED_AT_ONCE = 24


class Progress(Protocol):
    """What is told how far each file is; `step` is a few words, `share` of the bytes sent 0 to 1."""

    def show(self, file: Path, step: str, share: float) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How one file ended. `outcome` is one of FINAL, or `unfinished` when nothing moved for the whole patience."""

    file: Path
    outcome: str
    track_id: str | None = None
    title: str = ""
    why: str = ""


class ApiClient:
    """The part of the HTTP API which uploading needs. Use as an async context manager."""

    def __init__(self, api_url: str, token: str) -> None:
        self._client = httpx.AsyncClient(
            base_url=api_url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(60.0, connect=5.0),
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def get(self, path: str) -> dict[str, Any] | None:
        """The JSON object at a path; None while there is none yet, or while the server is restarting."""
        try:
            response = await self._client.get(path)
        except httpx.TransportError:
            return None
        _refuse_stranger(response)
        return _object(response) if response.status_code == 200 else None

    async def is_empty(self) -> bool:
        """Whether the catalogue has no track at all. Raises CannotStartError when the API does not say."""
        for _ in range(_CONNECT_ATTEMPTS):
            tracks = await self.get("/api/v1/tracks?limit=1")
            if tracks is not None:
                return not tracks.get("items")
            await asyncio.sleep(1.0)
        raise CannotStartError(f"The API at {self._client.base_url} does not list its tracks.")

    async def send(self, file: Path, sent: Callable[[float], None]) -> httpx.Response:
        """POST one file with its sidecars, read as it is sent. Raises CannotStartError when nothing listens."""
        for attempt in range(1, _CONNECT_ATTEMPTS + 1):
            try:
                response = await self._post(file, sent)
            except httpx.ConnectError as error:  # nothing was sent yet, so asking again is safe
                if attempt == _CONNECT_ATTEMPTS:
                    raise CannotStartError(
                        f"Nothing answers at {self._client.base_url}; start it with `uv run just up`."
                    ) from error
            else:
                if response.status_code not in (429, 503) or attempt == _CONNECT_ATTEMPTS:
                    _refuse_stranger(response)
                    return response
            await asyncio.sleep(min(0.25 * 2**attempt, 5.0))
        raise AssertionError("the last attempt returns or raises")

    async def _post(self, file: Path, sent: Callable[[float], None]) -> httpx.Response:
        beside = sidecars_of(file)
        form = {"lyrics": beside.lyrics.read_text("utf-8-sig", errors="replace")} if beside.lyrics else {}
        with contextlib.ExitStack() as opened:
            parts: list[tuple[str, tuple[str, IO[bytes]]]] = []
            if beside.cover:
                parts.append(("cover", (beside.cover.name, opened.enter_context(beside.cover.open("rb")))))
            audio = opened.enter_context(_Counted(file, sent))
            parts.append(("file", (file.name, audio)))  # last: what is said about it is known when it arrives
            return await self._client.post("/api/v1/tracks", data=form, files=parts)


async def upload(
    files: Iterable[Path],
    *,
    api_url: str,
    token: str,
    progress: Progress,
    accepted: Callable[[Path], None] = lambda file: None,
    at_once: int = 3,
    patience_seconds: float = 600.0,
    poll_seconds: float = 0.5,
) -> list[Ending]:
    """Send the files, `at_once` of them at a time, and follow each to its end; one ending per file, in their order.

    `accepted` is called for each file the API has taken over. A file whose state does not change for
    `patience_seconds` is left as unfinished; it goes on without us. Raises CannotStartError when nothing answers or
    the token is wrong, as that is the same for all files.
    """
    slots = asyncio.Semaphore(at_once)
    asking = asyncio.Semaphore(_FOLLOWED_AT_ONCE)

    async def one(file: Path) -> Ending:
        async with slots:
            ending = await _send(client, file, progress)
        if isinstance(ending, Ending):
            return ending
        accepted(file)
        progress.show(file, "accepted", 0.0)
        async with asking:
            return await _follow(client, file, ending, progress, patience_seconds, poll_seconds)

    async with ApiClient(api_url, token) as client:
        tasks = [asyncio.create_task(one(file)) for file in files]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _send(client: ApiClient, file: Path, progress: Progress) -> Ending | str:
    """The new track's id, or the ending when the file was not taken."""
    progress.show(file, "uploading", 0.0)
    try:
        response = await client.send(file, lambda share: progress.show(file, "uploading", share))
    except (OSError, httpx.HTTPError) as error:
        return _shown(progress, Ending(file=file, outcome="failed", why=str(error) or type(error).__name__))
    body = _object(response)
    if response.status_code == 202 and body.get("id"):
        return str(body["id"])
    outcome = "rejected" if 400 <= response.status_code < 500 and response.status_code != 429 else "failed"
    return _shown(progress, Ending(file=file, outcome=outcome, why=_problem(body) or f"HTTP {response.status_code}"))


async def _follow(
    client: ApiClient, file: Path, track_id: str, progress: Progress, patience_seconds: float, poll_seconds: float
) -> Ending:
    clock = asyncio.get_running_loop().time
    seen, moved = "", clock()
    while True:
        # The track first: when it is at its end, the steps read after it are too.
        track = await client.get(f"/api/v1/tracks/{track_id}") or {}
        ingest = await client.get(f"/api/v1/ingest/{track_id}") or {}
        if track.get("status") in FINAL:
            return _shown(progress, await _ending(client, file, track_id, track, ingest))
        step, share = _current_step(ingest)
        progress.show(file, step, share)
        if f"{track} {ingest}" != seen:
            seen, moved = f"{track} {ingest}", clock()
        elif clock() - moved > patience_seconds:
            return _shown(progress, Ending(file=file, outcome="unfinished", track_id=track_id, why=f"still at: {step}"))
        await asyncio.sleep(poll_seconds)


async def _ending(
    client: ApiClient, file: Path, track_id: str, track: dict[str, Any], ingest: dict[str, Any]
) -> Ending:
    outcome, why = str(track["status"]), ""
    if outcome == "duplicate":
        original = str(track.get("duplicate_of") or "")
        other = (await client.get(f"/api/v1/tracks/{original}") if original else None) or {}
        why = f"of {other.get('title') or original}"
    elif outcome != "published":
        why = _words(track.get("reason")) or _words(ingest.get("reason")) or _failed_step(ingest) or "no reason given"
    return Ending(file=file, outcome=outcome, track_id=track_id, title=str(track.get("title") or ""), why=why)


def _shown(progress: Progress, ending: Ending) -> Ending:
    progress.show(ending.file, ending.outcome, 1.0)
    return ending


def _current_step(ingest: dict[str, Any]) -> tuple[str, float]:
    """The steps that run now (or the first that waits) in words, and the share of steps that are over."""
    steps = ingest.get("steps") or []
    over = sum(step.get("state") in ("done", "skipped") for step in steps)
    busy = [step for step in steps if step.get("state") in ("running", "failed")]
    busy = busy or [step for step in steps if step.get("state") == "waiting"][:1]
    words = ", ".join(_step_words(step) for step in busy) or "waiting"
    return words, over / max(len(steps), 1)


def _step_words(step: dict[str, Any]) -> str:
    words = str(step.get("name", "")).replace("_", " ")
    attempts = step.get("attempts") or 0
    return f"{words} (attempt {attempts})" if attempts > 1 else words


def _failed_step(ingest: dict[str, Any]) -> str:
    for step in ingest.get("steps") or []:
        if step.get("state") == "failed":
            return f"{_step_words(step)}: {_words(step.get('error')) or 'failed'}"
    return ""


def _words(error: object) -> str:
    return _problem(error) if isinstance(error, dict) else str(error or "")


def _problem(body: dict[str, Any]) -> str:
    """A problem document (RFC 9457) in one line: what happened here, else what kind of problem it is."""
    return str(body.get("detail") or body.get("title") or "")


def _object(response: httpx.Response) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        body = response.json()
        if isinstance(body, dict):
            return body
    return {}


def _refuse_stranger(response: httpx.Response) -> None:
    if response.status_code in (401, 403):
        raise CannotStartError("The API refuses the admin token; `tonetouch token` prints the right one.")


class _Counted(io.FileIO):
    """A file that tells which share of its bytes has been read."""

    def __init__(self, path: Path, told: Callable[[float], None]) -> None:
        super().__init__(str(path), "rb")
        self._told = told
        self._size = max(path.stat().st_size, 1)

    def read(self, size: int | None = -1, /) -> Any:
        data = super().read(-1 if size is None else size)
        self._told(min(self.tell() / self._size, 1.0))
        return data

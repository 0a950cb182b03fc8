"""Asking the running API about AI's calls and their cost, for the commands of `tonetouch ledger`."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Self

import httpx

from tonetouch_deploy.run_record import RunRecord
from tonetouch_deploy.settings import CannotStartError

Answer = dict[str, Any]
_PATIENCE = httpx.Timeout(30.0, connect=5.0)
_REPLAY_SECONDS = 180.0
_PAGE = 200


class LedgerClient:
    """The part of the HTTP API about the ledger. Numbers with a point arrive as decimals, so that money stays exact.

    Whatever goes wrong is a CannotStartError with the API's own words: a person reads it. Use as a context manager.
    """

    def __init__(self, record: RunRecord) -> None:
        self._client = httpx.Client(
            base_url=f"{record.api_url}/api/v1/ai",
            headers={"Authorization": f"Bearer {record.admin_token}"},
            timeout=_PATIENCE,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._client.close()

    def get(self, path: str, **query: Any) -> Answer:
        """The answer to a question; what is None is not asked for."""
        return self._answered("GET", path, params=_said(query))

    def listed(self, path: str, most: int, **query: Any) -> list[Answer]:
        """The items of a list, page after page, until there are `most` of them."""
        found: list[Answer] = []
        cursor: str | None = None
        while len(found) < most:
            page = self.get(path, **query, cursor=cursor, limit=min(most - len(found), _PAGE))
            found += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        return found[:most]

    def put(self, path: str, body: Mapping[str, Any]) -> Answer:
        """Set something."""
        return self._answered("PUT", path, json=body)

    def replay(self, job_id: str, body: Mapping[str, Any]) -> Answer:
        """Ask a model once more, which takes as long as the model does."""
        return self._answered("POST", f"jobs/{job_id}/replay", json=body, timeout=_REPLAY_SECONDS)

    @contextmanager
    def streamed(self, path: str, **query: Any) -> Iterator[httpx.Response]:
        """A long answer, to be read as it comes; breaking off on the way is an error too."""
        try:
            with self._client.stream("GET", path, params=_said(query)) as response:
                if response.status_code != 200:
                    response.read()
                    raise CannotStartError(_words(response))
                yield response
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def _answered(self, method: str, path: str, **arguments: Any) -> Answer:
        try:
            response = self._client.request(method, path, **arguments)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        if response.status_code != 200:
            raise CannotStartError(_words(response))
        answer: Answer = json.loads(response.text, parse_float=Decimal)
        return answer

    def _unreachable(self, error: httpx.HTTPError) -> CannotStartError:
        said = str(error) or type(error).__name__
        return CannotStartError(
            f"The API at {self._client.base_url} gave no whole answer ({said}); is `uv run just up` running?"
        )


def _said(query: Mapping[str, Any]) -> dict[str, Any]:
    # `from` is a word of Python.
    return {name.removesuffix("_day"): value for name, value in query.items() if value is not None}


def _words(response: httpx.Response) -> str:
    if response.status_code == 401:
        return "The API refuses the admin token; `tonetouch token` prints the right one."
    try:
        problem = response.json()
        words = " ".join(part for part in (problem.get("detail"), problem.get("next_step")) if part)
    except (ValueError, AttributeError):
        words = ""
    return words or f"The API answered with HTTP {response.status_code}."

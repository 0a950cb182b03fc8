"""Asking the running API about AI's calls and their cost, for the commands of `tonetouch ledger`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from tonetouch_deploy.asking import Answer, PartClient, words_of
from tonetouch_deploy.run_record import RunRecord
from tonetouch_deploy.settings import CannotStartError

_REPLAY_SECONDS = 180.0
_PAGE = 200


class LedgerClient(PartClient):
    """The part of the HTTP API about the ledger."""

    def __init__(self, record: RunRecord) -> None:
        super().__init__(record, "ai")

    def get(self, path: str, **query: Any) -> Answer:
        """The answer to a question; what is None is not asked for."""
        return self.answered("GET", path, params=_said(query))

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
        return self.answered("PUT", path, json=body)

    def replay(self, job_id: str, body: Mapping[str, Any]) -> Answer:
        """Ask a model once more, which takes as long as the model does."""
        return self.answered("POST", f"jobs/{job_id}/replay", json=body, timeout=_REPLAY_SECONDS)

    @contextmanager
    def streamed(self, path: str, **query: Any) -> Iterator[httpx.Response]:
        """A long answer, to be read as it comes; breaking off on the way is an error too."""
        try:
            with self._client.stream("GET", path, params=_said(query)) as response:
                if response.status_code != 200:
                    response.read()
                    raise CannotStartError(words_of(response))
                yield response
        except httpx.HTTPError as error:
            raise self.unreachable(error) from error


def _said(query: Mapping[str, Any]) -> dict[str, Any]:
    # `from` is a word of Python.
    return {name.removesuffix("_day"): value for name, value in query.items() if value is not None}

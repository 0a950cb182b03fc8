"""Asking one part of the running API, for commands whose answers a person reads."""

import json
from decimal import Decimal
from typing import Any, Self

import httpx

from tonetouch_deploy.run_record import RunRecord
from tonetouch_deploy.settings import CannotStartError

Answer = dict[str, Any]
_PATIENCE = httpx.Timeout(30.0, connect=5.0)


class PartClient:
    """The HTTP API, or the part of it below a path. Numbers with a point arrive as decimals, so that money stays exact.

    Whatever goes wrong is a CannotStartError with the API's own words: a person reads it. Use as a context manager.
    """

    def __init__(self, record: RunRecord, part: str = "") -> None:
        self._client = httpx.Client(
            base_url=f"{record.api_url}/api/v1/{part}",
            headers={"Authorization": f"Bearer {record.admin_token}"},
            timeout=_PATIENCE,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._client.close()

    def answered(self, method: str, path: str, **arguments: Any) -> Answer:
        """The JSON object that a request is answered with."""
        try:
            response = self._client.request(method, path, **arguments)
        except httpx.HTTPError as error:
            raise self.unreachable(error) from error
        if not response.is_success:
            raise CannotStartError(words_of(response))
        answer: Answer = json.loads(response.text, parse_float=Decimal)
        return answer

    def unreachable(self, error: httpx.HTTPError) -> CannotStartError:
        """What is said of an answer that did not come, or not to its end."""
        said = str(error) or type(error).__name__
        return CannotStartError(
            f"The API at {self._client.base_url} gave no whole answer ({said}); is `uv run just up` running?"
        )


def words_of(response: httpx.Response) -> str:
    """Why the API did not do it, in its own words."""
    if response.status_code == 401:
        return "The API refuses the admin token; `tonetouch token` prints the right one."
    try:
        problem = response.json()
        words = " ".join(part for part in (problem.get("detail"), problem.get("next_step")) if part)
    except (ValueError, AttributeError):
        words = ""
    return words or f"The API answered with HTTP {response.status_code}."

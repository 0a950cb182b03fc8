"""How the tests of the simulator speak to it: plain HTTP, as any client would."""

import json
from functools import cache
from typing import Any

import httpx

from tests.cloud import Account

CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "Say something."}]}


@cache
def http() -> httpx.Client:
    """One client for all tests: making one takes longer than most of them."""
    return httpx.Client(timeout=30.0)


def run(account: Account, model: str, body: Any, **headers: str) -> httpx.Response:
    """A model of Workers AI, in its own form."""
    url = f"{account.api_url}/accounts/{account.id}/ai/run/{model}"
    return http().post(url, json=body, headers={"authorization": f"Bearer {account.token}", **headers})


def cloudflare(account: Account, path: str, body: Any, **headers: str) -> httpx.Response:
    """Another endpoint below ``/ai``."""
    url = f"{account.api_url}/accounts/{account.id}/ai/{path}"
    return http().post(url, json=body, headers={"authorization": f"Bearer {account.token}"} | spelt(headers))


def anthropic(account: Account, body: Any, **headers: str) -> httpx.Response:
    """Anthropic without a gateway."""
    own = {"x-api-key": account.anthropic_key, "anthropic-version": "2023-06-01"}
    return http().post(f"{account.anthropic_url}/v1/messages", json=body, headers=own | spelt(headers))


def openai(account: Account, path: str, body: Any) -> httpx.Response:
    """OpenAI without a gateway."""
    own = {"authorization": f"Bearer {account.openai_key}"}
    return http().post(f"{account.openai_url}/{path}", json=body, headers=own)


def gemini(account: Account, call: str, body: Any) -> httpx.Response:
    """Gemini without a gateway; `call` is a model and its method."""
    own = {"x-goog-api-key": account.gemini_key}
    return http().post(f"{account.gemini_url}/models/{call}", json=body, headers=own)


def through_gateway(account: Account, path: str, body: Any, **headers: str) -> httpx.Response:
    """Through the account's gateway, with its token and the key the provider wants."""
    keys = {
        "anthropic": {"x-api-key": account.anthropic_key, "anthropic-version": "2023-06-01"},
        "google-ai-studio": {"x-goog-api-key": account.gemini_key},
    }
    provider = path.partition("/")[0]
    own = keys.get(provider) or {"authorization": f"Bearer {account.keys[provider]}"}
    own["cf-aig-authorization"] = f"Bearer {account.token}"
    url = f"{account.gateway_url}/{account.id}/{account.gateway}/{path}"
    return http().post(url, json=body, headers=own | spelt(headers))


def spelt(headers: dict[str, str]) -> dict[str, str]:
    """Header names as they are sent: with hyphens."""
    return {name.replace("_", "-"): value for name, value in headers.items()}


def codes(response: httpx.Response) -> tuple[int, list[int]]:
    """The status and the codes in Cloudflare's envelope."""
    envelope = response.json()
    assert envelope["success"] is False
    return response.status_code, [one["code"] for one in envelope["errors"]]


def events(text: str) -> list[Any]:
    """The data of a stream of server-sent events; ``[DONE]`` stays as it is."""
    found = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    return [one if one == "[DONE]" else json.loads(one) for one in found]

"""The headers that say what a gateway shall do with one request."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.cloud.faults import Refused
from tests.cloud.gateways import Gateway

TTL_SECONDS = (60, 30 * 86_400)
OWN_KEY_TTL_SECONDS = 300
METADATA_ENTRIES = 5
INVALID_HEADER = 2000
"""A number of the simulator's own: what a gateway says to a bad header is not documented."""


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What the headers of one request ask of its gateway, and what of the gateway's settings they leave standing."""

    ttl_seconds: int
    cache_key: str | None
    metadata: dict[str, Any] = field(default_factory=dict)
    custom_cost: dict[str, float] | None = None
    timeout_seconds: float | None = None
    max_attempts: int = 1
    retry_delay_seconds: float = 0.0
    backoff: str = "constant"
    collect_log: bool = True
    collect_payload: bool = True
    event_id: str | None = None


def wishes(headers: Mapping[str, str], gateway: Gateway) -> Wishes:
    """Raises Refused (400) where a value is not what is documented. A sixth entry of metadata is dropped unsaid."""
    ttl = _number(headers, "cf-aig-cache-ttl", *TTL_SECONDS)
    cache_key = headers.get("cf-aig-cache-key")
    standing = gateway.cache_ttl or (OWN_KEY_TTL_SECONDS if cache_key else 0)
    skip = _truth(headers, "cf-aig-skip-cache", False)
    timeout = _number(headers, "cf-aig-request-timeout", 1, 10_000_000)
    delay = _number(headers, "cf-aig-retry-delay", 0, 5000)
    backoff = headers.get("cf-aig-backoff", "constant")
    if backoff not in ("constant", "linear", "exponential"):
        raise Refused(400, INVALID_HEADER, "cf-aig-backoff: constant, linear or exponential")
    return Wishes(
        ttl_seconds=0 if skip else (standing if ttl is None else ttl),
        cache_key=cache_key,
        metadata=_metadata(headers),
        custom_cost=_object(headers, "cf-aig-custom-cost"),
        timeout_seconds=None if timeout is None else timeout / 1000,
        max_attempts=_number(headers, "cf-aig-max-attempts", 1, 5) or gateway.retry_max_attempts,
        retry_delay_seconds=(gateway.retry_delay if delay is None else delay) / 1000,
        backoff=backoff,
        collect_log=_truth(headers, "cf-aig-collect-log", gateway.collect_logs),
        collect_payload=_truth(headers, "cf-aig-collect-log-payload", True),
        event_id=headers.get("cf-aig-event-id"),
    )


def _number(headers: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    given = headers.get(name)
    if given is None:
        return None
    if not given.isdecimal() or not least <= int(given) <= most:
        raise Refused(400, INVALID_HEADER, f"{name}: a whole number from {least} to {most}")
    return int(given)


def _truth(headers: Mapping[str, str], name: str, standing: bool) -> bool:
    given = headers.get(name)
    if given is None:
        return standing
    if given not in ("true", "false"):
        raise Refused(400, INVALID_HEADER, f"{name}: true or false")
    return given == "true"


def _object(headers: Mapping[str, str], name: str) -> dict[str, Any] | None:
    given = headers.get(name)
    if given is None:
        return None
    try:
        value = json.loads(given)
    except json.JSONDecodeError as error:
        raise Refused(400, INVALID_HEADER, f"{name}: not JSON") from error
    if not isinstance(value, dict):
        raise Refused(400, INVALID_HEADER, f"{name}: not a JSON object")
    return value


def _metadata(headers: Mapping[str, str]) -> dict[str, Any]:
    entries = _object(headers, "cf-aig-metadata") or {}
    for name, value in entries.items():
        if not isinstance(value, str | int | float | bool | None):
            raise Refused(400, INVALID_HEADER, f"cf-aig-metadata: {name}: a string, number or boolean")
    return dict(list(entries.items())[:METADATA_ENTRIES])

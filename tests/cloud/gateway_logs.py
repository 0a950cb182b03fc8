"""The logs of a gateway over REST."""

import json
from typing import Any

from fastapi import APIRouter, Request
from jsonschema import Draft202012Validator
from starlette.responses import Response

from tests.cloud.accounts import accounts_of
from tests.cloud.arriving import enveloped
from tests.cloud.asking import objection, parsed
from tests.cloud.faults import Refused
from tests.cloud.gateways import Gateway, Log
from tests.cloud.openai import bearer
from tests.cloud.schemas import closed

router = APIRouter(prefix="/client/v4/accounts/{account_id}/ai-gateway/gateways/{gateway_name}/logs")

INVALID = 7001
"""A number of the simulator's own."""
NO_LOG = Refused(404, 7002, "log not found")
_ORDERS = ("created_at", "provider", "model", "model_type", "success", "cached")
_OPERATORS = ("eq", "neq", "contains", "lt", "gt")
_FEEDBACK = Draft202012Validator(
    closed({"score": {"type": ["number", "null"]}, "feedback": {"enum": [-1, 1, None]}, "metadata": {}})
)


@router.get("")
async def listing(request: Request, account_id: str, gateway_name: str) -> Response:
    """Pages of entries, the newest first unless it is asked otherwise."""
    query = request.query_params
    gateway, now = _gateway(request, account_id, gateway_name)
    page, per_page = (_number(query.get(name, given)) for name, given in (("page", "1"), ("per_page", "20")))
    order = query.get("order_by", "created_at")
    if order not in _ORDERS or query.get("order_by_direction", "desc") not in ("asc", "desc") or per_page > 50:
        raise Refused(400, INVALID, "order_by, order_by_direction or per_page is not known")
    filters = _filters(query.get("filters"))
    found = [log.told for log in gateway.logs if log.created <= now and all(_fits(log, one) for one in filters)]
    found.sort(key=lambda told: str(told[order]), reverse=query.get("order_by_direction", "desc") == "desc")
    told = found[(page - 1) * per_page : page * per_page]
    counts = {"page": page, "per_page": per_page, "count": len(told), "total_count": len(found)}
    return enveloped(told, result_info=counts)


@router.get("/{log_id}")
async def one(request: Request, account_id: str, gateway_name: str, log_id: str) -> Response:
    log = _log(request, account_id, gateway_name, log_id)
    head = (log.request or b"")[:1000].decode(errors="replace")
    return enveloped({**log.told, "request_head": head, "request_head_complete": len(log.request or b"") <= 1000})


@router.patch("/{log_id}")
async def feed_back(request: Request, account_id: str, gateway_name: str, log_id: str) -> Response:
    """A score, a thumb, or other metadata."""
    log = _log(request, account_id, gateway_name, log_id)
    body = parsed(await request.body(), 400, INVALID)
    wrong = objection(_FEEDBACK, body)
    if wrong:
        raise Refused(400, INVALID, wrong)
    log.told.update(body)
    return enveloped({})


@router.get("/{log_id}/request")
async def request_body(request: Request, account_id: str, gateway_name: str, log_id: str) -> Response:
    return _kept(_log(request, account_id, gateway_name, log_id).request)


@router.get("/{log_id}/response")
async def response_body(request: Request, account_id: str, gateway_name: str, log_id: str) -> Response:
    return _kept(_log(request, account_id, gateway_name, log_id).response)


def _kept(body: bytes | None) -> Response:
    if body is None:
        raise NO_LOG
    return Response(body, media_type="application/json")


def _gateway(request: Request, account_id: str, name: str) -> tuple[Gateway, float]:
    """The gateway, and until when its entries are shown."""
    account = accounts_of(request).named(account_id)
    if account is None or bearer(request.headers) != account.token:
        raise Refused(401, 10000, "Authentication error")
    if name not in account.gateways:
        raise Refused(404, INVALID, "gateway not found")
    return account.gateways[name], account.clock.now() - account.log_delay_seconds


def _log(request: Request, account_id: str, gateway_name: str, log_id: str) -> Log:
    gateway, now = _gateway(request, account_id, gateway_name)
    found = next((log for log in gateway.logs if log.told["id"] == log_id and log.created <= now), None)
    if found is None:
        raise NO_LOG
    return found


def _number(given: str) -> int:
    if not given.isdecimal() or int(given) < 1:
        raise Refused(400, INVALID, "page and per_page are numbers from 1")
    return int(given)


def _filters(given: str | None) -> list[dict[str, Any]]:
    if given is None:
        return []
    try:
        filters: list[dict[str, Any]] = json.loads(given)
        known = all(one["operator"] in _OPERATORS and isinstance(one["value"], list) for one in filters)
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise Refused(400, INVALID, "filters: a list of key, operator and value") from error
    if not known:
        raise Refused(400, INVALID, "filters: an operator or value is not known")
    return filters


def _fits(log: Log, condition: dict[str, Any]) -> bool:
    key, operator, values = condition["key"], condition["operator"], condition["value"]
    name, _, inner = key.partition(".")
    value = log.told.get(name)
    value = value.get(inner) if inner and isinstance(value, dict) else value
    if operator == "eq":
        return value in values
    if operator == "neq":
        return value not in values
    if operator == "contains":
        return any(str(one) in str(value) for one in values)
    return all(value < one if operator == "lt" else value > one for one in values)

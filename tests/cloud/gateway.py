"""AI Gateway: its own door, then cache, retries, log and the provider behind it."""

import asyncio
import hashlib
import uuid
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from tests.cloud.account import Account
from tests.cloud.accounts import accounts_of
from tests.cloud.answering import NO_FAULT, Attempt, attempt, response
from tests.cloud.anthropic import AnthropicDialect
from tests.cloud.arriving import asked_of, note_refusal, refused_unasked, unauthorised
from tests.cloud.asking import Answer, Asked, Dialect, Question, encoded, parsed
from tests.cloud.faults import Refused
from tests.cloud.gateway_headers import Wishes, wishes
from tests.cloud.gateways import CachedAnswer, Gateway, Log
from tests.cloud.gemini import GeminiDialect
from tests.cloud.openai import OpenAIDialect
from tests.cloud.record import Call, Charged
from tests.cloud.workers_ai import INVALID_DATA, WorkersAIDialect

NO_GATEWAY, NO_PROVIDER, RATE_LIMITED, UNAUTHORISED = 2001, 2008, 2003, 2009
UNCACHED_TASKS = ("speech", "transcription")
_MAY_PASS = (408, 429)

WORKERS_AI = WorkersAIDialect()
ANTHROPIC = AnthropicDialect()
DIALECTS: dict[str, Dialect] = {
    "workers-ai": WORKERS_AI,
    "anthropic": ANTHROPIC,
    "openai": OpenAIDialect(),
    "deepseek": OpenAIDialect("deepseek"),
    "google-ai-studio": GeminiDialect(),
}

router = APIRouter()


@router.post("/v1/{account_id}/{gateway_name}/{provider}/{path:path}")
async def through_gateway(request: Request, account_id: str, gateway_name: str, provider: str, path: str) -> Response:
    """A provider by its own path, with the gateway before it."""
    account = accounts_of(request).named(account_id)
    token = request.headers.get("cf-aig-authorization", "").removeprefix("Bearer ")
    try:
        if account is None:
            raise Refused(400, NO_GATEWAY, "Please configure AI Gateway in the Cloudflare dashboard")
        gateway = _entered(account, gateway_name, token)
        dialect = DIALECTS.get(provider)
        if dialect is None:
            raise Refused(400, NO_PROVIDER, "Invalid provider")
        wanted = _let_in(account, gateway, request)
    except Refused as no:
        refusal = _gateway_refusal(no)
        if account is not None:
            note_refusal(account, provider, "gateway", refusal, no, gateway_name)
        return refusal
    asked = await asked_of(request, account, _own_path(provider, path), "gateway")
    key = dialect.key(asked.headers)
    if key != account.keys[provider] and not (key is None and provider in gateway.byok):
        return refused_unasked(asked, dialect, unauthorised(provider), gateway.name)
    return await _served(asked, dialect, gateway, wanted)


async def over_the_api(request: Request, asked: Asked) -> Response:
    """The same on the API's host: with ``cf-aig-gateway-id`` through that gateway, else straight to the model."""
    name = request.headers.get("cf-aig-gateway-id")
    try:
        dialect, asked = _third_party(asked)
        if name is not None:
            gateway = _entered(asked.account, name, asked.account.token)
            return await _served(asked, dialect, gateway, _let_in(asked.account, gateway, request))
        return response(asked.account, await attempt(asked.account, dialect.question(asked)))
    except Refused as no:
        return refused_unasked(asked, WORKERS_AI, no, name)


def _third_party(asked: Asked) -> tuple[Dialect, Asked]:
    """Who is meant by a model such as ``anthropic/claude-sonnet-5``: the account's own credit pays for it."""
    if asked.path == "/v1/messages":
        return ANTHROPIC, replace(asked, unified_billing=True)
    if asked.path != "/v1/chat/completions":
        return WORKERS_AI, asked
    body = parsed(asked.raw, *INVALID_DATA)
    author, slash, name = str(body.get("model", "")).partition("/")
    if author.startswith("@") or not slash:
        return WORKERS_AI, asked
    if author not in ("openai", "deepseek"):
        raise Refused(402, 2021, "Unified Billing cannot serve this provider in this form: use your own key")
    raw = encoded({**body, "model": name})
    return DIALECTS[author], replace(asked, path="/chat/completions", raw=raw, unified_billing=True)


def _entered(account: Account, name: str, token: str) -> Gateway:
    """The gateway of that name; `default` is made by the first authenticated request."""
    if name == "default" and name not in account.gateways and token == account.token:
        account.add_gateway(name)
    gateway = account.gateways.get(name)
    if gateway is None:
        raise Refused(400, NO_GATEWAY, "Please configure AI Gateway in the Cloudflare dashboard")
    if gateway.authentication and token != account.token:
        raise Refused(401, UNAUTHORISED, "Unauthorized")
    return gateway


def _let_in(account: Account, gateway: Gateway, request: Request) -> Wishes:
    wanted = wishes(request.headers, gateway)
    if gateway.wait(account.clock.now()):
        raise Refused(429, RATE_LIMITED, "Rate limited")
    return wanted


def _own_path(provider: str, path: str) -> str:
    """Both documented forms of a Workers AI path become one."""
    if provider == "workers-ai" and path.startswith("@"):
        return f"/run/{path}"
    return f"/{path}"


def _gateway_refusal(no: Refused) -> Response:
    """The gateway's own form: the list stands under `error`."""
    body = {"success": False, "result": [], "messages": [], "error": [{"code": no.code, "message": no.message}]}
    return Response(encoded(body), no.status, media_type="application/json")


async def _served(asked: Asked, dialect: Dialect, gateway: Gateway, wanted: Wishes) -> Response:
    account = asked.account
    try:
        question = dialect.question(asked)
    except Refused as no:
        return refused_unasked(asked, dialect, no, gateway.name)
    cached = wanted.ttl_seconds > 0 and not question.streamed and question.task not in UNCACHED_TASKS
    key = _cache_key(question, asked, wanted)
    kept = gateway.cache.get(key) if cached else None
    if kept is not None and account.clock.now() < kept.until:
        return _hit(asked, question, gateway, wanted, kept.answer)
    made = await _tried(asked, dialect, gateway, wanted)
    if cached:
        made.call.gateway_cache = "MISS"
        made.answer.headers["cf-aig-cache-status"] = "MISS"
        if made.answer.status == 200 and made.answer.error is None and made.answer.pieces is None:
            gateway.cache[key] = CachedAnswer(made.answer, account.clock.now() + wanted.ttl_seconds)
    _logged(asked, question, gateway, wanted, made.call, made.answer)
    return response(account, made)


def _cache_key(question: Question, asked: Asked, wanted: Wishes) -> str:
    if wanted.cache_key is not None:
        return f"own {wanted.cache_key}"
    return hashlib.sha256(f"{question.provider} {asked.path} {question.body_sha256}".encode()).hexdigest()


def _hit(asked: Asked, question: Question, gateway: Gateway, wanted: Wishes, kept: Answer) -> Response:
    """The same body once more; no provider hears of it, and nothing is charged."""
    account = asked.account
    call = account.begin(
        Call(
            number=0,
            at=0.0,
            provider=question.provider,
            model=question.model,
            task=question.task,
            surface=question.surface,
            streamed=False,
            request_id=f"req_{uuid.uuid4().hex}",
            gateway=gateway.name,
            gateway_cache="HIT",
            body_sha256=question.body_sha256,
            status=kept.status,
        )
    )
    answer = replace(kept, headers={**kept.headers, "cf-aig-cache-status": "HIT"}, charged=Charged())
    _logged(asked, question, gateway, wanted, call, answer)
    return response(account, Attempt(call=call, answer=answer, fault=NO_FAULT))


async def _tried(asked: Asked, dialect: Dialect, gateway: Gateway, wanted: Wishes) -> Attempt:
    """The provider, as often as the headers say. Tries before the last are superseded in the record."""
    for number in range(1, wanted.max_attempts + 1):
        final = number == wanted.max_attempts
        try:
            trying = attempt(asked.account, dialect.question(asked), gateway=gateway.name)
            made = await (trying if final else asyncio.wait_for(trying, wanted.timeout_seconds))
        except TimeoutError:
            continue
        if final or (made.call.status not in _MAY_PASS and (made.call.status or 0) < 500):
            return made
        made.call.superseded, made.call.outcome = True, "refused"
        growth = {"constant": 1, "linear": number, "exponential": 2 ** (number - 1)}[wanted.backoff]
        await asyncio.sleep(wanted.retry_delay_seconds * growth)
    raise AssertionError("unreachable")


def _logged(asked: Asked, question: Question, gateway: Gateway, wanted: Wishes, call: Call, answer: Answer) -> None:
    """The headers of the answer, and the entry that is later found under their id."""
    account = asked.account
    call.metadata = wanted.metadata
    answer.headers["cf-aig-request-id"] = call.request_id
    answer.headers["cf-aig-step"] = "0"
    if wanted.event_id is not None:
        answer.headers["cf-aig-event-id"] = wanted.event_id
    if not wanted.collect_log:
        return
    call.log_id = answer.headers["cf-aig-log-id"] = f"log_{uuid.uuid4().hex}"
    log = Log(told=_entry(account, asked, question, wanted, call, answer), created=account.clock.now())
    if wanted.collect_payload:
        log.request = asked.raw
        log.response = b"".join(piece.data for piece in answer.pieces) if answer.pieces else answer.body
    gateway.note(log)


def _entry(
    account: Account, asked: Asked, question: Question, wanted: Wishes, call: Call, answer: Answer
) -> dict[str, Any]:
    charged = call.charged
    neurons = charged.micro_neurons / 1_000_000
    body_size = len(answer.body) if answer.pieces is None else sum(len(piece.data) for piece in answer.pieces)
    return {
        "id": call.log_id,
        "provider": question.provider,
        "model": question.model,
        "model_type": question.task,
        "path": asked.path.lstrip("/"),
        "duration": round(1000 * (account.clock.now() - call.at)),
        "request_type": "stream" if question.streamed else "single",
        "request_content_type": asked.headers.get("content-type"),
        "response_content_type": answer.content_type,
        "status_code": answer.status,
        "success": answer.status < 400,
        "cached": call.gateway_cache == "HIT",
        "tokens_in": charged.prompt_tokens,
        "tokens_out": charged.completion_tokens,
        "metadata": wanted.metadata,
        "step": 0,
        "cost": (wanted.custom_cost or {}).get("total_cost", neurons * 0.011 / 1000 if neurons else None),
        "custom_cost": wanted.custom_cost is not None,
        "request_size": len(asked.raw),
        "response_size": body_size,
        "created_at": account.clock.text(),
    }

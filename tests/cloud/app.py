"""The simulator as one web application: every host of the real cloud is a path here."""

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response

from tests.cloud import controlling, gateway, gateway_logs, vectorize
from tests.cloud.accounts import Accounts, accounts_of
from tests.cloud.answering import attempt, response
from tests.cloud.arriving import asked_of, refused, refused_in_envelope, refused_unasked, unauthorised
from tests.cloud.faults import Refused
from tests.cloud.gateway import DIALECTS, WORKERS_AI, over_the_api
from tests.cloud.openai import bearer
from tests.cloud.workers_ai import NO_ROUTE, UNAUTHORISED

_HOSTS = {
    # path here: the provider's slug, and what of the path stands for its host
    "anthropic": ("anthropic", "/anthropic"),
    "openai": ("openai", "/openai/v1"),
    "gemini": ("google-ai-studio", "/gemini"),
    "deepseek": ("deepseek", "/deepseek"),
}

router = APIRouter()


@router.post("/client/v4/accounts/{account_id}/ai/{path:path}")
async def over_cloudflare(request: Request, account_id: str, path: str) -> Response:
    """Workers AI, and what the account's own credit pays for."""
    account = accounts_of(request).named(account_id)
    if account is None or bearer(request.headers) != account.token:
        return refused(WORKERS_AI, UNAUTHORISED)
    return await over_the_api(request, await asked_of(request, account, f"/{path}", "workers-ai"))


async def nowhere(request: Request) -> Response:
    """Every other path of the API."""
    return refused(WORKERS_AI, NO_ROUTE)


@router.post("/{host}/{path:path}")
async def direct(request: Request, host: str, path: str) -> Response:
    """A provider without a gateway before it."""
    if host not in _HOSTS:
        return await nowhere(request)
    slug, prefix = _HOSTS[host]
    dialect = DIALECTS[slug]
    account = accounts_of(request).owner(slug, dialect.key(request.headers))
    if account is None:
        return refused(dialect, unauthorised(slug))
    asked = await asked_of(request, account, f"/{host}/{path}".removeprefix(prefix), "direct")
    try:
        question = dialect.question(asked)
    except Refused as no:
        return refused_unasked(asked, dialect, no)
    return response(account, await attempt(account, question))


def application(accounts: Accounts) -> FastAPI:
    """The web application over some accounts."""
    app = FastAPI(openapi_url=None, title="simulated cloud")
    app.state.accounts = accounts
    app.add_exception_handler(Refused, refused_in_envelope)
    for part in (controlling.router, vectorize.router, gateway_logs.router, gateway.router):
        app.include_router(part)
    app.include_router(router)
    app.add_api_route("/{path:path}", nowhere, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    return app

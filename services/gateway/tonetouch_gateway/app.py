"""What the gateway is made of, in the order of the story."""

from fastapi import Depends, FastAPI

from tonetouch_gateway import (
    accounting,
    auditing,
    browsing,
    budgeting,
    copywriting,
    exporting,
    gathering,
    health,
    indexing,
    judging,
    playing,
    recalling,
    recommending,
    relating,
    reporting,
    searching,
    showing,
    timing,
    uploading,
    watching,
)
from tonetouch_gateway.documenting import described_api
from tonetouch_gateway.identifying import identify
from tonetouch_gateway.operations import boarding, lagging, repairing, storytelling, surveying
from tonetouch_gateway.problems import PROBLEMS, answer_with_problems
from tonetouch_gateway.serving import serving
from tonetouch_runtime import App

ROUTERS = (
    uploading.router,
    browsing.router,
    watching.router,
    searching.router,
    playing.router,
    judging.router,
    gathering.router,
    recommending.router,
    recalling.router,
    relating.router,
    copywriting.router,
    exporting.router,
    reporting.router,
    accounting.router,
    timing.router,
    budgeting.router,
    auditing.router,
    indexing.router,
    surveying.router,
    lagging.router,
    repairing.router,
    boarding.router,
    storytelling.router,
)


def make_api() -> FastAPI:
    """The HTTP API with all its routes; it needs a floor only to answer."""
    api = described_api()
    for router in ROUTERS:
        api.include_router(router, prefix="/api/v1", dependencies=[Depends(identify)], responses=PROBLEMS)
    api.include_router(health.router)
    api.include_router(showing.router)
    answer_with_problems(api)
    return api


app = App(name="gateway", resources=(serving(make_api),))

"""What the ledger is made of."""

from tonetouch_ai_ledger import (
    budgeting,
    caching,
    comparing,
    listing,
    recording,
    replaying,
    reporting,
    repricing,
    retaining,
    sweeping,
    throttling,
    timing,
    tracing,
)
from tonetouch_ai_ledger.budget import Budget
from tonetouch_ai_ledger.job import Job
from tonetouch_runtime import App

app = App(
    name="ai-ledger",
    routers=(
        recording.router,
        listing.router,
        reporting.router,
        caching.router,
        comparing.router,
        timing.router,
        throttling.router,
        budgeting.router,
        tracing.router,
        replaying.router,
        repricing.router,
    ),
    resources=(sweeping.sweeping_jobs, retaining.retaining_bodies),
    nouns={Job: "AI", Budget: "AI"},
)

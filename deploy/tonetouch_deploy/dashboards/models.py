"""How models answer."""

from tonetouch_deploy.dashboards.panels import Dashboard, Panel, quantile, rate, share
from tonetouch_runtime.telemetry import names

MODELS = Dashboard(
    uid="tonetouch-models",
    title="Tone Touch: calls to models",
    text="How models answer and how long calls wait. What they cost is in the ledger and nowhere else: "
    "`tonetouch ledger usage`.",
    panels=(
        Panel(title="Calls", about=names.CALL, queries=(rate(names.CALL, "provider", "model"),), unit="ops"),
        Panel(
            title="Calls that fail",
            about=names.CALL,
            queries=(rate(names.CALL, "model", "outcome", where='outcome!="done"'),),
            unit="ops",
        ),
        Panel(
            title="Until a model has answered",
            about=names.CALL,
            queries=(quantile(0.5, names.CALL, "model", "task"), quantile(0.95, names.CALL, "model", "task")),
            unit="s",
        ),
        Panel(
            title="Until the first piece, p95",
            about=names.FIRST_PIECE,
            queries=(quantile(0.95, names.FIRST_PIECE, "model", "task"),),
            unit="s",
        ),
        Panel(
            title="Waiting for a turn, p95",
            about=names.WAITED,
            queries=(quantile(0.95, names.WAITED, "provider", "model"),),
            unit="s",
        ),
        Panel(
            title="Share of answers that needed no call",
            about=names.ANSWERED,
            queries=(share(names.ANSWERED, 'cache!="miss"', "task"),),
            unit="percentunit",
        ),
    ),
)

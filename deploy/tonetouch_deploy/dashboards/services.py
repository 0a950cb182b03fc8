"""Whether services can do their work, and how long people and services wait."""

from tonetouch_deploy.dashboards.panels import CHOSEN, Dashboard, Panel, now, quantile, rate, share
from tonetouch_runtime.telemetry import names
from tonetouch_runtime.telemetry.names import ROOT

SERVICES = Dashboard(
    uid="tonetouch-services",
    title="Tone Touch: services",
    text="Whether every service can do its work, what people wait for, and what services answer each other.",
    panels=(
        Panel(title="Ready", about=names.READY, queries=(now(names.READY, ROOT),), kind="stat"),
        Panel(
            title="Checks that fail",
            about=names.CHECK,
            queries=((f"{names.CHECK.name}{{{CHOSEN}}} == 0", "{{service}} {{check}}"),),
        ),
        Panel(title="Requests", about=names.HTTP, queries=(rate(names.HTTP, "method", "route"),), unit="reqps"),
        Panel(
            title="Until an answer begins",
            about=names.HTTP,
            queries=(quantile(0.5, names.HTTP, "route"), quantile(0.99, names.HTTP, "route")),
            unit="s",
        ),
        Panel(
            title="Share of requests that fail on our side",
            about=names.HTTP,
            queries=(share(names.HTTP, 'status=~"5.."', "route"),),
            unit="percentunit",
        ),
        Panel(
            title="Asking another service, p99",
            about=names.ASK,
            queries=(quantile(0.99, names.ASK, "subject"),),
            unit="s",
        ),
        Panel(title="Answers", about=names.ANSWER, queries=(rate(names.ANSWER, "subject"),), unit="ops"),
        Panel(
            title="Answers that are problems",
            about=names.ANSWER,
            queries=(rate(names.ANSWER, "subject", "outcome", where='outcome!="done"'),),
            unit="ops",
        ),
        Panel(
            title="Answering, p99",
            about=names.ANSWER,
            queries=(quantile(0.99, names.ANSWER, "subject"),),
            unit="s",
        ),
    ),
)

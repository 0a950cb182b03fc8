"""What is appended, who follows it, who is behind, and what is parked."""

from tonetouch_deploy.dashboards.panels import CHOSEN, Dashboard, Panel, now, quantile, rate
from tonetouch_runtime.telemetry import names
from tonetouch_runtime.telemetry.names import ROOT

_STUCK = (
    f"sum by (service, part, state) ({names.STUCK.name}{{{CHOSEN}}})",
    "{{service}} {{part}} is {{state}}",
)
_STANDS_STILL = (
    f"(delta({names.POSITION.name}{{{CHOSEN}}}[5m]) == 0) and ({names.BEHIND.name}{{{CHOSEN}}} > 0)",
    "{{service}} {{part}} {{stream}}",
)
_GROWS = (f"max by (stream) (deriv({names.HEAD.name}{{{CHOSEN}}}[5m]))", "{{stream}}")

LOG = Dashboard(
    uid="tonetouch-log",
    title="Tone Touch: event log",
    text="What is appended, who is behind, who does not move, and what is parked. Being behind is normal for a moment; "
    "being behind and not moving never is.",
    panels=(
        Panel(
            title="Appends",
            about=names.APPEND,
            queries=(rate(names.APPEND, "stream", "outcome"),),
            unit="ops",
        ),
        Panel(
            title="One append",
            about=names.APPEND,
            queries=(quantile(0.5, names.APPEND, "stream"), quantile(0.99, names.APPEND, "stream")),
            unit="s",
        ),
        Panel(title="Events", about=names.APPENDED, queries=(rate(names.APPENDED, "subject"),), unit="ops"),
        Panel(title="Streams grow", about=names.HEAD, queries=(_GROWS,), unit="ops"),
        Panel(title="Behind, in events", about=names.BEHIND, queries=(now(names.BEHIND, ROOT, "part", "stream"),)),
        Panel(
            title="Behind, in time",
            about=names.BEHIND_SECONDS,
            queries=(now(names.BEHIND_SECONDS, ROOT, "part", "stream"),),
            unit="s",
        ),
        Panel(title="Behind, and not moved for five minutes", about=names.POSITION, queries=(_STANDS_STILL,)),
        Panel(title="Stalled, paused or broken", about=names.STUCK, queries=(_STUCK,)),
        Panel(
            title="Oldest parked event",
            about=names.PARKED_SECONDS,
            queries=(now(names.PARKED_SECONDS, ROOT, "part"),),
            unit="s",
        ),
        Panel(title="Parked events", about=names.PARKED, queries=(now(names.PARKED, ROOT, "part"),)),
        Panel(
            title="From an event to its tables",
            about=names.DELAY,
            queries=(quantile(0.5, names.DELAY, "stream"), quantile(0.99, names.DELAY, "stream")),
            unit="s",
        ),
        Panel(
            title="Events into tables",
            about=names.KEPT_EVENTS,
            queries=(rate(names.KEPT_EVENTS, ROOT, "stream"),),
            unit="ops",
        ),
        Panel(
            title="One transaction, p99",
            about=names.KEPT,
            queries=(quantile(0.99, names.KEPT, ROOT, "stream"),),
            unit="s",
        ),
        Panel(
            title="Events heard",
            about=names.HEARD,
            queries=(rate(names.HEARD, "consumer", "outcome"),),
            unit="ops",
        ),
        Panel(
            title="Hearing one event, p95",
            about=names.HEARD,
            queries=(quantile(0.95, names.HEARD, "consumer"),),
            unit="s",
        ),
        Panel(title="In hand", about=names.IN_HAND, queries=(now(names.IN_HAND, ROOT, "part"),)),
        Panel(title="Steps queued", about=names.QUEUED, queries=(rate(names.QUEUED, "subject"),), unit="ops"),
        Panel(
            title="Queued work done",
            about=names.WORKED,
            queries=(rate(names.WORKED, "consumer", "outcome"),),
            unit="ops",
        ),
        Panel(
            title="One step of work, p95",
            about=names.WORKED,
            queries=(quantile(0.95, names.WORKED, "consumer"),),
            unit="s",
        ),
    ),
)

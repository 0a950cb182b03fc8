"""Dashboards as the JSON that Grafana imports."""

import json
from pathlib import Path
from typing import Any

from tonetouch_deploy.dashboards.log import LOG
from tonetouch_deploy.dashboards.models import MODELS
from tonetouch_deploy.dashboards.panels import Dashboard, Panel
from tonetouch_deploy.dashboards.services import SERVICES
from tonetouch_runtime.telemetry import names
from tonetouch_runtime.telemetry.names import ROOT

DASHBOARDS = (SERVICES, LOG, MODELS)
FOLDER = Path(__file__).parents[2] / "telemetry" / "grafana" / "dashboards"

_SCHEMA = 39
_SOURCE = {"type": "prometheus", "uid": "${source}"}
_WIDTH, _HEIGHT, _COLUMNS = 8, 8, 3


def model_of(dashboard: Dashboard) -> dict[str, Any]:
    """A dashboard as Grafana imports it."""
    text = {
        "type": "text",
        "title": "",
        "gridPos": {"x": 0, "y": 0, "w": _WIDTH * _COLUMNS, "h": 3},
        "options": {"mode": "markdown", "content": dashboard.text},
    }
    panels = [text, *(_panel(number, panel) for number, panel in enumerate(dashboard.panels))]
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["tonetouch"],
        "schemaVersion": _SCHEMA,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": _variables()},
        "panels": [{"id": number + 1, **panel} for number, panel in enumerate(panels)],
    }


def _variables() -> list[dict[str, Any]]:
    return [
        {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
        {
            "name": ROOT,
            "label": "Service",
            "type": "query",
            "datasource": _SOURCE,
            "query": f"label_values({names.READY.name}, {ROOT})",
            "includeAll": True,
            "multi": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
            "refresh": 2,
        },
    ]


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    row, column = divmod(number, _COLUMNS)
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about.meaning,
        "datasource": _SOURCE,
        "gridPos": {"x": column * _WIDTH, "y": 3 + row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
            for index, (expression, legend) in enumerate(panel.queries)
        ],
    }


def files() -> dict[str, str]:
    """The text of every dashboard by the name of its file."""
    return {
        f"{dashboard.uid}.json": json.dumps(model_of(dashboard), indent=2, ensure_ascii=False) + "\n"
        for dashboard in DASHBOARDS
    }


def write() -> None:
    """Write all of them, and nothing else."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")

"""Dashboards, alerts and the collector's configuration: they ask for what is counted, and are put together right."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from tonetouch_deploy.dashboards.panels import rate
from tonetouch_deploy.dashboards.writing import DASHBOARDS, FOLDER, files
from tonetouch_deploy.targets import write_targets
from tonetouch_runtime.telemetry.names import APPEND, METRICS, ROOT

TELEMETRY = FOLDER.parents[1]
KNOWN = {metric.name: metric for metric in METRICS}
_OF_A_HISTOGRAM = re.compile("_(bucket|count|sum)$")


def selectors(expression: Any) -> Iterator[Any]:
    """Every series that a query asks for."""
    if isinstance(expression, promql_parser.VectorSelector):
        yield expression
    elif isinstance(expression, promql_parser.MatrixSelector):
        yield expression.vector_selector
    else:
        for name in ("expr", "lhs", "rhs", "args"):
            inner = getattr(expression, name, None)
            for one in inner if isinstance(inner, list) else [inner] if inner is not None else []:
                yield from selectors(one)


def asked(query: str) -> list[str]:
    """The metrics of a query; it can be read, and asks only for labels they have."""
    query = query.replace("$__rate_interval", "5m").replace("${source}", "p").replace(f"${ROOT}", ".*")
    found = []
    for selector in selectors(promql_parser.parse(query)):
        if selector.name == "up":
            continue
        name = selector.name if selector.name in KNOWN else _OF_A_HISTOGRAM.sub("", selector.name)
        assert name in KNOWN, selector.name
        for matcher in selector.matchers.matchers:
            assert matcher.name in (*KNOWN[name].labels, ROOT), (name, matcher.name)
        found.append(name)
    return found


def alerts() -> list[dict[str, Any]]:
    said = yaml.safe_load((TELEMETRY / "alerts.yaml").read_text(encoding="utf-8"))
    return [rule for group in said["groups"] for rule in group["rules"]]


def test_the_committed_dashboards_are_those_of_the_code() -> None:
    """`python -m tonetouch_deploy.dashboards` would change nothing."""
    assert {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()} == files()


def test_every_query_can_be_read_and_asks_for_what_there_is() -> None:
    """And every metric is shown somewhere: one that nobody looks at need not be counted."""
    shown = set()
    for text in files().values():
        for panel in json.loads(text)["panels"]:
            for target in panel.get("targets", ()):
                found = asked(target["expr"])
                assert found, target
                shown.update(found)
    assert shown == set(KNOWN)


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: str(rule["alert"]))
def test_every_alert_asks_for_what_there_is_and_says_what_to_do(rule: dict[str, Any]) -> None:
    """With a sentence of what is wrong and one of the next step."""
    asked(rule["expr"])
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["annotations"]["next_step"].endswith(".")


def test_panels_do_not_overlap() -> None:
    """Every panel has a place and an id of its own, within the width of the page."""
    for text in files().values():
        panels = json.loads(text)["panels"]
        places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in panels]
        assert len(set(places)) == len({p["id"] for p in panels}) == len(panels)
        assert all(p["gridPos"]["x"] + p["gridPos"]["w"] <= 24 for p in panels)
    assert len({dashboard.uid for dashboard in DASHBOARDS}) == 3


def test_a_label_that_a_metric_does_not_have_is_refused() -> None:
    """When the dashboards are written, not when somebody looks at an empty panel."""
    with pytest.raises(ValueError, match="no label entity"):
        rate(APPEND, "entity")


def test_the_collector_has_every_part_that_its_pipelines_name() -> None:
    """And names every part it has."""
    said = yaml.safe_load((TELEMETRY / "collector.yaml").read_text(encoding="utf-8"))
    pipelines = said["service"]["pipelines"].values()
    for kind in ("receivers", "processors", "exporters"):
        assert {name for pipeline in pipelines for name in pipeline[kind]} == set(said[kind])
    assert set(said["service"]["extensions"]) == set(said["extensions"])
    assert said["receivers"]["otlp"]["protocols"]["http"]["endpoint"].startswith("127.0.0.1:")


def test_what_to_scrape_is_every_health_port_of_the_run(tmp_path: Path) -> None:
    """Written anew at each start, and nothing of it left behind."""
    write_targets(tmp_path, {"nats": 1, "api": 2, "catalog-health": 3})
    path = write_targets(tmp_path, {"nats": 1, "api": 2, "catalog-health": 4, "gateway-health": 5})
    assert json.loads(path.read_text(encoding="utf-8")) == [{"targets": ["127.0.0.1:4", "127.0.0.1:5"]}]
    assert [path.name for path in path.parent.iterdir()] == ["targets.json"]

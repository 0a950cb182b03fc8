"""Panels and the questions they ask of Prometheus."""

from dataclasses import dataclass

from tonetouch_runtime.telemetry.names import ROOT, Metric

CHOSEN = f'{ROOT}=~"${ROOT}"'
"""The services that a reader has chosen."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One picture: queries in PromQL with their legends, and the metric whose meaning it explains."""

    title: str
    about: Metric
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    kind: str = "timeseries"


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """A page of panels. What is written stands below `text`, above the pictures."""

    uid: str
    title: str
    text: str
    panels: tuple[Panel, ...]


def rate(metric: Metric, *by: str, where: str = "") -> tuple[str, str]:
    """How many in a second, by these labels."""
    name = f"{metric.name}_count" if metric.kind == "histogram" else metric.name
    return f"sum by ({_labels(metric, by)}) (rate({name}{{{_where(where)}}}[$__rate_interval]))", _legend(by)


def quantile(share: float, metric: Metric, *by: str, where: str = "") -> tuple[str, str]:
    """What this share of them stayed below, by these labels."""
    series = f"rate({metric.name}_bucket{{{_where(where)}}}[$__rate_interval])"
    legend = f"p{share * 100:g} {_legend(by)}"
    return f"histogram_quantile({share:g}, sum by (le, {_labels(metric, by)}) ({series}))", legend


def now(metric: Metric, *by: str) -> tuple[str, str]:
    """The worst of the values as they are, by these labels."""
    return f"max by ({_labels(metric, by)}) ({metric.name}{{{CHOSEN}}})", _legend(by)


def share(metric: Metric, where: str, *by: str) -> tuple[str, str]:
    """The share of those that `where` describes among all, by these labels."""
    some, _ = rate(metric, *by, where=where)
    every, legend = rate(metric, *by)
    return f"{some} / {every}", legend


def _labels(metric: Metric, by: tuple[str, ...]) -> str:
    if unknown := set(by) - {*metric.labels, ROOT}:
        raise ValueError(f"{metric.name} has no label {', '.join(sorted(unknown))}")
    return ", ".join(by)


def _where(more: str) -> str:
    return f"{CHOSEN}, {more}" if more else CHOSEN


def _legend(by: tuple[str, ...]) -> str:
    return " ".join(f"{{{{{label}}}}}" for label in by)

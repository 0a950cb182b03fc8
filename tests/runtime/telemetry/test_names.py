"""The one file of names: each once, each explained, and no label that could hold an id."""

import re

from tonetouch_runtime.telemetry.names import METRICS, ROOT, Key, Metric

BOUNDED = {
    *("cache", "check", "consumer", "feature", "kind", "method", "model", "outcome", "part", "provider", "route"),
    *("state", "status", "stream", "subject", "task"),
}
"""What the labels may be: each has as many values as the code, the manifest or the routing table has."""


def test_every_metric_has_a_name_of_its_own_with_its_unit() -> None:
    """As Prometheus asks: seconds, totals, and what is counted."""
    assert len({metric.name for metric in METRICS}) == len(METRICS) > 20
    for metric in METRICS:
        assert re.fullmatch(r"tonetouch_[a-z_]+", metric.name)
        assert (metric.kind == "counter") == metric.name.endswith("_total")
        assert metric.meaning.endswith(".")
        if metric.kind == "histogram":
            assert metric.name.endswith("_seconds")


def test_no_label_grows_with_what_is_stored() -> None:
    """Series are kept for as long as a process lives: a label with ids in it would fill its memory."""
    for metric in METRICS:
        assert set(metric.labels) <= BOUNDED, metric.name
        assert ROOT not in metric.labels


def test_buckets_are_in_order() -> None:
    """Each bound above the last; nothing but a histogram has any."""
    for metric in METRICS:
        assert (metric.kind == "histogram") == bool(metric.buckets)
        assert list(metric.buckets) == sorted(set(metric.buckets))


def test_attributes_are_conventional_or_our_own() -> None:
    """OpenTelemetry's names where it has one, else a name that begins with the product's."""
    conventional = ("messaging.", "http.", "gen_ai.", "error.", "tonetouch.")
    assert all(key.startswith(conventional) for key in Key)
    assert len(set(Key)) == len(Key.__members__)


def test_a_metric_is_known_by_itself() -> None:
    """Two of the same shape are two: a page looks series up by the metric they are of."""
    one, other = (Metric(name="tonetouch_same", kind="gauge", meaning="The same.") for _ in range(2))
    assert one != other

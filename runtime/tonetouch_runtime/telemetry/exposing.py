"""``/metrics``: what was counted, and how things stand at the moment of the scrape, in Prometheus' text form."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from tonetouch_runtime.telemetry.counting import Counts, Labels, Times
from tonetouch_runtime.telemetry.names import ROOT, Metric

Readings = Mapping[Metric, Mapping[Labels, float]]
"""What was looked up for one scrape, by metric and labels."""


class Page:
    """The page of one service."""

    def __init__(self, service: str, counts: Counts) -> None:
        self._service = service
        self._counts = counts
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)

    def text(self, readings: Readings) -> bytes:
        """The page with these readings beside what was counted and what the system says of the process."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Once([*self._counted(), *self._read(readings)]))
        return generate_latest(registry) + generate_latest(self._process)

    def _counted(self) -> Iterator[Family]:
        for metric, series in self._counts.totals.items():
            yield self._family(metric, series)
        for metric, times in self._counts.times.items():
            family = HistogramMetricFamily(metric.name, metric.meaning, labels=(ROOT, *metric.labels))
            for labels, timed in list(times.items()):
                family.add_metric((self._service, *labels), buckets=_buckets(metric, timed), sum_value=timed.total)
            yield family

    def _read(self, readings: Readings) -> Iterator[Family]:
        return (self._family(metric, series) for metric, series in readings.items())

    def _family(self, metric: Metric, series: Mapping[Labels, float]) -> Family:
        kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
        family = kind(metric.name, metric.meaning, labels=(ROOT, *metric.labels))
        for labels, value in list(series.items()):
            family.add_metric((self._service, *labels), value)
        return family


class _Once(Collector):
    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Family]:
        return self._families


def _buckets(metric: Metric, times: Times) -> list[tuple[str, float]]:
    """Prometheus' buckets count all that is below their bound."""
    below, bounds = 0, [*map(str, metric.buckets), "+Inf"]
    cumulative = []
    for bound, count in zip(bounds, times.counts, strict=True):
        below += count
        cumulative.append((bound, float(below)))
    return cumulative

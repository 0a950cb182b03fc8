"""The Grafana dashboards, written from the names of the metrics: a panel cannot ask for what nobody counts."""

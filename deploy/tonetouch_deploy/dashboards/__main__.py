"""``python -m tonetouch_deploy.dashboards`` writes them to ``deploy/telemetry/grafana/dashboards``."""

from tonetouch_deploy.dashboards.writing import write

write()

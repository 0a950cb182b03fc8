"""Ports for installations of the tests: several may begin at once, here or in another run of the tests."""

from pathlib import Path

from tonetouch_deploy.ports import choose_ports
from tonetouch_deploy.run_record import RunRecord, last_run_record, write_run_record

_PARTS = ("nats", "object-store", "api")


def stay_off_the_usual_ports(data: Path) -> None:
    """Tell the launcher that its last run on this folder used other ports, unless there was a run.

    The usual ones look free until the last service has started: two launchers would both choose them. A port is not
    asked for by a setting, because the launcher would not replace it if it were taken meanwhile.
    """
    if last_run_record(data) is None:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        ports = choose_ports(dict.fromkeys(_PARTS), forced={}, last={})
        write_run_record(data, RunRecord(api_url="http://127.0.0.1:0", admin_token="", ports=ports))

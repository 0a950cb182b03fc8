"""The process that fills tables beside the service: how it stands back for others."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os
os.getloadavg = lambda: ({load}, 0.0, 0.0)
from tonetouch_runtime.rebuilding.apart import _give_way
_give_way()
print(os.sched_getscheduler(0), os.nice(0))
"""


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="needs Linux")
@pytest.mark.parametrize(("load", "policy"), [(0.0, "SCHED_IDLE"), (1e6, "SCHED_OTHER")])
def test_it_is_idle_where_the_machine_has_idle_moments_and_nice_where_not(load: float, policy: str) -> None:
    """Idle on a machine that is never idle, it would not come to its end."""
    command = [sys.executable, "-c", SCRIPT.format(load=load)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == [str(getattr(os, policy)), "10"]

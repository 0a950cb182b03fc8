"""``python -m tests.chaos.launching up``: the launcher as it is, but it starts what was killed again within a second.

With its own patience, a part that dies every few seconds would be left dead for half a minute, as it should be: then
most faults would hit a part that is not there.
"""

import functools

from tonetouch_deploy import up
from tonetouch_deploy.commands import app
from tonetouch_deploy.supervising import Pace, Supervisor

if __name__ == "__main__":
    vars(up)["Supervisor"] = functools.partial(Supervisor, pace=Pace(first_delay=0.1, longest_delay=1.0))
    app()

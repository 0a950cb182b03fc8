"""What ingest is made of, in the order of the story."""

from tonetouch_runtime import App

from tonetouch_ingest import progressing, showing, starting, stepping, sweeping
from tonetouch_ingest.scratch import opening_scratch
from tonetouch_ingest.workers import opening_workers

app = App(
    name="ingest",
    routers=(starting.router, progressing.router, stepping.router, showing.router),
    resources=(opening_workers, opening_scratch, sweeping.sweeping_uploads),
)

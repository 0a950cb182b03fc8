"""What ingest is made of, in the order of the story."""

from tonetouch_ingest import progressing, reembedding, ruling, showing, starting, stepping, sweeping, writing
from tonetouch_ingest.content import Content
from tonetouch_ingest.ears import opening_ears
from tonetouch_ingest.scratch import opening_scratch
from tonetouch_ingest.upload import Upload
from tonetouch_runtime import App

app = App(
    name="ingest",
    routers=(
        starting.router,
        progressing.router,
        stepping.router,
        writing.router,
        ruling.router,
        reembedding.router,
        showing.router,
    ),
    resources=(opening_scratch, opening_ears, sweeping.sweeping_uploads),
    nouns={Upload: "INGEST", Content: "INGEST"},
)

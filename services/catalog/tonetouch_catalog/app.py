"""What catalog is made of, in the order of the story."""

from tonetouch_catalog import browsing, collecting, gathering, judging, playing, publishing, relating, uploading
from tonetouch_catalog.entry import Entry
from tonetouch_catalog.feedback import Feedback
from tonetouch_catalog.playlist import Playlist
from tonetouch_catalog.track import Track
from tonetouch_runtime import App

app = App(
    name="catalog",
    routers=(
        uploading.router,
        publishing.router,
        browsing.router,
        relating.router,
        collecting.router,
        playing.router,
        judging.router,
        gathering.router,
    ),
    nouns={Track: "CATALOG", Entry: "CATALOG", Playlist: "LIBRARY", Feedback: "LIBRARY"},
)

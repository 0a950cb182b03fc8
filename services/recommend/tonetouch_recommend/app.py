"""What recommend is made of, in the order of the story."""

from tonetouch_recommend import learning, recognising
from tonetouch_recommend.indexes import gathering, inspecting
from tonetouch_recommend.indexes.indexing import opening_indexes
from tonetouch_recommend.lists import blending, recommending, resembling, serving, suggesting, tuning, walking
from tonetouch_recommend.lists.recommending import making_mixes_ahead
from tonetouch_recommend.lists.serving import recording
from tonetouch_recommend.search import hearing, naming, searching
from tonetouch_recommend.search.occurring import knowing_common_words
from tonetouch_recommend.taste import signalling
from tonetouch_runtime import App

app = App(
    name="recommend",
    # What is dirty is kept in `learning`: whatever else keeps tables stands before it.
    routers=(
        gathering.router,
        naming.router,
        signalling.router,
        learning.router,
        recognising.router,
        searching.router,
        hearing.router,
        resembling.router,
        recommending.router,
        suggesting.router,
        tuning.router,
        walking.router,
        blending.router,
        serving.router,
        inspecting.router,
    ),
    resources=(opening_indexes, recording, knowing_common_words, making_mixes_ahead),
)

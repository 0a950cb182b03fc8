"""What recommend is made of, in the order of the story."""

from tonetouch_recommend import learning, recognising, recommending, resembling, searching
from tonetouch_recommend.indexing import opening_indexes
from tonetouch_runtime import App

app = App(
    name="recommend",
    routers=(learning.router, recognising.router, searching.router, resembling.router, recommending.router),
    resources=(opening_indexes,),
)

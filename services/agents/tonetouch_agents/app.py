"""What agents is made of, in the order of the story."""

from tonetouch_agents import asking, collecting, refreshing, showing, writing
from tonetouch_runtime import App

app = App(
    name="agents",
    routers=(collecting.router, asking.router, writing.router, refreshing.router, showing.router),
    resources=(writing.opening_prompts, writing.opening_warming, refreshing.scheduling_refresh),
)

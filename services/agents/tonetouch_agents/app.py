"""What agents is made of, in the order of the story."""

from tonetouch_agents import asking, collecting, showing, writing
from tonetouch_runtime import App

app = App(
    name="agents",
    routers=(collecting.router, asking.router, writing.router, showing.router),
    resources=(writing.opening_prompts, writing.opening_warming),
)

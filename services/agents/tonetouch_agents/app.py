"""What agents is made of, in the order of the story."""

from tonetouch_agents import asking, collecting, refreshing, showing, writing
from tonetouch_agents.context import Contexts
from tonetouch_agents.copy import Copy
from tonetouch_agents.refresh import Refresh
from tonetouch_runtime import App

app = App(
    name="agents",
    routers=(collecting.router, asking.router, writing.router, refreshing.router, showing.router),
    resources=(writing.opening_prompts, writing.opening_warming, refreshing.scheduling_refresh),
    nouns={Copy: "AGENTS", Contexts: "AGENTS", Refresh: "AGENTS"},
)

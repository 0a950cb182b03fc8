"""What agents is made of, in the order of the story."""

from tonetouch_runtime import App

app = App(name="agents")

"""What the ledger is made of."""

from tonetouch_ai_ledger import recording, sweeping
from tonetouch_runtime import App

app = App(name="ai-ledger", routers=(recording.router,), resources=(sweeping.sweeping_jobs,))

"""What the ledger is made of."""

from tonetouch_runtime import App

from tonetouch_ai_ledger import recording, sweeping

app = App(name="ai-ledger", routers=(recording.router,), resources=(sweeping.sweeping_jobs,))

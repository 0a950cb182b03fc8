"""What the ledger is made of."""

from tonetouch_ai_ledger import listing, recording, sweeping
from tonetouch_runtime import App

app = App(name="ai-ledger", routers=(recording.router, listing.router), resources=(sweeping.sweeping_jobs,))

"""``python -m tonetouch_ai_ledger``."""

from tonetouch_ai_ledger.app import app
from tonetouch_runtime import serve

if __name__ == "__main__":
    serve(app)

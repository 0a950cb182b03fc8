"""``python -m tonetouch_ai_ledger``."""

from tonetouch_runtime import serve

from tonetouch_ai_ledger.app import app

if __name__ == "__main__":
    serve(app)

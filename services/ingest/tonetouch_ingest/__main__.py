"""``python -m tonetouch_ingest``."""

from tonetouch_runtime import serve

from tonetouch_ingest.app import app

if __name__ == "__main__":
    serve(app)

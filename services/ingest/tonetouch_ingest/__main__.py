"""``python -m tonetouch_ingest``."""

from tonetouch_ingest.app import app
from tonetouch_runtime import serve

if __name__ == "__main__":
    serve(app)

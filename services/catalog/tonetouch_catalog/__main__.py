"""``python -m tonetouch_catalog``."""

from tonetouch_catalog.app import app
from tonetouch_runtime import serve

if __name__ == "__main__":
    serve(app)

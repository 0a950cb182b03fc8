"""``python -m tonetouch_catalog``."""

from tonetouch_runtime import serve

from tonetouch_catalog.app import app

if __name__ == "__main__":
    serve(app)

"""``python -m tonetouch_gateway``."""

from tonetouch_runtime import serve

from tonetouch_gateway.app import app

if __name__ == "__main__":
    serve(app)

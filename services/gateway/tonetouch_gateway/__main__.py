"""``python -m tonetouch_gateway``."""

from tonetouch_gateway.app import app
from tonetouch_runtime import serve

if __name__ == "__main__":
    serve(app)

"""``python -m tonetouch_recommend``."""

from tonetouch_recommend.app import app
from tonetouch_runtime import serve

if __name__ == "__main__":
    serve(app)

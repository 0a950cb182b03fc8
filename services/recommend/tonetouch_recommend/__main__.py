"""``python -m tonetouch_recommend``."""

from tonetouch_runtime import serve

from tonetouch_recommend.app import app

if __name__ == "__main__":
    serve(app)

"""``python -m tonetouch_agents``."""

from tonetouch_agents.app import app
from tonetouch_runtime import serve

if __name__ == "__main__":
    serve(app)

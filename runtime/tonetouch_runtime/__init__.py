"""The floor under every service: how things are said and kept. It knows no music."""

from tonetouch_runtime._app import App, running, serve
from tonetouch_runtime._bus import Answered, Bus
from tonetouch_runtime._clock import Clock, SystemClock, moment, stamp
from tonetouch_runtime._floor import Floor
from tonetouch_runtime._log import Log
from tonetouch_runtime._objects import ObjectFacts, ObjectMissing, Objects, ObjectStoreUnavailable, ObjectTooLarge
from tonetouch_runtime._paging import decode_cursor, encode_cursor, page_size
from tonetouch_runtime._recorded import ConflictError, Decision, Loaded, Outcome, Recorded
from tonetouch_runtime._router import Router
from tonetouch_runtime._standing import Tables
from tonetouch_runtime._tables import Writer
from tonetouch_runtime._task import Task
from tonetouch_runtime.errors import ManifestDiffers, Misconfigured, NotNow, Refused, TonetouchError, Unavailable
from tonetouch_runtime.settings import Settings

__all__ = [
    "Answered",
    "App",
    "Bus",
    "Clock",
    "ConflictError",
    "Decision",
    "Floor",
    "Loaded",
    "Log",
    "ManifestDiffers",
    "Misconfigured",
    "NotNow",
    "ObjectFacts",
    "ObjectMissing",
    "ObjectStoreUnavailable",
    "ObjectTooLarge",
    "Objects",
    "Outcome",
    "Recorded",
    "Refused",
    "Router",
    "Settings",
    "SystemClock",
    "Tables",
    "Task",
    "TonetouchError",
    "Unavailable",
    "Writer",
    "decode_cursor",
    "encode_cursor",
    "moment",
    "page_size",
    "running",
    "serve",
    "stamp",
]

"""The commands `tonetouch events ...`: the log as an operator sees it, and what an operator does about it.

Each module below is one family of commands and puts them onto `events`: it imports `events` from `_root`, and is
imported here.
"""

from tonetouch_deploy.events import (
    exporting,
    flow,
    history,
    importing,
    lagging,
    protecting,
    rebuilding,
    recalling,
    repairing,
    replaying,
    streams,
    tailing,
)
from tonetouch_deploy.events._root import events

__all__ = [
    "events",
    "exporting",
    "flow",
    "history",
    "importing",
    "lagging",
    "protecting",
    "rebuilding",
    "recalling",
    "repairing",
    "replaying",
    "streams",
    "tailing",
]

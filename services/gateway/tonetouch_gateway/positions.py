"""Reading one's own writes over HTTP: ``Tonetouch-Position: CATALOG=12,LIBRARY=3``.

An answer that wrote something says how far the log was then. A client that sends this back is answered only when what
it asks has seen as much, or is told 'not yet'.
"""

import re
from collections.abc import Mapping

from tonetouch_contracts.message import Positions
from tonetouch_runtime import Refused

HEADER = "Tonetouch-Position"
_MOST_STREAMS = 16
_POSITION = re.compile(r"([A-Z][A-Z_]{0,31})=([0-9]{1,18})")


def parse_positions(header: str) -> Positions:
    """The positions in a header. Raises Refused for anything that no answer of ours has said."""
    entries = [entry.strip() for entry in header.split(",") if entry.strip()]
    found = [match for entry in entries if (match := _POSITION.fullmatch(entry))]
    if len(found) != len(entries) or len(found) > _MOST_STREAMS:
        raise Refused(
            "invalid", f"{HEADER} is not a list of positions.", "Send back what an answer said, or leave it out."
        )
    return {match[1]: int(match[2]) for match in found}


def format_positions(positions: Mapping[str, int]) -> str:
    """The header for these positions, streams in alphabetical order."""
    return ",".join(f"{stream}={positions[stream]}" for stream in sorted(positions))

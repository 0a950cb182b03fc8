"""An upload arrives: its bytes are stored, and it becomes a track that can be shown.

Answers `UploadTrack`; says `TrackUploaded`.
"""

import re
from functools import partial

import msgspec

from tonetouch_catalog.track import Track, upload
from tonetouch_contracts.identity import is_entity_id
from tonetouch_contracts.track import Accepted, TrackUploaded, UploadTrack
from tonetouch_runtime import Answered, Floor, Refused, Router

router = Router()

_SHA256 = re.compile(r"[0-9a-f]{64}")


@router.answers(UploadTrack)
async def upload_track(command: UploadTrack, floor: Floor) -> Answered[Accepted]:
    """Accept it, or refuse what can never become a track. Asking twice with one id is one upload."""
    _check(command)
    uploaded = TrackUploaded(**msgspec.structs.asdict(command))
    outcome = await floor.log.transact("CATALOG", command.track_id, Track(), partial(upload, uploaded=uploaded))
    accepted = Accepted(track_id=command.track_id, status=outcome.state.status)
    return Answered(value=accepted, positions=outcome.positions)


def _check(command: UploadTrack) -> None:
    if not is_entity_id(command.track_id):
        raise Refused("invalid", "A track's id has letters, digits, '-' and '_' only, 64 at most.")
    if command.size_bytes <= 0:
        raise Refused("invalid", "The file is empty.", "Choose a file with music in it.")
    if not _SHA256.fullmatch(command.sha256):
        raise Refused("invalid", "sha256 is 64 lower-case hexadecimal digits.")
    for name, value in msgspec.structs.asdict(command).items():
        # PostgreSQL takes no text that holds one, so the row of such a track could never be kept there.
        if isinstance(value, str) and "\0" in value:
            raise Refused("invalid", f"{name} holds a NUL character.", "Leave it out.")
